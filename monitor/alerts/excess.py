"""How much more there is than usual of what a rule counts, and in which messages of the account that lies."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.result import EvaluationInput, Floats
from monitor.model.message import UNKNOWN
from monitor.runtime.clock import HOUR, Instant
from monitor.runtime.dataclass import dataclass
from monitor.window import Query, WindowReader
from monitor.window.index import Rows

OUTCOMES = frozenset({"status", "detailedStatus"})
"""Fields that say how a message fared rather than which message it is: they have no share of the traffic."""


@dataclass(frozen=True, slots=True)
class Excess:
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
        return self._size(self.now, self.before)

    def within(self, place: Mapping[str, str]) -> float:
        """How much of it lies in the messages that have these values, as a number of messages."""
        return self._size(*(self._having(rows, place) for rows in (self.now, self.before)))

    def traffic_within(self, place: Mapping[str, str]) -> int:
        """How many messages of the traffic have these values."""
        return len(self._having(self.traffic, place))

    def carried(self, name: str) -> dict[str, float]:
        """How much of it each value of a field carries. Messages that lack the field count for no value."""
        now, before = self.split(self.now, name), self.split(self.before, name)
        values = (now.keys() | before.keys()) - {UNKNOWN}
        return {value: self.sign * (now.get(value, 0) - before.get(value, 0) * self.scale) for value in values}

    def split(self, rows: Rows, name: str) -> Mapping[str, float]:
        """How much of some rows each value of a field has, as a number of messages."""
        if self.unit is None:
            return self.reading.split(rows, name)
        facets = self.reading.window.facets
        amounts = np.bincount(facets.digits(name)[self.reading.window.columns["profile"][rows]], self._weights(rows))
        return {facets.text(name, code): float(amounts[code]) for code in np.flatnonzero(amounts).tolist()}

    def _having(self, rows: Rows, place: Mapping[str, str]) -> Rows:
        facets, profiles = self.reading.window.facets, self.reading.window.columns["profile"]
        for name, value in place.items():
            code = facets.code(name, value)
            rows = rows[:0] if code is None else rows[facets.digits(name)[profiles[rows]] == code]
        return rows

    def _size(self, now: Rows, before: Rows) -> float:
        return self.sign * (self._amount(now) - self._amount(before) * self.scale)

    def _amount(self, rows: Rows) -> float:
        return float(len(rows) if self.unit is None else self._weights(rows).sum())

    def _weights(self, rows: Rows) -> Floats:
        return np.asarray(_prices(self.reading, rows) / (self.unit or 1.0))


def excess_of(case: RuleCase, code: int, inputs: EvaluationInput, since: Instant | None) -> Excess:
    """The excess of one group of a rule. ``since`` is when its alert began: what is usual is taken from before then."""
    question, reading = case.question, inputs.reading
    past = _before(question, since)
    now, before = (case.bad(asked, code, inputs) for asked in (question, past))
    traffic, position = _traffic(case, inputs)
    whole, whole_before = (reading.rows(asked, position) for asked in (traffic, _before(traffic, since)))
    if case.is_share:
        scale = len(whole) / len(whole_before) if len(whole_before) else _by_time(question, past)
        return Excess(reading, now, before, scale, whole, 1)
    usual = whole_before if len(whole_before) else whole
    unit = _unit(reading, np.concatenate([now, before])) if case.by_money else None
    return Excess(reading, now, before, _by_time(question, past), usual, -1 if case.below else 1, unit)


def _prices(reading: WindowReader, rows: Rows) -> Floats:
    """What each row costs, in the window's unit; nothing where that is not given."""
    prices: Floats = np.maximum(reading.window.columns["price"][rows], 0).astype(np.float64)
    return prices


def _unit(reading: WindowReader, rows: Rows) -> float:
    """How much money says as much as one message: the effective number of messages (Kish 1965) in it is then the sum over it."""
    prices = _prices(reading, rows)
    return float((prices**2).sum() / max(prices.sum(), 1.0)) or 1.0


def _traffic(case: RuleCase, inputs: EvaluationInput) -> tuple[Query, int | None]:
    """The messages that the bad ones are to be compared with: of the same group, whatever became of them."""
    question = case.question
    kept = [(name, value) for name, value in case.group if name not in OUTCOMES and name != case.novel]
    by = tuple(name for name, _ in kept)
    conditions = tuple(condition for condition in question.conditions if condition.field not in OUTCOMES)
    return replace(question, by=by, conditions=conditions), inputs.reading.code(by, tuple(value for _, value in kept))


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
