"""Polls that read one page of many: what is new, and what has changed of what was read before.

A full poll reads its whole span. Short polls then read the span from the same start up to the present in two steps:

1. The first page of all. Its total says how many parts the span has. The parts that were read before are still in the span: dates of sending
   stay, and a status changes at a date that is later, but not after the present. So if the known parts and those on the page are as many as
   the total, they are all that there is, and none is new but on the page. This holds in whatever order Routee returns them, and works where
   the newest come first.
2. A list of the parts that are Sent. A part that was unfinished, is not on the page and is not listed has changed, is still Queued, or has a
   status that Routee does not document. Its slice is read again. In all other parts nothing has changed, because final statuses do not change.

Where the numbers do not agree a full poll follows. If that happens again and again, as where the oldest come first, or if too many slices
have to be read again, short polls are rarely tried any more.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from monitor.ingest.poll.plan import Slice, pages
from monitor.ingest.poll.reader import Counts, Instants, PartIds, Reader, SliceResult
from monitor.ingest.poll.sweep_ledger import NOBODY, Ledger
from monitor.model.message import SENT
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.dataclass import dataclass

WORTH: Final = 3
"""The fewest pages of a span of which two requests are a good part less."""
RAREST: Final = 120
"""The most full polls between two tries of a short one."""
MOST: Final = 50
"""The most pages of a span of which the parts are known one by one: sorting them holds the event loop. After an outage there are more."""


@dataclass(frozen=True, slots=True)
class _KnownSlice:
    """What is known of a slice: its counts when it was read, and its parts that are unfinished still. If it was not ``read``, its parts came
    with first pages, and may have been sent a little before it."""

    counts: Counts
    unfinished: PartIds
    read: bool
    shape: Instants | None = None


class ShortPolls:
    """What full polls have read, and what short ones know from it. ``overlap`` is how far before the watermark a full poll begins."""

    def __init__(self, page_size: int, overlap: Duration) -> None:
        self._size = page_size
        self._overlap = overlap
        self._slices: dict[Slice, _KnownSlice] = {}
        self._parts = NOBODY
        self._span = Slice(0, 0)
        self._read_at = 0
        self._reread = 0  # the pages that the latest short poll has read again
        self._rest = self._patience = 0  # for how many full polls no short one is tried now, and after the next failure

    def remember(self, span: Slice, readings: list[SliceResult]) -> None:
        """Takes what a full poll of ``span`` has read."""
        self._slices.clear()
        self._parts, self._read_at = NOBODY, span.end
        self._rest -= self._rest > 0
        self._span = span if self._take(readings) else Slice(0, 0)
        if WORTH <= self._pages <= MOST:
            self._parts = np.unique(np.concatenate([one.parts for one in readings if one.parts is not None]))

    def can_read(self, wanted: Slice) -> bool:
        """Returns whether a short poll may do for ``wanted``: the next full poll can still begin where the last one ended."""
        reaches = self._span.start <= wanted.start and self._span.end < wanted.end <= self._read_at + self._overlap
        return self._pay and self._pages <= MOST and reaches and not self._rest

    @property
    def _pages(self) -> int:
        return pages(sum(known.counts[0] for known in self._slices.values()), self._size)

    @property
    def _pay(self) -> bool:
        return self._span.length > 0 and self._pages >= WORTH

    def hand_over(self, wanted: Slice, ledger: Ledger) -> Slice:
        """Gives ``ledger`` the slices that polls leave behind. Returns ``wanted``, from the start of the oldest slice that stays."""
        start = max((piece.start for piece in self._slices if piece.start <= wanted.start), default=wanted.start)
        if not self._pay or not self._span.start <= start < self._span.end:
            return wanted
        ledger.remember(
            SliceResult(piece, known.counts, still=True, unfinished=known.unfinished, shape=known.shape)
            for piece, known in self._slices.items()
            if piece.end <= start and known.read
        )
        return Slice(start, wanted.end)

    async def read(self, reader: Reader, end: Instant) -> int | None:
        """Brings everything since the start of the last full poll up to date, up to ``end``. Returns the number of parts; None if a full poll
        is needed. Raises RouteeError."""
        last, span, self._reread = self._span, Slice(self._span.start, end), 0
        self._span = Slice(0, 0)  # also if it fails half-way: a full poll follows
        total = await self._read(reader, span, last.end)
        if total is None or 2 + self._reread > pages(total, self._size):
            self._rest = self._patience = min(2 * self._patience + 1, RAREST)
        else:
            self._patience = 0
        if total is not None:
            self._span = span
        return total

    @property
    def start(self) -> Instant:
        """Returns from where on the last full poll has read."""
        return self._span.start

    async def _read(self, reader: Reader, span: Slice, last: Instant) -> int | None:
        first = await reader.first_page(span)
        if first.parts is None or first.unfinished is None:
            return None
        known = self._parts
        self._parts = _merged(known, first.parts)
        if len(self._parts) != first.counts[0]:
            return None
        self._see(first.parts, first.unfinished)
        self._add(len(self._parts) - len(known), _others(first.unfinished, known), Slice(last, span.end))
        return first.counts[0] if await self._check(reader, span, first.parts) else None

    async def _check(self, reader: Reader, span: Slice, seen: PartIds) -> bool:
        """Reads slices again of which an unfinished part, one that was not seen just now, has changed. Returns whether all are known now."""
        waiting = np.setdiff1d(np.concatenate([known.unfinished for known in self._slices.values()]), seen)
        if not len(waiting):
            return True
        changed = np.setdiff1d(waiting, await reader.first_of(span, SENT))
        before = len(self._parts)
        for piece in [piece for piece, known in self._slices.items() if np.isin(changed, known.unfinished).any()]:
            if not await self._read_again(reader, piece):
                return False
        return len(self._parts) == before

    async def _read_again(self, reader: Reader, piece: Slice) -> bool:
        """Reads a slice again. Returns whether it is complete and has all parts that it is known to have."""
        known = self._slices.pop(piece)
        self._reread += pages(known.counts[0], self._size)
        readings: list[SliceResult] = []
        await reader.read(piece, readings.append)
        if not self._take(readings):
            return False
        found = np.concatenate([NOBODY, *(one.parts for one in readings if one.parts is not None)])
        self._parts = _merged(self._parts, np.unique(found))
        return bool(np.isin(known.unfinished, found).all())

    def _see(self, seen: PartIds, unfinished: PartIds) -> None:
        finished = np.setdiff1d(seen, unfinished)
        for piece, known in self._slices.items():
            self._slices[piece] = replace(known, unfinished=np.setdiff1d(known.unfinished, finished))

    def _add(self, count: int, unfinished: PartIds, since: Slice) -> None:
        """Adds the new parts of the time since the last poll: to the newest slice, unless that was read or would have more than a page."""
        newest = next((piece for piece in self._slices if piece.end == since.start), since)
        known = self._slices.get(newest)
        if known is not None and not known.read and known.counts[0] + count <= self._size:
            del self._slices[newest]
            since = Slice(newest.start, since.end)
            count, unfinished = known.counts[0] + count, np.union1d(known.unfinished, unfinished)
        self._slices[since] = _KnownSlice((count, 0, len(unfinished)), unfinished, read=False)

    def _take(self, readings: list[SliceResult]) -> bool:
        """Takes the slices that were read, but for their parts. Returns whether all of them are known."""
        for one in readings:
            if one.parts is None or one.unfinished is None or not one.still:
                return False
            self._slices[one.slice] = _KnownSlice(one.counts, one.unfinished, read=True, shape=one.shape)
        return True


def _others(some: PartIds, known: PartIds) -> PartIds:
    """Returns those of ``some`` that are not among ``known``, which may be many more: they are looked up, not sorted again."""
    at = np.searchsorted(known, some)
    new: PartIds = some[(at == len(known)) | (np.append(known, 0)[at] != some)]
    return new


def _merged(known: PartIds, some: PartIds) -> PartIds:
    new = _others(some, known)
    merged: PartIds = np.insert(known, np.searchsorted(known, new), new)
    return merged
