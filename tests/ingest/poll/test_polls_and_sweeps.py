"""Polls and sweeps together: after each of them all that it reaches is known as it is at Routee."""

import random
from dataclasses import dataclass, replace

import pytest
import trio
from poll_sink import FakeSink, Figures
from trio.testing import MockClock

from monitor.ingest.poll.plan import SearchPlan, next_tick
from monitor.ingest.poll.search_tasks import poll_search
from monitor.model.complete_read import CompleteRead
from monitor.model.routee_query import RouteeQuery
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, TrioClock
from monitor.runtime.errors import RouteeUnavailable
from monitor.store.protocol import Cursor
from tests.fakes.tracking import FakeTracking, Sms

NOW = 1_800_000_000 * SECOND
EVERY = 30 * SECOND
OVERLAP = 5 * MINUTE
OFF_EDGES = SECOND // 7
"""The clock of this test begins at a whole second. A message at just that instant would lie on the edge of two slices."""
PLAN = SearchPlan(
    "main", "all", RouteeQuery(), EVERY, ((OVERLAP, EVERY), (HOUR, 5 * MINUTE), (DAY, 30 * MINUTE)), page_size=20
)
NEXT = {"Queued": ["Sent", "Delivered"], "Accepted": ["Delivered"], "Sent": ["Delivered", "Undelivered"]}


@dataclass(slots=True)
class ComparingSink(FakeSink):
    """Compares what is known with Routee's truth when a poll or a sweep is complete."""

    tracking: FakeTracking | None = None
    sweeps: int = 0

    async def complete(self, search: str, cursor: Cursor, read: CompleteRead | None = None) -> None:
        """Compare."""
        before = self.cursors[-1].swept if self.cursors else {}
        await FakeSink.complete(self, search, cursor, read)
        assert self.tracking is not None
        swept = [int(back) for back, at in cursor.swept.items() if at > before.get(back, 0)]
        self.sweeps += bool(swept)
        seen, now = self.seen(), self.tracking.clock.now()
        since, until = now - max([OVERLAP, *swept]), cursor.as_of
        if now - until > SECOND:
            until -= 2 * OVERLAP  # the latest poll failed: what it would have read, the next one reads
        for one in self.tracking.messages.values():
            if since <= one.sent and max(one.sent, one.date) < until:
                assert seen.get(one.id) == one.status, f"{one.id} after {swept or 'a poll'}"


class Traffic:
    """Messages that come each few seconds and change at any age, some at once and some all together."""

    def __init__(self, chance: random.Random, by: str, apart: int) -> None:
        self.clock, self.chance = TrioClock(NOW), chance
        self.tracking = FakeTracking(self.clock, by)
        for i in range(3 * HOUR // apart):
            status = chance.choice(["Queued", "Sent", "Sent", "Accepted", "Delivered", "Delivered", "Delivered"])
            self.tracking.send(f"m{i}", NOW - HOUR + i * apart + OFF_EDGES, status)

    def change(self) -> None:
        """Changes a few messages, or many."""
        now = self.clock.now()
        past = [one for one in self.tracking.messages.values() if one.sent < now and one.status in NEXT]
        many = self.chance.random() < 0.1
        for one in past:
            if self.chance.random() < (0.4 if many else 1 / (1 + len(past))):
                self._move_on(one, self.chance.choice([now, one.date + SECOND // 2]))
        if self.chance.random() < 0.1:
            self.tracking.send(f"late{now}", now - self.chance.randrange(50 * MINUTE), "Delivered")

    def _move_on(self, one: Sms, at: int) -> None:
        self.tracking.report(one.id, min(at, self.clock.now()), self.chance.choice(NEXT[one.status]))


async def test_a_sweep_that_is_due_while_a_poll_runs_ends_where_that_poll_begins(autojump_clock: MockClock) -> None:
    """Otherwise what is between them would be known as of the poll before."""
    traffic = Traffic(random.Random(1), "sent", 4 * SECOND)
    clock, tracking = traffic.clock, traffic.tracking
    plan = replace(PLAN, resweeps=((HOUR, 5 * MINUTE),), page_size=30)  # a poll is one request
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: poll_search(plan, tracking, FakeSink(), clock, None))
        await clock.sleep(4 * MINUTE)
        swept_at = next(one.at for one in tracking.asked if one.end < one.at - MINUTE // 2)
        await clock.sleep(swept_at + 5 * MINUTE - EVERY // 2 - clock.now())
        tracking.hang, tracking.hang_on = trio.Event(), lambda asked: asked.end == asked.at
        await clock.sleep(EVERY)
        poll, before = tracking.asked[-1], len(tracking.asked)
        tracking.hang.set()
        await clock.sleep(SECOND)
        nursery.cancel_scope.cancel()
    assert poll.end == poll.at < swept_at + 5 * MINUTE < poll.at + EVERY // 2
    first, *_ = tracking.asked[before:]
    assert poll.start <= first.end < poll.start + SECOND


@pytest.mark.parametrize("faults", [False, True])
@pytest.mark.parametrize("by", ["status", "sent"])
@pytest.mark.parametrize("seed", range(2))
def test_after_each_poll_and_sweep_all_that_it_reaches_is_known_as_it_is(seed: int, by: str, faults: bool) -> None:
    async def run() -> None:
        traffic, figures = Traffic(random.Random(seed), by, (4 + 4 * seed) * SECOND), Figures()
        clock, tracking = traffic.clock, traffic.tracking
        sink = ComparingSink(tracking=tracking)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: poll_search(PLAN, tracking, sink, clock, None, observer=figures))
            for _ in range(70):
                await clock.sleep(next_tick(PLAN, clock.now()) + 10 * SECOND)
                traffic.change()
                if faults and traffic.chance.random() < 0.1:
                    number = len(tracking.asked) + traffic.chance.randrange(1, 6)
                    tracking.faults[number] = RouteeUnavailable("503", "503")
            await clock.sleep(EVERY)
            nursery.cancel_scope.cancel()
        assert sink.sweeps >= 3
        failed = {one.outcome for one in figures.rounds} - {"ok"}
        assert failed <= ({"503"} if faults else set())

    trio.run(run, clock=MockClock(autojump_threshold=0))
