"""Pages are taken in, in order, while the next one is requested."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from poll_sink import FakeSink
from trio.testing import MockClock

from monitor.ingest.poll.handover import Handover
from monitor.ingest.poll.plan import Slice, horizon
from monitor.ingest.poll.reader import Reader, SliceResult
from monitor.ingest.poll.sink import PollFigures
from monitor.model.batch import Batch
from monitor.model.complete_read import ReadOrigin
from monitor.model.routee_query import RejectedRecord, RouteeQuery
from monitor.runtime.clock import HOUR, SECOND, TrioClock
from monitor.runtime.errors import RouteeUnavailable, StoreError
from tests.fakes.tracking import FakeTracking

START = 1_800_000_000 * SECOND
RANGE = Slice(START - HOUR, START)


class Happened(list[str]):
    """What happened, in order."""

    def taking(self, page: str, seconds: float = 1, error: Exception | None = None) -> Callable[[], Awaitable[None]]:
        async def take() -> None:
            await trio.sleep(seconds)
            if error is not None:
                raise error
            self.append(f"took {page}")

        return take

    def noting(self, what: str) -> Callable[[], None]:
        return lambda: self.append(f"noted {what}")


async def test_a_page_is_requested_while_the_one_before_is_taken(autojump_clock: MockClock) -> None:
    handover, happened = Handover(), Happened()

    async def read() -> None:
        for page in "abc":
            await trio.sleep(1)
            await handover.page(happened.taking(page))

    await handover.beside(read)
    assert happened == ["took a", "took b", "took c"]
    assert trio.current_time() == pytest.approx(4)


async def test_the_next_request_is_sent_before_a_page_is_taken_in(autojump_clock: MockClock) -> None:
    handover, happened = Handover(), Happened()

    async def read() -> None:
        await handover.page(happened.taking("a", seconds=0))
        for _ in range(8):  # what it takes until a request is sent
            await trio.lowlevel.checkpoint()
        happened.append("requested b")
        await trio.sleep(1)
        await handover.page(happened.taking("b", seconds=0))

    await handover.beside(read)
    assert happened == ["requested b", "took a", "took b"]


async def test_one_page_at_most_waits_for_the_one_before(autojump_clock: MockClock) -> None:
    handover, happened = Handover(), Happened()

    async def read() -> None:
        for page in "abc":
            await handover.page(happened.taking(page, seconds=10))
            happened.append(f"handed over {page}")

    await handover.beside(read)
    assert happened == ["handed over a", "took a", "handed over b", "took b", "handed over c", "took c"]


async def test_a_note_is_made_after_the_pages_before_it_were_taken(autojump_clock: MockClock) -> None:
    handover, happened = Handover(), Happened()

    async def read() -> None:
        await handover.page(happened.taking("a"))
        handover.note(happened.noting("a"))
        await handover.page(happened.taking("b"))
        handover.note(happened.noting("b"))

    await handover.beside(read)
    assert happened == ["took a", "noted a", "took b", "noted b"]


async def test_a_page_that_cannot_be_taken_ends_the_request_under_way_and_what_follows(
    autojump_clock: MockClock,
) -> None:
    handover, happened = Handover(), Happened()

    async def read() -> None:
        await handover.page(happened.taking("a"))
        handover.note(happened.noting("a"))
        await handover.page(happened.taking("b", error=StoreError("full")))
        handover.note(happened.noting("b"))
        await trio.sleep(3600)

    with pytest.raises(StoreError):
        await handover.beside(read)
    assert happened == ["took a", "noted a"]
    assert trio.current_time() == pytest.approx(2)


async def test_pages_before_a_failed_request_are_taken_and_noted(autojump_clock: MockClock) -> None:
    handover, happened = Handover(), Happened()

    async def read() -> None:
        await handover.page(happened.taking("a"))
        handover.note(happened.noting("a"))
        raise RouteeUnavailable("gone", "timeout")

    with pytest.raises(RouteeUnavailable):
        await handover.beside(read)
    assert happened == ["took a", "noted a"]


async def test_whoever_cancels_a_read_cancels_both_sides(autojump_clock: MockClock) -> None:
    handover, happened = Handover(), Happened()

    async def read() -> None:
        await handover.page(happened.taking("a", seconds=100))
        await trio.sleep(100)

    with trio.move_on_after(1) as scope:
        await handover.beside(read)
    assert scope.cancelled_caught
    assert happened == []
    assert trio.current_time() == pytest.approx(1)


async def test_a_slice_is_noted_once_all_its_pages_are_in_the_sink(autojump_clock: MockClock) -> None:
    clock = TrioClock(START + 60 * SECOND)
    tracking, sink, figures = FakeTracking(clock), FakeSink(), PollFigures("outbound", "poll")
    for i in range(95):
        tracking.send(f"m{i}", RANGE.start + (i * 7919 % 95) * RANGE.length // 95)
    sent, noted = {sms.id: sms.sent for sms in tracking.messages.values()}, list[SliceResult]()

    async def take(batch: Batch, rejected: tuple[RejectedRecord, ...], origin: ReadOrigin) -> None:
        await trio.sleep(1)
        await sink.page("outbound", batch, rejected)

    def note(result: SliceResult) -> None:
        within = {id_ for id_, at in sent.items() if result.slice.start < at <= result.slice.end}
        assert within <= sink.seen().keys()
        noted.append(result)

    await Reader(tracking, RouteeQuery(), 10, take, figures, lambda: horizon(clock.now())).read(RANGE, note)
    assert sum(one.counts[0] for one in noted) == 95
    assert sink.seen() == tracking.statuses()
