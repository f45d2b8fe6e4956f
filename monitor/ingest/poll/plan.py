"""Computes what to request and when, without any I/O.

Slices begin and end on half seconds. Routee's dates mostly have whole seconds, so that no message lies on an edge, and it does not
matter whether the API includes the ends of a range. Only the two ends of a whole poll are instants of the clock, where a message may lie. What
is at its start was read by the polls before, since they overlap by a minute at least, and belongs to a sweep that ends on the next half second;
what is at its end is read by the next poll. There one of two adjacent ranges has to include their common end.
"""

import zlib
from collections.abc import Iterable, Mapping

from monitor.model.routee_query import LOOK_BACK, PAGE_SIZE, RouteeQuery
from monitor.runtime.clock import MILLISECOND, MINUTE, SECOND, Duration, Instant
from monitor.runtime.dataclass import dataclass

FIRST_LOOK: Duration = 15 * MINUTE
"""How far back the very first poll reads, so that rules can be evaluated within seconds. A sweep fetches older messages later."""
STEADY: Duration = 5 * MINUTE
"""The spans of polls of a search by status begin at multiples of this, so that most of them begin at the same instant."""
LEAST_OVERLAP: Duration = MINUTE
"""The least time that each poll reads again: Routee's clock may be behind ours, and a change may appear late."""
LATE: Duration = SECOND // 4
"""A poll that begins so much later than it was due reads up to when it begins; with a shorter interval than 2.5 seconds, a tenth of it."""
SHORTEST_SLICE: Duration = SECOND
DEEPEST = 3
"""The most pages of a slice; a slice with more is cut by time."""
FILL = 2.85
"""The pages that a slice should have after a cut: nearly three, with some room for uneven traffic."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """One search and when it is read. ``resweeps`` are pairs (back, every). ``settle`` is the newest time that rules do not evaluate yet."""

    account: str
    name: str
    question: RouteeQuery
    every: Duration
    resweeps: tuple[tuple[Duration, Duration], ...] = ()
    settle: Duration = 0
    page_size: int = PAGE_SIZE

    @property
    def overlap(self) -> Duration:
        """Returns how far before the watermark each poll starts. A resweep that is as frequent as the polls becomes part of it."""
        return max([LEAST_OVERLAP, *(back for back, every in self.resweeps if every <= self.every)])

    @property
    def sweeps(self) -> tuple[tuple[Duration, Duration], ...]:
        """Returns the resweeps that are not part of every poll, the one that looks furthest back first."""
        own = (sweep for sweep in self.resweeps if sweep[1] > self.every and sweep[0] > self.overlap)
        return tuple(sorted(own, reverse=True))

    @property
    def phase(self) -> Duration:
        """Returns the offset within ``every`` at which this search polls. It depends on the name, so that searches do not all poll at once."""
        return zlib.crc32(f"{self.account}/{self.name}".encode()) * MILLISECOND % self.every


@dataclass(frozen=True, slots=True, order=True)
class Slice:
    """A span of time that is requested as one range."""

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
    """Returns how many pages of ``size`` messages ``total`` messages take; at least one."""
    return max(-(-total // size), 1)


def newest(rest: Slice, length: Duration) -> Slice:
    """Returns the newest slice of ``rest``: about one of the fewest equal slices of at most ``length`` each.

    It starts on a half second or at the start of ``rest``, and is not shorter than a second unless ``rest`` is.
    """
    count = -(-rest.length // max(length, SHORTEST_SLICE))
    if count <= 1:
        return rest
    start = on_grid(rest.end - rest.length // count + SECOND // 2 - 1)
    if rest.end - start < SHORTEST_SLICE:
        start = on_grid(rest.end - SHORTEST_SLICE - SECOND // 2)
    return Slice(max(start, rest.start), rest.end)


def on_grid(instant: Instant) -> Instant:
    """Returns the half second within the instant's second."""
    return instant // SECOND * SECOND + SECOND // 2


def next_tick(plan: SearchPlan, now: Instant) -> Duration:
    """Returns the time until the next poll, at most ``every`` whatever the clock does, plus a millisecond so that it is never early."""
    return plan.every - (now - plan.phase) % plan.every + MILLISECOND


def tick(plan: SearchPlan, now: Instant) -> int:
    """Returns the number of the interval in which ``now`` lies."""
    return (now - plan.phase) // plan.every


def punctual(plan: SearchPlan, now: Instant) -> Instant:
    """Returns up to when a poll that begins ``now`` reads: the instant at which it was due, if that is less than LATE ago.

    So two polls are a multiple of the interval apart, although each begins some milliseconds late, and an alert's ``for`` that is such a
    multiple is reached by the poll that is due then, not by the one after it.
    """
    due = now - (now - plan.phase) % plan.every + MILLISECOND  # as `next_tick` waits
    return due if 0 <= now - due < min(LATE, plan.every // 10) else now


def poll_range(plan: SearchPlan, now: Instant, watermark: Instant | None, back: Duration = 0) -> Slice:
    """Returns the span of a poll at ``now``: from the watermark less the overlap, and at least ``back``, as far as the API allows.

    A watermark in the future came from a clock that was ahead. It is ignored, and the search starts again with FIRST_LOOK.
    """
    start = now - plan.settle - max(FIRST_LOOK, plan.overlap + SECOND)
    if watermark is not None and watermark <= now:
        start = watermark - plan.overlap
    start = min(start, now - back)
    if plan.question.by_status:
        start = start // STEADY * STEADY - SECOND // 2
    return Slice(max(start, horizon(now)), now)


def sweep_range(
    plan: SearchPlan, now: Instant, as_of: Instant, back: Duration, known_since: Instant | None = None
) -> Slice | None:
    """Returns the span of a sweep at ``now``: from ``back`` ago to where the polls begin; None if that is empty.

    Polls begin at ``known_since``, if they know everything from then on. A search that messages can leave is read up to where a poll would
    begin now, since only complete reads tell that they have left.
    """
    start, end = on_grid(max(now - back, horizon(now))), on_grid(min(as_of, now) - plan.overlap)
    if known_since is not None and not plan.question.is_narrow:
        end = min(end, on_grid(known_since + SECOND // 2 - 1))
    return Slice(start, end) if start < end else None


def share_read(
    plan: SearchPlan, as_of: Instant, covered_since: Instant, swept: Mapping[str, Instant], unread: Duration = 0
) -> float:
    """Returns the share (0 to 1) of the time that the search's sweeps look back which has been read. It is 1 only if all of it was.

    ``unread`` is how far back messages are still to be read beside the sweeps, which may be further than those look.
    """
    furthest = max([unread, *(back for back, _ in plan.sweeps)])
    if not furthest or str(furthest) in swept:
        return 1.0
    return min(max(round((as_of - covered_since) / min(furthest, LOOK_BACK), 3), 0.0), 0.999)


def due(
    sweeps: Iterable[tuple[Duration, Duration]], swept: Mapping[str, Instant], now: Instant, leeway: Duration = 0
) -> list[Duration]:
    """Returns the ``back`` of each sweep that is due within ``leeway``, largest first. A last run in the future counts as due: the clock
    was set back."""
    found = []
    for back, every in sweeps:
        last = swept.get(str(back))
        if last is None or last > now or now + leeway >= last + every:
            found.append(back)
    return sorted(found, reverse=True)
