"""Explains an alert by the values of other fields that account for the excess over the baseline.

A value is named where it carries much of the excess and clearly more than its part of the traffic would, so that a large sender
is not blamed for being large, and where so few messages could not show it by chance. Where nothing explains, nothing is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log

import numpy as np

from monitor.alerts.kinds import case_of
from monitor.alerts.kinds.case import Group, RuleCase
from monitor.alerts.kinds.result import EvaluationInput, Floats
from monitor.config.rules import Rule
from monitor.model.message import STATUSES, UNKNOWN
from monitor.model.notification import Cause, Sample
from monitor.runtime.clock import HOUR, Instant
from monitor.window import Query, WindowReader
from monitor.window.index import Rows

DIMENSIONS = ("operator", "country", "detailedStatus", "campaign", "from", "label")
OUTCOMES = frozenset({"status", "detailedStatus"})
"""Fields that say how a message fared rather than which message it is: they have no share of the traffic."""
LEAST_SHARE = 0.3
LEAST_LIFT = 0.15
SPARED = 1 / 3
"""A value explains something where it carries this much of the excess, and either so much more of it than of the traffic, or
where all others carry less than this part of what would be theirs."""
LEAST_EVIDENCE = log(1000)
"""... and where chance alone would give it less than once in a thousand times."""
MOST = 4


@dataclass(frozen=True, slots=True)
class _Excess:
    """How much more than usual there is (of a number that is too low: how much less), and by which values it is carried.

    ``now`` and ``before`` are the rows that count against the rule, ``scale`` brings the past to the length of the present,
    ``traffic`` are the rows whose mix is the usual one. ``unit`` is None where each row counts as one; else a row counts as what
    it costs, in so much money.
    """

    reading: WindowReader
    now: Rows
    before: Rows
    scale: float
    traffic: Rows
    sign: int
    unit: float | None = None

    @property
    def size(self) -> float:
        """How much it is, as a number of messages."""
        return self.sign * (self._amount(self.now) - self._amount(self.before) * self.scale)

    def split(self, rows: Rows, name: str) -> Mapping[str, float]:
        """How much of some rows each value of a field has, as a number of messages."""
        if self.unit is None:
            return self.reading.split(rows, name)
        facets = self.reading.window.facets
        amounts = np.bincount(facets.digits(name)[self.reading.window.columns["profile"][rows]], self._weights(rows))
        return {facets.text(name, code): float(amounts[code]) for code in np.flatnonzero(amounts).tolist()}

    def _amount(self, rows: Rows) -> float:
        return float(len(rows) if self.unit is None else self._weights(rows).sum())

    def _weights(self, rows: Rows) -> Floats:
        return np.asarray(_prices(self.reading, rows) / (self.unit or 1.0))


def breakdown(rule: Rule, moment: EvaluationInput, group: Group, since: Instant | None = None) -> tuple[Cause, ...]:
    """The values that carry most of the excess of one group, at most one a field, the largest share first.

    ``since`` is when its alert began: what is usual is taken from before then.
    """
    case = case_of(rule, moment, group)
    if case is None or (code := case.code(moment)) is None:
        return ()
    excess = _excess(case, code, moment, since)
    if excess.size <= 0:
        return ()
    causes = []
    for name in DIMENSIONS:
        if name not in rule.grouping and not _is_fixed(name, case):
            causes += _cause(name, excess, moment)
    causes = causes or _status(rule, case, excess, moment)
    return tuple(sorted(causes, key=lambda cause: cause.share, reverse=True)[:MOST])


def samples(rule: Rule, moment: EvaluationInput, group: Group, most: int = 5) -> tuple[Sample, ...]:
    """The latest messages of a group that count against the rule; none where there are too few of them instead of too many."""
    case = case_of(rule, moment, group)
    if case is None or (code := case.code(moment)) is None or (case.below and not case.is_share):
        return ()
    return moment.reading.samples(case.bad(case.question, code, moment), most)


def _excess(case: RuleCase, code: int, moment: EvaluationInput, since: Instant | None) -> _Excess:
    question, reading = case.question, moment.reading
    past = _before(question, since)
    now, before = (case.bad(asked, code, moment) for asked in (question, past))
    traffic, position = _traffic(case, moment)
    whole, whole_before = (reading.rows(asked, position) for asked in (traffic, _before(traffic, since)))
    if case.is_share:
        scale = len(whole) / len(whole_before) if len(whole_before) else _by_time(question, past)
        return _Excess(reading, now, before, scale, whole, 1)
    usual = whole_before if len(whole_before) else whole
    unit = _unit(reading, np.concatenate([now, before])) if case.by_money else None
    return _Excess(reading, now, before, _by_time(question, past), usual, -1 if case.below else 1, unit)


def _prices(reading: WindowReader, rows: Rows) -> Floats:
    """What each row costs, in the window's unit; nothing where that is not given."""
    prices: Floats = np.maximum(reading.window.columns["price"][rows], 0).astype(np.float64)
    return prices


def _unit(reading: WindowReader, rows: Rows) -> float:
    """How much money says as much as one message: the effective number of messages (Kish 1965) in it is then the sum over it."""
    prices = _prices(reading, rows)
    return float((prices**2).sum() / max(prices.sum(), 1.0)) or 1.0


def _traffic(case: RuleCase, moment: EvaluationInput) -> tuple[Query, int | None]:
    """The messages that the bad ones are to be compared with: of the same group, whatever became of them."""
    question = case.question
    kept = [(name, value) for name, value in case.group if name not in OUTCOMES and name != case.novel]
    by = tuple(name for name, _ in kept)
    conditions = tuple(condition for condition in question.conditions if condition.field not in OUTCOMES)
    return replace(question, by=by, conditions=conditions), moment.reading.code(by, tuple(value for _, value in kept))


def _before(question: Query, since: Instant | None) -> Query:
    """The time before, long enough to show what is usual; of an alert that has lasted, the time before it began.

    Where messages are followed from when they were first seen on, all of them are looked at: there is no time before.
    """
    if question.seen:
        return question.moved(question.start, question.start)
    window = question.end - question.start
    end = question.start if since is None else min(question.start, since - window)
    return question.moved(end - max(6 * window, HOUR), end)


def _by_time(question: Query, before: Query) -> float:
    length = before.end - before.start
    return (question.end - question.start) / length if length else 0.0


def _is_fixed(name: str, case: RuleCase) -> bool:
    """Whether the rule itself asks for one value of the field, so that finding it says nothing."""
    conditions = (*case.question.conditions, *case.match.conditions)
    return any(c.field == name and c.operator == "is" and len(c.values) == 1 for c in conditions)


def _carried(name: str, excess: _Excess) -> dict[str, float]:
    """How much of the excess each value carries."""
    now, before = excess.split(excess.now, name), excess.split(excess.before, name)
    values = (now.keys() | before.keys()) - {UNKNOWN}
    return {value: excess.sign * (now.get(value, 0) - before.get(value, 0) * excess.scale) for value in values}


def _cause(name: str, excess: _Excess, moment: EvaluationInput) -> list[Cause]:
    """The value of a field that carries most, if it carries enough to explain something."""
    carried = _carried(name, excess)
    if name in OUTCOMES:
        # "Undelivered because Undelivered" explains nothing; see `_status`.
        carried = {value: size for value, size in carried.items() if value not in STATUSES}
    best = _best(name, carried, excess, moment)
    if name in OUTCOMES or not best:
        return best
    shares = excess.split(excess.traffic, name)
    return best if _stands_out(best[0], shares, excess.size) else []


def _best(name: str, carried: Mapping[str, float], excess: _Excess, moment: EvaluationInput) -> list[Cause]:
    if not carried:
        return []
    value = max(carried, key=lambda one: (carried[one], one))
    share = min(carried[value] / excess.size, 1.0)
    matching = moment.reading.split(excess.now, name).get(value, 0)
    return [Cause(name, value, share, matching)] if share >= LEAST_SHARE else []


def _stands_out(cause: Cause, traffic: Mapping[str, float], excess: float) -> bool:
    """Whether it carries more of the excess than its part of the traffic makes likely."""
    total = sum(traffic.values())
    usual = max(traffic.get(cause.value, 0), 0.5) / max(total, 1)
    if usual >= 1:
        return False
    lift = cause.share - usual
    if lift < LEAST_LIFT and 1 - cause.share > (1 - usual) * SPARED:
        return False
    return lift > 0 and excess * _divergence(cause.share, usual) >= LEAST_EVIDENCE


def _divergence(share: float, usual: float) -> float:
    """Kullback and Leibler's. By Chernoff's bound ``n`` messages give such a share by chance at most exp(-n times it) of the time."""
    other = (1 - share) * log((1 - share) / (1 - usual)) if share < 1 else 0.0
    return share * log(share / usual) + other


def _status(rule: Rule, case: RuleCase, excess: _Excess, moment: EvaluationInput) -> list[Cause]:
    """Where nothing explains more: that Routee could not process the messages (Failed), where usually receipts say that they did
    not arrive (Undelivered), or the other way round. Nothing where they fail as they always do, or where the rule asks for it.
    """
    if not OUTCOMES.isdisjoint(rule.grouping) or any(_is_fixed(name, case) for name in OUTCOMES):
        return []
    best = _best("status", _carried("status", excess), excess, moment)
    usual = excess.split(excess.before, "status")
    return best if best and usual and _stands_out(best[0], usual, excess.size) else []
