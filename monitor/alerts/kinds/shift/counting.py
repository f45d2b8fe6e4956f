"""The evidence of each minute and group, counted from the window."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.result import EvaluationInput
from monitor.alerts.kinds.rule_query import considered, of
from monitor.alerts.kinds.shift.groups import GroupRows, Ints
from monitor.config.rules.shift import Shift
from monitor.runtime.clock import MINUTE, Instant
from monitor.runtime.dataclass import dataclass
from monitor.window import Query


@dataclass(frozen=True, slots=True)
class MinuteCounts:
    """Of each minute from ``start`` on and each row that has messages in it, how many, and how many with the event."""

    start: Instant
    minute: Ints
    """Ascending: the minutes' numbers, from 0."""
    row: Ints
    n: Ints
    f: Ints
    settled_to: Instant | None = None
    """The counts of minutes up to this one stay as they are while the messages do; None: all that are over do."""

    def of(self, number: int) -> tuple[Ints, Ints, Ints]:
        """Rows, messages and events of one minute."""
        first, last = np.searchsorted(self.minute, (number, number + 1))
        return self.row[first:last], self.n[first:last], self.f[first:last]


def asked(rule: Shift, start: Instant, end: Instant) -> Query:
    """The messages whose final status was reported in (start, end], and that the rule considers."""
    question = of(considered(rule, end, end - start, within=rule.receipts_within), rule.of)
    return replace(question, final=True)


def count(rule: Shift, inputs: EvaluationInput, groups: GroupRows, start: Instant, end: Instant) -> MinuteCounts:
    """Count the reports of (start, end]. ``start`` is a whole minute."""
    question, reading = asked(rule, start, end), inputs.reading
    found, codes = reading.grouped(question)
    events = reading.meets(question.narrowed(rule.match.conditions), found)
    minutes = (reading.window.columns["date"][found] - 1 - start) // MINUTE
    return gathered(start, minutes, groups.rows(reading, codes), events)


def gathered(start: Instant, minutes: Ints, rows: Ints, events: NDArray[np.bool_]) -> MinuteCounts:
    """Of one line for each message, one for each minute and row."""
    width = int(rows.max(initial=0)) + 1
    keys = minutes * width + rows
    n = np.bincount(keys)
    f = np.bincount(keys[events], minlength=len(n))
    found = np.flatnonzero(n)
    return MinuteCounts(start, found // width, found % width, n[found], f[found])
