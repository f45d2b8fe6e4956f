"""One search polled over hours of virtual time."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import pytest
import trio
from poll_sink import FakeSink, Figures
from trio.testing import MockClock

from monitor.ingest.poll.plan import SearchPlan
from monitor.ingest.poll.search_tasks import poll_search
from monitor.ingest.poll.trouble import Trouble
from monitor.model.routee_query import Filter, RouteeQuery
from monitor.runtime.clock import DAY, HOUR, MILLISECOND, MINUTE, SECOND, Duration, Instant, TrioClock
from monitor.runtime.errors import RouteeRefused, RouteeUnavailable, StoreError
from monitor.store.protocol import Cursor
from tests.fakes.tracking import FakeTracking

NOW = 1_800_000_000 * SECOND
EVERY = 30 * SECOND
FRESH: tuple[tuple[Duration, Duration], ...] = ((5 * MINUTE, EVERY),)
DEFAULTS = (*FRESH, (HOUR, 5 * MINUTE), (DAY, HOUR), (7 * DAY, 6 * HOUR))
OUTAGE = RouteeUnavailable("Routee answers 503", "503")


class SteppingClock(TrioClock):
    """A wall clock that somebody sets; waits go on as before."""

    step: Duration = 0

    def now(self) -> Instant:
        return super().now() + self.step


class LateClock(SteppingClock):
    """Its waits end up to 12 ms late, and one in seven 0.24 s."""

    def __init__(self, start: Instant) -> None:
        super().__init__(start)
        self._waits = 0

    async def sleep(self, duration: Duration) -> None:
        self._waits += 1
        late = 240 if self._waits % 7 == 0 else self._waits * 5 % 13
        await super().sleep(duration + late * MILLISECOND)


class World:
    """A search, its Routee, and what came of it."""

    def __init__(
        self,
        resweeps: tuple[tuple[Duration, Duration], ...] = FRESH,
        cursor: Cursor | None = None,
        settle: Duration = 0,
        page_size: int = 2000,
    ) -> None:
        self.clock = SteppingClock(NOW)
        self.tracking = FakeTracking(self.clock)
        self.sink = FakeSink()
        self.figures = Figures()
        self.cursor, self.overdue, self.unread = cursor, False, 0
        self.trouble = Trouble(self.clock)
        self.plan = SearchPlan("main", "outbound", RouteeQuery(), EVERY, resweeps, settle, page_size)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.run)
            await trio.testing.wait_all_tasks_blocked()
            yield
            nursery.cancel_scope.cancel()

    async def run(self) -> None:
        await poll_search(
            self.plan,
            self.tracking,
            self.sink,
            self.clock,
            self.cursor,
            observer=self.figures,
            trouble=self.trouble,
            overdue=self.overdue,
            unread=lambda now: (
                self.unread and self.unread + now % MINUTE
            ),  # as a rule of which the last poll was at any moment
        )

    async def pass_(self, duration: Duration) -> None:
        await self.clock.sleep(duration)

    def polls(self, outcome: str = "ok") -> int:
        return sum(one.kind == "poll" and one.outcome == outcome for one in self.figures.rounds)

    def fill(self, count: int, over: Duration, until: Duration = 0, status: str = "Delivered") -> None:
        for i in range(count):
            self.tracking.send(f"f{over}-{i}", NOW - until - over * i // count - SECOND, status)


def cursor_at(as_of: Instant, swept: dict[str, Instant] | None = None) -> Cursor:
    return Cursor("main", "outbound", as_of, as_of - HOUR, swept or {})


async def test_a_search_that_asks_something_else_is_covered_anew(autojump_clock: MockClock) -> None:
    narrow = RouteeQuery((Filter("direction", "Outbound"),))
    old = Cursor("main", "outbound", NOW - MINUTE, NOW - 6 * DAY, {str(DAY): NOW - MINUTE}, question=narrow.digest)
    for question, covered_since in ((narrow, NOW - 6 * DAY), (RouteeQuery(), NOW - 6 * MINUTE)):
        world = World(((5 * MINUTE, EVERY), (DAY, HOUR)), old)
        world.plan = replace(world.plan, question=question)
        world.fill(3_000, over=22 * HOUR, until=HOUR)
        async with world.running():
            await world.pass_(20 * SECOND)
            assert world.sink.cursors[0].covered_since == covered_since
            assert {cursor.question for cursor in world.sink.cursors} == {question.digest}
            assert world.sink.cursors[0].as_of >= old.as_of
            await world.pass_(10 * MINUTE)
        fetched_anew = question != narrow
        assert (len(world.sink.seen()) > 2_900) == fetched_anew
        if fetched_anew:
            assert world.sink.cursors[-1].covered_since <= NOW - DAY + MINUTE


async def test_a_cursor_that_does_not_say_what_was_asked_is_believed(autojump_clock: MockClock) -> None:
    world = World(cursor=Cursor("main", "outbound", NOW - MINUTE, NOW - 6 * DAY))
    async with world.running():
        await world.pass_(MINUTE)
    assert world.sink.cursors[-1].covered_since == NOW - 6 * DAY
    assert world.sink.cursors[-1].question == RouteeQuery().digest


def test_the_order_of_filters_is_no_difference() -> None:
    one, other = Filter("direction", "Outbound"), Filter("label", "otp", "starts_with")
    assert RouteeQuery((one, other)).digest == RouteeQuery((other, one)).digest
    questions = [
        RouteeQuery(),
        RouteeQuery((one,)),
        RouteeQuery((other,)),
        RouteeQuery(campaign=True),
        RouteeQuery(tracking_id="c"),
    ]
    assert len({question.digest for question in questions}) == len(questions)


async def test_polls_keep_their_cadence(autojump_clock: MockClock) -> None:
    world = World()
    world.tracking.latency = 0.7
    async with world.running():
        await world.pass_(HOUR)
    ticks = {asked.at // (SECOND // 10) % 300 for asked in world.tracking.asked[1:]}
    assert len(ticks) == 1
    assert 120 <= len(world.tracking.asked) <= 122


async def test_polls_that_begin_late_by_milliseconds_are_a_multiple_of_the_interval_apart(
    autojump_clock: MockClock,
) -> None:
    world = World()
    world.clock = LateClock(NOW)
    world.tracking.clock = world.clock
    async with world.running():
        await world.pass_(10 * MINUTE)
    ends = [cursor.as_of for cursor in world.sink.cursors][1:]  # the first poll comes at the start
    assert len(ends) >= 15
    assert {later - earlier for earlier, later in pairwise(ends)} == {EVERY}
    assert all(asked.end <= asked.at for asked in world.tracking.asked)


async def test_a_poll_that_outlasts_its_interval_is_followed_at_once_without_a_burst(autojump_clock: MockClock) -> None:
    world = World()
    world.tracking.latency = 100.0
    async with world.running():
        await world.pass_(1000 * SECOND)
        world.tracking.latency = 0.0
        await world.pass_(200 * SECOND)
        before = len(world.tracking.asked)
        await world.pass_(300 * SECOND)
    assert len(world.tracking.asked) - before == 10
    assert before <= 10 + 2 + 7


async def test_a_change_is_seen_within_an_interval_under_both_meanings_of_the_dates(autojump_clock: MockClock) -> None:
    for by in ("status", "sent"):
        world = World()
        world.tracking.by = by
        async with world.running():
            await world.pass_(MINUTE)
            world.tracking.send("m", world.clock.now())
            await world.pass_(3 * MINUTE)
            world.tracking.report("m", world.clock.now(), "Undelivered")
            await world.pass_(EVERY + SECOND)
            assert world.sink.seen() == {"m": "Undelivered"}


async def test_a_failed_poll_moves_nothing_and_the_next_reads_from_the_watermark(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running():
        await world.pass_(2 * MINUTE)
        seen_to = world.sink.cursors[-1].as_of
        world.tracking.down = OUTAGE
        await world.pass_(20 * MINUTE)
        assert world.sink.cursors[-1].as_of == seen_to
        world.tracking.down = None
        world.tracking.send("m", seen_to + SECOND)
        await world.pass_(MINUTE)
    assert world.sink.seen() == {"m": "Sent"}
    assert world.polls("503") == 40


async def test_what_is_complete_says_so_up_to_the_start_of_the_poll_less_settle(autojump_clock: MockClock) -> None:
    world = World(settle=10 * SECOND)
    world.tracking.latency = 2.0
    async with world.running():
        await world.pass_(10 * SECOND)
    assert world.sink.cursors[0].as_of == NOW - 10 * SECOND


async def test_the_watermark_waits_for_a_clock_that_was_set_back(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running():
        await world.pass_(2 * MINUTE)
        highest = world.sink.cursors[-1].as_of
        world.clock.step = -10 * MINUTE
        await world.pass_(5 * MINUTE)
        assert {cursor.as_of for cursor in world.sink.cursors[-5:]} == {highest}
        world.tracking.send("m", world.clock.now())
        await world.pass_(8 * MINUTE)
    assert world.sink.cursors[-1].as_of > highest
    assert "m" in world.sink.seen()
    steps = [cursor.as_of for cursor in world.sink.cursors]
    assert steps == sorted(steps)
    assert "blind" not in world.sink.told("blind")


async def test_a_clock_that_ran_ahead_leaves_no_hole(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running():
        world.clock.step = HOUR
        await world.pass_(2 * MINUTE)
        world.clock.step = 0
        await world.pass_(MINUTE)
        world.tracking.down = OUTAGE
        world.tracking.send("m", world.clock.now())
        await world.pass_(40 * MINUTE)
        world.tracking.down = None
        await world.pass_(MINUTE)
    assert world.sink.seen() == {"m": "Sent"}


async def test_after_downtime_all_since_the_watermark_is_read(autojump_clock: MockClock) -> None:
    world = World(cursor=cursor_at(NOW - 2 * DAY))
    world.tracking.send("m", NOW - 2 * DAY + SECOND)
    async with world.running():
        await world.pass_(SECOND)
    assert world.sink.seen() == {"m": "Sent"}
    assert world.sink.cursors[0].covered_since == NOW - 2 * DAY - HOUR
    assert world.sink.told("gap") == []


async def test_downtime_beyond_what_routee_gives_back_is_a_gap_told_once(autojump_clock: MockClock) -> None:
    world = World(cursor=cursor_at(NOW - 9 * DAY))
    async with world.running():
        await world.pass_(5 * MINUTE)
    (gap,) = [value for name, value in world.sink.events if name == "gap"]
    assert gap == (NOW - 9 * DAY, NOW - 7 * DAY + 5 * MINUTE)
    assert world.sink.cursors[-1].covered_since == NOW - 7 * DAY + 5 * MINUTE


async def test_the_first_start_speaks_at_once_and_fills_in_the_past_behind_it(autojump_clock: MockClock) -> None:
    world = World(DEFAULTS)
    world.fill(9000, 6 * DAY)
    world.fill(50, HOUR)
    async with world.running():
        await world.pass_(SECOND)
    first, *_, last = world.sink.cursors
    assert first.as_of == NOW
    assert first.covered_since > NOW - HOUR
    assert last.covered_since <= NOW - 6 * DAY
    assert world.sink.seen() == world.tracking.statuses()
    assert set(last.swept) == {str(HOUR), str(DAY), str(7 * DAY)}


async def test_a_restart_does_not_sweep_again(autojump_clock: MockClock) -> None:
    swept = {str(back): NOW - MINUTE for back, _ in DEFAULTS}
    world = World(DEFAULTS, cursor_at(NOW - MINUTE, swept))
    async with world.running():
        await world.pass_(2 * MINUTE)
    assert all(one.kind == "poll" for one in world.figures.rounds)


async def test_late_changes_are_found_when_dates_select_by_sending(autojump_clock: MockClock) -> None:
    world = World(DEFAULTS)
    world.tracking.by = "sent"
    for name, ago in (("a", 30 * MINUTE), ("b", 20 * HOUR), ("c", 5 * DAY)):
        world.tracking.send(name, NOW - ago)
    async with world.running():
        await world.pass_(MINUTE)
        for name in "abc":
            world.tracking.report(name, world.clock.now(), "Undelivered")
        await world.pass_(5 * MINUTE)
        assert world.sink.seen()["a"] == "Undelivered"
        await world.pass_(HOUR)
        assert world.sink.seen()["b"] == "Undelivered"
        await world.pass_(6 * HOUR)
        assert world.sink.seen()["c"] == "Undelivered"


async def test_a_quiet_account_costs_one_request_an_interval_sweeps_included(autojump_clock: MockClock) -> None:
    world = World(DEFAULTS)
    world.fill(100, 6 * DAY)
    async with world.running():
        await world.pass_(6 * HOUR)
    assert len(world.tracking.asked) <= 6 * 120 + 5
    assert {one.kind for one in world.figures.rounds[2:]} == {"poll"}


async def test_sweeps_skip_what_did_not_change(autojump_clock: MockClock) -> None:
    world = World(DEFAULTS, page_size=20)
    world.tracking.by = "sent"
    world.fill(3000, 6 * DAY, until=HOUR)
    world.fill(100, HOUR, status="Sent")
    async with world.running():
        await world.pass_(MINUTE)
        backfill = len(world.tracking.asked)
        assert world.sink.seen() == world.tracking.statuses()
        world.tracking.report(f"f{6 * DAY}-1500", world.clock.now(), "Undelivered")
        for sms in world.tracking.messages.values():
            if sms.status == "Sent":
                world.tracking.report(sms.id, world.clock.now(), "Delivered")
        await world.pass_(6 * HOUR + MINUTE)
    sweeps = [one for one in world.figures.rounds if one.kind == "sweep"]
    assert backfill <= 155 * 1.3 + 5
    week = max(sweeps[1:], key=lambda one: one.skipped)
    assert week.skipped > 40
    assert week.requests <= 20


async def test_a_change_in_a_large_span_is_found_by_its_counts(autojump_clock: MockClock) -> None:
    world = World(DEFAULTS, page_size=20)
    world.tracking.by = "sent"
    world.fill(3000, 6 * DAY, until=HOUR)
    name = f"f{6 * DAY}-1500"
    world.tracking.messages[name].status = "Sent"
    async with world.running():
        await world.pass_(MINUTE)
        assert world.sink.seen()[name] == "Sent"
        world.tracking.report(name, world.clock.now(), "Undelivered")
        before = len(world.tracking.asked)
        await world.pass_(6 * HOUR + MINUTE)
    assert world.sink.seen()[name] == "Undelivered"
    assert len(world.tracking.asked) - before < 6 * 120 + 6 * 60


async def test_polls_do_not_wait_for_a_sweep_that_hangs(autojump_clock: MockClock) -> None:
    world = World(DEFAULTS)
    world.tracking.hang, world.tracking.hang_on = trio.Event(), lambda asked: asked.end < asked.at - MINUTE
    async with world.running():
        await world.pass_(10 * MINUTE)
    assert world.polls() >= 20


async def test_a_sweep_asks_nothing_while_a_poll_runs(autojump_clock: MockClock) -> None:
    world = World(DEFAULTS, page_size=10)
    world.tracking.latency = 0.5
    world.fill(3000, 6 * DAY, until=2 * HOUR)
    async with world.running():
        await world.pass_(20 * SECOND)
        world.tracking.hang, world.tracking.hang_on = trio.Event(), lambda asked: asked.end > asked.at - MINUTE
        await world.pass_(EVERY)
        before = len(world.tracking.asked)
        assert 20 < before < 200
        await world.pass_(MINUTE)
        assert len(world.tracking.asked) == before
        world.tracking.hang.set()
        await world.pass_(MINUTE)
    assert len(world.tracking.asked) > before + 50


async def test_a_long_sweep_delays_no_poll_and_lets_smaller_ones_pass(autojump_clock: MockClock) -> None:
    world = World(DEFAULTS, page_size=10)
    world.tracking.latency = 2.0
    world.fill(3000, 6 * DAY, until=2 * HOUR)
    world.fill(60, HOUR)
    async with world.running():
        await world.pass_(30 * MINUTE)
    assert world.polls() >= 55
    kinds = [one for one in world.figures.rounds if one.kind == "sweep"]
    assert len(kinds) >= 3
    assert world.sink.seen() == world.tracking.statuses()
    polled = {asked.at for asked in world.tracking.asked if asked.at - asked.end < 3 * SECOND}
    assert all(later - earlier <= 33 * SECOND for earlier, later in pairwise(sorted(polled)))


async def test_a_failing_sweep_is_tried_again_at_the_next_interval_only(autojump_clock: MockClock) -> None:
    world = World(DEFAULTS)

    def fail_far() -> None:
        asked = world.tracking.asked[-1]
        world.tracking.down = OUTAGE if asked.end < asked.at - MINUTE else None

    world.tracking.drift = fail_far
    async with world.running():
        await world.pass_(5 * MINUTE)
        failed = [one for one in world.figures.rounds if one.kind == "sweep"]
        assert 3 * 9 <= len(failed) <= 3 * 11
        assert world.polls("503") == 0
        world.tracking.drift, world.tracking.down = None, None
        await world.pass_(MINUTE)
    assert world.figures.rounds[-1].outcome == "ok"
    assert "blind" not in world.sink.told("blind")


async def test_blindness_is_told_with_the_latest_reason_and_ends_with_the_first_complete_poll(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.running():
        await world.pass_(MINUTE)
        world.tracking.down = RouteeRefused("the secret is not accepted", "401")
        await world.pass_(85 * SECOND)
        assert world.sink.told("blind") == []
        await world.pass_(HOUR)
        first, *others = [value for name, value in world.sink.events if name == "blind"]
        said = re.compile(r"the secret is not accepted \((\d+) (?:try|tries) since [-0-9: ]+ UTC\)")
        tries = [int(said.fullmatch(reason)[1]) for reason in (first, *others)]  # type: ignore[index]  # each of them matches
        assert tries[0] in (2, 3)
        # Ten polls in five minutes. Some fail at the instant of a report, just before or just after it.
        assert all(9 <= later - earlier <= 11 for earlier, later in pairwise(tries)), (
            "every five minutes, not at each try"
        )
        assert tries[-1] >= HOUR // EVERY - 10, "the reason is kept up to date"
        world.tracking.down = RouteeUnavailable("no answer", "timeout")
        await world.pass_(2 * EVERY)
        _, reason = [event for event in world.sink.events if event[0] == "blind"][-1]
        assert reason.startswith("no answer (")
        world.tracking.down = None
        await world.pass_(EVERY + SECOND)
    assert list(dict.fromkeys(world.sink.told("blind", "sighted")[1:])) == ["blind", "sighted"]


@pytest.mark.parametrize(
    ("overdue", "missing", "told_after"),
    [(False, 25, 90), (True, 25, 65), (True, 89, 5)],
    ids=["after a restart", "another daemon missed a poll", "another daemon missed nearly all"],
)
async def test_what_another_daemon_could_not_poll_is_blind_since_then(
    overdue: bool, missing: int, told_after: int, autojump_clock: MockClock
) -> None:
    world = World(cursor=cursor_at(NOW - missing * MINUTE))
    world.plan, world.overdue = replace(world.plan, every=30 * MINUTE), overdue
    world.tracking.down = RouteeRefused("the secret is not accepted", "401")
    async with world.running():
        await world.pass_(told_after * MINUTE - SECOND)
        assert world.sink.told("blind") == []
        await world.pass_(2 * SECOND)
        assert world.sink.told("blind") == ["blind"]


async def test_a_poll_that_hangs_is_blindness_too(autojump_clock: MockClock) -> None:
    world = World()
    world.tracking.hang = trio.Event()
    async with world.running():
        await world.pass_(89 * SECOND)
        assert world.sink.told("blind") == []
        await world.pass_(2 * SECOND)
        assert world.sink.told("blind") == ["blind"]
        world.tracking.hang.set()
        await world.pass_(SECOND)
    assert list(dict.fromkeys(world.sink.told("blind", "complete", "sighted"))) == ["blind", "complete", "sighted"]


@asynccontextmanager
async def third_poll(world: World, latency: float, hang: trio.Event | None = None) -> AsyncIterator[None]:
    """Runs until a poll has begun that takes `latency`, after two that failed. The last complete one took 0.3 seconds: the deadline is 0.3
    seconds after the poll begins, give or take a millisecond."""
    world.tracking.latency = 0.3
    async with world.running():
        await world.pass_(2 * EVERY)
        complete = world.polls()
        world.tracking.down = OUTAGE
        while world.polls("503") < 2:
            await world.pass_(100 * MILLISECOND)
        assert world.polls() == complete
        world.tracking.down, world.tracking.latency, world.tracking.hang = None, latency, hang
        requests = len(world.tracking.asked)
        while len(world.tracking.asked) == requests:
            await world.pass_(100 * MILLISECOND)
        assert world.sink.told("blind") == []
        yield


@pytest.mark.parametrize("latency", [0.8, 5.0])
async def test_a_poll_under_way_that_completes_is_no_blindness(latency: float, autojump_clock: MockClock) -> None:
    world = World()
    async with third_poll(world, latency):
        await world.pass_(5 * MINUTE)
    assert world.sink.told("blind") == []


async def test_a_poll_under_way_that_hangs_delays_blindness_by_ten_seconds_at_most(autojump_clock: MockClock) -> None:
    world = World()
    async with third_poll(world, 0.3, trio.Event()):
        await world.pass_(10 * SECOND)
        assert world.sink.told("blind") == []
        await world.pass_(SECOND)
        assert world.sink.told("blind") == ["blind"]


async def test_a_poll_under_way_whose_try_fails_delays_blindness_no_longer(autojump_clock: MockClock) -> None:
    world = World()
    async with third_poll(world, 0.3, trio.Event()):
        await world.pass_(2 * SECOND)
        assert world.sink.told("blind") == []
        world.trouble.met("503", "Routee answers 503")
        await world.pass_(MILLISECOND)
        assert world.sink.told("blind") == ["blind"]


async def test_a_poll_under_way_delays_blindness_by_an_interval_at_most(autojump_clock: MockClock) -> None:
    world = World()
    world.plan = replace(world.plan, every=2 * SECOND, resweeps=((5 * MINUTE, 2 * SECOND),))
    async with third_poll(world, 0.3, trio.Event()):
        await world.pass_(3 * SECOND)
        assert world.sink.told("blind") == ["blind"]


async def test_of_a_poll_that_hangs_after_quick_ones_it_is_not_said_how_long_those_took(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.running():
        await world.pass_(EVERY)
        world.tracking.hang = trio.Event()
        await world.pass_(4 * EVERY)
    assert [reason for name, reason in world.sink.events if name == "blind"] == ["the poll takes too long"]


async def test_polls_that_are_too_slow_for_their_interval_say_how_slow_and_what_to_do(
    autojump_clock: MockClock,
) -> None:
    world = World()
    world.plan = replace(world.plan, every=5 * SECOND)
    world.tracking.send("m", NOW - SECOND)
    world.tracking.latency = 16.0
    async with world.running():
        await world.pass_(5 * MINUTE)
    told = [reason for name, reason in world.sink.events if name == "blind"]
    said = re.compile(
        r"polls take longer than their interval of 5s: the last complete one took (\d+)s for (\d+) requests\. "
        r"Give the search a longer `every`, or the account more `requests_per_second`"
    )
    assert told[0] == "no poll has been completed yet"
    found = [match for match in map(said.fullmatch, told) if match]
    assert found, told
    assert {match.groups() for match in found} == {("16", "1")}


async def test_a_store_that_fails_fails_the_poll_and_nothing_more(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running():
        world.sink.broken = StoreError("the disk is full")
        await world.pass_(5 * MINUTE)
        before = len(world.sink.cursors)
        assert before <= 1
        world.sink.broken = None
        world.sink.broken_pages = StoreError("the database is busy")
        world.tracking.send("m", world.clock.now())
        await world.pass_(5 * MINUTE)
        world.sink.broken_pages = None
        await world.pass_(MINUTE)
    assert world.sink.seen() == {"m": "Sent"}
    assert world.polls("store") >= 18


async def test_stop_ends_it(autojump_clock: MockClock) -> None:
    world = World()
    stop = trio.Event()
    world.tracking.hang = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: poll_search(world.plan, world.tracking, world.sink, world.clock, None, stop=stop))
        await world.pass_(MINUTE)
        stop.set()
    assert world.sink.cursors == []


@pytest.mark.parametrize("by", ["status", "sent"])
async def test_a_busy_account_takes_few_more_requests_than_its_pages(autojump_clock: MockClock, by: str) -> None:
    world = World(page_size=50)
    world.tracking.by = by
    for i in range(60 * 60 * 3):
        world.tracking.send(f"m{i}", NOW + i * SECOND // 3 - 10 * MINUTE)
    async with world.running():
        await world.pass_(20 * MINUTE)
    pages = 41 * (5.5 * 60 * 3 / 50)
    assert len(world.tracking.asked) <= 1.3 * pages
    assert max(world.tracking.downloads()) <= 2
