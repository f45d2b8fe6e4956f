"""Finds the messages that the edges of spans pass between two moments. Several queries of one evaluation share them."""

from typing import Final

from monitor.runtime.clock import Instant
from monitor.window.columns import AS_MESSAGE, AS_PART
from monitor.window.index import Rows
from monitor.window.profile_index import Mask
from monitor.window.query import Query, WindowReader
from monitor.window.relative_query import RelativeQuery

FEW: Final = 4096
"""The most messages that may leave or enter a span. With more, the span is counted from scratch."""


class Passed:
    """Rows that leave or enter the span of some queries, with their profiles."""

    def __init__(self, rows: Rows, profiles: Rows) -> None:
        self.rows = rows
        self.profiles = profiles
        self._fitting: dict[int, Passed] = {}

    def fitting(self, fits: Mask | None) -> "Passed":
        """Returns those whose profile fits. Results are cached by the mask's id, since masks live as long as this object."""
        if fits is None or not self.rows.size:
            return self
        known = self._fitting.get(id(fits))
        if known is None:
            known = self._fitting[id(fits)] = self.only(fits[self.profiles])
        return known

    def only(self, chosen: Mask) -> "Passed":
        """Returns those that are chosen."""
        return Passed(self.rows[chosen], self.profiles[chosen])


Change = tuple[Passed, Passed]
"""What leaves, and what enters."""


class PassedRows:
    """The rows between moments of one window, until it changes."""

    def __init__(self) -> None:
        self._known: dict[tuple[Instant, Instant, bool, int], Passed] = {}

    def forget(self) -> None:
        """Forgets all rows."""
        self._known.clear()

    def at_edges(self, reading: WindowReader, relative: RelativeQuery, was: Instant, as_of: Instant) -> Change | None:
        """Returns the rows that leave and that enter a query's span from one moment to another; None if the distance is too long or has too
        many of them.

        The rows in (a, b] are those up to b less those up to a. So those that the start passes leave and those that the end passes enter, or
        the other way round if the span moves back. This also holds if the two spans do not overlap. Only the rows of the query's unit are
        returned, and whatever else it asks is not looked at.
        """
        asked = relative.question
        if abs(as_of - was) > asked.end - asked.start:
            return None
        kind = AS_PART if asked.unit == "parts" else AS_MESSAGE
        left = self._between(reading, was + asked.start, as_of + asked.start, asked.seen, kind)
        come = self._between(reading, was + asked.end, as_of + asked.end, asked.seen, kind)
        if left is None or come is None:
            return None
        return (come, left) if as_of < was else (left, come)

    def by_status(self, reading: WindowReader, before: Query, after: Query) -> Change | None:
        """Returns the rows that one query selects and the other does not, and the other way round; None if too many may be.

        The two differ in ``pending_at`` only. So these are rows whose status came between the two moments.
        """
        assert before.pending_at is not None
        assert after.pending_at is not None
        kind = AS_PART if after.unit == "parts" else AS_MESSAGE
        between = self._between(reading, before.pending_at, after.pending_at, False, kind)
        if between is None or not between.rows.size:
            return None if between is None else (between, between)
        first, second = reading.selects(before, between.rows), reading.selects(after, between.rows)
        return between.only(first & ~second), between.only(second & ~first)

    def _between(self, reading: WindowReader, one: Instant, other: Instant, seen: bool, kind: int) -> Passed | None:
        """Returns the rows between two moments; None if they are more than FEW. ``seen``: by when they were first seen."""
        start, end = (one, other) if one <= other else (other, one)
        key = start, end, seen, kind
        if key not in self._known:
            columns = reading.window.columns
            rows = (columns.seen if seen else columns.timeline).rows(start, end, kind)
            if len(rows) > FEW:
                return None
            self._known[key] = Passed(rows, columns["profile"][rows])
        return self._known[key]
