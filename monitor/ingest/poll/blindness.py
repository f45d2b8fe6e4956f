"""Detects that polls no longer complete, even while one hangs."""

from contextlib import suppress
from typing import Final

import trio

from monitor.ingest.poll.plan import SearchPlan
from monitor.ingest.poll.sink import Sink
from monitor.ingest.poll.trouble import Trouble
from monitor.runtime.clock import MINUTE, SECOND, Clock, Duration, Instant, format_duration
from monitor.runtime.errors import StoreError

INTERVALS = 3
"""The number of intervals without a complete poll after which a search is blind."""
LEAST_PATIENCE: Final[Duration] = 5 * MINUTE
"""The least time that the first poll of an overdue search has, if three intervals are not shorter."""
LEAST_LEEWAY: Final[Duration] = 10 * SECOND
"""The least time from its begin that a poll is given which is under way when the intervals are over, if an interval is not shorter."""
COUNTED_EVERY: Final[Duration] = 5 * MINUTE
"""The shortest time between two reports whose reasons differ only in the number of tries. Each report is a commit."""


class Blindness:
    """A timer that each complete poll resets. ``since`` is the end of the last complete poll, ``trouble`` the errors of polls since.

    The first poll has as long as any other one, whatever happened before. But if the search is ``overdue``, because another daemon that should
    have polled it could not, the time since then counts too, up to what leaves LEAST_PATIENCE.

    A poll that is under way when the time is over is waited for, so that nothing is reported that ends a moment later: until one of its tries
    fails, and not for longer than it may take (`_leeway`).
    """

    def __init__(
        self,
        plan: SearchPlan,
        sink: Sink,
        clock: Clock,
        since: Instant | None,
        trouble: Trouble | None = None,
        overdue: bool = False,
    ) -> None:
        self._plan = plan
        self._sink = sink
        self._clock = clock
        self._seen = trio.Event()
        now = clock.now()
        self.since = now if since is None else since
        self._missed = max(0, now - self.since) if overdue else 0
        self.trouble = Trouble(clock) if trouble is None else trouble
        self._slow = "no poll has been completed yet"
        self._began = 0.0
        self._took: Duration = 0

    @property
    def reason(self) -> str:
        """Returns the latest error, also of a poll that is still retrying. Without one, it says that polls take too long."""
        return str(self.trouble) or self._slow

    def began(self) -> None:
        """Notes that a poll begins."""
        self._began = trio.current_time()
        self.trouble.began()

    def completed(self, as_of: Instant, requests: int, took: Duration) -> None:
        """Records a complete poll. If it ``took`` longer than the interval, the number of ``requests`` tells why, and what to do."""
        self.since, self._took = as_of, took
        self.trouble.over()
        self._slow = "the poll takes too long"
        if took > self._plan.every:
            self._slow = (
                f"polls take longer than their interval of {format_duration(self._plan.every)}: the last complete one took "
                f"{format_duration(took)} for {requests} requests. Give the search a longer `every`, or the account more `requests_per_second`"
            )
        self._seen.set()

    async def watch(self) -> None:
        """Reports to the sink when the search becomes blind and when polls complete again. Always reports the first complete poll."""
        limit = INTERVALS * self._plan.every
        patience = max(limit - self._missed, min(limit, LEAST_PATIENCE))
        sighted = False
        while True:
            if not (await self._completed_within(patience) or await self._completes_under_way()):
                await self._report_blind()
                sighted = False
            patience = limit
            self._seen = trio.Event()
            if not sighted:
                sighted = await self._report_sighted()

    async def _completed_within(self, limit: Duration) -> bool:
        """Waits for a complete poll for at most ``limit`` and returns whether there was one. Steps of the wall clock do not matter."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_after, limit, nursery.cancel_scope, name="patience")
            await self._seen.wait()
            nursery.cancel_scope.cancel()
        return self._seen.is_set()

    async def _completes_under_way(self) -> bool:
        """Waits for the poll that is under way and returns whether it was complete: False as soon as a try has failed or its time is over."""
        left = self._began + self._leeway / SECOND - trio.current_time()
        with trio.move_on_after(max(left, 0.0)):
            await self.trouble.told.wait()
        return self._seen.is_set()

    @property
    def _leeway(self) -> Duration:
        """Returns how long a poll may take from its begin before it says nothing any more: twice as long as the last complete one and ten
        seconds, but no longer than an interval."""
        return min(2 * self._took + LEAST_LEEWAY, self._plan.every)

    async def _cancel_after(self, limit: Duration, scope: trio.CancelScope) -> None:
        await self._clock.sleep(limit)
        scope.cancel()

    async def _report_blind(self) -> None:
        """Reports blindness until a poll is complete: again at the next interval for another reason, and every five minutes for more tries."""
        reported, kind, reported_at = "", "", 0.0
        while not self._seen.is_set():
            reason, of_kind, now = self.reason, self.trouble.sentence, trio.current_time()
            is_due = of_kind != kind or now - reported_at >= COUNTED_EVERY / SECOND
            with suppress(StoreError):  # reported again at the next interval
                if not reported or (reason != reported and is_due):
                    await self._sink.blind(self._plan.name, self.since, reason)
                    reported, kind, reported_at = reason, of_kind, now
            await self._completed_within(self._plan.every)

    async def _report_sighted(self) -> bool:
        try:
            await self._sink.sighted(self._plan.name)
        except StoreError:
            return False  # reported again with the next complete poll
        return True
