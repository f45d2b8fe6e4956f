"""Instants and durations as people write them, and clocks that run as tests and demos need."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from monitor.runtime.clock import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    SystemClock,
    TrioClock,
    format_duration,
    from_datetime,
    iso,
    parse_duration,
    parse_iso,
    to_datetime,
)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("1s", SECOND),
        ("90s", 90 * SECOND),
        ("1h30m", 90 * MINUTE),
        ("7d", 7 * DAY),
        ("1d1h1m1s", DAY + HOUR + 61 * SECOND),
    ],
)
def test_durations_are_read(text: str, duration: int) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "0s", "5", "5 m", "-5m", "1.5h", "30m1h", "5M", "٣s", "1w", "99999999d", "9" * 50 + "s", "5m\n"]
)
def test_what_is_no_duration_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.integers(1, 36_500 * 86_400))
def test_whole_seconds_are_written_as_they_are_read(seconds: int) -> None:
    assert parse_duration(format_duration(seconds * SECOND)) == seconds * SECOND


def test_durations_are_written_to_the_second() -> None:
    assert format_duration(0) == format_duration(999_999) == "0s"
    assert format_duration(-90 * SECOND) == "-1m30s"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T17:07:04Z",
        "2026-11-21T17:07:04+00:00",
        "2026-11-21T19:07:04+0200",
        "2026-11-21T17:07:04",
        " 2026-11-21 17:07:04 ",
    ],
)
def test_instants_are_read_in_every_usual_form(text: str) -> None:
    assert iso(parse_iso(text)) == "2026-11-21T17:07:04Z"


@given(st.integers(0, 4_000_000_000_000_000))
def test_an_instant_survives_being_written(instant: int) -> None:
    assert parse_iso(iso(instant)) == instant
    assert from_datetime(to_datetime(instant)) == instant


def test_a_naive_moment_is_utc() -> None:
    assert from_datetime(to_datetime(SECOND).replace(tzinfo=None)) == SECOND


async def test_trios_clock_runs_as_fast_as_it_is_told(autojump_clock: MockClock) -> None:
    clock = TrioClock(5 * DAY, speed=60)
    await clock.sleep(HOUR)
    assert clock.now() == 5 * DAY + HOUR
    assert trio.current_time() == pytest.approx(60)


async def test_no_clock_waits_for_the_past(autojump_clock: MockClock) -> None:
    for clock in (TrioClock(0), SystemClock()):
        await clock.sleep(-HOUR)
    assert trio.current_time() == pytest.approx(0)


def test_the_machines_clock_gives_microseconds() -> None:
    assert parse_iso("2020-01-01T00:00:00Z") < SystemClock().now() < parse_iso("2200-01-01T00:00:00Z")
