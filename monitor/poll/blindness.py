"""Notices when polls stop being complete, also while one hangs."""

import trio

from monitor.clock import Clock, Duration, Instant
from monitor.errors import StoreError
from monitor.poll.plan import SearchPlan
from monitor.poll.sink import Sink

INTERVALS = 3
"""So many intervals without a complete poll are blindness."""


class Blindness:
    """A timer that each complete poll winds up again. ``reason`` is why the last poll failed."""

    def __init__(self, plan: SearchPlan, sink: Sink, clock: Clock, since: Instant | None) -> None:
        self._plan = plan
        self._sink = sink
        self._clock = clock
        self._seen = trio.Event()
        self.since = clock.now() if since is None else since
        self.reason = "no poll has been completed yet"

    def completed(self, as_of: Instant) -> None:
        """A poll was complete."""
        self.since = as_of
        self.reason = "the poll takes too long"
        self._seen.set()

    async def watch(self) -> None:
        """Tell the sink when sight is lost and when it is back; the first complete poll of a run is told in any case."""
        patience = INTERVALS * self._plan.every
        sighted = False
        while True:
            if not await self._completed_within(patience):
                await self._tell_blind()
                sighted = False
                await self._seen.wait()
            self._seen = trio.Event()
            if not sighted:
                sighted = await self._tell_sighted()

    async def _completed_within(self, patience: Duration) -> bool:
        """Wait for a complete poll, at most that long by the clock's own wait: steps of the wall clock do not matter."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_after, patience, nursery.cancel_scope, name="patience")
            await self._seen.wait()
            nursery.cancel_scope.cancel()
        return self._seen.is_set()

    async def _cancel_after(self, patience: Duration, scope: trio.CancelScope) -> None:
        await self._clock.sleep(patience)
        scope.cancel()

    async def _tell_blind(self) -> None:
        """Tell it once; a store that cannot take it is asked again at each interval, until a poll is complete."""
        while not self._seen.is_set():
            try:
                await self._sink.blind(self._plan.name, self.since, self.reason)
            except StoreError:
                await self._completed_within(self._plan.every)
            else:
                return

    async def _tell_sighted(self) -> bool:
        try:
            await self._sink.sighted(self._plan.name)
        except StoreError:
            return False  # told again with the next complete poll
        return True
