"""Remembers the counts of downloaded slices, by which a sweep recognises unchanged slices. Pure.

Each downloaded slice has three counts: parts in all, Queued, and Sent. If Routee returns the same counts later, nothing in the slice
has changed, whichever date the API selects by:

- By sending: the messages of a past slice are fixed, and a message only moves on, from Queued to Sent to final. An equal count of Queued
  means that none left that status; then an equal count of Sent means that none left that one. A status that Routee does not document is
  kept as Sent, as it is not final: Routee then counts fewer, and the slice is downloaded.
- By status change: a change removes its message from the slice and none is added, so an equal total is enough.

Both hold for the sums of adjacent slices too, because counts that can only fall cannot compensate each other. If nothing was Queued or
Sent, the total is enough, on the assumption that final statuses do not change.

Of a slice that was read in this run, the parts whose status was not final are known too. Then a list of those that still are tells which
slices have changed, not only that some have; see `monitor.ingest.poll.sweep`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from monitor.ingest.poll.part_states import NOBODY, PartIds
from monitor.ingest.poll.plan import Slice, pages
from monitor.ingest.poll.reader import Counts, Instants, SliceResult
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass

MOST = 12_000
"""The most slices that are remembered (over 20 million messages). Of more, the oldest are forgotten, which only costs requests."""


@dataclass(frozen=True, slots=True)
class SweepSlice:
    """A slice of a sweep with its known counts, or None. ``expected`` estimates how many parts it has.

    ``unfinished`` are the parts whose status was not final when it was read, and ``shape`` parts it into spans of equally many messages; None
    if that is not known.
    """

    slice: Slice
    counts: Counts | None
    expected: int
    unfinished: PartIds | None = None
    shape: Instants | None = None


class Ledger:
    """Slices that do not overlap, in order of time, with their counts."""

    def __init__(self, known: Iterable[tuple[Slice, Counts]] = ()) -> None:
        self._known = dict(sorted(known))
        self._unfinished: dict[Slice, PartIds] = {}
        self._shapes: dict[Slice, Instants | None] = {}

    @classmethod
    def load(cls, counts: Mapping[str, list[int]]) -> "Ledger":
        """Reads what `dump` wrote and ignores anything else."""
        known = []
        for key, numbers in counts.items():
            start, _, end = key.partition("-")
            if start.isdigit() and end.isdigit() and len(numbers) == 3:
                known.append((Slice(int(start), int(end)), (numbers[0], numbers[1], numbers[2])))
        return cls(known)

    def dump(self, oldest: Instant) -> dict[str, list[int]]:
        """Returns the counts for the cursor, with keys ``start-end`` in microseconds. Forgets slices that end before ``oldest``."""
        kept = [item for item in self._known.items() if item[0].end > oldest][-MOST:]
        self._forget_others(dict(kept))
        return {f"{piece.start}-{piece.end}": list(counts) for piece, counts in kept}

    def remember(self, readings: Iterable[SliceResult]) -> None:
        """Replaces all overlapping slices with those that were read, which do not overlap. Of one that is not still, or of which a record could
        not be read, the overlapping ones are only removed."""
        new = sorted(readings, key=lambda reading: reading.slice)
        ends = [reading.slice.end for reading in new]

        def is_kept(piece: Slice) -> bool:
            at = bisect_right(ends, piece.start)
            return at == len(new) or new[at].slice.start >= piece.end

        known = [(piece, counts) for piece, counts in self._known.items() if is_kept(piece)]
        for reading in new:
            if reading.still and reading.unfinished is not None:
                known.append((reading.slice, reading.counts))
                self._unfinished[reading.slice], self._shapes[reading.slice] = reading.unfinished, reading.shape
        self._forget_others(dict(sorted(known)))

    def forget_before(self, instant: Instant) -> None:
        """Forgets slices that begin before the instant."""
        self._forget_others({piece: counts for piece, counts in self._known.items() if piece.start >= instant})

    def recount(self, parts: Sequence[SweepSlice], queued: PartIds) -> None:
        """Notes how many of the slices' unfinished parts are still Queued, after it was found that all are unfinished still."""
        for part, (waiting, others) in zip(parts, among(parts, queued), strict=True):
            if part.slice in self._known and part.counts is not None and part.unfinished is not None:
                self._known[part.slice] = part.counts[0], waiting, others

    def _forget_others(self, known: dict[Slice, Counts]) -> None:
        self._known = known
        self._unfinished = {piece: parts for piece, parts in self._unfinished.items() if piece in known}
        self._shapes = {piece: shape for piece, shape in self._shapes.items() if piece in known}

    def _part(self, piece: Slice, counts: Counts) -> SweepSlice:
        unfinished = self._unfinished.get(piece, None if counts[1] or counts[2] else NOBODY)
        return SweepSlice(piece, counts, counts[0], unfinished, self._shapes.get(piece))

    def start_of_page(self, instant: Instant, size: int) -> Instant:
        """Returns the start of the known slice in which ``instant`` lies if it is a page at most: it costs less as a whole than cut; else
        ``instant``."""
        for piece, counts in self._known.items():
            if piece.start < instant < piece.end and counts[0] <= size:
                return piece.start
        return instant

    def parts(self, wanted: Slice, size: int, fill: int) -> list[SweepSlice]:
        """Returns ``wanted`` as parts, newest first: known slices and the spans between them.

        Neighbours with at most ``fill`` messages together are joined if that saves pages of ``size``. A slice that is not fully inside of
        ``wanted`` counts as unknown.
        """
        inside = [item for item in self._known.items() if item[0].start >= wanted.start and item[0].end <= wanted.end]
        astride = [item for item in self._known.items() if item[0].start < wanted.start < item[0].end]
        astride += [item for item in self._known.items() if wanted.start < item[0].start < wanted.end < item[0].end]
        density = sum(counts[0] for _, counts in inside) / max(sum(piece.length for piece, _ in inside), 1)
        found: list[SweepSlice] = []
        at = wanted.start
        for piece, counts in inside:
            if piece.start > at:
                found.append(_unknown(at, piece.start, density, astride))
            found.append(self._part(piece, counts))
            at = piece.end
        if at < wanted.end:
            found.append(_unknown(at, wanted.end, density, astride))
        return [_joined(group) for group in _groups(found, size, fill)][::-1]


def _unknown(start: Instant, end: Instant, density: float, astride: Iterable[tuple[Slice, Counts]]) -> SweepSlice:
    """Returns an unknown slice. What it is expected to have follows from slices of which it is a part, else from ``density``."""
    expected, rest = 0.0, end - start
    for piece, counts in astride:
        shared = max(min(piece.end, end) - max(piece.start, start), 0)
        expected += counts[0] * shared / piece.length
        rest -= shared
    return SweepSlice(Slice(start, end), None, round(expected + rest * density))


def _groups(parts: Iterable[SweepSlice], size: int, fill: int) -> Iterator[list[SweepSlice]]:
    """Yields adjacent parts as groups: a part is added to a group if reading both at once takes fewer pages."""
    group, expected = list[SweepSlice](), 0
    for part in parts:
        together = expected + part.expected
        apart = pages(expected, size) + pages(part.expected, size)
        if group and (together > fill or pages(together, size) >= apart):
            yield group
            group, together = [], part.expected
        group.append(part)
        expected = together
    if group:
        yield group


def _joined(group: list[SweepSlice]) -> SweepSlice:
    """Returns adjacent parts as one. Its counts and unfinished parts are known if they are of each."""
    if len(group) == 1:
        return group[0]
    counts = [part.counts for part in group if part.counts is not None]
    parts = [part.unfinished for part in group if part.unfinished is not None]
    return SweepSlice(
        Slice(group[0].slice.start, group[-1].slice.end),
        add(counts) if len(counts) == len(group) else None,
        sum(part.expected for part in group),
        np.concatenate(parts) if len(parts) == len(group) else None,
    )


def among(parts: Sequence[SweepSlice], some: PartIds) -> list[tuple[int, int]]:
    """Returns how many of each slice's unfinished parts are among ``some``, and how many are not. All are looked up at once."""
    known = [NOBODY if part.unfinished is None else part.unfinished for part in parts]
    found = np.append(0, np.cumsum(np.isin(np.concatenate([NOBODY, *known]), some)))
    ends = np.cumsum([0, *map(len, known)])
    here = np.diff(found[ends])
    return list(zip(here.tolist(), (np.diff(ends) - here).tolist(), strict=True))


def add(several: Iterable[Counts]) -> Counts:
    """Returns the sums of the counts."""
    total = queued = sent = 0
    for one in several:
        total, queued, sent = total + one[0], queued + one[1], sent + one[2]
    return total, queued, sent


def worth_comparing(counts: Counts, size: int) -> bool:
    """Returns whether comparing the counts (one request, or three) costs less than half of the download."""
    return pages(counts[0], size) > (6 if unfinished(counts) else 2)


def unfinished(counts: Counts) -> bool:
    """Returns whether the slice had parts that were Queued or Sent."""
    return counts[1] + counts[2] > 0
