"""Polls, evaluates and sends in virtual time, on a machine whose clock may be set and which may be suspended."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from monitor.daemon.flush_timer import flush_when_due
from monitor.ingest.poll.plan import SearchPlan
from monitor.ingest.poll.search_tasks import poll_search
from monitor.ingest.poll.sink import PollFigures
from monitor.model.routee_query import PAGE_SIZE, Page, RouteeQuery
from monitor.runtime.clock import MINUTE, SECOND, Clock, Duration, Instant, TrioClock, parse_iso
from monitor.runtime.guarded_clock import GuardedClock
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.tracking import FakeTracking
from tests.fakes.written import CONFIG, settings

NOW: Instant = parse_iso("2026-10-24T22:00:00Z")
"""The evening before the clocks in Europe are set back."""
EVERY: Duration = MINUTE
APART: Duration = 30 * SECOND
"""The time between two messages."""


class TrueTime(TrioClock):
    """The true time. It goes on while the machine is suspended and trio's clock stands still."""

    slept: Duration = 0

    def now(self) -> Instant:
        return super().now() + self.slept


class WallClock(Clock):
    """The machine's clock, which differs from the true time by ``off``."""

    def __init__(self, true: TrueTime) -> None:
        self._true = true
        self.off: Duration = 0

    def now(self) -> Instant:
        return self._true.now() + self.off

    async def sleep(self, duration: Duration) -> None:
        await self._true.sleep(duration)


class Town:
    """A daemon's pipeline and its Routee. ``failing`` says whether new messages fail. Each answer of Routee carries the time, to the second."""

    def __init__(self, rules: str, config: str = CONFIG, off: Duration = 0) -> None:
        self.true = TrueTime(NOW)
        self.wall = WallClock(self.true)
        self.wall.off = off
        self.clock = GuardedClock(self.wall, self.true.now)
        self.tracking = FakeTracking(self.true)
        self.harness = PipelineHarness(settings(rules, config), self.clock)
        self.failing = False
        self.polls: list[Instant] = []

    async def search(
        self, question: RouteeQuery, start: Instant, end: Instant, *, page: int = 0, size: int = PAGE_SIZE
    ) -> Page:
        found = await self.tracking.search(question, start, end, page=page, size=size)
        self.clock.heard(self.true.now() // SECOND * SECOND)
        return found

    def reached(self, search: str, share: float) -> None:
        """Does nothing."""

    def finished(self, figures: PollFigures) -> None:
        assert figures.outcome == "ok"
        if figures.kind == "poll":
            self.polls.append(self.true.now())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        plan = SearchPlan("main", "all", RouteeQuery(), EVERY, ((5 * MINUTE, EVERY), (60 * MINUTE, 10 * MINUTE)))
        async with trio.open_nursery() as nursery:

            async def poll() -> None:
                await poll_search(plan, self, self.harness.sinks["main"], self.clock, None, observer=self)

            nursery.start_soon(poll)
            nursery.start_soon(flush_when_due, self.harness.pipeline)
            nursery.start_soon(self._traffic)
            yield
            nursery.cancel_scope.cancel()

    async def pass_(self, duration: Duration) -> None:
        await self.true.sleep(duration)

    def sleep_through(self, duration: Duration) -> None:
        """Suspends the machine and wakes it; messages are sent meanwhile."""
        began = self.true.now()
        self.true.slept += duration
        for at in range(began, began + duration, APART):
            self._send(at)

    async def _traffic(self) -> None:
        for at in range(NOW - 90 * MINUTE, NOW, APART):
            self._send(at)
        while True:
            self._send(self.true.now())
            await self.true.sleep(APART)

    def _send(self, at: Instant) -> None:
        status = "Undelivered" if self.failing else "Delivered"
        self.tracking.send(f"m{len(self.tracking.messages)}", at, status)

    def told(self, name: str) -> list[tuple[str, Duration]]:
        """Returns the notifications about an alert: the reason, and the true time since the start."""
        return [
            (one.reason, one.created_at - NOW)
            for one in self.harness.told
            if any(view.name == name for view in one.alerts)
        ]
