"""Lists every kind of rule by name, and forwards calls for a rule to its kind. A new kind is listed here."""

from collections.abc import Iterable
from typing import Any, Final, TypeVar

from monitor.alerts.kinds.absence.kind import KIND as ABSENCE
from monitor.alerts.kinds.balance import KIND as BALANCE
from monitor.alerts.kinds.batch import BatchEvaluator, RuleBatch
from monitor.alerts.kinds.campaign.kind import KIND as CAMPAIGN
from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.cost import KIND as COST
from monitor.alerts.kinds.count import KIND as COUNT
from monitor.alerts.kinds.distinct import KIND as DISTINCT
from monitor.alerts.kinds.kind import Example, Group, Kind, Wording
from monitor.alerts.kinds.latency import KIND as LATENCY
from monitor.alerts.kinds.new_value import KIND as NEW_VALUE
from monitor.alerts.kinds.rate import KIND as RATE
from monitor.alerts.kinds.result import EvaluationInput, RuleResult, withheld
from monitor.alerts.kinds.shift.kind import KIND as SHIFT
from monitor.alerts.kinds.slo import KIND as SLO
from monitor.alerts.kinds.spike.kind import KIND as SPIKE
from monitor.alerts.kinds.stuck import KIND as STUCK
from monitor.config.rules.kinds import MODELS, add_model, name_of, remove_model
from monitor.config.rules.model import Rule
from monitor.model.finding import Unit
from monitor.runtime.pieces import Work

R = TypeVar("R", bound=Rule)

KINDS: Final[dict[str, Kind[Any]]] = {}
"""The kinds by name."""


def register(kind: Kind[R]) -> None:
    """Adds a kind and its model. Raises TypeError if another kind has its name."""
    add_model(kind.model)
    KINDS[name_of(kind.model)] = kind


def unregister(kind: Kind[R]) -> None:
    """Removes a kind and its model."""
    del KINDS[name_of(kind.model)]
    remove_model(kind.model)


_SHIPPED: Final[tuple[Kind[Any], ...]] = (
    *(RATE, COUNT, SPIKE, LATENCY, STUCK, ABSENCE),
    *(NEW_VALUE, COST, DISTINCT, SHIFT, SLO, CAMPAIGN, BALANCE),
)
for _kind in _SHIPPED:
    register(_kind)
if _without := MODELS.keys() - KINDS.keys():
    raise TypeError(f"there is a model but no Kind of {', '.join(sorted(_without))}")


def kind_of(rule: R) -> Kind[R]:
    """Returns the kind of a rule. Raises ValueError if it is not registered."""
    kind = KINDS.get(rule.kind)
    if kind is None:
        raise ValueError(f"rules of the kind {rule.kind!r} cannot be judged")
    return kind


def evaluate(rule: Rule, inputs: EvaluationInput) -> RuleResult:
    """Returns the numbers of every group of a rule; "not enough data" while messages that it looks at are still to be fetched.

    Raises ValueError if the rule cannot be evaluated on this window.
    """
    found = kind_of(rule).evaluate(rule, inputs)
    return withheld(found, inputs) if inputs.lacks(rule) else found


def evaluate_ahead(rule: Rule, inputs: EvaluationInput) -> Work[None]:
    """Does in pieces what takes long in `evaluate`, which must follow with the same inputs. Raises ValueError as that does."""
    kind = kind_of(rule)
    if inputs.known:
        yield from inputs.finding_codes(rule.by)
    yield from kind.ahead(rule, inputs)


def unit_of(rule: Rule, group: Group = ()) -> Unit:
    """Returns the unit of a group's values; it can differ between the problems of a campaign."""
    return kind_of(rule).unit(rule, group)


def matched(rule: Rule) -> str:
    """Returns what the rule counts, in a few words; empty for plain failures and for everything. See `AlertView.matched`."""
    return kind_of(rule).matched(rule)


def condition(rule: Rule) -> str:
    """Returns when the rule fires, in a few words: ``above 20%``, ``below 10 / 5``, ``no messages for 45m``."""
    return kind_of(rule).condition(rule)


def case_of(rule: Rule, inputs: EvaluationInput, group: Group) -> RuleCase | None:
    """Returns what is to be explained of a group; None if no messages carry it."""
    return kind_of(rule).case(rule, inputs, group)


def example_of(name: str) -> Example:
    """Returns a made-up alert of the kind of that name."""
    kind = KINDS.get(name)
    return Example(unit="count") if kind is None else kind.example


def wording_of(name: str) -> Wording | None:
    """Returns how an alert of the kind of that name is worded; None for built-in alerts and unknown kinds."""
    kind = KINDS.get(name)
    return None if kind is None else kind.wording


def batches(rules: Iterable[Rule]) -> list[RuleBatch]:
    """Returns the rules that can be evaluated in batches, also batches of one.

    Rules that group by recipient cannot, because recipients are numbered anew by each reader.
    """
    found: dict[object, tuple[BatchEvaluator, list[Rule]]] = {}
    for rule in rules:
        together = kind_of(rule).batch
        if together is not None and "to" not in rule.by:
            key = rule.counted, rule.every, together.apart(rule)
            found.setdefault(key, (together, []))[1].append(rule)
    return [RuleBatch(together, some, evaluate) for together, some in found.values()]
