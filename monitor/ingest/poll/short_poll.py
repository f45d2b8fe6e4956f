"""Polls that read few pages of many: what is new, and what has changed of what was read before.

A full poll reads its whole span. Short polls then read the span from the same start up to the present in three steps:

1. The first page of all. Its total says how many parts the span has. The parts that were read before are still in the span: dates of sending
   stay, and a status changes at a date that is later, but not after the present. So if the known parts and those on the page are as many as
   the total, they are all that there is, and none is new but on the page. This holds in whatever order Routee returns them, and works where
   the newest come first. Where there is nothing on a page but what is new, the next one is read too.
2. A list of the parts that are Sent. A part that was unfinished, is not on the page and is not listed has changed, is still Queued, or has a
   status that Routee does not document. Its slice is read again. In all other parts nothing has changed, because final statuses do not change.
   Where the slices of all parts that may have changed fit on no more pages than the list, these are read instead.
3. Once the messages that are older than the overlap fill a page, this page is read a last time and handed over to the sweeps, and so is the
   next one. The known parts that are not on them are those after them, so the span then begins where the last of them ends.

Where the numbers do not agree a full poll follows. If that happens again and again, as where the oldest come first, or if too many slices
have to be read again, short polls are rarely tried any more.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from monitor.ingest.poll.part_states import NOBODY, PartIds
from monitor.ingest.poll.plan import SHORTEST_SLICE, Slice, on_grid, pages
from monitor.ingest.poll.reader import Counts, Instants, Reader, SliceResult
from monitor.ingest.poll.sweep_ledger import Ledger
from monitor.ingest.poll.sweep_pieces import FULL
from monitor.model.message import SENT
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass

WORTH: Final = 2
"""The fewest pages of a span that is not read as a whole by each poll."""
RAREST: Final = 120
"""The most full polls between two tries of a short one."""
BEHIND: Final = 2
"""The most pages before the overlap, or a quarter of all. Where there are more, as after an outage, a full poll begins later, and asks nothing
for that."""
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
    """What full polls have read, and what short ones know from it. The slices that they read for the last time go to ``ledger``."""

    def __init__(self, page_size: int, ledger: Ledger) -> None:
        self._size = page_size
        self._ledger = ledger
        self._slices: dict[Slice, _KnownSlice] = {}
        self._parts = NOBODY
        self._span = Slice(0, 0)
        self._asked = self._reread = (
            0  # the pages that the latest short poll has read of the newest and of lists, and again
        )
        self._rest = self._patience = 0  # for how many full polls no short one is tried now, and after the next failure

    def remember(self, span: Slice, readings: list[SliceResult]) -> None:
        """Takes what a full poll of ``span`` has read."""
        self._slices.clear()
        self._parts = NOBODY
        self._rest -= self._rest > 0
        self._span = span if self._take(readings) else Slice(0, 0)
        if WORTH <= self._pages <= MOST:
            self._parts = np.unique(np.concatenate([one.parts for one in readings if one.parts is not None]))

    def can_read(self, wanted: Slice) -> bool:
        """Returns whether a short poll may do for ``wanted``."""
        reaches = self._span.start <= wanted.start and self._span.end < wanted.end
        behind = sum(known.counts[0] for piece, known in self._slices.items() if piece.end <= wanted.start)
        return (
            self._pay
            and self._pages <= MOST
            and reaches
            and behind <= max(BEHIND, self._pages // 4) * self._size
            and not self._rest
        )

    @property
    def _pages(self) -> int:
        return pages(sum(known.counts[0] for known in self._slices.values()), self._size)

    @property
    def _pay(self) -> bool:
        return self._span.length > 0 and self._pages >= WORTH

    def hand_over(self, wanted: Slice) -> Slice:
        """Gives the ledger the slices that polls leave behind. Returns ``wanted``, from the start of the oldest slice that stays."""
        start = max((piece.start for piece in self._slices if piece.start <= wanted.start), default=wanted.start)
        if not self._pay or not self._span.start <= start < self._span.end:
            return wanted
        self._ledger.remember(
            SliceResult(piece, known.counts, still=True, unfinished=known.unfinished, shape=known.shape)
            for piece, known in self._slices.items()
            if piece.end <= start and known.read
        )
        return Slice(start, wanted.end)

    async def read(self, reader: Reader, wanted: Slice) -> int | None:
        """Brings everything since `start` up to date, up to the end of ``wanted``, and reads for the last time what is before it. Returns the
        number of parts; None if a full poll is needed. Raises RouteeError."""
        last, span = self._span, Slice(self._span.start, wanted.end)
        self._asked = self._reread = 0
        self._span = Slice(0, 0)  # also if it fails half-way: a full poll follows
        start = await self._read(reader, span, last.end, wanted.start)
        total = len(self._parts)
        if start is None or self._asked + self._reread > pages(total, self._size) + 1:
            self._rest = self._patience = min(2 * self._patience + 1, RAREST)
        else:
            self._patience = 0
        if start is None:
            return None
        self._span = Slice(start, wanted.end)
        return total

    @property
    def start(self) -> Instant:
        """Returns from where on everything is known."""
        return self._span.start

    async def _read(self, reader: Reader, span: Slice, last: Instant, until: Instant) -> Instant | None:
        """Returns from where on everything is known now; None if a full poll is needed."""
        known = self._parts
        newest = await self._read_newest(reader, span)
        if newest is None:
            return None
        seen, unfinished = newest
        self._see(seen, unfinished)
        self._add(len(self._parts) - len(known), _others(unfinished, known), Slice(last, span.end))
        changed = await self._changed(reader, span, seen)
        start = span.start
        while (end := self._full_until(start, until)) is not None:
            if not await self._read_last(reader, Slice(start, end)):
                return None
            start = end
        return start if await self._read_again(reader, changed) else None

    async def _read_newest(self, reader: Reader, span: Slice) -> tuple[PartIds, PartIds] | None:
        """Reads the first page of all, and further ones while there is nothing on them but what is new, until the known parts are as many as the
        total. Returns the parts that it has read, and those of them that are unfinished; None if the numbers do not agree."""
        before, seen, unfinished = self._parts, NOBODY, NOBODY
        most, number, total = max(self._pages // 2, 1), 0, 0
        while self._asked < most:
            self._asked += 1
            page = await reader.page_of(span, number)
            if page.parts is None or page.unfinished is None:
                return None
            seen, unfinished = _merged(seen, page.parts), _merged(np.setdiff1d(unfinished, page.parts), page.unfinished)
            self._parts = _merged(self._parts, page.parts)
            missing = page.counts[0] - len(self._parts)
            if not missing and page.counts[0] >= total:
                return seen, unfinished
            has_grown, has_fallen = 0 < total < page.counts[0], page.counts[0] < total
            only_new = len(_others(page.parts, before)) == len(page.parts)
            if missing < 0 or has_fallen or not (has_grown or only_new):
                return None
            total = page.counts[0]
            number = 0 if has_grown else number + 1  # what has come meanwhile is the newest of all
        return None

    async def _changed(self, reader: Reader, span: Slice, seen: PartIds) -> PartIds:
        """Returns the unfinished parts that have changed, or may have, and were not ``seen`` just now. A list tells, unless as few pages do."""
        waiting = np.setdiff1d(np.concatenate([known.unfinished for known in self._slices.values()]), seen)
        needed = pages(len(waiting), self._size)
        if len(self._groups(waiting)) <= needed:
            return waiting
        self._asked += needed
        return np.setdiff1d(waiting, await reader.listed(span, SENT, needed))

    def _groups(self, some: PartIds) -> list[list[Slice]]:
        """Returns the slices that have some of these unfinished parts, newest first, adjacent ones together if they fit on a page."""
        groups, expected = list[list[Slice]](), 0
        for piece, known in sorted(self._slices.items(), reverse=True):
            if not np.isin(some, known.unfinished).any():
                continue
            expected += known.counts[0]
            if groups and groups[-1][-1].start == piece.end and expected <= FULL * self._size:
                groups[-1].append(piece)
            else:
                groups.append([piece])
                expected = known.counts[0]
        return groups

    async def _read_again(self, reader: Reader, changed: PartIds) -> bool:
        """Reads the slices of those of these parts that were not read a last time. Returns whether all are complete."""
        for group in self._groups(changed):
            known = [self._slices.pop(piece) for piece in group]
            expected = sum(one.counts[0] for one in known)
            self._reread += pages(expected, self._size)
            readings: list[SliceResult] = []
            await reader.read(Slice(group[-1].start, group[0].end), readings.append, expected)
            if not self._take(readings):
                return False
            found = _parts_of(readings)
            self._parts = _merged(self._parts, found)
            if not all(np.isin(one.unfinished, found).all() for one in known):
                return False
        return True

    def _full_until(self, start: Instant, until: Instant) -> Instant | None:
        """Returns until when there is nearly a page of messages from ``start`` on, but not after ``until``; None if there are fewer."""
        missing, at = FULL * self._size, start
        for piece, known in sorted(self._slices.items()):
            share = min(missing / max(known.counts[0], 1), 1)
            at = piece.start + int(piece.length * share)
            missing -= known.counts[0]
            if missing <= 0 or at > until:
                break
        end = max(on_grid(at), on_grid(start + SHORTEST_SLICE))
        return end if missing <= 0 and end <= until else None

    async def _read_last(self, reader: Reader, piece: Slice) -> bool:
        """Reads a slice that polls leave behind, and hands it over. Returns whether that went well; otherwise a full poll is needed."""
        readings: list[SliceResult] = []
        await reader.read(piece, readings.append, int(FULL * self._size))
        found = _parts_of(readings)
        if any(one.parts is None or one.unfinished is None or not one.still for one in readings):
            return False
        self._ledger.remember(readings)
        self._parts = _others(self._parts, found)
        for older in [older for older in self._slices if older.start < piece.end]:
            known = self._slices.pop(older)
            rest = np.setdiff1d(known.unfinished, found)
            if older.end <= piece.end and len(rest):
                return False
            if older.end > piece.end:
                count = known.counts[0] * (older.end - piece.end) // older.length
                self._slices[Slice(piece.end, older.end)] = _KnownSlice((count, 0, len(rest)), rest, read=False)
        return True

    def _see(self, seen: PartIds, unfinished: PartIds) -> None:
        finished = np.setdiff1d(seen, unfinished)
        for piece, known in self._slices.items():
            self._slices[piece] = replace(known, unfinished=_others(known.unfinished, finished))

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


def _parts_of(readings: list[SliceResult]) -> PartIds:
    return np.unique(np.concatenate([NOBODY, *(one.parts for one in readings if one.parts is not None)]))


def _others(some: PartIds, known: PartIds) -> PartIds:
    """Returns those of ``some`` that are not among ``known``, which may be many more: they are looked up, not sorted again."""
    at = np.searchsorted(known, some)
    new: PartIds = some[(at == len(known)) | (np.append(known, 0)[at] != some)]
    return new


def _merged(known: PartIds, some: PartIds) -> PartIds:
    new = _others(some, known)
    merged: PartIds = np.insert(known, np.searchsorted(known, new), new)
    return merged
