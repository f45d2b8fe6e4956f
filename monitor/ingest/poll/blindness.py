"""Detects that polls no longer complete, even while one hangs."""

from contextlib import suppress
from typing import Final

import trio

from monitor.ingest.poll.plan import SearchPlan
from monitor.ingest.poll.sink import Sink
from monitor.ingest.poll.trouble import Trouble
from monitor.runtime.clock import MINUTE, SECOND, Clock, Duration, Instant
from monitor.runtime.errors import StoreError

INTERVALS = 3
"""The number of intervals without a complete poll after which a search is blind."""
COUNTED_EVERY: Final[Duration] = 5 * MINUTE
"""The shortest time between two updates of a reason in which only the number of tries has changed: each update is a commit."""


class Blindness:
    """A timer that each complete poll resets. ``trouble`` holds the errors of polls since then."""

    def __init__(
        self, plan: SearchPlan, sink: Sink, clock: Clock, since: Instant | None, trouble: Trouble | None = None
    ) -> None:
        self._plan = plan
        self._sink = sink
        self._clock = clock
        self._seen = trio.Event()
        self.since = clock.now() if since is None else since
        self.trouble = Trouble(clock) if trouble is None else trouble
        self._slow = "no poll has been completed yet"

    @property
    def reason(self) -> str:
        """Returns the latest trouble, even of a poll that is still retrying; without one, says that the poll takes long."""
        return str(self.trouble) or self._slow

    def completed(self, as_of: Instant) -> None:
        """Records a complete poll."""
        self.since = as_of
        self.trouble.over()
        self._slow = "the poll takes too long"
        self._seen.set()

    async def watch(self) -> None:
        """Tell the sink when sight is lost and when it is back; the first complete poll of a run is told in any case."""
        retry_policy = INTERVALS * self._plan.every
        sighted = False
        while True:
            if not await self._completed_within(retry_policy):
                await self._tell_blind()
                sighted = False
            self._seen = trio.Event()
            if not sighted:
                sighted = await self._tell_sighted()

    async def _completed_within(self, retry_policy: Duration) -> bool:
        """Wait for a complete poll, at most that long by the clock's own wait: steps of the wall clock do not matter."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_after, retry_policy, nursery.cancel_scope, name="patience")
            await self._seen.wait()
            nursery.cancel_scope.cancel()
        return self._seen.is_set()

    async def _cancel_after(self, retry_policy: Duration, scope: trio.CancelScope) -> None:
        await self._clock.sleep(retry_policy)
        scope.cancel()

    async def _tell_blind(self) -> None:
        """Tell it, and again until a poll is complete: another reason at the next interval, a higher number of tries more seldom."""
        told, kind, told_at = "", "", 0.0
        while not self._seen.is_set():
            reason, of_kind, now = self.reason, self.trouble.sentence, trio.current_time()
            is_due = of_kind != kind or now - told_at >= COUNTED_EVERY / SECOND
            with suppress(StoreError):  # reported again at the next interval
                if not told or (reason != told and is_due):
                    await self._sink.blind(self._plan.name, self.since, reason)
                    told, kind, told_at = reason, of_kind, now
            await self._completed_within(self._plan.every)

    async def _tell_sighted(self) -> bool:
        try:
            await self._sink.sighted(self._plan.name)
        except StoreError:
            return False  # reported again with the next complete poll
        return True
