"""What several kinds say in the same way."""

from collections.abc import Callable

from monitor.alerts.kinds.kind import Group
from monitor.config.rules.match import EVERYTHING, FAILED, Match
from monitor.config.rules.model import Rule
from monitor.model.finding import Unit
from monitor.model.notification import AlertView
from monitor.model.phrases import threshold
from monitor.runtime.clock import Duration


def always(unit: Unit) -> Callable[[Rule, Group], Unit]:
    """The unit of a kind whose values are all measured in the same."""
    return lambda rule, group: unit


def nothing(about: object) -> str:
    """There is nothing to say."""
    return ""


def never(view: AlertView) -> bool:
    """Of no alert of the kind."""
    return False


def where_too_little(view: AlertView) -> bool:
    """Of the alerts about too little."""
    return view.comparison == "below"


def one_span(rule: Rule) -> int:
    """Messages are counted in one span."""
    return 1


def whole_reach(rule: Rule) -> Duration:
    """Each message that the rule looks back at is looked at."""
    return rule.reach


def is_particular(rule: Rule) -> bool:
    """Whether it asks for what only the messages themselves tell: whom they went to, their parts."""
    fields = {condition.field for _, condition in rule.conditions()} | {*rule.by}
    return "to" in fields or rule.unit == "parts"


def outcome_of(match: Match) -> str:
    """Which outcome is counted: ``Undelivered or Expired``; empty for plain failures and for everything, ``match`` for what is no outcome."""
    if match in (FAILED, EVERYTHING):
        return ""
    said = [condition for condition in match.conditions if condition.field in ("status", "detailedStatus")]
    if len(said) != len(match.conditions) or any(condition.operator != "is" for condition in said):
        return "match"
    return ", ".join(" or ".join(condition.values) for condition in said)


def compared(rule: Rule, unit: Unit) -> str:
    """``above 20%``, ``below 10 / 5``."""
    return f"{rule.comparison} {limits(rule, unit)}"


def limits(rule: Rule, unit: Unit) -> str:
    """The rule's thresholds: ``10 / 5``."""
    return " / ".join(
        threshold(level.limit, unit) if isinstance(level.limit, float) else str(level.limit) for level in rule.levels_
    )
