"""How values are written for people."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.format import BARS, GAP, amount, datetime, duration, mask, number, percent, sparkline
from monitor.notify.render import sample_view, sentence
from monitor.notify.render.notification_text import measured
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.342, "34.2%"),
        (0.2, "20%"),
        (0.0034, "0.34%"),
        (0.0, "0%"),
        (1.0, "100%"),
        (0.99999, ">99.9%"),
        (12.5, "1,250%"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_percent(value: float | None, text: str) -> None:
    assert percent(value) == text


def test_percent_with_digits_has_exactly_so_many() -> None:
    assert percent(0.2, 2) == "20.00%"
    assert percent(0.923, 0) == "92%"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1204, "1,204"), (12.345, "12.3"), (0.045, "0.045"), (62.0, "62"), (-3.0, "-3"), (None, "–"), (0, "0")],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (15 * MINUTE, "15m"),
        (90 * MINUTE, "1h30m"),
        (HOUR + MINUTE + SECOND, "1h1m"),
        (2 * DAY + 3 * HOUR + 4 * MINUTE, "2d3h"),
        (42.0, "42s"),
        (4.25, "4.2s"),
        (0.35, "350ms"),
        (0, "0s"),
        (-90 * SECOND, "-1m30s"),
        (None, "–"),
    ],
)
def test_duration_reads_whole_numbers_as_microseconds_and_fractions_as_seconds(value: float | None, text: str) -> None:
    assert duration(value) == text


def test_datetime_is_utc() -> None:
    assert datetime(1_795_280_824 * SECOND) == "2026-11-21 17:07:04 UTC"
    assert datetime(1_795_280_824 * SECOND, "%H:%M") == "17:07"
    assert datetime(None) == "–"


def test_sparkline_starts_at_zero_and_shows_gaps() -> None:
    assert sparkline([0.0, 1.0, None, 2.0]) == f"▁▅{GAP}█"
    assert sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([5.0, 5.0]) == "██"
    assert sparkline([None, None]) == ""


def test_sparkline_keeps_the_peak_when_it_gathers() -> None:
    assert sparkline([0.0] * 50 + [9.0] + [0.0] * 49, width=10).count("█") == 1


@given(st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), max_size=300), st.integers(-5, 500))
def test_sparkline_takes_any_values(values: list[float | None], width: int) -> None:
    drawn = sparkline(values, width)
    assert len(drawn) <= max(width, 1)
    assert set(drawn) <= set(BARS + GAP)


@given(st.none() | st.floats() | st.integers(-(10**30), 10**30))
def test_every_number_can_be_written(value: float | None) -> None:
    assert all(write(value) for write in (percent, number, duration))


def test_mask_hides_the_middle_of_a_number() -> None:
    assert mask("+306912345678") == "+30691•••••78"


def test_amounts_are_written_in_their_unit() -> None:
    assert [amount(0.5, "share"), amount(62.0, "count"), amount(30.0, "seconds"), amount(103.5, "money")] == [
        "50%",
        "62",
        "30s",
        "103.50",
    ]


@pytest.mark.parametrize(
    ("value", "limit", "unit", "shown"),
    [
        (0.04021, 0.04, "share", ("4.02%", "4%")),
        (0.04, 0.0401, "share", ("4%", "4.01%")),
        (0.2, 0.2, "share", ("20%", "20%")),
        (0.3, 0.2, "share", ("30%", "20%")),
        (0.9996, 0.9997, "share", ("99.96%", "99.97%")),
        (0.1 + 0.2, 0.3, "share", ("30%", "30%")),
        (30.004, 30.0, "seconds", ("30.004s", "30s")),
        (5442.5, 5400.0, "seconds", ("1h30m42s", "1h30m0s")),
        (4.22, 4.2, "seconds", ("4.22s", "4.2s")),
        (100.004, 100.0, "money", ("100.004", "100.000")),
        (99.990000001, 99.99, "money", ("99.990000001", "99.990000000")),
        (100.5, 100.25, "money", ("100.50", "100.25")),
        (12.34, 12.3, "count", ("12.34", "12.3")),
        (1_204.0, 1_204.0, "count", ("1,204", "1,204")),
        (None, 0.2, "share", ("–", "20%")),
        (1e300, 1e299, "seconds", (None, None)),
    ],
)
def test_a_value_is_told_from_its_threshold(value, limit, unit, shown):
    found = amount(value, unit, limit), amount(limit, unit, value)
    assert all(one in (mine, None) for mine, one in zip(found, shown, strict=True)), found
    assert all(len(one) < 500 for one in found)


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from(("share", "seconds", "money", "count")))
def test_values_that_are_not_all_the_same_look_different_beside_each_other(value, limit, unit):
    shown = amount(value, unit, limit), amount(limit, unit, value)
    if abs(value - limit) > 1e-5:
        assert shown[0] != shown[1]
    if amount(value, unit) != amount(limit, unit):
        assert shown == (amount(value, unit), amount(limit, unit)), "no more digits than needed"


def test_a_sentence_tells_the_value_from_its_threshold():
    view = msgspec.structs.replace(sample_view("Failing", "rate"), value=0.04021, threshold=0.04, baseline=None)
    assert sentence(view).startswith("Failing: 4.02% of ")
    assert sentence(view).endswith(", threshold 4%")
    assert measured(view) == "4.02% (threshold 4%)"
