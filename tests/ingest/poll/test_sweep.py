"""A sweep over slices that were read before: what it lists, what it downloads, and what it cannot miss."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from poll_sink import FakeSink
from trio.testing import MockClock

from monitor.ingest.poll.plan import SHORTEST_SLICE, Slice, horizon
from monitor.ingest.poll.reader import Reader
from monitor.ingest.poll.sink import PollFigures
from monitor.ingest.poll.sweep import Sweep
from monitor.ingest.poll.sweep_ledger import Ledger, SweepSlice
from monitor.ingest.poll.sweep_pieces import divide
from monitor.model.batch import Batch
from monitor.model.complete_read import ReadOrigin
from monitor.model.message import QUEUED
from monitor.model.routee_query import LOOK_BACK, RejectedRecord, RouteeQuery
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, TrioClock
from tests.fakes.tracking import Asked, FakeTracking

START = 1_800_000_000 * SECOND
WANTED = Slice(START - 10 * HOUR, START)
A_PAGE = 100


class Bench:
    """A thousand messages of ten hours at pages of a hundred, of which each tenth is Sent, swept once."""

    def __init__(self, by: str = "sent", count: int = 1000) -> None:
        self.clock = TrioClock(START + MINUTE)
        self.tracking = FakeTracking(self.clock, by)
        self.sink = FakeSink()
        self.ledger = Ledger()
        self.reached: list[Slice] = []
        self.wanted = WANTED
        self.count = count
        for i in range(count):
            self.tracking.send(f"m{i}", self.sent_at(i), "Delivered" if i % 10 else "Sent")

    def sent_at(self, number: float) -> int:
        return WANTED.start + int(number * WANTED.length) // self.count + SECOND

    async def take(self, batch: Batch, rejected: tuple[RejectedRecord, ...], origin: ReadOrigin) -> None:
        await self.sink.page("outbound", batch, rejected)

    async def run(self) -> Sweep:
        """Sweeps, whatever comes of it."""
        self.tracking.asked.clear()
        self.reached.clear()
        figures = PollFigures("outbound", "sweep")
        reader = Reader(self.tracking, RouteeQuery(), A_PAGE, self.take, figures, lambda: horizon(self.clock.now()))
        sweep = Sweep(reader, self.ledger, A_PAGE, figures, self.reached.append)
        await sweep.run(self.wanted)
        return sweep

    async def sweep(self) -> list[Asked]:
        """Sweeps, and returns the requests."""
        sweep = await self.run()
        assert self.sink.seen() == self.tracking.statuses()
        assert sweep.total == len(self.tracking._selected(self.reached[-1].start, WANTED.end, None))
        assert not sweep.moving
        return list(self.tracking.asked)

    async def swept(self) -> "Bench":
        """Returns this after two sweeps: the first one cuts slices of up to three pages, the second one may cut them anew."""
        await self.sweep()
        await self.sweep()
        return self


def downloads(asked: list[Asked]) -> list[Asked]:
    return [one for one in asked if one.size > 1 and one.status is None]


async def test_where_nothing_has_changed_a_count_and_a_list_are_enough() -> None:
    bench = await Bench().swept()
    asked = await bench.sweep()
    assert [(one.size, one.status) for one in asked] == [(1, None), (A_PAGE, "Sent")]
    assert (bench.reached[0].end, bench.reached[-1].start) == (WANTED.end, WANTED.start)


async def test_only_the_slice_of_a_changed_message_is_downloaded() -> None:
    bench = await Bench().swept()
    bench.tracking.report("m500", START, "Undelivered")
    asked = await bench.sweep()
    assert len(asked) == 2 + len(downloads(asked))
    assert all(one.start < bench.sent_at(700) and one.end > bench.sent_at(300) for one in downloads(asked))


async def test_slices_that_all_have_changed_are_downloaded_as_nearly_full_pages() -> None:
    bench = await Bench().swept()
    for i in range(0, 1000, 30):
        bench.tracking.report(f"m{i}", START, "Delivered")
    asked = await bench.sweep()
    assert len(downloads(asked)) <= 12
    for i in range(10, 1000, 30):
        bench.tracking.report(f"m{i}", START, "Delivered")
    assert len(await bench.sweep()) <= 14


class Stormy(Bench):
    """Four thousand messages, half of them Sent, of which six on each page change between two sweeps."""

    def __init__(self, by: str = "sent") -> None:
        super().__init__(by, 4000)
        for i in range(0, self.count, 2):
            self.tracking.messages[f"m{i}"].status = "Sent"

    async def storm(self, number: int) -> list[Asked]:
        """Lets it happen, and sweeps."""
        for i in range(2 * number, self.count, 16):
            place = START - SECOND if self.tracking.by == "sent" else self.sent_at(i) + SECOND
            self.tracking.report(f"m{i}", place + number, "Delivered")
        return await self.sweep()


@pytest.mark.parametrize("by", ["sent", "status"])
async def test_slices_have_several_full_pages_where_every_page_has_changed(by: str) -> None:
    bench = await Stormy(by).swept()
    asked = [await bench.storm(number) for number in range(5)][-1]
    assert max(one.page for one in asked) >= 7
    assert len(downloads(asked)) <= 42, "there are 40 pages"
    assert len(asked) <= 50


async def test_slices_become_pages_again_where_little_changes() -> None:
    bench = await Stormy().swept()
    for number in range(5):
        await bench.storm(number)
    for number in range(6):
        bench.tracking.report(f"m{3996 - 640 * number}", START, "Delivered")
        asked = await bench.sweep()
    assert max(one.page for one in asked) == 0
    assert len(downloads(asked)) <= 2


async def beginning_within_a_page() -> tuple[Bench, SweepSlice]:
    """Returns a bench whose next sweep begins in the middle of the oldest page, and that page."""
    bench = await Bench().swept()
    for i in range(0, 1000, 30):
        bench.tracking.report(f"m{i}", START, "Delivered")
    await bench.sweep()  # into slices of one page
    oldest = min(bench.ledger.parts(WANTED, A_PAGE, 0), key=lambda part: part.slice)
    bench.wanted = Slice(oldest.slice.start + oldest.slice.length // 2, WANTED.end)
    return bench, oldest


async def test_the_page_in_which_a_sweep_begins_is_not_cut() -> None:
    bench, oldest = await beginning_within_a_page()
    asked = await bench.sweep()
    assert [(one.size, one.status) for one in asked] == [(1, None), (A_PAGE, "Sent")]
    assert asked[0].start == oldest.slice.start


async def test_of_several_pages_in_which_a_sweep_begins_no_more_is_read_than_it_wants() -> None:
    bench = Bench()
    await bench.sweep()
    oldest = min(bench.ledger.parts(WANTED, A_PAGE, 0), key=lambda part: part.slice)
    assert oldest.expected > A_PAGE
    bench.wanted = Slice(oldest.slice.start + oldest.slice.length // 2, WANTED.end)
    asked = await bench.sweep()
    assert min(one.start for one in asked) == bench.wanted.start


async def test_what_may_not_be_requested_any_more_of_the_oldest_page_is_left_out_and_the_rest_is_checked_as_one(
    mock_clock: MockClock,
) -> None:
    bench, oldest = await beginning_within_a_page()
    bench.clock = bench.tracking.clock = TrioClock(bench.wanted.start + LOOK_BACK)
    asked = await bench.sweep()
    assert [(one.size, one.status) for one in asked] == [(1, None), (A_PAGE, "Sent"), (A_PAGE, None)]
    assert (asked[0].start, asked[-1].start) == (oldest.slice.end, bench.wanted.start)


async def test_what_moves_whenever_it_is_read_is_not_counted_and_read_once_more() -> None:
    """The sweep fails, and begins anew at the next interval."""
    bench, second = Bench(), WANTED.start + 5 * HOUR + SECOND
    for i in range(150):
        bench.tracking.send(f"campaign{i}", second, "Sent" if i == 0 else "Delivered")
    await bench.swept()
    bench.tracking.report("campaign0", START, "Undelivered")

    def move() -> None:
        asked = bench.tracking.asked
        if asked[-1].size > 1 and asked[-1].status is None:
            bench.tracking.send(f"late{len(asked)}", second, "Delivered")

    bench.tracking.drift = move
    assert (await bench.run()).moving
    assert [one.size for one in bench.tracking.asked].count(1) == 1


async def test_what_went_from_queued_to_sent_stands_in_the_list() -> None:
    bench = Bench()
    for i in range(0, 1000, 100):
        bench.tracking.messages[f"m{i}"].status = QUEUED
    await bench.swept()
    for i in range(0, 1000, 100):
        bench.tracking.report(f"m{i}", START, "Sent")
    asked = await bench.sweep()
    assert [(one.size, one.status) for one in asked] == [(1, None), (A_PAGE, "Queued"), (A_PAGE, "Sent")]
    asked = await bench.sweep()
    assert [(one.size, one.status) for one in asked] == [(1, None), (A_PAGE, "Sent")], "nothing is Queued any more"


async def test_what_appears_late_and_is_final_already_is_found_by_the_total() -> None:
    bench = await Bench().swept()
    bench.tracking.send("late", bench.sent_at(333.5), "Delivered")
    asked = await bench.sweep()
    assert len(downloads(asked)) < 8


@pytest.mark.parametrize("by", ["sent", "status"])
async def test_one_that_comes_where_another_one_goes_is_found(by: str) -> None:
    bench = await Bench(by).swept()
    bench.tracking.send("late", bench.sent_at(333.5), "Delivered")
    bench.tracking.report("m700", START - 1, "Undelivered")
    if by == "status":
        bench.tracking.messages["m700"].date = WANTED.end + SECOND
        bench.sink.statuses["m700"] = (WANTED.end + SECOND, "Undelivered")  # as a poll has seen it
    await bench.sweep()


async def test_a_list_that_is_cut_short_causes_downloads_and_hides_nothing() -> None:
    bench = await Bench().swept()
    bench.tracking.report("m500", START, "Undelivered")
    for i in range(1, 900):
        if i % 10 == 1:
            bench.tracking.messages[f"m{i}"].status = "Sent"
            bench.sink.statuses[f"m{i}"] = (bench.tracking.messages[f"m{i}"].date, "Sent")
    await bench.sweep()


async def test_a_record_that_could_not_be_read_is_read_again() -> None:
    bench = Bench()
    bench.tracking.unreadable = 1
    with pytest.raises(AssertionError, match="m999"):
        await bench.sweep()
    bench.tracking.unreadable = 0
    await bench.sweep()


async def test_after_a_restart_the_counts_by_status_are_compared() -> None:
    bench = await Bench().swept()
    bench.ledger = Ledger.load(bench.ledger.dump(0))
    bench.tracking.report("m500", START, "Undelivered")
    asked = await bench.sweep()
    assert any(one.size == 1 and one.status == "Sent" for one in asked)
    assert next((one.size, one.status) for one in await bench.sweep()) == (1, None)


def test_full_pages_stay_and_poor_ones_are_cut_anew_with_their_neighbours() -> None:
    def pieces(*totals: int) -> list[int]:
        run = [SweepSlice(Slice(i * HOUR, (i + 1) * HOUR), (n, 0, 0), n) for i, n in enumerate(totals)]
        return [piece.expected for piece in divide(run[::-1], 1000)]

    assert pieces(950, 1000, 930) == [930, 1000, 950]
    assert pieces(400, 400) == [800]
    assert pieces(920, 900, 1040) == [954, 954, 954]
    assert pieces(1050) == [525, 525]
    assert pieces(2850) == [950, 950, 950]
    assert pieces(600, 600) == [600, 600], "nothing would be saved"


def test_pieces_of_several_pages_are_cut_from_the_oldest_on_and_stay_where_they_are_full() -> None:
    def pieces(*totals: int) -> list[int]:
        run = [SweepSlice(Slice(i * HOUR, (i + 1) * HOUR), (n, 0, 0), n) for i, n in enumerate(totals)]
        return [piece.expected for piece in divide(run[::-1], 1000, deeply=True)]

    assert pieces(7920, 7900) == [7900, 7920]
    assert pieces(990, 2000) == [2000, 990], "full pages"
    assert pieces(*[940] * 9) == [540, 7920]
    assert pieces(7900, 5300, *[940] * 4) == [1140, 7920, 7900], "what is left over is cut with what came after"
    assert pieces(9000) == [1080, 7920]


@pytest.mark.parametrize("deeply", [False, True])
@pytest.mark.parametrize("total", [20_001, 1_000_000, 2**31 - 1, 10**15])
def test_time_with_a_total_that_no_slice_has_is_left_to_the_reader(total: int, deeply: bool) -> None:
    run = [SweepSlice(Slice(START, START + 7 * DAY), (total, 0, 0), total)]
    assert divide(run, 2000, deeply=deeply) == run


@pytest.mark.parametrize("deeply", [False, True])
def test_no_more_pieces_are_made_than_there_are_seconds(deeply: bool) -> None:
    run = [SweepSlice(Slice(START, START + 3 * SECOND), (20_000, 0, 0), 20_000)]
    assert 1 <= len(divide(run, 2000, deeply=deeply)) <= 3


@pytest.mark.parametrize("deeply", [False, True])
@given(drawn=st.lists(st.tuples(st.integers(1, DAY // SECOND), st.integers(0, 5000)), min_size=1, max_size=20))
@example(drawn=[(1, 2001)])
def test_pieces_cover_the_run_and_are_nearly_as_few_as_its_pages(deeply: bool, drawn: list[tuple[int, int]]) -> None:
    at, run = START + SECOND // 2, list[SweepSlice]()
    for seconds, total in drawn:
        run.insert(0, SweepSlice(Slice(at, at + seconds * SECOND), (total, 0, 0), total))
        at += seconds * SECOND
    pieces = divide(run, 2000, deeply=deeply)
    assert (pieces[0].slice.end, pieces[-1].slice.start) == (run[0].slice.end, run[-1].slice.start)
    assert all(newer.slice.start == older.slice.end for newer, older in itertools.pairwise(pieces))
    assert all(piece.slice.length >= SHORTEST_SLICE for piece in pieces)
    as_it_is = sum(max(-(-total // 2000), 1) for _, total in drawn)
    assert len(pieces) <= as_it_is + len(drawn)
    assert sum(piece.expected for piece in pieces) >= sum(total for _, total in drawn)
