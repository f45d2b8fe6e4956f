"""Remembers the counts of downloaded slices, by which a sweep recognises unchanged slices. Pure.

Each downloaded slice has three counts: parts in all, Queued, and Sent. If Routee returns the same counts later, nothing in the slice
has changed, whichever date the API selects by:

- By sending: the messages of a past slice are fixed, and a message only moves on, from Queued to Sent to final. An equal count of Queued
  means that none left that status; then an equal count of Sent means that none left that one.
- By status change: a change removes its message from the slice and none is added, so an equal total is enough.

Both hold for the sums of adjacent slices too, because counts that can only fall cannot compensate each other. If nothing was Queued or
Sent, the total is enough, on the assumption that final statuses do not change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.ingest.poll.plan import Slice, pages
from monitor.ingest.poll.reader import Counts, SliceResult
from monitor.runtime.clock import Instant

MOST = 4_000
"""The most slices that are remembered (20 million messages). Of more, the oldest are forgotten, which only costs requests."""


@dataclass(frozen=True, slots=True)
class SweepSlice:
    """A slice of a sweep with its known counts, or None. ``expected`` estimates how many parts it has."""

    slice: Slice
    counts: Counts | None
    expected: int


class Ledger:
    """Slices that do not overlap, in order of time, with their counts."""

    def __init__(self, known: Iterable[tuple[Slice, Counts]] = ()) -> None:
        self._known = dict(sorted(known))

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
        """Returns the counts for the cursor, with keys ``start-end`` in microseconds. Forgets slices that begin before ``oldest``."""
        kept = [item for item in self._known.items() if item[0].start >= oldest][-MOST:]
        self._known = dict(kept)
        return {f"{piece.start}-{piece.end}": list(counts) for piece, counts in kept}

    def remember(self, reading: SliceResult) -> None:
        """Replaces all overlapping slices with the one that was read. If it is not still, the overlapping ones are only removed."""
        new = reading.slice
        known = [item for item in self._known.items() if item[0].end <= new.start or item[0].start >= new.end]
        if reading.still:
            known.append((new, reading.counts))
        self._known = dict(sorted(known))

    def parts(self, wanted: Slice, size: int, fill: int) -> list[SweepSlice]:
        """Returns ``wanted`` as parts, newest first: known slices and the spans between them.

        Neighbours with at most ``fill`` messages together are joined if that saves pages of ``size``. A slice that is not fully inside of
        ``wanted`` counts as unknown.
        """
        inside = [item for item in self._known.items() if item[0].start >= wanted.start and item[0].end <= wanted.end]
        density = sum(counts[0] for _, counts in inside) / max(sum(piece.length for piece, _ in inside), 1)
        found: list[SweepSlice] = []
        at = wanted.start
        for piece, counts in inside:
            if piece.start > at:
                _append(found, _unknown(at, piece.start, density), size, fill)
            _append(found, SweepSlice(piece, counts, counts[0]), size, fill)
            at = piece.end
        if at < wanted.end:
            _append(found, _unknown(at, wanted.end, density), size, fill)
        return found[::-1]


def _unknown(start: Instant, end: Instant, density: float) -> SweepSlice:
    return SweepSlice(Slice(start, end), None, round((end - start) * density))


def _append(found: list[SweepSlice], new: SweepSlice, size: int, fill: int) -> None:
    """Appends a part, or joins it to the last one if reading both at once takes fewer pages."""
    last = found[-1] if found else None
    together = last.expected + new.expected if last else 0
    if (
        last is None
        or together > fill
        or pages(together, size) >= pages(last.expected, size) + pages(new.expected, size)
    ):
        found.append(new)
        return
    counts = add([last.counts, new.counts]) if last.counts and new.counts else None
    found[-1] = SweepSlice(Slice(last.slice.start, new.slice.end), counts, together)


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
