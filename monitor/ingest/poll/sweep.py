"""Runs one sweep: finds what changed in a span that was read before, with as few requests as possible.

Of a slice that was read before, its counts are known, and mostly also the status of which of its parts was not final. What has changed is found in
two steps:

1. The total of many adjacent slices is counted. If it is as before, no message has come or gone. Otherwise each half is counted.
2. The parts that are still Queued, and those that are still Sent, are listed over as many slices as have one page of them. A part that was
   unfinished and is not listed any more has changed, and its slice is downloaded. A part that went from Queued to Sent stands in the list
   with its new values. In the other slices nothing has changed, because a message only moves on and final statuses do not change.
   A status that Routee does not document is not final and stands in no list, so its slice is downloaded.

Step 2 is conservative: a list that is not complete only causes downloads. Where nearly all slices have changed lately, as in the hours in
which most late reports come, lists find little to spare and are left out; and where nearly all pages have, slices of several pages are made, which
are fuller. Without the parts, after a restart, counts by status are compared.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np

from monitor.ingest.poll.part_states import NOBODY, PartIds
from monitor.ingest.poll.plan import DEEPEST, FILL, Slice, pages
from monitor.ingest.poll.reader import Counts, Reader, SliceResult
from monitor.ingest.poll.sink import PollFigures
from monitor.ingest.poll.sweep_ledger import Ledger, SweepSlice, add, among, unfinished, worth_comparing
from monitor.ingest.poll.sweep_pieces import DEEP, divide
from monitor.model.message import QUEUED, SENT

LATELY = 8
"""Over about so many pages it is averaged how many have changed."""
MANY = 2.0
"""The changed parts of a page from which on slices of several pages cost less: seven pages of eight have then changed."""
BLOCK = 32
"""So many pages are downloaded without a list before it is asked again whether a list pays."""


class Sweep:
    """Brings a span up to date, the newest slice first. Calls ``reached`` with each slice that is up to date, or ``skipped``,
    if given, with those that were not downloaded.

    With ``sparing``, slices in which nothing has changed are not downloaded. ``downloaded`` lists the downloaded slices, newest first;
    ``total`` is the number of parts in the span.
    """

    def __init__(
        self,
        reader: Reader,
        ledger: Ledger,
        page_size: int,
        figures: PollFigures,
        reached: Callable[[Slice], None],
        *,
        sparing: bool = True,
        skipped: Callable[[Slice], None] | None = None,
    ) -> None:
        self._reader = reader
        self._ledger = ledger
        self._size = page_size
        self._figures = figures
        self._reached = reached
        self._skipped = reached if skipped is None else skipped
        self._sparing = sparing
        self._found: list[PartIds] = []  # the unfinished parts of the pieces of a download
        self._changing = 0.0  # the share (0 to 1) of pages that had changed, of the latest ones
        self._changes = 0.0  # how many parts of a page had changed, of the latest ones
        self.moving = False
        self.total = 0
        self.downloaded: list[Slice] = []

    async def run(self, wanted: Slice) -> None:
        """Brings all of ``wanted`` up to date. Afterwards ``moving`` says whether some slice was not still. Raises RouteeError."""
        start = self._ledger.start_of_page(wanted.start, self._size)
        if self._reader.reaches(Slice(start, wanted.end)):
            wanted = Slice(start, wanted.end)
        parts = self._ledger.parts(wanted, self._size, int(FILL * self._size))
        for known, group in groupby(parts, lambda part: None if part.counts is None else part.unfinished is not None):
            if known is None or not self._sparing:
                for part in group:
                    await self._download([part])
            elif known:
                await self._check(list(group))
            else:
                await self._compare(list(group))

    async def _compare(self, group: list[SweepSlice]) -> None:
        """Skips adjacent known slices if their counts are unchanged. Otherwise it does so with each half, and downloads single slices."""
        counts = _counts(group)
        if worth_comparing(counts, self._size) and await self._holds(group, counts):
            self._skip(group)
        elif len(group) == 1:
            await self._download(group)
        else:
            middle = len(group) // 2
            await self._compare(group[:middle])
            await self._compare(group[middle:])

    async def _check(self, group: list[SweepSlice]) -> None:
        """Downloads those adjacent slices in which something has changed. Their unfinished parts are known."""
        counts = _counts(group)
        if pages(counts[0], self._size) <= 2 * (1 + _lists(group, self._size)):
            await self._download(group)
        elif await self._still_has(group, counts[0]):
            await self._list(group, counts[0])
        else:
            await self._check_halves(group)

    async def _check_halves(self, group: list[SweepSlice]) -> None:
        if len(group) == 1:
            await self._download(group)
            return
        middle = len(group) // 2
        await self._check(group[:middle])
        await self._check(group[middle:])

    async def _list(self, group: list[SweepSlice], total: int) -> None:
        """Downloads the slices in which an unfinished part has changed. Routee counted ``total`` parts in all, as before."""
        before, rest = self.total, group
        while rest:
            chunk = rest[: _chunk(rest, self._size)]
            if self._pays(chunk) and self._reader.reaches(_span(chunk)):
                await self._download_changed(chunk)
            else:
                chunk = rest[: _block(rest, self._size)]
                await self._download(chunk)
            rest = rest[len(chunk) :]
        found = self.total - before
        if found == total or self.moving or await self._still_has(group, found):
            return
        self.total = before  # one has come where another has gone
        parts = self._ledger.parts(_span(group), self._size, 0)
        await self._check_halves([part for part in parts if part.unfinished is not None])

    def _pays(self, chunk: list[SweepSlice]) -> bool:
        """Returns whether lists probably spare more downloads than they take requests."""
        spared = 0.0
        for part in chunk:
            count = pages(part.expected, self._size)
            spared += count * (1 - self._changing) ** count
        return spared > _lists(chunk, self._size)

    async def _download_changed(self, chunk: list[SweepSlice]) -> None:
        queued = await self._listed(chunk, QUEUED, 1)
        still = np.union1d(queued, await self._listed(chunk, SENT, 2))
        for changed, group in groupby(zip(chunk, _changed(chunk, still), strict=True), itemgetter(1)):
            parts = [part for part, _ in group]
            if changed:
                await self._download(parts)
            else:
                self._skip(parts)
                self._ledger.recount(parts, queued)

    async def _listed(self, chunk: list[SweepSlice], status: str, count: int) -> PartIds:
        """Returns which parts have ``status`` now; none without a request if none had it, or an earlier one, before."""
        if not any(sum(part.counts[1 : count + 1]) for part in chunk if part.counts is not None):
            return NOBODY
        return await self._reader.listed(_span(chunk), status)

    async def _holds(self, group: list[SweepSlice], counts: Counts) -> bool:
        """Returns whether Routee still counts the same. Compares the count that most likely differs first. Raises RouteeError."""
        total, queued, sent = counts
        span = _span(group)
        if not self._reader.reaches(span):
            return False
        if unfinished(counts):
            if await self._reader.count(span, SENT) != sent:
                return False
            if await self._reader.count(span, QUEUED) != queued:
                return False
        return await self._reader.count(span) == total

    async def _still_has(self, group: list[SweepSlice], total: int) -> bool:
        span = _span(group)
        return self._reader.reaches(span) and await self._reader.count(span) == total

    def _skip(self, parts: list[SweepSlice]) -> None:
        self._figures.skipped += len(parts)
        self.total += _counts(parts)[0]
        for part in parts:
            self._learn(part, 0)
            self._skipped(part.slice)

    async def _download(self, run: list[SweepSlice]) -> None:
        """Downloads adjacent parts, and learns how many of them had changed."""
        self._found = []
        deep = self._changes > MANY
        for piece in divide(run, self._size, deeply=deep):
            await self._reader.read(piece.slice, self._note, piece.expected, DEEP + 1 if deep else DEEPEST)
        now = np.concatenate([NOBODY, *self._found])
        for part, (_, others) in zip(run, among(run, now), strict=True):
            self._learn(part, None if part.unfinished is None else others)

    def _note(self, reading: SliceResult) -> None:
        self._ledger.remember([reading])
        self.total += reading.counts[0]
        self.moving |= not reading.still
        if reading.unfinished is not None:
            self._found.append(reading.unfinished)
        if reading.still:
            self.downloaded.append(reading.slice)
            self._reached(reading.slice)

    def _learn(self, part: SweepSlice, changed: int | None) -> None:
        """Learns how many parts of a slice had changed; None if that is not known."""
        count = pages(part.expected, self._size)
        weight = 1 - (1 - 1 / LATELY) ** count
        share = 1.0 if changed is None else 1 - (1 - 1 / count) ** changed
        self._changing += (share - self._changing) * weight
        if changed is not None:
            self._changes += (changed / count - self._changes) * weight


def _counts(group: Iterable[SweepSlice]) -> Counts:
    return add(part.counts for part in group if part.counts is not None)


def _span(group: Sequence[SweepSlice]) -> Slice:
    return Slice(group[-1].slice.start, group[0].slice.end)


def _changed(parts: Sequence[SweepSlice], still: PartIds) -> list[bool]:
    """Returns of each slice whether one of its unfinished parts is not among ``still``. True if they are not known."""
    found = zip(parts, among(parts, still), strict=True)
    return [part.unfinished is None or others > 0 for part, (_, others) in found]


def _block(group: Sequence[SweepSlice], size: int) -> int:
    """Returns how many slices, from the first on, have BLOCK pages; at least one."""
    total = np.cumsum([pages(part.expected, size) for part in group])
    return max(int(np.searchsorted(total, BLOCK, "right")), 1)


def _chunk(group: Sequence[SweepSlice], size: int) -> int:
    """Returns how many slices, from the first on, have one page of unfinished parts; at least one."""
    waiting = np.cumsum([0 if part.unfinished is None else len(part.unfinished) for part in group])
    return max(int(np.searchsorted(waiting, size, "right")), 1)


def _lists(group: Sequence[SweepSlice], size: int) -> int:
    """Returns how many requests it takes to list what is still unfinished in a group."""
    _, queued, sent = _counts(group)
    return (pages(queued, size) if queued else 0) + (pages(queued + sent, size) if queued or sent else 0)
