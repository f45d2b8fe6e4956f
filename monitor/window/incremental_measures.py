"""What is updated incrementally over a moving span: a count, a sum of money, when the latest message came."""

from typing import Protocol

import numpy as np

from monitor.window.aggregates import Spendings, last_seen_by_group, spendings, spent_by_group
from monitor.window.columns import Columns
from monitor.window.passed_rows import Passed
from monitor.window.profile_index import Codes
from monitor.window.query import GroupCounts, Query, WindowReader


class Measure(Protocol):
    """What a query gives, made anew with ``reading``. ``groups`` has the group of each profile."""

    may_move_back: bool
    """Whether it can be updated for an earlier moment."""

    def __init__(self, reading: WindowReader, question: Query, groups: Codes) -> None: ...

    def take(self, columns: Columns, left: Passed, come: Passed) -> None:
        """Updates it: some rows have left, others have come."""


class MessageCount:
    """The number of messages or parts of each group."""

    may_move_back = True

    def __init__(self, reading: WindowReader, question: Query, groups: Codes) -> None:
        self.tally = reading.tally(question)
        self._groups = groups

    def take(self, columns: Columns, left: Passed, come: Passed) -> None:
        """Subtracts what has left, and adds what has come."""
        counts = self.tally.all
        assert counts is not None, "groups without recipients are numbered from 0"
        for passed, change in ((left, np.subtract), (come, np.add)):
            if passed.profiles.size:
                counts = change(counts, np.bincount(self._groups[passed.profiles], minlength=len(counts)))
        self.tally = _changed(self.tally, counts)


class Spent:
    """The money of each group. It is counted in whole billionths, so that what is subtracted was there exactly."""

    may_move_back = True

    def __init__(self, reading: WindowReader, question: Query, groups: Codes) -> None:
        self.spendings = spendings(reading, question)
        self._groups = groups

    def take(self, columns: Columns, left: Passed, come: Passed) -> None:
        """Subtracts what has left, and adds what has come."""
        for passed, sign in ((left, -1), (come, 1)):
            if passed.rows.size:
                size = len(self.spendings.amounts)
                more = spent_by_group(columns, passed.rows, self._groups[passed.profiles], size)
                amounts = self.spendings.amounts + sign * more.amounts
                self.spendings = Spendings(amounts, self.spendings.priced + sign * more.priced)


class LastSeen:
    """When the latest message of each group was first seen. The span's end must not move back: what was later than that is not known any more."""

    may_move_back = False

    def __init__(self, reading: WindowReader, question: Query, groups: Codes) -> None:
        self.latest = last_seen_by_group(reading, question)
        self._groups = groups

    def take(self, columns: Columns, left: Passed, come: Passed) -> None:
        """Takes in what has come. Of what has left nothing was later than the span's start, as the result may be."""
        if come.rows.size:
            self.latest = self.latest.copy()
            np.maximum.at(self.latest, self._groups[come.profiles], columns["first_seen"][come.rows])


def _changed(before: GroupCounts, counts: Codes) -> GroupCounts:
    """Returns the tally of new counts. Unchanged arrays stay the same objects, so that callers can compare them by identity."""
    if counts is before.all:
        return before
    codes = counts.nonzero()[0]
    same = len(codes) == len(before.codes) and bool((codes == before.codes).all())
    return GroupCounts(before.codes if same else codes, counts[codes], counts)
