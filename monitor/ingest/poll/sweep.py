"""Runs one sweep: finds what changed in a span that was read before, with as few downloads as possible."""

from collections.abc import Callable
from itertools import groupby

from monitor.ingest.poll.plan import FILL, Slice
from monitor.ingest.poll.reader import Counts, Reader, SliceResult
from monitor.ingest.poll.sink import PollFigures
from monitor.ingest.poll.sweep_ledger import Ledger, SweepSlice, add, unfinished, worth_comparing
from monitor.model.message import QUEUED, SENT


class Sweep:
    """Brings a span up to date, the newest slice first. Calls ``reached`` with each slice that is up to date, downloaded or not.

    With ``sparing``, slices whose counts are unchanged are not downloaded. ``downloaded`` lists the downloaded slices, newest first;
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
    ) -> None:
        self._reader = reader
        self._ledger = ledger
        self._size = page_size
        self._figures = figures
        self._reached = reached
        self._sparing = sparing
        self.moving = False
        self.total = 0
        self.downloaded: list[Slice] = []

    async def run(self, wanted: Slice) -> None:
        """Brings all of ``wanted`` up to date. Afterwards ``moving`` says whether some slice was not still. Raises RouteeError."""
        parts = self._ledger.parts(wanted, self._size, int(FILL * self._size))
        for known, group in groupby(parts, lambda part: part.counts is not None):
            if known and self._sparing:
                await self._compare(list(group))
            else:
                for part in group:
                    await self._download(part)

    async def _compare(self, group: list[SweepSlice]) -> None:
        """Skips adjacent known slices if their counts are unchanged. Otherwise it does so with each half, and downloads single slices."""
        counts = add([part.counts for part in group if part.counts is not None])
        if worth_comparing(counts, self._size) and await self._holds(group, counts):
            self._figures.skipped += len(group)
            self.total += counts[0]
            for part in group:
                self._reached(part.slice)
        elif len(group) == 1:
            await self._download(group[0])
        else:
            middle = len(group) // 2
            await self._compare(group[:middle])
            await self._compare(group[middle:])

    async def _holds(self, group: list[SweepSlice], counts: Counts) -> bool:
        """Returns whether Routee still counts the same. Compares the count that most likely differs first. Raises RouteeError."""
        span = Slice(group[-1].slice.start, group[0].slice.end)
        total, queued, sent = counts
        if not self._reader.reaches(span):
            return False
        if unfinished(counts):
            if await self._reader.count(span, SENT) != sent:
                return False
            if await self._reader.count(span, QUEUED) != queued:
                return False
        return await self._reader.count(span) == total

    async def _download(self, part: SweepSlice) -> None:
        await self._reader.read(part.slice, self._note, part.expected)

    def _note(self, reading: SliceResult) -> None:
        self._ledger.remember(reading)
        self.total += reading.counts[0]
        self.moving |= not reading.still
        if reading.still:
            self.downloaded.append(reading.slice)
            self._reached(reading.slice)
