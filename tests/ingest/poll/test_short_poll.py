"""Polls of an account with several pages an interval: what a short poll asks, and what it cannot miss."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from poll_sink import FakeSink, Figures
from trio.testing import MockClock

from monitor.ingest.poll.plan import SearchPlan, Slice, next_tick
from monitor.ingest.poll.reader import NOBODY, SliceResult
from monitor.ingest.poll.search_tasks import poll_search
from monitor.ingest.poll.short_poll import MOST, ShortPolls
from monitor.ingest.poll.sweep_ledger import Ledger
from monitor.model.complete_read import CompleteRead
from monitor.model.routee_query import Filter, RouteeQuery
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration, TrioClock
from monitor.runtime.errors import RouteeUnavailable
from monitor.store.protocol import Cursor
from tests.fakes.rounds import rounds
from tests.fakes.tracking import FakeTracking

NOW = 1_800_000_000 * SECOND
EVERY = 30 * SECOND
PLAN = SearchPlan("main", "all", RouteeQuery(), EVERY, ((5 * MINUTE, EVERY),), page_size=100)
OUTAGE = RouteeUnavailable("Routee answers 503", "503")
SHORT = [(100, None), (100, "Sent")]


@dataclass(slots=True)
class CheckingSink(FakeSink):
    """Looks at each complete poll whether all that it reaches is known as it is at Routee."""

    tracking: FakeTracking | None = None
    wrong: list[str] = field(default_factory=list)

    async def complete(self, search: str, cursor: Cursor, read: CompleteRead | None = None) -> None:
        """Compare."""
        await FakeSink.complete(self, search, cursor, read)
        assert self.tracking is not None
        now, seen = self.tracking.clock.now(), self.seen()
        for one in self.tracking.messages.values():
            if now - 5 * MINUTE <= one.sent < cursor.as_of and seen.get(one.id) != one.status:
                self.wrong.append(f"{one.id} is {one.status} and known as {seen.get(one.id)}")


class Busy:
    """An account that sends a message each second, every tenth of which stays Sent, at pages of a hundred."""

    def __init__(self, plan: SearchPlan = PLAN, by: str = "sent", apart: Duration = SECOND) -> None:
        self.clock = TrioClock(NOW)
        self.tracking, self.figures, self.plan = FakeTracking(self.clock, by), Figures(), plan
        self.sink = CheckingSink(tracking=self.tracking)
        for i in range(1200 * SECOND // apart):
            self.tracking.send(f"m{i}", NOW - 400 * SECOND + i * apart, "Delivered" if i % 10 else "Sent")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                lambda: poll_search(self.plan, self.tracking, self.sink, self.clock, None, observer=self.figures)
            )
            await self.clock.sleep(2 * EVERY)
            yield
            nursery.cancel_scope.cancel()

    def change(self, number: int, status: str) -> None:
        """Changes a message, which keeps its place among the others: its new status is little later than the old one."""
        one = self.tracking.messages[f"m{number}"]
        self.tracking.report(one.id, one.date + SECOND // 2, status)

    async def poll(self) -> list[tuple[int, str | None]]:
        """Waits for a poll. Returns the size and the status of each request."""
        before = len(self.tracking.asked)
        await self.clock.sleep(EVERY)
        assert self.sink.wrong == [] or self.tracking.unreadable
        return [(one.size, one.status) for one in self.tracking.asked[before:]]


async def test_a_short_poll_is_the_newest_page_and_a_list_of_what_is_sent(autojump_clock: MockClock) -> None:
    busy = Busy()
    async with busy.running():
        asked = [await busy.poll() for _ in range(22)]
    assert all(one[:2] == SHORT for one in asked)
    further = [request for one in asked for request in one[2:]]
    assert set(further) == {(100, None)}
    assert 6 <= len(further) <= 9, "of 660 messages that come each is read a last time, on pages that are nearly full"


async def test_what_polls_leave_behind_is_read_a_last_time_without_a_gap(autojump_clock: MockClock) -> None:
    busy = Busy()
    for i in range(1200, 3000):
        busy.tracking.send(f"m{i}", NOW - 400 * SECOND + i * SECOND, "Delivered" if i % 10 else "Sent")
    async with busy.running():
        begin = busy.tracking.asked[-1].start
        for _ in range(60):
            before = len(busy.tracking.asked)
            assert (await busy.poll())[:2] == SHORT
            first, _, *last = busy.tracking.asked[before:]
            assert first.start == begin
            for one in last:
                assert one.start == begin
                assert one.end <= first.end - 5 * MINUTE
            begin = last[-1].end if last else begin
    assert begin >= busy.clock.now() - 5 * MINUTE - 5 * EVERY, "the span of polls does not grow"


async def test_a_page_that_polls_leave_behind_is_not_read_by_the_next_sweep(autojump_clock: MockClock) -> None:
    busy = Busy(replace(PLAN, resweeps=((5 * MINUTE, EVERY), (HOUR, 5 * MINUTE))))
    for i in range(1200, 6000):
        busy.tracking.send(f"m{i}", NOW - 400 * SECOND + i * SECOND, "Delivered" if i % 10 else "Sent")
    async with busy.running():
        await busy.clock.sleep(HOUR)
        before = len(busy.figures.rounds)
        await busy.clock.sleep(20 * MINUTE)
    later = [one for one in busy.figures.rounds[before:] if one.kind == "sweep"]
    assert len(later) == 4
    assert [one.slices for one in later] == [0] * 4, "only counts and lists"


async def test_where_more_comes_than_fits_on_a_page_as_many_are_read_as_that_takes(autojump_clock: MockClock) -> None:
    busy = Busy(apart=SECOND // 5)
    for i in range(6000, 12_000):
        busy.tracking.send(f"m{i}", NOW - 400 * SECOND + i * SECOND // 5, "Delivered" if i % 10 else "Sent")
    async with busy.running():
        for number in range(40):
            before = len(busy.tracking.asked)
            await busy.poll()
            asked = [(one.page, one.status) for one in busy.tracking.asked[before:]]
            assert asked[:4] == [(0, None), (1, None), (0, "Sent"), (1, "Sent")], "150 came, and 150 to 200 are Sent"
            assert len(asked) <= 6, f"poll {number} reads for the last time what 150 messages fill"
        assert busy.tracking.asked[-1].start >= busy.clock.now() - 7 * MINUTE, "the span of polls does not grow"


async def test_what_comes_while_the_newest_pages_are_read_is_found_on_the_first_one(autojump_clock: MockClock) -> None:
    """Routee shows some messages a little after their date."""
    busy = Busy(apart=SECOND // 5)
    tracking = busy.tracking

    def show_late() -> None:
        if (tracking.asked[-1].page, tracking.asked[-1].status) == (1, None):
            tracking.send("shown late", tracking.asked[-1].end - SECOND, "Delivered")
            tracking.drift = None

    async with busy.running():
        await busy.poll()
        tracking.drift, before = show_late, len(tracking.asked)
        await busy.poll()
        asked = [(one.page, one.status) for one in tracking.asked[before:]]
    assert asked[:5] == [(0, None), (1, None), (0, None), (0, "Sent"), (1, "Sent")]
    assert "shown late" in busy.sink.seen()


async def test_sweeps_begin_right_after_a_poll(autojump_clock: MockClock) -> None:
    """A sweep ends where the poll begins, so that all is known as of one moment."""
    busy = Busy(SWEPT)
    busy.tracking.latency = 0.5
    async with busy.running():
        await busy.clock.sleep(20 * MINUTE)
    rounds = busy.figures.rounds
    assert sum(one.kind == "sweep" for one in rounds) >= 4
    asked = busy.tracking.asked
    swept = [i for i, one in enumerate(asked) if one.size == 1 and asked[i - 1].size > 1]
    assert all(asked[i].at - asked[i - 1].at <= SECOND for i in swept)


@pytest.mark.parametrize("by", ["status", "sent"])
async def test_a_full_poll_follows_where_the_page_that_is_left_behind_cannot_be_read(
    autojump_clock: MockClock, by: str
) -> None:
    busy = Busy(SWEPT, by)
    async with busy.running():
        for _ in range(6):
            before = len(busy.tracking.asked)
            busy.tracking.faults[before + 3] = OUTAGE
            asked = await busy.poll()
            busy.tracking.faults.clear()
            if len(asked) == 3 and busy.figures.rounds[-1].outcome == "503":
                break
        assert busy.figures.rounds[-1].outcome == "503"
        busy.change(200, "Undelivered")
        assert len(await busy.poll()) >= 4
        await busy.clock.sleep(6 * MINUTE)
        assert busy.sink.seen() == {
            one.id: one.status for one in busy.tracking.messages.values() if one.sent < busy.sink.cursors[-1].as_of
        }


async def test_many_messages_of_one_second_are_left_behind_together(autojump_clock: MockClock) -> None:
    busy = Busy()
    async with busy.running():
        at = busy.clock.now() + 10 * SECOND
        for i in range(250):
            busy.tracking.send(f"campaign{i}", at, "Sent" if i % 5 else "Delivered")
        for _ in range(20):
            await busy.poll()
        assert sum(name.startswith("campaign") for name in busy.sink.seen()) == 250
        assert (await busy.poll())[:2] == SHORT


@pytest.mark.parametrize("status", ["Sent", "Accepted"])
async def test_what_becomes_of_a_message_is_seen_by_the_next_poll(autojump_clock: MockClock, status: str) -> None:
    """Routee does not document ``Accepted``. It is not final."""
    busy = Busy()
    for one in busy.tracking.messages.values():
        if one.status == "Sent":
            one.status = status
    async with busy.running():
        for _ in range(5):
            await busy.poll()
        assert busy.sink.seen()["m470"] == status
        busy.change(470, "Failed")
        await busy.poll()
        assert busy.sink.seen()["m470"] == "Failed"


SWEPT = replace(PLAN, resweeps=((5 * MINUTE, EVERY), (HOUR, 5 * MINUTE), (DAY, HOUR)))


async def test_sweeps_see_what_becomes_of_an_undocumented_status(autojump_clock: MockClock) -> None:
    busy = Busy(SWEPT)
    for i in range(1200, 6000):
        busy.tracking.send(f"m{i}", NOW - 400 * SECOND + i * SECOND, "Delivered" if i % 10 else "Sent")
    for one in busy.tracking.messages.values():
        if one.status == "Sent":
            one.status = "Accepted"
    numbers = range(600, 900, 10)
    async with busy.running():
        await busy.clock.sleep(20 * MINUTE)
        assert {busy.sink.seen()[f"m{number}"] for number in numbers} == {"Accepted"}
        for number in numbers:
            busy.change(number, "Failed")
        await busy.clock.sleep(10 * MINUTE)
        assert {busy.sink.seen()[f"m{number}"] for number in numbers} == {"Failed"}


async def test_slices_that_polls_leave_behind_have_the_counts_that_they_were_read_with(
    autojump_clock: MockClock,
) -> None:
    """After a restart only the counts are left. What was Queued, and is Sent now, must not be taken for what it was."""
    busy = Busy(replace(PLAN, resweeps=((5 * MINUTE, EVERY), (DAY, HOUR))))
    for i in range(1200, 3000):
        busy.tracking.send(f"m{i}", NOW - 400 * SECOND + i * SECOND, "Delivered")
    for one in busy.tracking.messages.values():
        if one.status == "Sent":
            one.status = "Queued"
    async with busy.running():
        await busy.clock.sleep(30 * MINUTE)
    counts = busy.sink.cursors[-1].counts
    assert any(queued for _, queued, _ in counts.values())
    for key, (_, queued, sent) in counts.items():
        start, end = map(int, key.split("-"))
        inside = [one.status for one in busy.tracking.messages.values() if start <= one.sent < end]
        assert (inside.count("Queued"), inside.count("Sent")) == (queued, sent)


def test_after_an_outage_parts_are_not_known_one_by_one_but_slices_are_handed_over() -> None:
    """Sorting the parts of hours would hold the event loop."""
    ledger, size = Ledger(), 4 * MOST
    polls = ShortPolls(100, ledger)
    nothing = np.array([], np.int64)
    slices = [Slice(NOW + i * MINUTE, NOW + (i + 1) * MINUTE) for i in range(size)]
    parts = [np.arange(i * 100, (i + 1) * 100) for i in range(size)]
    readings = [
        SliceResult(piece, (100, 0, 0), still=True, unfinished=nothing, parts=some)
        for piece, some in zip(slices, parts, strict=True)
    ]
    end = slices[-1].end
    polls.remember(Slice(NOW, end), readings)
    wanted = Slice(end - 5 * MINUTE, end + EVERY)
    assert not polls.can_read(wanted)
    assert polls.hand_over(wanted) == wanted
    assert len(ledger.dump(NOW)) == size - 5
    polls.remember(Slice(slices[-9].start, end), readings[-9:])
    assert not polls.can_read(wanted), "four pages are older than the overlap: a full poll leaves them to the sweeps"
    polls.remember(Slice(slices[-6].start, end), readings[-6:])
    assert polls.can_read(wanted)


def test_nothing_is_known_nor_handed_over_of_a_span_that_moved_while_it_was_read() -> None:
    """Its counts may be wrong, and a sweep would believe them."""
    ledger = Ledger()
    polls = ShortPolls(100, ledger)
    slices = [Slice(NOW + i * MINUTE, NOW + (i + 1) * MINUTE) for i in range(7)]
    readings = [
        SliceResult(piece, (100, 0, 0), still=i != 1, unfinished=NOBODY, parts=np.arange(i * 100, (i + 1) * 100))
        for i, piece in enumerate(slices)
    ]
    end = slices[-1].end
    polls.remember(Slice(NOW, end), readings)
    wanted = Slice(end - 5 * MINUTE, end + EVERY)
    assert not polls.can_read(wanted)
    assert polls.hand_over(wanted) == wanted
    assert ledger.dump(NOW) == {}


async def test_full_polls_hand_over_no_slice_that_was_only_estimated(autojump_clock: MockClock) -> None:
    """A short poll knows how many are new, and not when each was sent."""
    busy = Busy(replace(PLAN, resweeps=((5 * MINUTE, EVERY), (DAY, HOUR)), page_size=20))
    for i in range(0, 3000, 7):  # uneven: a message a second, and some twice
        busy.tracking.send(f"also{i}", NOW - 400 * SECOND + i * SECOND, "Delivered")
    for i in range(1200, 3000):
        busy.tracking.send(f"m{i}", NOW - 400 * SECOND + i * SECOND, "Delivered" if i % 10 else "Sent")
    async with busy.running():
        for number in range(24):
            for _ in range(1 + number % 3):
                await busy.poll()
            busy.tracking.faults[len(busy.tracking.asked) + 1] = OUTAGE
            await busy.poll()
            await busy.poll()
            for key, (total, *_) in busy.sink.cursors[-1].counts.items():
                start, end = map(int, key.split("-"))
                assert total == sum(start <= one.sent < end for one in busy.tracking.messages.values())


async def test_what_leaves_a_page_that_polls_leave_behind_is_found_at_its_new_place(autojump_clock: MockClock) -> None:
    """Where Routee selects by the date of the status. The message is not among the newest, nor where it was."""
    busy = Busy(by="status")
    for i in range(1200, 3000):
        busy.tracking.send(f"m{i}", NOW - 400 * SECOND + i * SECOND, "Delivered" if i % 10 else "Sent")
    async with busy.running():
        for quiet in range(8):
            busy.tracking.faults[len(busy.tracking.asked) + 1] = OUTAGE
            for _ in range(2 + quiet):  # none, a full one, and short ones
                await busy.poll()
            begin, now = busy.tracking.asked[-1].start, busy.clock.now()
            one = next(one for one in busy.tracking.messages.values() if one.status == "Sent" and one.date > begin)
            busy.tracking.report(one.id, now - 4 * MINUTE, "Failed")
            await busy.poll()
            assert busy.sink.seen()[one.id] == "Failed"


async def test_the_slice_of_a_message_that_has_changed_is_read_again(autojump_clock: MockClock) -> None:
    busy = Busy()
    async with busy.running():
        for _ in range(9):
            await busy.poll()
        busy.change(550, "Undelivered")
        at, before = busy.tracking.messages["m550"].sent, len(busy.tracking.asked)
        asked = await busy.poll()
        assert asked[:2] == SHORT
        assert asked[2:] in ([(100, None)], 2 * [(100, None)]), "a slice of one page, or a little more"
        assert any(one.start < at < one.end for one in busy.tracking.asked[before + 2 :])
        assert busy.sink.seen()["m550"] == "Undelivered"
        assert await busy.poll() == SHORT


async def test_what_came_since_the_last_full_poll_is_found_when_it_changes(autojump_clock: MockClock) -> None:
    busy = Busy()
    async with busy.running():
        for _ in range(4):
            await busy.poll()
        busy.change(480, "Failed")
        assert await busy.poll() == [*SHORT, (100, None)]
        assert busy.sink.seen()["m480"] == "Failed"


async def test_a_page_is_read_instead_of_a_list_where_it_has_all_that_may_have_changed(
    autojump_clock: MockClock,
) -> None:
    busy = Busy()
    for one in busy.tracking.messages.values():
        one.status = "Delivered"
    for i in range(500, 560, 10):
        busy.tracking.messages[f"m{i}"].status = "Sent"
    async with busy.running():
        for _ in range(7):
            await busy.poll()
        busy.change(530, "Failed")
        asked = await busy.poll()
        assert set(asked) == {(100, None)}
        assert len(asked) <= 3
        assert busy.sink.seen()["m530"] == "Failed"


async def test_what_was_sent_before_the_poll_that_first_saw_it_is_found_when_it_changes(
    autojump_clock: MockClock,
) -> None:
    busy = Busy()
    async with busy.running():
        await busy.poll()
        sent = busy.clock.now() - 50 * SECOND
        busy.tracking.send("early", sent, "Sent")
        assert await busy.poll() == SHORT
        for _ in range(6):
            await busy.poll()
        busy.tracking.report("early", sent + SECOND, "Failed")
        await busy.poll()
        assert busy.sink.seen()["early"] == "Failed"


async def test_what_comes_late_and_is_final_already_is_seen_by_the_next_poll(autojump_clock: MockClock) -> None:
    busy = Busy()
    async with busy.running():
        busy.tracking.send("late", busy.clock.now() - 4 * MINUTE, "Delivered")
        assert len(await busy.poll()) == 5
        assert busy.sink.seen()["late"] == "Delivered"


async def test_where_the_oldest_come_first_short_polls_are_given_up(autojump_clock: MockClock) -> None:
    busy = Busy()
    busy.tracking.newest_first = False
    async with busy.running():
        asked = [await busy.poll() for _ in range(20)]
    assert SHORT not in asked
    assert sum(map(len, asked)) <= 20 * 4 + 8


async def test_a_record_that_cannot_be_read_makes_polls_full(autojump_clock: MockClock) -> None:
    busy = Busy()
    async with busy.running():
        assert await busy.poll() == SHORT
        busy.tracking.unreadable = 1
        assert len(await busy.poll()) > 4
        busy.tracking.unreadable = 0
        busy.sink.wrong.clear()
        await busy.poll()
        assert "m450" in busy.sink.seen()


async def test_a_search_that_messages_can_leave_has_full_polls(autojump_clock: MockClock) -> None:
    busy = Busy(replace(PLAN, question=RouteeQuery((Filter("direction", "Outbound"),))))
    async with busy.running():
        asked = [await busy.poll() for _ in range(3)]
    assert all(len(one) >= 4 and set(one) == {(100, None)} for one in asked)


@pytest.mark.parametrize("request_", [1, 2, 3])
async def test_a_full_poll_follows_one_that_failed_half_way(autojump_clock: MockClock, request_: int) -> None:
    busy = Busy()
    async with busy.running():
        for _ in range(10):
            await busy.poll()
        busy.change(550, "Undelivered")
        busy.tracking.faults[len(busy.tracking.asked) + request_] = OUTAGE
        assert len(await busy.poll()) == request_
        assert len(await busy.poll()) >= 4
        assert busy.sink.seen()["m550"] == "Undelivered"
    assert [one.outcome for one in busy.figures.rounds].count("503") == 1


@settings(max_examples=rounds(40, else_=16), deadline=None)
@given(
    seed=st.integers(0, 2**32),
    by=st.sampled_from(["status", "sent"]),
    newest_first=st.booleans(),
    queued=st.booleans(),
    latency=st.sampled_from([0.0, 0.3]),
    apart=st.sampled_from([SECOND, 4 * SECOND]),
)
def test_after_each_poll_all_that_it_reaches_is_known_as_it_is(
    seed: int, by: str, newest_first: bool, queued: bool, latency: float, apart: Duration
) -> None:
    chance = random.Random(seed)

    async def run() -> None:
        busy = Busy(replace(PLAN, page_size=20), by, apart)
        busy.tracking.newest_first, busy.tracking.latency = newest_first, latency
        following = {"Queued": ["Sent", "Delivered"], "Sent": ["Delivered", "Failed"]}
        for one in busy.tracking.messages.values():
            one.status = chance.choice(["Queued", "Sent", "Delivered"] if queued else ["Sent", "Delivered"])
        async with busy.running():
            for _ in range(12):
                await busy.clock.sleep(next_tick(busy.plan, busy.clock.now()) + 10 * SECOND)
                now = busy.clock.now()
                near = [one for one in busy.tracking.messages.values() if now - 5 * MINUTE < one.sent < now]
                for one in chance.sample(near, chance.randrange(16 * SECOND // apart)):
                    if one.status in following:
                        at = chance.choice([now, one.date + SECOND // 2])
                        busy.tracking.report(one.id, min(at, now), chance.choice(following[one.status]))
                if chance.random() < 0.1:
                    busy.tracking.send(f"late{now}", now - chance.randrange(4 * MINUTE), "Delivered")
                await busy.poll()

    trio.run(run, clock=MockClock(autojump_threshold=0))
