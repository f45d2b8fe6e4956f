"""Finds out which searches still return each message, from complete reads that did not return it.

Routee does not say whether a range of time selects by the time of sending or by that of the present status. So a message's *place* is a
span that contains both. If a complete read covers the whole place and does not return the message, the message has left the search.
docs/decisions/0017-leaving-a-search.md gives the argument.
"""

from collections.abc import Callable, Mapping, Set
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.model.complete_read import POLL, CompleteRead, ReadOrigin
from monitor.model.message import QUEUED
from monitor.runtime.clock import DAY, Duration, Instant
from monitor.window.columns import AS_PART, HALF_SECOND, Columns
from monitor.window.dictionary import Codes, Dictionary, Sets
from monitor.window.index import Rows
from monitor.window.stable_order import distinct

StatusPredicate = Callable[[str], bool]
"""Returns whether a search can return messages of a status."""

LONGEST_QUEUED: Final[Duration] = DAY
"""The longest time that a message is assumed to have existed before its first seen status, unless that was Queued."""
MISSABLE_POLLS_QUEUED: Final = 2
MISSABLE_POLLS: Final = 1
"""How many further polls must miss a message before it has left: each may miss it because its status changes just then, and a Queued one
may change twice."""

_NONE: Rows = np.zeros(0, np.int64)


class _UnconfirmedMisses:
    """Messages that a read did not return, but that may still belong to the search, and how many more polls must miss each of them.

    ``before_poll`` says whether the miss was before the running poll began.
    """

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
        """Counts the misses of a complete poll, for misses from before it began. Returns, and drops, the messages that have left for certain."""
        self.left[self.before_poll] -= 1
        gone = self.left <= 0
        rows = self.rows[gone]
        self.keep(~gone)
        return rows


class SearchResults:
    """Tracks the running reads of one window's searches, and computes which messages have left a search.

    ``searches`` are the configured searches, each with a predicate on the status (None: it returns all statuses). While ``searches`` is
    None, it is not known which searches are configured, and all count.
    """

    def __init__(self, columns: Columns, statuses: Dictionary, sets: Sets) -> None:
        self.searches: Mapping[str, StatusPredicate | None] | None = None
        self._columns = columns
        self._statuses = statuses
        self._sets = sets
        self._reads: dict[str, dict[str, list[NDArray[np.int32]]]] = {}
        self._unconfirmed: dict[str, _UnconfirmedMisses] = {}

    def begin(self, search: str, name: str) -> None:
        """Notes that a read begins."""
        self._reads.setdefault(search, {})[name] = []
        if name == POLL and (unconfirmed := self._unconfirmed.get(search)) is not None:
            unconfirmed.before_poll[:] = True

    def end(self, search: str, name: str) -> None:
        """Notes that a read has ended and forgets what it returned. A read that was not complete proves nothing."""
        self._reads.get(search, {}).pop(name, None)

    def returned(self, search: str, origin: ReadOrigin, known: Rows, fresh: Rows) -> None:
        """Notes that the search has just returned these rows; ``fresh`` are new to the window."""
        reads = self._reads.get(search)
        if not reads:
            return
        rows = np.concatenate([known, fresh])
        kept = rows.astype(np.int32)
        for found in reads.values():
            found.append(kept)
        if (unconfirmed := self._unconfirmed.get(search)) is not None:
            unconfirmed.drop(rows)
        # This change alone is not journalled: an earlier instant only proves less.
        asked = np.full(len(rows), max(origin.fresh_since, 0) // HALF_SECOND)
        asked[: len(known)] = np.maximum(
            self._columns["asked"][known].astype(np.int64), max(origin.since, 0) // HALF_SECOND
        )
        self._columns.write(rows, {"asked": asked})

    def missed(self, read: CompleteRead, of_search: NDArray[np.bool_]) -> Rows:
        """Returns the parts that have left a search, because this complete read and earlier ones did not return them.

        ``of_search`` says for each profile whether the search has its messages.
        """
        pages = self._reads.get(read.search, {}).get(read.name)
        if pages is None:
            return _NONE  # it began before this window existed
        unconfirmed = self._unconfirmed.setdefault(read.search, _UnconfirmedMisses())
        gone = unconfirmed.missed_again() if read.is_poll else _NONE
        there = np.zeros(self._columns.length, np.bool_)
        for rows in pages:
            there[rows] = True
        there[gone] = True
        absent = distinct(self._absent(read, of_search, there))
        if read.certain or read.read_at <= read.seen_to:
            unconfirmed.drop(absent)
            return np.concatenate([gone, absent])
        queued = self._columns.of("status", absent) == self._queued
        unconfirmed.add(absent, np.where(queued, MISSABLE_POLLS_QUEUED, MISSABLE_POLLS))
        return gone

    def _absent(self, read: CompleteRead, of_search: NDArray[np.bool_], there: NDArray[np.bool_]) -> Rows:
        """Returns the parts, other than those of the rows that are ``there``, that a search has and whose whole place the read covers."""
        found = [_NONE]
        for start, end in read.spans:
            rows = self._columns.timeline.rows(start - 1, end, AS_PART)
            rows = rows[~there[rows]]  # first, because it leaves few
            rows = rows[of_search[self._columns["profile"][rows]]]
            found.append(rows[self._is_within(rows, start, read.is_poll)])
        return np.concatenate(found)

    def _is_within(self, rows: Rows, start: Instant, to_the_present: bool) -> NDArray[np.bool_]:
        """Returns whether these parts, whose status dates lie in a span, were certainly also sent in it."""
        columns = self._columns
        first, asked = columns["first_seen"][rows], columns["asked"][rows].astype(np.int64) * HALF_SECOND
        queued = columns.of("status", rows) == self._queued
        sent = np.maximum(np.where(queued, first, first - LONGEST_QUEUED), asked)
        # A part that was returned from a span after its status date was sent in that span, but it is not known when.
        is_past: NDArray[np.bool_] = (asked <= columns["date"][rows]) | to_the_present
        return np.asarray((sent >= start) & is_past)

    @property
    def _queued(self) -> int:
        code = self._statuses.code(QUEUED)
        return -1 if code is None else code

    def forget(self, rows: Rows) -> None:
        """Forgets rows that are free now."""
        for unconfirmed in self._unconfirmed.values():
            unconfirmed.drop(rows)

    # Sets of searches

    @property
    def depends_on_status(self) -> bool:
        """Whether some search returns messages of some statuses only."""
        return any((self.searches or {}).values())

    def fitting(self, sets: Codes, statuses: Codes, returned_by: Codes, *, may_be_none: bool = False) -> Codes:
        """Marks the searches of each set as left that cannot return a message of its status. Returns the resulting sets.

        ``returned_by`` has the searches that have just returned each message, or -1; those are not marked. A set stays unchanged if no
        configured search would still have the message, unless it ``may_be_none``.
        """
        asked = np.stack([sets, statuses, returned_by])
        some, inverse = np.unique(asked, axis=1, return_inverse=True)
        found = [self._fitting(*map(int, one), may_be_none=may_be_none) for one in some.T]
        return np.array(found, np.int64)[inverse.reshape(-1)]

    def _fitting(self, searches: int, status: int, returned_by: int, *, may_be_none: bool) -> int:
        text, had = self._statuses.texts[status], self._sets.members(searches)
        just_returned = self._sets.members(returned_by) if returned_by >= 0 else frozenset()
        kept = {name for name in had if name in just_returned or self._can_have(name, text)}
        return self._sets.without(searches, had - kept) if may_be_none or self._any_configured(kept) else searches

    def explains_leaving(self, sets: Codes, statuses: Codes) -> NDArray[np.bool_]:
        """Returns for each set, whose message has left all its searches, whether none of these can return a message of the status."""
        pairs, inverse = np.unique(np.stack([sets, statuses]), axis=1, return_inverse=True)
        found = [
            not any(self._can_have(name, self._statuses.texts[status]) for name in self._sets.ever(searches))
            for searches, status in pairs.T.tolist()
        ]
        return np.array(found, np.bool_)[inverse.reshape(-1)]

    def cannot_return(self, search: str, statuses: Codes) -> NDArray[np.bool_]:
        """Returns of which messages the status shows that the search cannot return them."""
        texts = self._statuses.texts
        some, inverse = np.unique(statuses, return_inverse=True)
        return np.array([not self._can_have(search, texts[code]) for code in some.tolist()], np.bool_)[inverse]

    def _can_have(self, search: str, status: str) -> bool:
        fits = (self.searches or {}).get(search)
        return fits is None or fits(status)

    @property
    def configured(self) -> Set[str] | None:
        """Returns the configured searches; None if they are not known."""
        return None if self.searches is None else self.searches.keys()

    def in_any_search(self, sets: Codes) -> NDArray[np.bool_]:
        """Returns for each set whether some configured search still has its messages."""
        some, inverse = np.unique(sets, return_inverse=True)
        return np.array([self._any_configured(self._sets.members(int(one))) for one in some], np.bool_)[inverse]

    def _any_configured(self, names: Set[str]) -> bool:
        present = {name for name in names if not name.startswith(Sets.LEFT)}
        return bool(present if self.configured is None else present & self.configured)
