"""Keeps the rows in the order of their dates, so that the messages of any time span are counted without reading all rows.

Most rows are *settled*: sorted by date and cut into segments, with the counts by profile of all messages before each segment. The count
of a span is the difference of two such counts, plus the rows in the segments at its edges. Rows that changed since then are *recent* and
looked at one by one; their settled values are *gone* and subtracted. When there are many recent rows, all rows are settled again.
"""

from bisect import bisect_left
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.runtime.clock import Instant
from monitor.window import malloc_trim as heap
from monitor.window.index import Rows
from monitor.window.table import ColumnTable

AS_PART = 1
AS_MESSAGE = 2

SEGMENT = 4096
"""The rows of a segment. Segments are longer if the counts would be more than COUNTS numbers."""
COUNTS = 1 << 21
"""The most counts by segment and profile."""
RECENT = 1 << 15
"""The most recent rows, besides one in 32 of all rows, before all are settled again."""

_NEW, _SETTLED, _RECENT = 0, 1, 2

Counts = NDArray[np.int64]
Dates = NDArray[np.int64]


class Timeline:
    """An index of a table by its columns ``date``, ``kind`` and ``profile``. `changing` must be called before any of them changes."""

    def __init__(self, table: ColumnTable, segment: int = SEGMENT) -> None:
        self._table = table
        self._segment = segment
        self._state = ColumnTable({"state": np.uint8})
        self._order = np.zeros(0, np.int32)
        self._marks: Dates = np.zeros(
            0, np.int64
        )  # the first date of each segment; rows with one date are in one segment
        self._starts: Rows = np.zeros(
            1, np.int64
        )  # where in the order each segment begins, and the end of the last one
        self._counts = np.zeros((1, 0), np.int32)  # the settled messages before each segment, by profile
        self._recent: list[NDArray[np.int32]] = []
        self._recent_dates: Dates | None = (
            None  # the dates of the recent rows, ascending; None if the rows are not sorted
        )
        self._gone: list[tuple[Dates, NDArray[Any]]] = []  # dates and profiles of messages when they were settled

    @property
    def nbytes(self) -> int:
        return self._state.nbytes + self._order.nbytes + self._counts.nbytes

    @property
    def begins(self) -> Instant | None:
        """Returns the date of the oldest message; None if none exists."""
        dates = self._table["date"][self._of_kind(self._recent_rows(), AS_MESSAGE)]
        oldest = [int(dates.min())] if dates.size else []
        for segment in range(len(self._marks)):
            rows = self._order[self._starts[segment] : self._starts[segment + 1]]
            rows = self._of_kind(rows[self._state["state"][rows] == _SETTLED], AS_MESSAGE)
            if rows.size:
                oldest.append(int(self._table["date"][rows[0]]))
                break
        return min(oldest, default=None)

    def changing(self, rows: Rows) -> None:
        """Notes that these rows, which are all different, are about to change or are new."""
        self._state.reserve(self._table.length)
        self._recent_dates = None
        state = self._state["state"][rows]
        settled = rows[state == _SETTLED]
        messages = settled[(self._table["kind"][settled] & AS_MESSAGE) > 0]
        if messages.size:
            self._gone.append((self._table["date"][messages], self._table["profile"][messages]))
        recent = rows[state != _RECENT]
        if recent.size:
            self._recent.append(recent.astype(np.int32))
            self._state["state"][recent] = _RECENT

    def rows(self, start: Instant, end: Instant, kind: int) -> Rows:
        """Returns the rows of a kind whose date lies in (start, end], in any order."""
        recent = self._recent_between(start, end)
        first, last = self._segments(start, end)
        rows = np.concatenate([self._settled_between(max(first - 1, 0), last, start, end), recent])
        return self._of_kind(rows, kind).astype(np.int64)

    def count(self, start: Instant, end: Instant, profiles: int) -> Counts:
        """Returns the number of messages by profile whose date lies in (start, end]."""
        recent = self._recent_between(start, end)
        first, last = self._segments(start, end)
        edges = {first - 1, last - 1} - {-1}
        settled = [self._settled_between(segment, segment + 1, start, end) for segment in edges]
        messages = self._of_kind(np.concatenate([recent, *settled]), AS_MESSAGE)
        counts = np.bincount(self._table["profile"][messages], minlength=profiles)
        if first < last - 1:
            counts[: self._counts.shape[1]] += self._counts[last - 1] - self._counts[first]
            for dates, numbers in self._gone:
                within = (dates >= self._marks[first]) & (dates < self._marks[last - 1])
                counts -= np.bincount(numbers[within], minlength=profiles)
        return counts

    def settle(self) -> None:
        """Sorts all rows again."""
        state, recent = self._state["state"], self._recent_rows()
        kept = self._order[state[self._order] == _SETTLED]
        used = self._table["kind"][recent] > 0
        state[recent] = np.where(used, _SETTLED, _NEW)
        self._recent, self._recent_dates, self._gone = [], None, []
        self._order = self._merged(kept, recent[used])
        self._cut()
        del kept, used, recent
        heap.trim_heap()

    def _merged(self, kept: NDArray[np.int32], more: NDArray[np.int32]) -> NDArray[np.int32]:
        """Returns the rows ``kept``, which are sorted by date, with ``more`` inserted by their dates."""
        dates = self._table["date"][more]
        by_date = np.argsort(dates, kind="stable")
        more, dates = more[by_date], dates[by_date]
        del by_date
        if not kept.size:
            return more
        return np.insert(kept, np.searchsorted(self._table["date"][kept], dates), more)

    def _cut(self) -> None:
        """Cuts the order into segments where the date changes, and counts the messages of each."""
        date, order = self._table["date"], self._order
        profiles = int(self._table["profile"].max(initial=0)) + 1
        step = max(self._segment, len(order) * profiles // COUNTS)
        self._marks = np.unique(date[order[::step]])
        starts = [bisect_left(order, mark, key=date.__getitem__) for mark in self._marks]
        self._starts = np.array([*starts, len(order)])
        self._counts = np.zeros((len(starts) + 1, profiles), np.int32)
        for segment in range(len(starts)):
            messages = self._of_kind(order[self._starts[segment] : self._starts[segment + 1]], AS_MESSAGE)
            found = np.bincount(self._table["profile"][messages], minlength=profiles)
            self._counts[segment + 1] = self._counts[segment] + found

    def _recent_between(self, start: Instant, end: Instant) -> NDArray[np.int32]:
        """Returns the recent rows whose date lies in (start, end]. If there are too many recent rows, settles all first and returns none."""
        rows = self._recent_rows()
        if len(rows) > RECENT + len(self._order) // 32:
            self.settle()
            return rows[:0]
        if self._recent_dates is None:
            dates = self._table["date"][rows]
            by_date = np.argsort(dates, kind="stable")
            self._recent, self._recent_dates = [rows[by_date]], dates[by_date]
        first, last = np.searchsorted(self._recent_dates, (start, end), side="right")
        return self._recent[0][first:last]

    def _recent_rows(self) -> NDArray[np.int32]:
        if len(self._recent) != 1:
            self._recent = [np.concatenate([np.zeros(0, np.int32), *self._recent])]
        if len(self._gone) > 1:
            dates, numbers = zip(*self._gone, strict=True)
            self._gone = [(np.concatenate(dates), np.concatenate(numbers))]
        return self._recent[0]

    def _segments(self, start: Instant, end: Instant) -> tuple[int, int]:
        """Returns the first segment that begins after ``start``, and the first that begins after ``end``: ``first`` and ``last``.

        The segments from ``first`` to before ``last - 1`` lie in the span. Those at ``first - 1`` and ``last - 1`` may lie in it partly.
        """
        first, last = np.searchsorted(self._marks, (start, end), side="right")
        return int(first), int(last)

    def _settled_between(self, first: int, last: int, start: Instant, end: Instant) -> NDArray[np.int32]:
        """Returns the rows of some segments that are still settled and whose date lies in (start, end]."""
        rows: NDArray[np.int32] = self._order[self._starts[first] : self._starts[max(last, first)]]
        rows = rows[self._state["state"][rows] == _SETTLED]
        dates = self._table["date"][rows]
        fits: NDArray[np.bool_] = (dates > start) & (dates <= end)
        return rows[fits]

    def _of_kind(self, rows: NDArray[np.int32], kind: int) -> NDArray[np.int32]:
        fits: NDArray[np.bool_] = (self._table["kind"][rows] & kind) > 0
        return rows[fits]
