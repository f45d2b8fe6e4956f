"""Which function judges which kind of rule. A new kind is one file beside this one and one line here."""

from typing import Final

from monitor.alerts.kinds import (
    absence,
    balance,
    cost,
    count,
    distinct,
    latency,
    new_value,
    rate,
    slo,
    stuck,
)
from monitor.alerts.kinds.batch import BatchEvaluator
from monitor.alerts.kinds.campaign import kind as campaign
from monitor.alerts.kinds.result import EvaluationInput, RuleResult, withheld
from monitor.alerts.kinds.spike import kind as spike
from monitor.config.rules import (
    Absence,
    Balance,
    Campaign,
    Cost,
    Count,
    Distinct,
    Latency,
    NewValue,
    Rate,
    Rule,
    Slo,
    Spike,
    Stuck,
)

ALIKE: Final[dict[type[Rule], BatchEvaluator]] = {Rate: rate.ALIKE, Count: count.ALIKE, Spike: spike.ALIKE}
"""The kinds whose rules can be judged together where they count the same; the others are judged one by one."""


def evaluate(rule: Rule, moment: EvaluationInput) -> RuleResult:
    """The numbers of every group of a rule; not enough data while messages that it looks at are still to be fetched.

    Raises ValueError where the rule cannot be judged on this window.
    """
    found = _evaluate(rule, moment)
    return withheld(found, moment) if moment.lacks(rule) else found


def _evaluate(rule: Rule, moment: EvaluationInput) -> RuleResult:  # noqa: C901 — a line a kind is not complex
    match rule:
        case Rate():
            return rate.evaluate(rule, moment)
        case Count():
            return count.evaluate(rule, moment)
        case Spike():
            return spike.evaluate(rule, moment)
        case Latency():
            return latency.evaluate(rule, moment)
        case Stuck():
            return stuck.evaluate(rule, moment)
        case Absence():
            return absence.evaluate(rule, moment)
        case NewValue():
            return new_value.evaluate(rule, moment)
        case Cost():
            return cost.evaluate(rule, moment)
        case Distinct():
            return distinct.evaluate(rule, moment)
        case Slo():
            return slo.evaluate(rule, moment)
        case Campaign():
            return campaign.evaluate(rule, moment)
        case Balance():
            return balance.evaluate(rule, moment)
        case _:
            raise ValueError(f"rules of the kind {rule.kind!r} cannot be judged")
