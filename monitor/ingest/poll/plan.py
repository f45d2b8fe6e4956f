"""What to ask and when: the arithmetic of polling, without any I/O.

Edges between slices fall on half seconds. Routee's dates mostly have whole seconds, so that no message sits on an edge and
it does not matter whether the API counts the ends of a range in or out.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.model.routee_query import PAGE_SIZE, RouteeQuery
from monitor.runtime.clock import DAY, MILLISECOND, MINUTE, SECOND, Duration, Instant

LOOK_BACK: Duration = 7 * DAY - 5 * MINUTE
"""How far back may be asked: the API's seven days, less what Routee's clock may be ahead of ours."""
FIRST_LOOK: Duration = 15 * MINUTE
"""What the very first poll reads before older messages are filled in, so that rules can speak within seconds."""
STEADY: Duration = 5 * MINUTE
"""Polls of a search by status begin at multiples of this, so that most of them begin where the one before did."""
LEAST_OVERLAP: Duration = MINUTE
"""Each poll reads at least this much again: Routee's clock may be behind ours, and a change may show late."""
SHORTEST_SLICE: Duration = SECOND
DEEPEST = 3
"""Pages of a slice; one with more is cut by time."""
FILL = 2.85
"""Pages that a cut aims at: nearly three, so that few pages are half empty, with some room for uneven traffic."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """One search and its cadence. ``resweeps`` are pairs (back, every); ``settle`` is how much of the newest time is not yet judged."""

    account: str
    name: str
    question: RouteeQuery
    every: Duration
    resweeps: tuple[tuple[Duration, Duration], ...] = ()
    settle: Duration = 0
    page_size: int = PAGE_SIZE

    @property
    def overlap(self) -> Duration:
        """How far before the watermark each poll starts. A resweep as frequent as the polls is nothing else than overlap."""
        return max([LEAST_OVERLAP, *(back for back, every in self.resweeps if every <= self.every)])

    @property
    def sweeps(self) -> tuple[tuple[Duration, Duration], ...]:
        """The resweeps that run on their own, the one that looks furthest back first: those that the polls do not include."""
        own = (sweep for sweep in self.resweeps if sweep[1] > self.every and sweep[0] > self.overlap)
        return tuple(sorted(own, reverse=True))

    @property
    def phase(self) -> Duration:
        """Where within ``every`` this search polls: fixed by its name, so that searches do not all ask at once."""
        return zlib.crc32(f"{self.account}/{self.name}".encode()) * MILLISECOND % self.every


@dataclass(frozen=True, slots=True, order=True)
class Slice:
    """A span of time, asked for as one."""

    start: Instant
    end: Instant

    @property
    def length(self) -> Duration:
        """Returns the length of the span."""
        return self.end - self.start

    @property
    def divisible(self) -> bool:
        """Returns whether the span can still be cut by time."""
        return self.length >= 2 * SHORTEST_SLICE


def horizon(now: Instant) -> Instant:
    """Returns the earliest instant that may be requested."""
    return now - LOOK_BACK


def pages(total: int, size: int) -> int:
    """How many pages of ``size`` hold ``total`` messages; one also where there are none."""
    return max(-(-total // size), 1)


def newest(rest: Slice, length: Duration) -> Slice:
    """The newest slice of ``rest``, at most about ``length`` long and such that what remains divides into equal slices.

    It starts between whole seconds and is never shorter than a second, except where ``rest`` is.
    """
    count = -(-rest.length // max(length, SHORTEST_SLICE))
    if count <= 1:
        return rest
    start = _on_grid(rest.end - rest.length // count + SECOND // 2 - 1)
    if rest.end - start < SHORTEST_SLICE:
        start = _on_grid(rest.end - SHORTEST_SLICE - SECOND // 2)
    return Slice(max(start, rest.start), rest.end)


def _on_grid(instant: Instant) -> Instant:
    """Returns the nearest half second."""
    return instant // SECOND * SECOND + SECOND // 2


def next_tick(plan: SearchPlan, now: Instant) -> Duration:
    """How long until the next poll: never more than ``every``, whatever the clock did; a millisecond over, never under."""
    return plan.every - (now - plan.phase) % plan.every + MILLISECOND


def tick(plan: SearchPlan, now: Instant) -> int:
    """Which of the evenly spaced intervals ``now`` lies in."""
    return (now - plan.phase) // plan.every


def poll_range(plan: SearchPlan, now: Instant, watermark: Instant | None, back: Duration = 0) -> Slice:
    """What a poll at ``now`` reads: all since the watermark, the overlap, and at least ``back``, as far as the API allows.

    A watermark in the future came from a clock that ran ahead; it is ignored and the search starts again with FIRST_LOOK.
    """
    start = now - plan.settle - max(FIRST_LOOK, plan.overlap + SECOND)
    if watermark is not None and watermark <= now:
        start = watermark - plan.overlap
    start = min(start, now - back)
    if plan.question.by_status:
        start = start // STEADY * STEADY - SECOND // 2
    return Slice(max(start, horizon(now)), now)


def sweep_range(plan: SearchPlan, now: Instant, as_of: Instant, back: Duration) -> Slice | None:
    """What a sweep at ``now`` reads: as far as ``back``, up to where the polls read anyway; None where nothing is left between."""
    start, end = _on_grid(max(now - back, horizon(now))), _on_grid(min(as_of, now) - plan.overlap)
    return Slice(start, end) if start < end else None


def share_read(plan: SearchPlan, as_of: Instant, covered_since: Instant, swept: Mapping[str, Instant]) -> float:
    """How much of the past that a search looks back to has been read: 0 to 1, and 1 only where all of it has."""
    furthest = max((back for back, _ in plan.sweeps), default=0)
    if not furthest or str(furthest) in swept:
        return 1.0
    return min(max(round((as_of - covered_since) / min(furthest, LOOK_BACK), 3), 0.0), 0.999)


def due(
    sweeps: Iterable[tuple[Duration, Duration]], swept: Mapping[str, Instant], now: Instant, leeway: Duration = 0
) -> list[Duration]:
    """The ``back`` of each sweep whose time has come, largest first. One that ran "in the future" is due: the clock was set back."""
    found = []
    for back, every in sweeps:
        last = swept.get(str(back))
        if last is None or last > now or now + leeway >= last + every:
            found.append(back)
    return sorted(found, reverse=True)
