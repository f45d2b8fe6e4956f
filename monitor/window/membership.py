"""Which searches have a message. A search has what its latest complete read of the message's place returned.

Routee does not say whether a range of time selects by the time of sending or by that of the present status. So a message's place is a span
in which both lie: a read that covers all of it and does not return the message does not have it any more. The argument is in
docs/decisions/0017-leaving-a-search.md.
"""

from collections.abc import Callable, Mapping, Set
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.model.complete_read import POLL, CompleteRead, ReadOrigin
from monitor.model.message import QUEUED
from monitor.runtime.clock import DAY, SECOND, Duration, Instant
from monitor.window.columns import AS_PART, Columns
from monitor.window.dictionary import Codes, Dictionary, Sets
from monitor.window.index import Rows

Fits = Callable[[str], bool]
"""Whether a search can return a message of that status."""

LONGEST_QUEUED: Final[Duration] = DAY
"""The longest time that a message is assumed to have been on its way before its first seen status, unless that was Queued."""
HIDING_QUEUED: Final = 2
HIDING: Final = 1
"""The number of further polls that can each miss a message because it changes just then: one for each change that is still to come."""

_NONE: Rows = np.zeros(0, np.int64)


class _Doubts:
    """Messages that a read did not return although they may still fit: how many more polls have to miss each of them."""

    def __init__(self) -> None:
        self.rows: Rows = _NONE
        self.left: NDArray[np.int64] = _NONE
        self.before_poll: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def keep(self, which: NDArray[np.bool_]) -> None:
        self.rows, self.left, self.before_poll = self.rows[which], self.left[which], self.before_poll[which]

    def drop(self, rows: Rows) -> None:
        if self.rows.size:
            self.keep(np.isin(self.rows, rows, invert=True))

    def add(self, rows: Rows, left: NDArray[np.int64]) -> None:
        fresh = np.isin(rows, self.rows, invert=True)
        self.rows = np.concatenate([self.rows, rows[fresh]])
        self.left = np.concatenate([self.left, left[fresh]])
        self.before_poll = np.concatenate([self.before_poll, np.zeros(int(fresh.sum()), np.bool_)])

    def missed_again(self) -> Rows:
        """A poll that began after them is complete and has not returned them: those that have no way left to be hidden."""
        self.left[self.before_poll] -= 1
        gone = self.left <= 0
        rows = self.rows[gone]
        self.keep(~gone)
        return rows


class Membership:
    """The reads of one window's searches that are under way, and what complete ones prove.

    ``searches`` are those that are configured, each with the statuses that it can return; None: not known, and then all count.
    """

    def __init__(self, columns: Columns, statuses: Dictionary, sets: Sets) -> None:
        self.searches: Mapping[str, Fits | None] | None = None
        self._columns = columns
        self._statuses = statuses
        self._sets = sets
        self._reads: dict[str, dict[str, list[Rows]]] = {}
        self._doubts: dict[str, _Doubts] = {}

    def begin(self, search: str, name: str) -> None:
        """A read begins."""
        self._reads.setdefault(search, {})[name] = []
        if name == POLL and (doubts := self._doubts.get(search)) is not None:
            doubts.before_poll[:] = True

    def end(self, search: str, name: str) -> None:
        """A read is over; one that was not complete proves nothing."""
        self._reads.get(search, {}).pop(name, None)

    def returned(self, search: str, origin: ReadOrigin, known: Rows, fresh: Rows) -> None:
        """The search has just returned these; ``fresh`` were not known before."""
        reads = self._reads.get(search)
        if not reads:
            return
        rows = np.concatenate([known, fresh])
        for found in reads.values():
            found.append(rows)
        if (doubts := self._doubts.get(search)) is not None:
            doubts.drop(rows)
        # Not journalled by itself: an earlier instant proves less, and nothing wrong.
        asked = self._columns["asked"]
        asked[known] = np.maximum(asked[known], max(origin.since, 0) // SECOND)
        asked[fresh] = max(origin.fresh_since, 0) // SECOND

    def missed(self, read: CompleteRead, of_search: NDArray[np.bool_]) -> Rows:
        """The parts that have left a search, by what this complete read and those before it did not return.

        ``of_search`` says of each profile whether the search has its messages.
        """
        pages = self._reads.get(read.search, {}).get(read.name)
        if pages is None:
            return _NONE  # it began before this window was there
        returned = np.concatenate([_NONE, *pages])
        doubts = self._doubts.setdefault(read.search, _Doubts())
        gone = doubts.missed_again() if read.is_poll else _NONE
        absent = np.setdiff1d(self._absent(read, of_search), np.concatenate([returned, gone]))
        if read.certain or read.read_at <= read.seen_to:
            doubts.drop(absent)
            return np.concatenate([gone, absent])
        queued = self._columns.of("status", absent) == self._queued
        doubts.add(absent, np.where(queued, HIDING_QUEUED, HIDING))
        return gone

    def _absent(self, read: CompleteRead, of_search: NDArray[np.bool_]) -> Rows:
        """The parts that a search has, and whose place a read covers."""
        found = [_NONE]
        for start, end in read.spans:
            rows = self._columns.timeline.rows(start - 1, end, AS_PART)
            rows = rows[of_search[self._columns["profile"][rows]]]
            found.append(rows[self._is_within(rows, start, read.is_poll)])
        return np.concatenate(found)

    def _is_within(self, rows: Rows, start: Instant, to_the_present: bool) -> NDArray[np.bool_]:
        """Whether these parts, whose status dates lie within a span, were also sent within it."""
        columns = self._columns
        first, asked = columns["first_seen"][rows], columns["asked"][rows].astype(np.int64) * SECOND
        queued = columns.of("status", rows) == self._queued
        sent = np.maximum(np.where(queued, first, first - LONGEST_QUEUED), asked)
        # What was returned out of a span later than its status was sent after that, and how long after is not known.
        is_past: NDArray[np.bool_] = (asked <= columns["date"][rows]) | to_the_present
        return np.asarray((sent >= start) & is_past)

    @property
    def _queued(self) -> int:
        code = self._statuses.code(QUEUED)
        return -1 if code is None else code

    def forget(self, rows: Rows) -> None:
        """These rows are free."""
        for doubts in self._doubts.values():
            doubts.drop(rows)

    # Sets of searches

    @property
    def depends_on_status(self) -> bool:
        """Whether some search returns messages of some statuses only."""
        return any((self.searches or {}).values())

    def fitting(self, sets: Codes, statuses: Codes, told_by: Codes) -> Codes:
        """The sets without the searches that cannot return a message of that status; ``told_by`` are searches that just have, or -1."""
        asked = np.stack([sets, statuses, told_by])
        some, inverse = np.unique(asked, axis=1, return_inverse=True)
        found = [self._fitting(*map(int, one)) for one in some.T]
        return np.array(found, np.int64)[inverse.reshape(-1)]

    def _fitting(self, searches: int, status: int, told_by: int) -> int:
        text, had = self._statuses.texts[status], self._sets.members(searches)
        told = self._sets.members(told_by) if told_by >= 0 else frozenset()
        kept = {name for name in had if name in told or self._can_have(name, text)}
        return self._sets.without(searches, had - kept) if self._are_seen(kept) else searches

    def _can_have(self, search: str, status: str) -> bool:
        fits = (self.searches or {}).get(search)
        return fits is None or fits(status)

    @property
    def configured(self) -> Set[str] | None:
        """The searches that are configured; None: not known."""
        return None if self.searches is None else self.searches.keys()

    def seen(self, sets: Codes) -> NDArray[np.bool_]:
        """Of each set whether some search that is configured still has its messages."""
        some, inverse = np.unique(sets, return_inverse=True)
        return np.array([self._are_seen(self._sets.members(int(one))) for one in some], np.bool_)[inverse]

    def _are_seen(self, names: Set[str]) -> bool:
        present = {name for name in names if not name.startswith(Sets.LEFT)}
        return bool(present if self.configured is None else present & self.configured)
