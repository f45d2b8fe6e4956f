"""What sweeps remember of the slices they downloaded, and how that spares downloads. Pure.

A slice is remembered with three numbers as it was last downloaded: parts in all, Queued, Sent. If Routee gives the same three
later, nothing in it has changed, whichever way its dates select:

- by sending: the set of messages in a past slice is fixed and a message only moves on, from Queued to Sent to final. An equal
  number of Queued means that none left that status; then an equal number of Sent means that none left that one.
- by status change: a change takes its message out of the slice and nothing comes in, so an equal total alone says it.

Both hold for adjacent slices together, by their sums: numbers that can only fall cannot make up for each other. Where nothing
was Queued or Sent any more the total alone is enough. Final statuses are taken to be final.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.ingest.poll.plan import Slice, pages
from monitor.ingest.poll.reader import Counts, SliceResult
from monitor.runtime.clock import Instant

MOST = 4_000
"""Slices remembered: 20 million messages. Beyond it the oldest are forgotten, which costs requests and nothing else."""


@dataclass(frozen=True, slots=True)
class SweepSlice:
    """A slice of a sweep: with what is known of it, or None; ``expected`` guesses how many parts of messages it has."""

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
        """For the cursor: keys ``start-end`` in microseconds; slices that begin before ``oldest`` are forgotten."""
        kept = [item for item in self._known.items() if item[0].start >= oldest][-MOST:]
        self._known = dict(kept)
        return {f"{piece.start}-{piece.end}": list(counts) for piece, counts in kept}

    def remember(self, reading: SliceResult) -> None:
        """Keep what was read in place of all that it overlaps. A reading that is not still is no knowledge."""
        new = reading.slice
        known = [item for item in self._known.items() if item[0].end <= new.start or item[0].start >= new.end]
        if reading.still:
            known.append((new, reading.counts))
        self._known = dict(sorted(known))

    def parts(self, wanted: Slice, size: int, fill: int) -> list[SweepSlice]:
        """``wanted`` as parts, newest first: known slices and the spans between them.

        Neighbours that fit into ``fill`` together are one part, as they are cheaper to read than to tell apart. A slice that
        stands out of ``wanted`` is not known here.
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
    """Add a part behind the last, or to it where one reading of both takes fewer pages than two."""
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
    """Whether to compare before downloading: where it costs less than half of the download (one request, or three)."""
    return pages(counts[0], size) > (6 if unfinished(counts) else 2)


def unfinished(counts: Counts) -> bool:
    """Returns whether the slice had parts that were not final."""
    return counts[1] + counts[2] > 0
