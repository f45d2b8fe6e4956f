"""Reads a span of time completely, although its pages move while they are read.

Pages are numbered by offset over live data, so a page can be trusted and a *set* of pages needs an argument. One request is
one moment: a slice that fits on one page is complete as it comes. With more pages a pass reads page 0 (for the total), then the
last page and on down to page 1, and page 0 once more where the total fell meanwhile. Such a pass is complete when one of these holds:

1. Every page named the same total and as many different parts were seen. What lies in the past is only ever left by messages
   (dates select by status change) or is fixed (dates select by sending): with an even total it was the same set all along,
   in whatever order, and all of its members were seen.
2. The total only fell. Messages then only left, so the position of each that stays never rises; read from the last page
   downwards, no message can slip past the reader. A repeat is harmless: the later sight of it counts.
3. The pass before it saw exactly the same. Nothing moves, and Routee counts in some way of its own (or repeats a record).

Otherwise the slice is read again, and after three passes cut into slices of one page. What has several pages within one second,
and moves all the time, is given back as not still: the caller then claims nothing from there on.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise

from monitor.ingest.poll.plan import DEEPEST, FILL, SHORTEST_SLICE, Slice, newest, pages
from monitor.ingest.poll.sink import PollFigures
from monitor.model.complete_read import ReadOrigin
from monitor.model.message import QUEUED, SENT, Batch
from monitor.model.routee_query import Filter, Page, RouteeQuery, SetAside, Tracking
from monitor.runtime.clock import Instant
from monitor.runtime.errors import RouteeUnavailable

PASSES = 3
"""How many times a changing slice is read before it is cut."""
GROWTH = 8
"""A slice is at most so many times as long as the one before: what was quiet may be a campaign further on."""
PATIENCE = 40
"""Failed slice reads before the whole reading is abandoned; each success allows four more."""
FURTHEST_PAGE = 500
"""No slice is read beyond this page, whatever the answers say."""

Take = Callable[[Batch, tuple[SetAside, ...], ReadOrigin], Awaitable[None]]
Counts = tuple[int, int, int]
"""Parts in all, those Queued, those Sent."""


@dataclass(frozen=True, slots=True)
class SliceResult:
    """A slice that was read; ``still`` says that it is complete for certain."""

    slice: Slice
    counts: Counts
    still: bool


@dataclass(frozen=True, slots=True)
class _Crowded:
    """A slice to be cut: how many parts it has, and how many the newest of its slices should have."""

    total: int
    target: int


@dataclass(slots=True)
class _Pass:
    """What one reading of a slice's pages saw: the totals in order of asking, the status of each part, whether it went downwards."""

    totals: list[int]
    seen: dict[tuple[str, object], str]
    downwards: bool = True

    @property
    def complete(self) -> bool:
        """Cases 1 and 2 of the module's argument; a single page is case 1."""
        first, last = self.totals[0], self.totals[-1]
        if first == last == len(self.seen) and len(set(self.totals)) == 1:
            return True
        falling = all(a >= b for a, b in pairwise(self.totals))
        return falling and first > last and self.downwards and len(self.seen) >= last

    def same_as(self, other: "_Pass | None") -> bool:
        """Returns whether case 3 of the module's argument holds."""
        return other is not None and self.totals == other.totals and self.seen.keys() == other.seen.keys()

    @property
    def counts(self) -> Counts:
        """The total at last, and by status what was seen."""
        statuses = list(self.seen.values())
        return self.totals[-1], statuses.count(QUEUED), statuses.count(SENT)


class Reader:
    """Reads slices of one question. ``take`` gets what stands on every page as it comes, as `Sink.page` does; ``give_way`` is awaited before
    every request. What is seen here first was sent after ``fresh_since``.

    ``earliest`` says how far back may be asked at this moment: a long reading is overtaken by the API's limit, and what then lies
    beyond it is left out.
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

    async def read(self, wanted: Slice, note: Callable[[SliceResult], None], expected: int = 0) -> None:
        """Read all of ``wanted``, newest first; ``note`` is told of each slice read. ``expected``, a guess of how many, saves requests.

        Each slice is as long as the one before it suggests. Raises RouteeError, with the outcome ``paging`` where the answers lead
        nowhere.
        """
        rest, length = wanted, wanted.length
        if expected > DEEPEST * self._size:
            length = wanted.length * self._filled // expected
        good = wasted = 0
        while (within := self._within_reach(rest)) is not None:
            piece = newest(within, length)
            outcome = await self._settle(piece)
            if isinstance(outcome, SliceResult):
                note(outcome)
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
        """How many parts a slice has (of that status), for the price of one small request."""
        question = self._question
        if status is not None:
            only = Filter("status.status", status)
            question = RouteeQuery((*question.filters, only), question.campaign, question.tracking_id)
        return (await self._ask(question, wanted, 0, 1)).total

    def reaches(self, wanted: Slice) -> bool:
        """Returns whether the whole span may still be requested."""
        return wanted.start >= self._earliest()

    def _within_reach(self, piece: Slice) -> Slice | None:
        start = max(piece.start, self._earliest())
        return Slice(start, piece.end) if start < piece.end else None

    @property
    def _filled(self) -> int:
        return max(int(FILL * self._size), 1)

    async def _settle(self, piece: Slice) -> SliceResult | _Crowded:
        """Read one slice until it is complete, at most three times."""
        previous: _Pass | None = None
        for attempt in range(PASSES):
            self._figures.reread += attempt > 0
            found = await self._pass(piece)
            if isinstance(found, _Crowded):
                return found
            if found.complete or found.same_as(previous):
                return SliceResult(piece, found.counts, still=True)
            previous = found
        assert previous is not None
        if len(previous.totals) == 1:
            return SliceResult(piece, previous.counts, still=True)
        if piece.divisible:
            return _Crowded(max(previous.totals[-1], self._size + 1), max(self._size * 3 // 4, 1))
        return SliceResult(piece, previous.counts, still=False)

    async def _pass(self, piece: Slice) -> _Pass | _Crowded:
        first = await self._page(piece, 0)
        found = _Pass([first.total], _parts(first))
        if first.last:
            return found
        if first.total > DEEPEST * self._size and piece.divisible:
            return _Crowded(first.total, self._filled)
        bottom = max(pages(first.total, self._size), 2) - 1
        await self._down_to_the_last(piece, first, bottom, found)
        for number in range(bottom - 1, 0, -1):
            self._add(found, await self._page(piece, number))
        if found.totals[-1] < first.total:
            self._add(found, await self._page(piece, 0))
        return found

    async def _down_to_the_last(self, piece: Slice, first: Page, bottom: int, found: _Pass) -> None:
        """Read the page that the total says is the last, and on from there until a page says that it is."""
        shown = len(first.batch) + len(first.asides)
        furthest = min(pages(first.total, shown or self._size) + 1, FURTHEST_PAGE)
        number = bottom
        while True:
            page = await self._page(piece, number)
            self._add(found, page)
            if page.last:
                return
            found.downwards = False
            number += 1
            if number > furthest:
                raise _endless(f"page {number - 1} of {first.total} messages does not say that it is the last")

    def _add(self, found: _Pass, page: Page) -> None:
        found.totals.append(page.total)
        found.seen |= _parts(page)

    async def _page(self, piece: Slice, number: int) -> Page:
        page = await self._ask(self._question, piece, number, self._size)
        self._figures.pages += 1
        self._figures.rows += len(page.batch)
        self._figures.asides += len(page.asides)
        if len(page.batch) or page.asides:
            origin = ReadOrigin(piece.start, max(piece.start, self._fresh_since))
            await self._take(page.batch, page.asides, origin)
        return page

    async def _ask(self, question: RouteeQuery, piece: Slice, number: int, size: int) -> Page:
        if self._give_way is not None:
            await self._give_way()
        self._figures.requests += 1
        return await self._tracking.search(question, piece.start, piece.end, page=number, size=size)


def _parts(page: Page) -> dict[tuple[str, object], str]:
    """The status of each part on a page; a record set aside is told apart by its text and counts as not final."""
    batch = page.batch
    found: dict[tuple[str, object], str] = {("", aside.record): "" for aside in page.asides}
    found |= zip(zip(batch.message_id, batch.key.tolist(), strict=True), batch.fields["status"], strict=True)
    return found


def _endless(what: str) -> RouteeUnavailable:
    return RouteeUnavailable(
        f"Routee's pages cannot be read to their end: {what}; the daemon tries again at the next interval", "paging"
    )
