"""Time intervals: minute by minute like a calendar on the wall."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.routing.time_intervals import NamedInterval, TimeInterval, muting
from monitor.runtime.clock import MINUTE, SECOND, from_datetime, parse_iso

ATHENS = "Europe/Athens"
NIGHT = TimeInterval(times=((22 * 60, 1440), (0, 6 * 60)), location=ATHENS)


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        (TimeInterval(), ["1970-01-01T00:00:00Z", "2026-02-28T23:59:59Z"], []),
        (
            TimeInterval(times=((540, 1020),)),
            ["2026-11-21T09:00:00Z", "2026-11-21T16:59:59.999999Z"],
            ["2026-11-21T08:59:59Z", "2026-11-21T17:00:00Z"],
        ),
        (TimeInterval(times=((1380, 1440),)), ["2026-11-21T23:59:59Z"], ["2026-11-22T00:00:00Z"]),
        (
            TimeInterval(weekdays=((1, 5),)),
            ["2026-11-23T00:00:00Z", "2026-11-27T23:59:00Z"],
            ["2026-11-22T23:59:59Z", "2026-11-28T00:00:00Z"],
        ),
        (TimeInterval(weekdays=((0, 0),)), ["2026-11-22T12:00:00Z"], ["2026-11-21T12:00:00Z"]),
        (
            TimeInterval(days_of_month=((-3, -1),)),
            ["2026-02-26T00:00:00Z", "2028-02-29T00:00:00Z", "2026-12-31T23:59:59Z"],
            ["2026-02-25T23:59:59Z", "2028-02-26T00:00:00Z", "2026-12-28T00:00:00Z"],
        ),
        (TimeInterval(days_of_month=((31, 31),)), ["2026-03-31T00:00:00Z"], ["2026-04-30T00:00:00Z"]),
        (TimeInterval(days_of_month=((29, -1),)), ["2028-02-29T00:00:00Z"], ["2026-02-28T00:00:00Z"]),
        (TimeInterval(days_of_month=((-31, 2),)), ["2026-02-01T00:00:00Z"], ["2026-02-03T00:00:00Z"]),
        (TimeInterval(months=((11, 12),)), ["2026-11-01T00:00:00Z"], ["2026-10-31T23:59:59Z"]),
        (TimeInterval(years=((2026, 2027),)), ["2027-12-31T23:59:59Z"], ["2028-01-01T00:00:00Z"]),
        (NIGHT, ["2026-11-21T20:00:00Z", "2026-11-22T03:59:00Z"], ["2026-11-21T19:59:00Z", "2026-11-22T04:00:00Z"]),
        (TimeInterval(weekdays=((6, 6),), location="Asia/Tokyo"), ["2026-11-20T15:00:00Z"], ["2026-11-21T15:00:00Z"]),
    ],
)
def test_what_is_within(interval: TimeInterval, inside: list[str], outside: list[str]) -> None:
    assert [text for text in inside if not interval.contains(parse_iso(text))] == []
    assert [text for text in outside if interval.contains(parse_iso(text))] == []


def test_the_clock_on_the_wall_counts_where_an_hour_is_skipped_or_comes_twice() -> None:
    early = TimeInterval(times=((3 * 60, 4 * 60),), location=ATHENS)
    skipped, twice = parse_iso("2026-03-28T22:00:00Z"), parse_iso("2026-10-24T21:00:00Z")  # midnight in Athens
    assert sum(early.contains(skipped + minute * MINUTE) for minute in range(23 * 60)) == 0
    assert sum(early.contains(twice + minute * MINUTE) for minute in range(25 * 60)) == 120


def test_one_of_several_intervals_under_a_name_is_enough() -> None:
    named = NamedInterval("off", (NIGHT, TimeInterval(weekdays=((0, 0),))))
    assert named.contains(parse_iso("2026-11-22T12:00:00Z"))
    assert named.contains(parse_iso("2026-11-23T21:00:00Z"))
    assert not named.contains(parse_iso("2026-11-23T12:00:00Z"))
    assert not NamedInterval("never", ()).contains(0)


def test_what_mutes_a_route_is_named() -> None:
    noon, midnight = parse_iso("2026-11-23T12:00:00Z"), parse_iso("2026-11-23T23:00:00Z")
    night, day = NamedInterval("night", (NIGHT,)), NamedInterval("day", (TimeInterval(times=((360, 1200),)),))
    assert muting((), (), noon) == ()
    assert (muting((night,), (), noon), muting((night,), (), midnight)) == ((), ("night",))
    assert (muting((), (day,), noon), muting((), (day,), midnight)) == ((), ("day",))
    assert muting((), (day, night), midnight) == ()
    assert muting((night,), (day,), midnight) == ("night", "day")


def members(first: int, last: int) -> st.SearchStrategy[tuple[tuple[int, int], ...]]:
    pair = st.tuples(st.integers(first, last), st.integers(first, last)).map(lambda two: (min(two), max(two)))
    return st.just(()) | st.lists(pair, min_size=1, max_size=2).map(tuple)


days = members(1, 31) | st.sampled_from([((-3, -1),), ((-31, -30),), ((29, -1),), ((1, 1), (-1, -1))])
intervals = st.builds(
    TimeInterval,
    times=members(0, 1440).map(lambda ranges: tuple((first, end) for first, end in ranges if first < end)),
    weekdays=members(0, 6),
    days_of_month=days,
    months=members(1, 12),
    years=members(2025, 2028),
    location=st.sampled_from(["UTC", ATHENS, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
changes = st.sampled_from(
    [date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 8), date(2026, 11, 1), date(2026, 4, 5)]
)


def on_the_wall(interval: TimeInterval, start: datetime, minutes: int) -> list[bool]:
    """By looking at the wall: every set of days is spelled out."""
    found = []
    for number in range(minutes):
        wall = (start + timedelta(minutes=number)).astimezone(ZoneInfo(interval.location))
        following = (wall.date().replace(day=28) + timedelta(days=4)).replace(day=1)
        length = (following - timedelta(days=1)).day
        allowed = set()
        for first, last in interval.days_of_month or ((1, 31),):
            begin = first if first > 0 else length + first + 1
            allowed |= set(range(begin, (last if last > 0 else length + last + 1) + 1))
        ok = wall.day in allowed
        for ranges, value in (
            (interval.months, wall.month),
            (interval.years, wall.year),
            (interval.weekdays, int(wall.strftime("%w"))),
        ):
            ok = ok and (ranges == () or value in {one for a, b in ranges for one in range(a, b + 1)})
        clock = int(wall.strftime("%H")) * 60 + int(wall.strftime("%M"))
        found.append(ok and (interval.times == () or clock in {one for a, b in interval.times for one in range(a, b)}))
    return found


@settings(max_examples=25, deadline=None)
@given(intervals, changes | st.dates(date(2025, 1, 1), date(2028, 12, 31)), st.integers(0, 59))
@example(TimeInterval(times=((0, 200),), location=ATHENS), date(2026, 10, 25), 59)
def test_every_minute_of_a_day_is_as_on_the_wall(interval: TimeInterval, day: date, second: int) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("UTC")) - timedelta(hours=12)
    expected = on_the_wall(interval, start, 36 * 60)
    first = from_datetime(start) + second * SECOND
    assert [interval.contains(first + number * MINUTE) for number in range(36 * 60)] == expected
