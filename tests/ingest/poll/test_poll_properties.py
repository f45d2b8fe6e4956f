"""Whatever arrives, changes, drifts and fails: after the last sweep everything within reach is known as it is."""

import random
from dataclasses import dataclass, field

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from poll_sink import FakeSink, Figures
from trio.testing import MockClock

from monitor.ingest.poll.plan import SearchPlan
from monitor.ingest.poll.search_tasks import poll_search
from monitor.model.routee_query import RouteeQuery
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, TrioClock
from monitor.runtime.errors import RouteeUnavailable, StoreError
from tests.fakes.tracking import FakeTracking

NOW = 1_800_000_000 * SECOND
EVERY = 30 * SECOND
RESWEEPS = ((5 * MINUTE, EVERY), (HOUR, 5 * MINUTE), (DAY, 20 * MINUTE))
NEXT = {"Queued": ["Sent"], "Sent": ["Delivered", "Undelivered", "Failed"]}


@dataclass(slots=True)
class Traffic:
    """Random traffic: messages are sent and move on, Routee and the store fail at times."""

    tracking: FakeTracking
    sink: FakeSink
    random: random.Random
    faults: bool
    sent: int = 0
    open: list[str] = field(default_factory=list)

    def send(self, at: int) -> None:
        name = f"m{self.sent}"
        self.sent += 1
        self.tracking.send(name, at, "Queued")
        self.open.append(name)

    def change(self) -> None:
        """One thing happens now."""
        now = self.tracking.clock.now() - 1
        if self.open and self.random.random() < 0.5:
            name = self.random.choice(self.open)
            status = self.random.choice(NEXT[self.tracking.messages[name].status])
            self.tracking.report(name, now, status)
            if status not in NEXT:
                self.open.remove(name)
        else:
            self.send(now)

    def trouble(self) -> None:
        """Routee or the store fail, or recover."""
        down = self.faults and self.random.random() < 0.3
        self.tracking.down = RouteeUnavailable("503", "503") if down else None
        self.sink.broken = StoreError("busy") if self.faults and self.random.random() < 0.1 else None

    async def flow(self) -> None:
        """An hour of it."""
        for _ in range(60):
            await trio.sleep(60)
            self.trouble()
            for _ in range(self.random.randrange(6)):
                self.change()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    by=st.sampled_from(["status", "sent"]),
    newest_first=st.booleans(),
    page_size=st.sampled_from([7, 20, 2000]),
    history=st.integers(0, 300),
    drifting=st.booleans(),
    faults=st.booleans(),
)
def test_in_the_end_everything_within_reach_is_known_as_it_is(
    seed: int, by: str, newest_first: bool, page_size: int, history: int, drifting: bool, faults: bool
) -> None:
    async def run() -> None:
        clock = TrioClock(NOW)
        tracking = FakeTracking(clock, by, newest_first, latency=0.3)
        sink, figures = FakeSink(), Figures()
        traffic = Traffic(tracking, sink, random.Random(seed), faults)
        for _ in range(history):
            traffic.send(NOW - traffic.random.randrange(DAY - 2 * HOUR))
        if drifting:
            tracking.drift = lambda: traffic.change() if traffic.random.random() < 0.3 else None
        plan = SearchPlan("main", "outbound", RouteeQuery(), EVERY, RESWEEPS, page_size=page_size)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: poll_search(plan, tracking, sink, clock, None, observer=figures))
            await traffic.flow()
            tracking.down = tracking.drift = sink.broken = None
            await trio.sleep(45 * 60)
            nursery.cancel_scope.cancel()
        assert sink.seen() == tracking.statuses()
        marks = [cursor.as_of for cursor in sink.cursors]
        assert marks == sorted(marks)
        covered = [cursor.covered_since for cursor in sink.cursors]
        assert covered == sorted(covered, reverse=True)
        assert covered[-1] <= NOW - DAY + HOUR
        assert max(tracking.downloads()) <= 3
        polls = [one for one in figures.rounds if one.kind == "poll"]
        assert all(one.requests <= 30 + one.rows for one in polls)

    trio.run(run, clock=MockClock(autojump_threshold=0))
