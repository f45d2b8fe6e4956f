"""Whatever arrives, changes, drifts and fails: after the last sweep everything within reach is known as it is."""

import random
from dataclasses import dataclass, field
from itertools import count

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from poll_sink import FakeSink, Figures
from trio.testing import MockClock

from monitor.ingest.poll.plan import SearchPlan
from monitor.ingest.poll.search_tasks import poll_search
from monitor.model.routee_query import RouteeQuery
from monitor.runtime.clock import DAY, HOUR, MILLISECOND, MINUTE, SECOND, Instant, TrioClock
from monitor.runtime.errors import RouteeUnavailable, StoreError
from tests.fakes.rounds import rounds
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
    whole_seconds: bool = False
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
        if self.whole_seconds:
            now = self._edge(now)
        if self.open and self.random.random() < 0.5:
            name = self.random.choice(self.open)
            status = self.random.choice(NEXT[self.tracking.messages[name].status])
            self.tracking.report(name, now, status)
            if status not in NEXT:
                self.open.remove(name)
        else:
            self.send(now)

    def _edge(self, now: Instant) -> Instant:
        """Returns a whole second at or before ``now``, at which a late poll's range begins or ends where there is one."""
        edges = [
            edge for one in self.tracking.asked[-8:] for edge in (one.start, one.end) if now - MINUTE < edge <= now
        ]
        edges = [edge for edge in edges if edge % SECOND == 0]
        return self.random.choice(edges) if edges else now // SECOND * SECOND

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


@settings(max_examples=rounds(25, else_=10), deadline=None)
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
        tracking = FakeTracking(clock, by, newest_first=newest_first, latency=0.3)
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


ON_THE_SECOND = next(
    plan
    for number in count()
    if (plan := SearchPlan("main", f"s{number}", RouteeQuery(), EVERY)).phase % SECOND == SECOND - MILLISECOND
).name
"""A search whose polls are a millisecond later than this, so that they begin, and end, where dates of whole seconds lie."""
ENDS = [f"{which}{fraction}" for which in ("included", "start", "end") for fraction in ("", " of seconds")]
"""Of two adjacent ranges, one at least includes their common end."""


@settings(max_examples=rounds(60, else_=24), deadline=None)
@given(
    seed=st.integers(0, 2**32),
    by=st.sampled_from(["status", "sent"]),
    ends=st.sampled_from(ENDS),
    page_size=st.sampled_from([7, 20, 2000]),
    history=st.integers(0, 300),
)
def test_nothing_is_lost_whichever_ends_of_a_range_routee_includes_although_polls_begin_where_messages_lie(
    seed: int, by: str, ends: str, page_size: int, history: int
) -> None:
    async def run() -> None:
        clock = TrioClock(NOW)
        tracking = FakeTracking(clock, by, ends=ends)
        sink, traffic = FakeSink(), Traffic(tracking, FakeSink(), random.Random(seed), faults=False, whole_seconds=True)
        for _ in range(history):
            traffic.send(NOW - traffic.random.randrange(DAY // SECOND - 7200) * SECOND)
        plan = SearchPlan("main", ON_THE_SECOND, RouteeQuery(), EVERY, RESWEEPS, page_size=page_size)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: poll_search(plan, tracking, sink, clock, None, observer=Figures()))
            await traffic.flow()
            await trio.sleep(45 * 60)
            nursery.cancel_scope.cancel()
        assert any(one.end % SECOND == 0 for one in tracking.asked), "polls end where messages lie"
        assert sink.seen() == tracking.statuses()

    trio.run(run, clock=MockClock(autojump_threshold=0))
