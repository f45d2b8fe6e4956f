"""A time of day by the wall clock, over days on which the clocks change."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.routing.wall_clock import DailyTime
from monitor.runtime.clock import SECOND, iso, parse_iso, to_datetime

ATHENS = "Europe/Athens"
ZONES = [
    ATHENS,
    "UTC",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "Africa/Cairo",
]


@pytest.mark.parametrize(
    ("minute", "day", "instant"),
    [
        (8 * 60, date(2026, 11, 30), "2026-11-30T06:00:00Z"),
        (8 * 60, date(2026, 7, 1), "2026-07-01T05:00:00Z"),
        (
            3 * 60 + 30,
            date(2026, 3, 29),
            "2026-03-29T01:00:00Z",
        ),  # 03:00 to 04:00 do not exist: 04:00, the first later time
        (3 * 60 + 30, date(2026, 10, 25), "2026-10-25T00:30:00Z"),  # comes twice: the first time
        (0, date(2026, 3, 29), "2026-03-28T22:00:00Z"),
    ],
)
def test_a_time_in_athens(minute: int, day: date, instant: str) -> None:
    assert DailyTime(minute, (), ATHENS).on(day) == parse_iso(instant)


def test_weekdays_are_those_of_the_zone() -> None:
    monday = DailyTime(30, ((1, 1),), ATHENS)  # 00:30 on Monday in Athens is Sunday in UTC
    assert iso(monday.after(parse_iso("2026-11-25T00:00:00Z")))[:16] == "2026-11-29T22:30"
    assert iso(monday.before(parse_iso("2026-11-29T22:30:00Z")))[:16] == "2026-11-22T22:30"
    assert iso(monday.after_day(date(2026, 11, 30)))[:16] == "2026-12-06T22:30"


@given(
    st.integers(0, 24 * 60 - 1),
    st.sampled_from(ZONES),
    st.integers(parse_iso("2026-01-01T00:00:00Z") // SECOND, parse_iso("2028-01-01T00:00:00Z") // SECOND),
    st.sampled_from([(), ((1, 1),), ((1, 5),), ((0, 0), (6, 6))]),
)
def test_each_chosen_date_has_one_time_and_they_follow_each_other(
    minute: int, zone: str, second: int, weekdays: tuple[tuple[int, int], ...]
) -> None:
    times, at = DailyTime(minute, weekdays, zone), second * SECOND
    after, before = times.after(at), times.before(at)
    assert before < at < after
    assert times.before(after + 1) == after
    assert times.after(before - 1) == before
    assert times.after_day(times.day_of(before)) in (at, after)
    for found in (after, before):
        wall = to_datetime(found).astimezone(ZoneInfo(zone))
        wanted = timedelta(minutes=minute)
        shown = timedelta(hours=wall.hour, minutes=wall.minute)
        earlier = (to_datetime(found) - timedelta(minutes=1)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert shown == wanted or earlier < datetime.combine(wall.date(), datetime.min.time()) + wanted
        assert not weekdays or any(first <= wall.isoweekday() % 7 <= last for first, last in weekdays)
