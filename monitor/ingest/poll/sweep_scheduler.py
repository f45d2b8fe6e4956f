"""Decides when sweeps run: each on its own schedule, the largest one for all that are due. Urgent requests go first."""

from functools import partial
from typing import Final

import trio

from monitor.ingest.poll.plan import Slice, due
from monitor.ingest.poll.poll_log import log_sweep
from monitor.ingest.poll.search_state import SearchState
from monitor.ingest.poll.sink import PollFigures
from monitor.ingest.poll.sweep import Sweep
from monitor.runtime.clock import MILLISECOND, SECOND, Duration, Instant
from monitor.runtime.errors import RouteeUnavailable

_ONCE: Final[Duration] = 0
"""Stands for the read of what no sweep reads, however far back that is."""

Schedule = tuple[tuple[Duration, Duration], ...]


class Sweeps:
    """Runs the sweeps of one search. Before each request a sweep waits for a running poll, and for smaller sweeps that are due.

    The very first sweep is the backfill: nothing was swept yet, so the largest sweep is due. As it reads from new to old,
    ``covered_since`` moves back with it. What rules look at and was never read, or was lost from the store, is read once, as far back as it is
    needed, also where no sweep looks that far.
    """

    def __init__(self, search: SearchState) -> None:
        self._search = search
        self._tried: dict[Duration, Instant] = {}  # when the latest attempt of each sweep began, unless it succeeded
        self._running: dict[
            Duration, Instant
        ] = {}  # when each running sweep began: one, and the smaller ones for which it waits

    async def run(self) -> None:
        """Runs sweeps when they are due, after the first complete poll. The moment after a poll suits best, since a sweep ends where what the
        poll knows begins."""
        search = self._search
        await search.first_poll.wait()
        while True:
            await self._sweep_due(search.plan.sweeps, leeway=search.plan.every // 2)
            await self._read_once(search.clock.now())
            with trio.move_on_after(self._pause(search.clock.now()) / SECOND):
                await search.polled.wait()

    async def _sweep_due(self, schedule: Schedule, leeway: Duration = 0) -> None:
        """Runs the largest sweep that is due, or nearly, until none is."""
        while backs := self._due(schedule, self._search.clock.now(), leeway):
            await self._attempt(backs[0])

    async def _read_once(self, now: Instant) -> None:
        """Reads what rules look at and no sweep reads, unless that failed within the last poll interval."""
        back = self._search.unread(now)
        if back and not self._rests(_ONCE, now):
            self._search.progress.forget_uncovered()
            await self._attempt(back, _ONCE)

    async def _attempt(self, back: Duration, key: Duration | None = None) -> None:
        """Runs a sweep. ``key`` stands for those that look back another time at each attempt."""
        key = back if key is None else key
        self._tried[key] = self._running[back] = self._search.clock.now()
        if await self._search.attempt("sweep", partial(self._sweep, back), _name(back)):
            del self._tried[key]
        del self._running[back]

    def _due(self, schedule: Schedule, now: Instant, leeway: Duration) -> list[Duration]:
        """Returns the sweeps that are due within ``leeway``, largest first, without those that polls include or a running sweep covers."""
        search = self._search
        swept = dict(search.progress.swept)
        if (
            search.plan.question.by_status
        ):  # due at once after a restart, as only a sweep finds what left the search meanwhile
            swept = {back: at for back, at in swept.items() if search.is_measured(int(back))}
        for running, begun in self._running.items():
            swept |= self._covered(running, begun)
        large = [sweep for sweep in schedule if not search.is_small(sweep[0])]
        return [
            back
            for back in due(large, swept, now, leeway)
            if not self._rests(back, now) and search.sweep_range(now, back)
        ]

    def _rests(self, back: Duration, now: Instant) -> bool:
        """Returns whether the sweep failed within the last poll interval."""
        rest = self._search.plan.every
        return 0 <= now - self._tried.get(back, now - rest) < rest

    def _pause(self, now: Instant) -> Duration:
        """Returns the time until the next sweep is due, at most a poll interval, since the clock may be set meanwhile."""
        swept, longest = self._search.progress.swept, self._search.plan.every
        waits = [swept.get(str(back), now) + every - now for back, every in self._search.plan.sweeps]
        return min([longest, *(wait for wait in waits if wait > 0)]) + MILLISECOND

    async def _sweep(self, back: Duration, figures: PollFigures) -> None:
        search, progress = self._search, self._search.progress
        await search.idle.wait()
        now = search.clock.now()
        wanted = search.sweep_range(now, back)
        log_sweep(search.plan, back, wanted)
        if wanted is None:
            return
        reader = search.reader(figures, partial(self._give_way, back))
        sparing = not search.plan.question.by_status
        size, ledger = search.plan.page_size, progress.ledger
        sweep = Sweep(reader, ledger, size, figures, self._reached, sparing=sparing, skipped=_adds_nothing)
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
        """Returns the sweeps that a sweep which began at ``begun`` covers: itself and smaller ones, unless they ran after it began."""
        swept, now = self._search.progress.swept, self._search.clock.now()
        smaller = [str(other) for other, _ in self._search.plan.sweeps if other <= back]
        return {key: begun for key in smaller if not begun < swept.get(key, begun) <= now}

    async def _give_way(self, back: Duration) -> None:
        await self._search.idle.wait()
        await self._sweep_due(tuple(sweep for sweep in self._search.plan.sweeps if sweep[0] < back))


def _adds_nothing(piece: Slice) -> None:
    """Does nothing: a slice that is skipped was covered when it was read, unless its messages were dropped since."""


def _name(back: Duration) -> str:
    """Returns a sweep's name for the sink. Sweeps need different names: a smaller one may run while a larger one waits."""
    return f"sweep {back}"
