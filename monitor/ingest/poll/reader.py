"""Reads a span of time completely, although messages move between its pages while they are read. Each page is taken in while the next one
is requested.

Pages are offsets into live data. A single page is consistent, because one request sees one moment, so a slice that fits on one page is
complete. With more pages a pass reads page 0 (for the total), then from the last page down to page 1, and page 0 again if the total
fell meanwhile. Such a pass is complete in one of these cases:

1. Every page had the same total, and as many different parts were seen. A slice of the past can only lose messages (if dates select by
   status change) or never changes (if dates select by sending). So with a constant total it was the same set in any order, and all of
   its members were seen.
2. The total only fell. Then messages only left, so the position of those that stay never rises, and no message can be missed by reading
   from the last page downwards. A message that is read twice is harmless: the later record counts.
3. The previous pass saw exactly the same, in the same states. Nothing moves, and Routee's total follows some rule of its own (or it repeats a
   record).

Otherwise the slice is read again, and after three passes it is cut into smaller slices. A slice of a second that has several pages and
keeps changing is returned as not still; the caller then does not count the time from there on as read.
"""

from collections.abc import Awaitable, Callable
from dataclasses import field
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.poll.handover import Handover
from monitor.ingest.poll.part_states import (
    IS_QUEUED,
    IS_UNFINISHED,
    IS_UNREADABLE,
    NOBODY,
    PartIds,
    PartStates,
    states_of,
    together,
)
from monitor.ingest.poll.plan import DEEPEST, FILL, SHORTEST_SLICE, Slice, newest, pages
from monitor.ingest.poll.sink import PollFigures
from monitor.model.batch import Batch
from monitor.model.complete_read import ReadOrigin
from monitor.model.routee_query import STATUS, Filter, Page, RejectedRecord, RouteeQuery, Tracking
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import RouteeUnavailable

PASSES = 3
"""The most times that a changing slice is read before it is cut."""
GROWTH = 8
"""The most times that a slice is longer than the one before: after a quiet slice there may be a campaign."""
PATIENCE = 40
"""The most failed reads of slices before the whole read is given up. Each success allows four more."""
FURTHEST_PAGE = 100
"""The last page that is read of a slice, whatever the answers say: 200,000 messages in one second are no number that anybody sends."""

Take = Callable[[Batch, tuple[RejectedRecord, ...], ReadOrigin], Awaitable[None]]
"""Takes the content of a page."""
Counts = tuple[int, int, int]
"""The number of parts in all, of those Queued, and of those Sent or in a status that Routee does not document: neither is final."""
Instants = NDArray[np.int64]
SHAPE = 16
"""The number of spans with equally many messages by which the traffic within a slice is known."""


@dataclass(frozen=True, slots=True)
class SliceResult:
    """A slice that was read. ``still`` is true if it is certainly complete.

    ``parts`` are its parts, and ``unfinished`` those whose status was not final; None if that is not known, because a record could not be read.
    ``shape`` are instants between which there were about equally many messages, by the dates of their statuses.
    """

    slice: Slice
    counts: Counts
    still: bool
    unfinished: PartIds | None = field(default=None, compare=False)
    parts: PartIds | None = field(default=None, compare=False)
    shape: Instants | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class _Crowded:
    """A slice that must be cut: how many parts it has, and how many the first slice of it should have."""

    total: int
    target: int


@dataclass(slots=True)
class _PagesRead:
    """What one pass has read so far: the totals in the order of requests, the parts and dates of each page, and whether all pages after page
    0 were read downwards."""

    totals: list[int] = field(default_factory=list)
    parts: list[PartStates] = field(default_factory=list)
    dates: list[Instants] = field(default_factory=list)
    downwards: bool = True

    def add(self, page: Page) -> None:
        self.totals.append(page.total)
        self.parts.append(states_of(page))
        self.dates.append(page.batch.date)

    def complete(self) -> "_Pass":
        """Returns the pass once all its pages are read."""
        return _Pass(tuple(self.totals), together(self.parts), np.concatenate(self.dates), self.downwards)


@dataclass(frozen=True, slots=True)
class _Pass:
    """One pass over a slice's pages: the totals in the order of requests, each part that was seen, and the dates."""

    totals: tuple[int, ...]
    seen: PartStates
    dates: Instants
    downwards: bool = True

    @property
    def complete(self) -> bool:
        """Whether case 1 or 2 of the module's argument holds. A single page is case 1."""
        first, last = self.totals[0], self.totals[-1]
        if first == last == len(self.seen) and len(set(self.totals)) == 1:
            return True
        falling = all(a >= b for a, b in pairwise(self.totals))
        return falling and first > last and self.downwards and len(self.seen) >= last

    def same_as(self, other: "_Pass | None") -> bool:
        """Returns whether case 3 of the module's argument holds."""
        if other is None or self.totals != other.totals:
            return False
        return np.array_equal(self.seen.ids, other.seen.ids) and np.array_equal(self.seen.states, other.seen.states)

    def result(self, piece: Slice, *, still: bool = True) -> SliceResult:
        """Returns the result of this pass over ``piece``."""
        seen, shape = self.seen, _shape(piece, self.dates)
        counts = self.totals[-1], seen.count(IS_QUEUED), seen.count(IS_UNFINISHED)
        if seen.count(IS_UNREADABLE):
            return SliceResult(piece, counts, still, shape=shape)
        return SliceResult(piece, counts, still, seen.unfinished(), seen.ids, shape)


class Reader:
    """Reads spans of one query. ``take`` gets the content of each page in the order of arrival, while the next one is requested.
    ``give_way`` is awaited before every request.

    Messages that this reader returns first were sent after ``fresh_since``. ``earliest`` returns how far back messages may be requested
    now: the API's limit moves during a long read, and slices beyond it are left out.
    """

    def __init__(
        self,
        tracking: Tracking,
        question: RouteeQuery,
        page_size: int,
        take: Take,
        figures: PollFigures,
        earliest: Callable[[], Instant],
        give_way: Callable[[], Awaitable[None]] | None = None,
        fresh_since: Instant = 0,
    ) -> None:
        self._tracking = tracking
        self._question = question
        self._size = page_size
        self._take = take
        self._figures = figures
        self._earliest = earliest
        self._give_way = give_way
        self._fresh_since = fresh_since
        self._handover = Handover()
        self._deepest = DEEPEST

    async def read(
        self, wanted: Slice, note: Callable[[SliceResult], None], expected: int = 0, deepest: int = DEEPEST
    ) -> None:
        """Reads all of ``wanted``, newest first, and calls ``note`` with each slice once its pages were taken. ``expected`` estimates the
        number of parts; a slice with more than ``deepest`` pages is cut. Afterwards all pages were taken, or one of them could not be.

        The length of each slice follows from the density of the one before. Raises RouteeError; its outcome is ``paging`` if the pages
        never agree. Raises what ``take`` raises.
        """
        self._handover, self._deepest = Handover(), deepest
        await self._handover.beside(partial(self._read, wanted, note, expected))

    async def _read(self, wanted: Slice, note: Callable[[SliceResult], None], expected: int) -> None:
        rest, length = wanted, wanted.length
        if expected > self._deepest * self._size:
            length = wanted.length * self._filled // expected
        good = wasted = 0
        while (within := self._within_reach(rest)) is not None:
            piece = newest(within, length)
            outcome = await self._settle(piece)
            if isinstance(outcome, SliceResult):
                self._handover.note(partial(note, outcome))
                self._figures.slices += 1
                rest = Slice(rest.start, piece.start)
                length = min(piece.length * self._filled // max(outcome.counts[0], 1), GROWTH * piece.length)
                good += outcome.still
                wasted += not outcome.still
            else:
                length = min(piece.length * outcome.target // outcome.total, piece.length - SHORTEST_SLICE)
                wasted += 1
            if wasted > PATIENCE + 4 * good:
                raise _endless(f"{wasted} slices, down to {piece.length // 1_000_000} s, moved or were too full")

    async def count(self, wanted: Slice, status: str | None = None) -> int:
        """Returns how many parts a slice has (of that status), with one small request. Raises RouteeError."""
        question = self._question if status is None else self._only(status)
        return (await self._ask(question, wanted, 0, 1)).total

    async def listed(self, wanted: Slice, status: str, most: int = 1) -> PartIds:
        """Reads the first ``most`` pages of the parts of a slice that have ``status``, and returns those that are on them. Raises RouteeError."""
        question, found = self._only(status), [NOBODY]
        for number in range(most):
            page = await self._taken_page(wanted, number, question)
            found.append(states_of(page).ids)
            if page.last:
                break
        return np.unique(np.concatenate(found))

    async def page_of(self, wanted: Slice, number: int) -> SliceResult:
        """Reads one page of a slice, and returns what is on it with the total of all. It is still if that is the last. Raises RouteeError."""
        page, found = await self._taken_page(wanted, number), _PagesRead()
        found.add(page)
        return found.complete().result(wanted, still=page.last)

    async def _taken_page(self, wanted: Slice, number: int, question: RouteeQuery | None = None) -> Page:
        """Reads a page of a slice outside of `read`, and returns it once it was taken."""
        found = list[Page]()

        async def read() -> None:
            found.append(await self._page(wanted, number, question))

        self._handover = Handover()
        await self._handover.beside(read)
        return found[0]

    def reaches(self, wanted: Slice) -> bool:
        """Returns whether the whole span may still be requested."""
        return wanted.start >= self._earliest()

    def _only(self, status: str) -> RouteeQuery:
        question = self._question
        return RouteeQuery((*question.filters, Filter(STATUS, status)), question.campaign, question.tracking_id)

    def _within_reach(self, piece: Slice) -> Slice | None:
        start = max(piece.start, self._earliest())
        return Slice(start, piece.end) if start < piece.end else None

    @property
    def _filled(self) -> int:
        return max(int(FILL * self._size), 1)

    async def _settle(self, piece: Slice) -> SliceResult | _Crowded:
        """Reads one slice until it is complete, at most three times. Returns it, or how to cut it."""
        previous: _Pass | None = None
        for attempt in range(PASSES):
            self._figures.reread += attempt > 0
            found = await self._pass(piece)
            if isinstance(found, _Crowded):
                return found
            if found.complete or found.same_as(previous):
                return found.result(piece)
            previous = found
        assert previous is not None
        if len(previous.totals) == 1:
            return previous.result(piece)
        if piece.divisible:
            return _Crowded(max(previous.totals[-1], self._size + 1), max(self._size * 3 // 4, 1))
        return previous.result(piece, still=False)

    async def _pass(self, piece: Slice) -> _Pass | _Crowded:
        first, found = await self._page(piece, 0), _PagesRead()
        found.add(first)
        if first.last:
            return found.complete()
        shown = len(first.batch) + len(first.rejected) or self._size  # which may be less than was asked for
        room = min(self._deepest * self._size, FURTHEST_PAGE * shown)
        if first.total > room and piece.divisible:
            return _Crowded(first.total, min(self._filled, room))
        number = max(pages(first.total, self._size), 2) - 1
        if number > FURTHEST_PAGE:
            raise _endless(f"one answer says that {piece.length // 1_000_000} s have {first.total} messages")
        await self._down_to_the_last(piece, first, number, found)
        while (number := min(number, pages(found.totals[-1], self._size)) - 1) > 0:  # beyond the present end is nothing
            found.add(await self._page(piece, number))
        if found.totals[-1] < first.total:
            found.add(await self._page(piece, 0))
        return found.complete()

    async def _down_to_the_last(self, piece: Slice, first: Page, bottom: int, found: _PagesRead) -> None:
        """Reads page ``bottom``, the last one by the total, and further pages until one says that it is the last. Raises RouteeUnavailable if
        none does."""
        shown = len(first.batch) + len(first.rejected)
        furthest = min(pages(first.total, shown or self._size) + 1, FURTHEST_PAGE)
        number = bottom
        while True:
            page = await self._page(piece, number)
            found.add(page)
            if page.last:
                return
            found.downwards = False
            number += 1
            if number > furthest:
                raise _endless(f"page {number - 1} of {first.total} messages does not say that it is the last")

    async def _page(self, piece: Slice, number: int, question: RouteeQuery | None = None) -> Page:
        page = await self._ask(question or self._question, piece, number, self._size)
        self._figures.pages += 1
        self._figures.rows += len(page.batch)
        self._figures.rejected += len(page.rejected)
        if len(page.batch) or page.rejected:
            origin = ReadOrigin(piece.start, max(piece.start, self._fresh_since))
            await self._handover.page(partial(self._take, page.batch, page.rejected, origin))
        return page

    async def _ask(self, question: RouteeQuery, piece: Slice, number: int, size: int) -> Page:
        if self._give_way is not None:
            await self._give_way()
        self._figures.requests += 1
        return await self._tracking.search(question, piece.start, piece.end, page=number, size=size)


def _shape(piece: Slice, dates: Instants) -> Instants | None:
    """Returns the instants that part the dates within a slice into SHAPE equal shares; None where there are few."""
    inside = np.sort(dates[(dates > piece.start) & (dates < piece.end)])
    if len(inside) < 4 * SHAPE:
        return None
    return inside[np.arange(1, SHAPE) * len(inside) // SHAPE]


def _endless(what: str) -> RouteeUnavailable:
    return RouteeUnavailable(
        f"Routee's pages cannot be read to their end: {what}; the daemon tries again at the next interval", "paging"
    )
