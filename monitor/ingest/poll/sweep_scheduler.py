"""When sweeps run: each on its own schedule, the largest for all that are due, giving way to what is more urgent."""

from functools import partial

from monitor.ingest.poll.plan import Slice, due, sweep_range
from monitor.ingest.poll.search_state import SearchState
from monitor.ingest.poll.sink import PollFigures
from monitor.ingest.poll.sweep import Sweep
from monitor.runtime.clock import MILLISECOND, Duration, Instant
from monitor.runtime.errors import RouteeUnavailable

Schedule = tuple[tuple[Duration, Duration], ...]


class Sweeps:
    """The sweeps of one search. Before each request a sweep lets a running poll finish, and smaller sweeps that are due go first.

    The first sweep of all is the backfill: nothing was swept yet, so the largest is due, and as it walks from new to old
    ``covered_since`` moves back with it.
    """

    def __init__(self, search: SearchState) -> None:
        self._search = search
        self._tried: dict[Duration, Instant] = {}  # the last attempt of each that has not succeeded
        self._running: dict[
            Duration, Instant
        ] = {}  # those begun and not yet over: one, and the smaller ones let through

    async def run(self) -> None:
        """Sweep when due, from the first complete poll on."""
        search = self._search
        await search.first_poll.wait()
        while True:
            await self._sweep_due(search.plan.sweeps)
            await search.clock.sleep(self._pause(search.clock.now()))

    async def _sweep_due(self, schedule: Schedule) -> None:
        """Runs the largest due sweep until none is due."""
        while backs := self._due(schedule, self._search.clock.now()):
            back = backs[0]
            self._tried[back] = self._running[back] = self._search.clock.now()
            if await self._search.attempt("sweep", partial(self._sweep, back), _name(back)):
                del self._tried[back]
            del self._running[back]

    def _due(self, schedule: Schedule, now: Instant) -> list[Duration]:
        """Those due, not left to the polls, and not covered by a running one, largest first."""
        search = self._search
        swept = dict(search.progress.swept)
        if search.plan.question.by_status:  # after a restart at once: what left it meanwhile is not found otherwise
            swept = {back: at for back, at in swept.items() if search.is_measured(int(back))}
        for running, begun in self._running.items():
            swept |= self._covered(running, begun)
        large = [sweep for sweep in schedule if not search.is_small(sweep[0])]
        return [
            back
            for back in due(large, swept, now)
            if not self._rests(back, now) and sweep_range(search.plan, now, search.progress.as_of, back)
        ]

    def _rests(self, back: Duration, now: Instant) -> bool:
        """Returns whether the sweep failed within the last poll interval."""
        rest = self._search.plan.every
        return 0 <= now - self._tried.get(back, now - rest) < rest

    def _pause(self, now: Instant) -> Duration:
        """Until the next is due, but look again after an interval of the polls: the clock may be set meanwhile."""
        swept, longest = self._search.progress.swept, self._search.plan.every
        waits = [swept.get(str(back), now) + every - now for back, every in self._search.plan.sweeps]
        return min([longest, *(wait for wait in waits if wait > 0)]) + MILLISECOND

    async def _sweep(self, back: Duration, figures: PollFigures) -> None:
        search, progress = self._search, self._search.progress
        now = search.clock.now()
        wanted = sweep_range(search.plan, now, progress.as_of, back)
        if wanted is None:
            return
        reader = search.reader(figures, partial(self._give_way, back))
        sparing = not search.plan.question.by_status
        sweep = Sweep(reader, progress.ledger, search.plan.page_size, figures, self._reached, sparing=sparing)
        await sweep.run(wanted)
        if sweep.moving:
            raise RouteeUnavailable(
                "Routee's pages changed each time they were read, also within single seconds; the daemon sweeps again at the next interval",
                "paging",
            )
        seen_to = progress.as_of + search.plan.settle
        await progress.swept_over(self._covered(back, now), progress.read(_name(back), sweep.downloaded, seen_to))
        search.measured(back, sweep.total)
        search.reached()

    def _reached(self, piece: Slice) -> None:
        self._search.progress.covers(piece)
        self._search.reached()

    def _covered(self, back: Duration, begun: Instant) -> dict[str, Instant]:
        """What a sweep makes unnecessary: itself and the smaller ones, unless they ran since it began."""
        swept, now = self._search.progress.swept, self._search.clock.now()
        smaller = [str(other) for other, _ in self._search.plan.sweeps if other <= back]
        return {key: begun for key in smaller if not begun < swept.get(key, begun) <= now}

    async def _give_way(self, back: Duration) -> None:
        await self._search.idle.wait()
        await self._sweep_due(tuple(sweep for sweep in self._search.plan.sweeps if sweep[0] < back))


def _name(back: Duration) -> str:
    """What a sweep is called at the sink: a smaller one may run while a larger one waits."""
    return f"sweep {back}"
