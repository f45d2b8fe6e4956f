"""Keeps the rows in the order of their dates, so that the messages of any time span are counted without reading all rows.

Most rows are *settled*: sorted by date and cut into segments, with the counts by profile of all messages before each segment. The count
of a span is the difference of two such counts, plus the rows in the segments at its edges. Rows that changed since then are *recent* and
looked at one by one; their settled values are *gone* and subtracted. When there are many recent rows, they are settled: the segments that
they left or enter are sorted again.
"""

from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from monitor.runtime.clock import Instant
from monitor.runtime.pieces import Work, at_once
from monitor.window import malloc_trim as heap
from monitor.window.index import Rows
from monitor.window.stable_order import distinct, stable_order
from monitor.window.table import ColumnTable

AS_PART = 1
AS_MESSAGE = 2
_SETTLED: Final = AS_PART | AS_MESSAGE

SEGMENT = 4096
"""The rows of a segment. Segments are longer if the counts would be more than COUNTS numbers."""
COUNTS = 1 << 21
"""The most counts by segment and profile."""
RECENT = 1 << 15
"""The most recent rows, besides one in 32 of all rows, before a query settles them."""
EDGES: Final = 32
"""The most segments whose dates are kept because spans begin or end in them: those of one poll serve the next ones."""
TOGETHER = 8
"""The most segments that are sorted again in one piece."""
COPIED: Final = 1 << 18
"""The most counts that are copied in one piece."""

FAR: Final[Instant] = 1 << 62
"""Later than every date."""

_NEW, _RECENT = 0, 4
"""The state of a row that is not settled. That of a settled row is its ``kind``, so that one look at it says both."""

_NOTHING: Final[Rows] = np.zeros(0, np.int64)

Counts = NDArray[np.int64]
Dates = NDArray[np.int64]


class Timeline:
    """An index of a table by a column of dates, ``kind`` and ``profile``. `changing` must be called before any of them changes."""

    def __init__(self, table: ColumnTable, segment: int = SEGMENT, by: str = "date") -> None:
        self._table = table
        self._by = by
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
        self._recent_by_date: dict[int, tuple[Dates, Rows]] = {}  # by kind, the recent rows and their dates, ascending
        self._edge_rows: dict[int, tuple[NDArray[np.int32], Dates]] = {}
        """By segment, its rows that were settled when it was read, and their dates, ascending."""
        self._gone: list[tuple[Dates, NDArray[Any]]] = []  # dates and profiles of messages when they were settled
        self._gone_sorted = True  # whether that is one list, sorted by date
        self._stale: list[Dates] = []  # dates of all rows that are gone, when they were settled
        self._settled = 0  # how often rows were settled

    @property
    def nbytes(self) -> int:
        return self._state.nbytes + self._order.nbytes + self._counts.nbytes

    @property
    def begins(self) -> Instant | None:
        """Returns the date of the oldest message; None if none exists."""
        dates = self._table[self._by][self._of_kind(self._recent_rows().astype(np.int64), AS_MESSAGE)]
        oldest = [int(dates.min())] if dates.size else []
        for segment in range(len(self._marks)):
            rows = self._order[self._starts[segment] : self._starts[segment + 1]]
            messages = self._settled_of_kind(rows, AS_MESSAGE)
            if messages.size:
                oldest.append(int(self._table[self._by][messages[0]]))
                break
        return min(oldest, default=None)

    def changing(self, rows: Rows) -> None:
        """Notes that these rows, which are all different, are about to change or are new."""
        self._state.reserve(self._table.length)
        self._recent_by_date.clear()
        if not self._order.size and not self._recent:  # all rows are new
            self._recent = [rows.astype(np.int32)]
            self._state["state"][rows] = _RECENT
            return
        state = self._state["state"][rows]
        settled = rows[(state & _SETTLED) > 0]
        messages = rows[(state & AS_MESSAGE) > 0]
        if settled.size:
            self._stale.append(self._table[self._by][settled])
        if messages.size:
            self._gone.append((self._table[self._by][messages], self._table["profile"][messages]))
            self._gone_sorted = False
        recent = rows[state != _RECENT]
        if recent.size:
            self._recent.append(recent.astype(np.int32))
            self._state["state"][recent] = _RECENT

    def rows(self, start: Instant, end: Instant, kind: int) -> Rows:
        """Returns the rows of a kind whose date lies in (start, end], in any order."""
        recent = self._recent_between(start, end, kind)
        first, last = self._segments(start, end)
        settled = [self._settled_between(at, start, end, kind) for at in {first - 1, last - 1} - {-1}]
        if first < last - 1:
            settled.append(self._settled_of_kind(self._order[self._starts[first] : self._starts[last - 1]], kind))
        found = [rows for rows in (*settled, recent) if rows.size]
        return found[0] if len(found) == 1 else np.concatenate([_NOTHING, *found])

    def count(self, start: Instant, end: Instant, profiles: int) -> Counts:
        """Returns the number of messages by profile whose date lies in (start, end]."""
        recent = self._recent_between(start, end, AS_MESSAGE)
        first, last = self._segments(start, end)
        settled = [self._settled_between(at, start, end, AS_MESSAGE) for at in {first - 1, last - 1} - {-1}]
        messages = np.concatenate([recent, *settled])
        counts = np.bincount(self._table["profile"][messages], minlength=profiles)
        if first < last - 1:
            counts[: self._counts.shape[1]] += self._counts[last - 1] - self._counts[first]
            for dates, numbers in self._gone:
                within = slice(*np.searchsorted(dates, (self._marks[first], self._marks[last - 1])))
                counts -= np.bincount(numbers[within], minlength=profiles)
        return counts

    def settle(self, *, everything: bool = False) -> None:
        """Settles all recent rows. ``everything`` sorts all segments again, because profiles have other numbers."""
        at_once(self.settling(everything=everything))

    def is_unsettled(self, share: float = 1.0) -> bool:
        """Returns whether there are so many recent rows that the next query settles them; ``share`` asks for a part of so many."""
        return len(self._recent_rows()) > (RECENT + len(self._order) // 32) * share

    def settling(self, *, everything: bool = False) -> Work[None]:
        """Does what `settle` does, in pieces. No row may change meanwhile; queries may be answered."""
        began, state, date = self._settled, self._state["state"], self._table[self._by]
        recent = self._recent_rows()
        used = recent[self._table["kind"][recent] > 0]
        dates, profiles = date[used], int(self._table["profile"].max(initial=0)) + 1
        order = stable_order(dates)
        used, dates = used[order], dates[order]
        del order
        made = _Cut(profiles if everything else max(profiles, self._counts.shape[1]))
        step = max(self._segment, (len(self._order) + len(used)) * made.profiles // COUNTS)
        runs = self._runs(dates, made.profiles, everything=everything)
        for first, last, is_changed in runs:
            yield
            if self._settled != began:
                return  # a query has settled all meanwhile
            rows = self._order[self._starts[first] : self._starts[last]]
            if is_changed:
                entering = slice(*np.searchsorted(dates, self._edges(first, last)))
                kept = rows[(state[rows] & _SETTLED) > 0]
                self._cut(*self._merged(kept, used[entering], dates[entering]), made, step)
            else:
                starts = self._starts[first:last] - self._starts[first]
                made.add(rows, self._marks[first:last], starts, self._counts[first : last + 1])
        yield
        counts = yield from made.counting()
        if self._settled != began:
            return
        state[recent] = self._table["kind"][recent]  # _NEW of those that are not in use
        self._recent, self._gone, self._stale = [], [], []
        self._recent_by_date.clear()
        self._edge_rows.clear()
        self._order, self._marks, self._starts = made.arrays()
        self._counts = counts
        self._settled += 1
        del made, counts, recent, used, dates, rows  # so that their memory can be returned
        yield
        heap.trim_heap()

    def _runs(self, entering: Dates, profiles: int, *, everything: bool) -> list[tuple[int, int, bool]]:
        """Returns the segments in runs: the first, the one after the last, and whether they have to be sorted again.

        ``entering`` are the dates of the rows that enter a segment. If there would be too many counts, everything is sorted again.
        """
        count = len(self._marks)
        if not count:
            return [(0, 0, True)]
        dates = np.concatenate([entering, *self._stale])
        changed = np.zeros(count, np.bool_)
        changed[np.maximum(np.searchsorted(self._marks, dates, side="right") - 1, 0)] = True
        if everything or count * profiles > 2 * COUNTS:
            return [(0, count, True)]
        starts = np.flatnonzero(np.concatenate([[True], changed[1:] != changed[:-1]]))
        runs = []
        for first, last in zip(starts.tolist(), [*starts[1:].tolist(), count], strict=True):
            most = TOGETHER if changed[first] else last - first
            runs += [(at, min(at + most, last), bool(changed[first])) for at in range(first, last, most)]
        return runs

    def _edges(self, first: int, last: int) -> tuple[Instant, Instant]:
        """Returns the dates between which rows enter a run: from the first one on, to before the second one."""
        start = int(self._marks[first]) if first else -FAR
        return start, int(self._marks[last]) if last < len(self._marks) else FAR

    def _merged(
        self, kept: NDArray[np.int32], more: NDArray[np.int32], dates_of_more: Dates
    ) -> tuple[NDArray[np.int32], Dates]:
        """Returns the rows ``kept`` with ``more``, both sorted by date, in one order, and their dates."""
        if not kept.size:
            return more, dates_of_more
        dates = self._table[self._by][kept]
        at = np.searchsorted(dates, dates_of_more)
        return np.insert(kept, at, more), np.insert(dates, at, dates_of_more)

    def _cut(self, rows: NDArray[np.int32], dates: Dates, made: "_Cut", step: int) -> None:
        """Cuts rows into segments where the date changes, and counts the messages of each."""
        marks = distinct(dates[::step])
        starts = np.searchsorted(dates, marks)
        counts = np.zeros((len(starts) + 1, made.profiles), np.int32)
        for segment, (start, end) in enumerate(pairwise([*starts.tolist(), len(rows)])):
            messages = self._of_kind(rows[start:end].astype(np.int64), AS_MESSAGE)
            found = np.bincount(self._table["profile"][messages], minlength=made.profiles)
            counts[segment + 1] = counts[segment] + found
        made.add(rows, marks, starts, counts)

    def _recent_between(self, start: Instant, end: Instant, kind: int) -> Rows:
        """Returns the recent rows of a kind whose date lies in (start, end]. If there are too many recent rows, settles all first and returns
        none."""
        if self.is_unsettled():
            self.settle()
            return np.zeros(0, np.int64)
        if kind not in self._recent_by_date:
            rows = self._of_kind(self._recent_rows().astype(np.int64), kind)
            dates = self._table[self._by][rows]
            by_date = stable_order(dates)
            self._recent_by_date[kind] = dates[by_date], rows[by_date]
        dates, rows = self._recent_by_date[kind]
        return rows[dates.searchsorted(start, "right") : dates.searchsorted(end, "right")] if rows.size else rows

    def _recent_rows(self) -> NDArray[np.int32]:
        if len(self._recent) != 1:
            self._recent = [np.concatenate([np.zeros(0, np.int32), *self._recent])]
        if self._gone and not self._gone_sorted:
            dates, numbers = map(np.concatenate, zip(*self._gone, strict=True))
            by_date = np.argsort(dates, kind="stable")
            self._gone, self._gone_sorted = [(dates[by_date], numbers[by_date])], True
        return self._recent[0]

    def _segments(self, start: Instant, end: Instant) -> tuple[int, int]:
        """Returns the first segment that begins after ``start``, and the first that begins after ``end``: ``first`` and ``last``.

        The segments from ``first`` to before ``last - 1`` lie in the span. Those at ``first - 1`` and ``last - 1`` may lie in it partly.
        """
        return int(self._marks.searchsorted(start, "right")), int(self._marks.searchsorted(end, "right"))

    def _settled_between(self, segment: int, start: Instant, end: Instant, kind: int) -> Rows:
        """Returns the rows of a segment that are still settled, and whose kind and date fit."""
        rows, dates = self._edge(segment)
        return self._settled_of_kind(rows[dates.searchsorted(start, "right") : dates.searchsorted(end, "right")], kind)

    def _edge(self, segment: int) -> tuple[NDArray[np.int32], Dates]:
        """Returns `_edge_rows` of a segment. The dates of rows that are settled no more may be others by now."""
        found = self._edge_rows.pop(segment, None)
        if found is None:
            rows = self._order[self._starts[segment] : self._starts[segment + 1]]
            is_settled = (self._state["state"][rows] & _SETTLED) > 0
            rows = rows if is_settled.all() else rows[is_settled]  # mostly a part of the order, which takes no memory
            found = rows, self._table[self._by][rows]
            if len(self._edge_rows) == EDGES:
                del self._edge_rows[next(iter(self._edge_rows))]
        self._edge_rows[segment] = found  # as the last one that was asked for
        return found

    def _settled_of_kind(self, found: NDArray[np.int32], kind: int) -> Rows:
        rows = found.astype(np.int64)
        if not rows.size:
            return rows
        fits: NDArray[np.bool_] = (self._state["state"][rows] & kind) > 0
        return rows[fits]

    def _of_kind(self, rows: Rows, kind: int) -> Rows:
        fits: NDArray[np.bool_] = (self._table["kind"][rows] & kind) > 0
        return rows[fits]


class _Cut:
    """Rows that are cut into segments, run by run; see the attributes of `Timeline`."""

    def __init__(self, profiles: int) -> None:
        self.profiles = profiles
        self._length = 0
        self._order: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
        self._marks: list[Dates] = [np.zeros(0, np.int64)]
        self._starts: list[Rows] = [np.zeros(0, np.int64)]
        self._counts: list[NDArray[np.int32]] = []

    def add(self, rows: NDArray[np.int32], marks: Dates, starts: Rows, counts: NDArray[np.int32]) -> None:
        """Adds segments that begin at ``starts`` among ``rows``. ``counts`` are of the messages before each and after the last of them, from
        any number on, and maybe of the first profiles only."""
        self._starts.append(starts + self._length)
        self._length += len(rows)
        self._order.append(rows)
        self._marks.append(marks)
        self._counts.append(counts)

    def counting(self) -> Work[NDArray[np.int32]]:
        """Returns the counts of all segments, in pieces: new memory is given by the system page by page, which takes most of the time."""
        counts = np.empty((sum(map(len, self._marks)) + 1, self.profiles), np.int32)
        counts[0] = 0
        at, step = 1, max(COPIED // max(self.profiles, 1), 1)
        for some in self._counts:
            before, known = counts[at - 1], some.shape[1]
            for first in range(1, len(some), step):
                more = some[first : first + step]
                made = counts[at : at + len(more)]
                np.add(more, before[:known] - some[0], out=made[:, :known])
                made[:, known:] = before[known:]
                at += len(more)
                yield
        return counts

    def arrays(self) -> tuple[NDArray[np.int32], Dates, Rows]:
        """Returns the order, the marks, and the starts with the end."""
        starts = np.concatenate([*self._starts, [self._length]])
        return np.concatenate(self._order), np.concatenate(self._marks), starts
