"""Explains an alert by the values of other fields that account for the excess over the baseline.

A value is named only if it carries much of the excess, and clearly more than its share of the traffic would suggest (a large sender is
not blamed for being large), and if chance is unlikely to be the reason. If no value qualifies, none is named.
"""

from collections.abc import Mapping
from math import log

from monitor.alerts.excess import OUTCOMES, Excess, excess_of
from monitor.alerts.kinds import case_of
from monitor.alerts.kinds.case import Group, RuleCase
from monitor.alerts.kinds.result import EvaluationInput
from monitor.config.rules import Rule
from monitor.model.message import STATUSES
from monitor.model.notification import Cause, Sample
from monitor.runtime.clock import Instant

DIMENSIONS = ("operator", "country", "detailedStatus", "campaign", "from", "label")
LEAST_SHARE = 0.3
LEAST_LIFT = 0.15
SPARED = 1 / 3
"""A value explains an excess if it carries LEAST_SHARE of it and one of two conditions holds.

Either it carries LEAST_LIFT more of the excess than of the traffic, or all other values together carry less than this part of what
their share of the traffic suggests.
"""
LEAST_EVIDENCE = log(1000)
"""The least evidence for a cause: chance alone would give the value its share less than once in a thousand times."""
MOST = 4


def breakdown(rule: Rule, inputs: EvaluationInput, group: Group, since: Instant | None = None) -> tuple[Cause, ...]:
    """Returns the values that carry most of one group's excess: at most one per field, the largest share first.

    ``since`` is when its alert began; the usual is taken from before then.
    """
    case = case_of(rule, inputs, group)
    if case is None or (code := case.code(inputs)) is None:
        return ()
    excess = excess_of(case, code, inputs, since)
    if excess.size <= 0:
        return ()
    causes = []
    for name in DIMENSIONS:
        if name not in rule.grouping and not _is_fixed(name, case):
            causes += _cause(name, excess, inputs)
    causes = causes or _status(rule, case, excess, inputs)
    return tuple(sorted(causes, key=lambda cause: cause.share, reverse=True)[:MOST])


def samples(rule: Rule, inputs: EvaluationInput, group: Group, most: int = 5) -> tuple[Sample, ...]:
    """Returns the latest messages of a group that count against the rule; empty if the rule fires because there are too few messages."""
    case = case_of(rule, inputs, group)
    if case is None or (code := case.code(inputs)) is None or (case.below and not case.is_share):
        return ()
    return inputs.reading.samples(case.bad(case.question, code, inputs), most)


def _is_fixed(name: str, case: RuleCase) -> bool:
    """Returns whether the rule itself fixes the field to one value, which then explains nothing."""
    conditions = (*case.question.conditions, *case.match.conditions)
    return any(c.field == name and c.operator == "is" and len(c.values) == 1 for c in conditions)


def _cause(name: str, excess: Excess, inputs: EvaluationInput) -> list[Cause]:
    """Returns the value of a field that carries most, if it carries enough to explain something."""
    carried = excess.carried(name)
    if name in OUTCOMES:
        # "Undelivered because Undelivered" explains nothing; see `_status`.
        carried = {value: size for value, size in carried.items() if value not in STATUSES}
    best = _best(name, carried, excess, inputs)
    if name in OUTCOMES or not best:
        return best
    shares = excess.split(excess.traffic, name)
    return best if _stands_out(best[0], shares, excess.size) else []


def _best(name: str, carried: Mapping[str, float], excess: Excess, inputs: EvaluationInput) -> list[Cause]:
    if not carried:
        return []
    value = max(carried, key=lambda one: (carried[one], one))
    share = min(carried[value] / excess.size, 1.0)
    matching = inputs.reading.split(excess.now, name).get(value, 0)
    return [Cause(name, value, share, matching)] if share >= LEAST_SHARE else []


def _stands_out(cause: Cause, traffic: Mapping[str, float], excess: float) -> bool:
    """Returns whether the value carries more of the excess than its share of the traffic makes likely."""
    total = sum(traffic.values())
    usual = max(traffic.get(cause.value, 0), 0.5) / max(total, 1)
    if usual >= 1:
        return False
    lift = cause.share - usual
    if lift < LEAST_LIFT and 1 - cause.share > (1 - usual) * SPARED:
        return False
    return lift > 0 and excess * _divergence(cause.share, usual) >= LEAST_EVIDENCE


def _divergence(share: float, usual: float) -> float:
    """Returns the Kullback-Leibler divergence of two shares.

    By Chernoff's bound, ``n`` messages show such a share by chance with a probability of at most exp(-n times the divergence).
    """
    other = (1 - share) * log((1 - share) / (1 - usual)) if share < 1 else 0.0
    return share * log(share / usual) + other


def _status(rule: Rule, case: RuleCase, excess: Excess, inputs: EvaluationInput) -> list[Cause]:
    """Returns the status that stands out, for use when no other value explains the excess.

    It says for example that messages were Failed (Routee could not process them) where they usually are Undelivered (a receipt says that
    they did not arrive). Empty if the mix is the usual one, or if the rule fixes the status.
    """
    if not OUTCOMES.isdisjoint(rule.grouping) or any(_is_fixed(name, case) for name in OUTCOMES):
        return []
    best = _best("status", excess.carried("status"), excess, inputs)
    usual = excess.split(excess.before, "status")
    return best if best and usual and _stands_out(best[0], usual, excess.size) else []
