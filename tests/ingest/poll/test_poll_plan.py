"""The arithmetic of polling."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest.poll.plan import (
    SearchPlan,
    Slice,
    due,
    newest,
    next_tick,
    poll_range,
    punctual,
    sweep_range,
    tick,
)
from monitor.ingest.poll.reader import SliceResult
from monitor.ingest.poll.sweep_ledger import Ledger, worth_comparing
from monitor.model.routee_query import LOOK_BACK, Filter, RouteeQuery
from monitor.runtime.clock import DAY, HOUR, MILLISECOND, MINUTE, SECOND, Duration, Instant

NOW = 1_800_000_000 * SECOND
DEFAULTS = ((5 * MINUTE, 30 * SECOND), (HOUR, 5 * MINUTE), (DAY, HOUR), (7 * DAY, 6 * HOUR))


def plan(every: Duration = 30 * SECOND, resweeps: tuple[tuple[Duration, Duration], ...] = DEFAULTS) -> SearchPlan:
    return SearchPlan("main", "outbound", RouteeQuery(), every, resweeps)


@given(st.integers(1, 8 * DAY), st.integers(0, 8 * DAY), st.integers(0, SECOND))
def test_slices_taken_one_by_one_cover_the_range(span: Duration, length: Duration, start: Instant) -> None:
    rest, count, least = Slice(start, start + span), 0, max(length, SECOND)
    while rest.length and count < 200:
        piece = newest(rest, length)
        assert rest.start <= piece.start < piece.end == rest.end
        assert piece.length <= least + SECOND
        assert piece.start == rest.start or (piece.start % SECOND == SECOND // 2 and piece.length >= SECOND)
        rest, count = Slice(rest.start, piece.start), count + 1


@given(st.integers(2 * SECOND, DAY), st.integers(0, SECOND))
def test_a_slice_that_is_to_be_a_second_shorter_is_shorter(span: Duration, start: Instant) -> None:
    whole = Slice(start, start + span)
    assert newest(whole, span - SECOND).length < span


def test_a_resweep_as_frequent_as_the_polls_is_overlap() -> None:
    assert plan().overlap == 5 * MINUTE
    assert [back for back, _ in plan().sweeps] == [7 * DAY, DAY, HOUR]


def test_without_resweeps_a_minute_is_read_again() -> None:
    assert plan(resweeps=()).overlap == MINUTE


def test_a_poll_reads_from_the_watermark_less_the_overlap() -> None:
    assert poll_range(plan(), NOW, NOW - HOUR) == Slice(NOW - HOUR - 5 * MINUTE, NOW)


def test_the_first_poll_of_all_reads_the_newest_messages_only() -> None:
    assert HOUR > poll_range(plan(), NOW, None).length >= 15 * MINUTE


def test_no_range_reaches_beyond_what_routee_gives() -> None:
    assert poll_range(plan(), NOW, NOW - 30 * DAY).start == NOW - LOOK_BACK
    swept = sweep_range(plan(), NOW, NOW, 7 * DAY)
    assert swept is not None
    assert swept.start >= NOW - 7 * DAY + 4 * MINUTE


def test_a_watermark_in_the_future_is_not_believed() -> None:
    assert poll_range(plan(), NOW, NOW + HOUR) == poll_range(plan(), NOW, None)


def test_a_sweep_ends_where_the_polls_begin() -> None:
    swept = sweep_range(plan(), NOW, NOW - 10 * SECOND, HOUR)
    assert swept is not None
    assert abs(swept.end - (NOW - 10 * SECOND - 5 * MINUTE)) < SECOND
    assert sweep_range(plan(), NOW, NOW - HOUR, HOUR) is None


@given(st.integers(0, 20 * MINUTE))
def test_a_sweep_leaves_no_gap_before_what_polls_know(ago: Duration) -> None:
    known_since = NOW - 10 * SECOND - 5 * MINUTE - ago
    swept = sweep_range(plan(), NOW, NOW - 10 * SECOND, HOUR, known_since)
    assert swept is not None
    assert known_since <= swept.end < known_since + SECOND or swept.end == NOW - 10 * SECOND - 5 * MINUTE - SECOND // 2
    assert swept.end % SECOND == SECOND // 2


def test_a_search_that_messages_can_leave_is_swept_up_to_where_a_poll_begins() -> None:
    narrow = replace(plan(), question=RouteeQuery((Filter("direction", "Outbound"),)))
    known_since = NOW - 20 * MINUTE
    assert sweep_range(narrow, NOW, NOW, HOUR, known_since) == sweep_range(narrow, NOW, NOW, HOUR)


@given(st.integers(-DAY, DAY))
def test_the_next_poll_is_never_further_than_an_interval_whatever_the_clock_did(step: Duration) -> None:
    wait = next_tick(plan(), NOW + step)
    assert 0 < wait <= 30 * SECOND + 1000
    assert tick(plan(), NOW + step + wait) == tick(plan(), NOW + step) + 1


def test_sweeps_are_due_by_their_own_schedule_largest_first() -> None:
    swept = {str(HOUR): NOW - 5 * MINUTE, str(DAY): NOW - 59 * MINUTE, str(7 * DAY): NOW - 7 * HOUR}
    assert due(plan().sweeps, swept, NOW) == [7 * DAY, HOUR]
    assert due(plan().sweeps, swept, NOW, leeway=MINUTE) == [7 * DAY, DAY, HOUR]
    assert due(plan().sweeps, {}, NOW) == [7 * DAY, DAY, HOUR]


def test_a_sweep_that_ran_in_the_future_is_due() -> None:
    assert due(plan().sweeps, {str(b): NOW + HOUR for b, _ in DEFAULTS}, NOW) == [7 * DAY, DAY, HOUR]


def reading(start: Instant, end: Instant, total: int, still: bool = True) -> SliceResult:
    return SliceResult(Slice(start, end), (total, 0, 1), still, np.array([start]))


def test_the_ledger_survives_the_cursor_and_forgets_the_old() -> None:
    ledger = Ledger()
    ledger.remember([reading(0, 10, 5000)])
    ledger.remember([reading(10, 20, 5000)])
    dumped = ledger.dump(oldest=10)
    assert dumped == {"10-20": [5000, 0, 1]}
    assert Ledger.load({**dumped, "junk": [1]}).dump(0) == dumped


def test_what_is_read_again_replaces_what_it_overlaps() -> None:
    ledger = Ledger()
    ledger.remember([reading(0, 10, 5000)])
    ledger.remember([reading(10, 20, 5000)])
    ledger.remember([reading(5, 15, 100)])
    assert ledger.dump(0) == {"5-15": [100, 0, 1]}


def test_a_reading_that_moved_is_no_knowledge() -> None:
    ledger = Ledger()
    ledger.remember([reading(0, 10, 5000)])
    ledger.remember([reading(0, 10, 5000, still=False)])
    assert ledger.dump(0) == {}


def test_a_slice_that_reaches_out_of_the_span_tells_how_many_are_within() -> None:
    ledger = Ledger()
    for start, total in ((0, 0), (100, 4000), (200, 8000)):
        ledger.remember([reading(start, start + 100, total)])
    newest, known, oldest = ledger.parts(Slice(50, 250), 2000, 0)
    assert [(part.slice, part.counts is None) for part in (newest, known, oldest)] == [
        (Slice(200, 250), True),
        (Slice(100, 200), False),
        (Slice(50, 100), True),
    ]
    assert [part.expected for part in (newest, known, oldest)] == [4000, 4000, 0]


def test_a_reading_with_a_record_that_could_not_be_read_is_no_knowledge() -> None:
    ledger = Ledger()
    ledger.remember([reading(0, 10, 5000)])
    ledger.remember([SliceResult(Slice(0, 10), (5000, 0, 0), still=True, unfinished=None)])
    assert ledger.dump(0) == {}


def test_what_is_unfinished_is_known_of_slices_that_were_read_in_this_run() -> None:
    ledger = Ledger()
    for start in (0, 10, 20):
        ledger.remember([reading(start, start + 10, 900)])
    one, other = ledger.parts(Slice(0, 30), 2000, 2000)
    assert (one.unfinished is not None and one.unfinished.tolist()) == [20]
    assert (other.unfinished is not None and other.unfinished.tolist()) == [0, 10], "of neighbours that are one part"
    [*_, restarted] = Ledger.load(ledger.dump(0)).parts(Slice(0, 30), 2000, 2000)
    assert (restarted.counts, restarted.unfinished) == ((1800, 0, 2), None)


def test_neighbours_are_one_part_only_where_that_saves_pages() -> None:
    ledger = Ledger()
    for start, total in ((0, 100), (10, 200), (20, 5500), (30, 5500)):
        ledger.remember([reading(start, start + 10, total)])
    parts = ledger.parts(Slice(0, 41), 2000, 5700)
    assert [part.slice for part in parts] == [Slice(40, 41), Slice(30, 40), Slice(20, 30), Slice(0, 20)]
    assert [part.counts for part in parts] == [None, (5500, 0, 1), (5500, 0, 1), (300, 0, 2)]


def test_a_quiet_span_is_one_part_whether_known_or_not() -> None:
    ledger = Ledger()
    assert len(ledger.parts(Slice(0, 100), 2000, 5700)) == 1
    ledger.remember([reading(10, 50, 30)])
    ledger.remember([reading(60, 70, 30)])
    assert [part.slice for part in ledger.parts(Slice(0, 100), 2000, 5700)] == [Slice(0, 100)]


def test_comparing_has_to_cost_less_than_half_the_download() -> None:
    assert worth_comparing((12_001, 0, 1), 2000)
    assert not worth_comparing((12_000, 0, 1), 2000)
    assert worth_comparing((4001, 0, 0), 2000)
    assert not worth_comparing((4000, 0, 0), 2000)


@pytest.mark.parametrize(
    ("every", "late", "ends"), [(30, -1, -1), (30, 0, 0), (30, 249, 0), (30, 250, 250), (1, 99, 0), (1, 100, 100)]
)
def test_a_poll_reads_up_to_when_it_was_due_unless_it_is_late(every: int, late: int, ends: int) -> None:
    it = plan(every * SECOND)
    at = NOW // it.every * it.every + it.phase + MILLISECOND
    assert punctual(it, at + late * MILLISECOND) == at + ends * MILLISECOND
