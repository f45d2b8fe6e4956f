"""Parts of a `Kind` that several kinds share."""

from collections.abc import Callable

from monitor.alerts.kinds.kind import Group
from monitor.alerts.kinds.result import EvaluationInput
from monitor.config.rules.match import EVERYTHING, FAILED, Match
from monitor.config.rules.model import Rule
from monitor.model.finding import Unit
from monitor.model.notification import AlertView
from monitor.model.phrases import threshold
from monitor.runtime.clock import Duration
from monitor.runtime.pieces import Work


def always(unit: Unit) -> Callable[[Rule, Group], Unit]:
    """Returns the ``unit`` of a kind whose values all have the same unit."""
    return lambda rule, group: unit


def at_once_only(rule: Rule, inputs: EvaluationInput) -> Work[None]:
    """Does nothing ahead: the kind evaluates a rule in one piece."""
    yield from ()


def nothing(about: object) -> str:
    """Returns an empty text."""
    return ""


def never(view: AlertView) -> bool:
    """Returns false, for every alert."""
    return False


def where_too_little(view: AlertView) -> bool:
    """Returns true for alerts about too little."""
    return view.comparison == "below"


def one_span(rule: Rule) -> int:
    """Returns 1: messages are counted in one span."""
    return 1


def whole_reach(rule: Rule) -> Duration:
    """Returns the rule's whole reach: each message in it is read."""
    return rule.reach


def is_particular(rule: Rule) -> bool:
    """Returns whether the rule needs single messages, because it groups or filters by recipient or counts parts."""
    fields = {condition.field for _, condition in rule.conditions()} | {*rule.by}
    return "to" in fields or rule.unit == "parts"


def outcome_of(match: Match) -> str:
    """Returns the outcome that is counted: ``Undelivered or Expired``.

    It is empty for plain failures and for everything, and ``match`` if the conditions are not only about the status.
    """
    if match in (FAILED, EVERYTHING):
        return ""
    said = [condition for condition in match.conditions if condition.field in ("status", "detailedStatus")]
    if len(said) != len(match.conditions) or any(condition.operator != "is" for condition in said):
        return "match"
    return ", ".join(" or ".join(condition.values) for condition in said)


def compared(rule: Rule, unit: Unit) -> str:
    """Returns for example ``above 20%`` or ``below 10 / 5``."""
    return f"{rule.comparison} {limits(rule, unit)}"


def limits(rule: Rule, unit: Unit) -> str:
    """Returns the rule's thresholds, for example ``10 / 5``."""
    return " / ".join(
        threshold(level.limit, unit) if isinstance(level.limit, float) else str(level.limit) for level in rule.levels_
    )
