"""Retry-After: whatever is asked, what is waited is between nothing and a day."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.runtime.clock import DAY, LATEST, SECOND, parse_iso
from monitor.runtime.retry_after import http_date, retry_after

NOW = parse_iso("2026-11-22T08:00:00Z")


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("0", 0),
        (" 30 ", 30 * SECOND),
        ("1.5", round(1.5 * SECOND)),
        ("86400", DAY),
        ("86401", DAY),
        ("9" * 400, DAY),
        ("Sun, 22 Nov 2026 08:00:30 GMT", 30 * SECOND),
        ("Sun, 22 Nov 2026 07:00:00 GMT", 0),
        ("Sun, 22 Nov 2099 07:00:00 GMT", DAY),
        *(
            (text, None)
            for text in ("", None, "1e308", "inf", "nan", "-5", "soon", "١٢", "Fri, 31 Dec 9999 23:59:59 -1400")
        ),
    ],
)
def test_how_long_to_wait(text: str | None, wait: int | None) -> None:
    assert retry_after(text, NOW) == wait


@given(st.one_of(st.text(max_size=40), st.integers().map(str), st.floats().map(str)))
def test_whatever_is_asked_the_wait_is_bounded(text: str) -> None:
    wait = retry_after(text, NOW)
    assert wait is None or 0 <= wait <= DAY


@given(st.text(max_size=40))
def test_a_date_is_within_what_can_be_written(text: str) -> None:
    at = http_date(text)
    assert at is None or 0 <= at <= LATEST


@pytest.mark.parametrize(
    "text",
    ["9999-12-31T23:59:59-14:00", "9999-01-01", "1969-12-31T23:59:59Z", "0001-01-01", "1970-01-01T00:00:00+01:00"],
)
def test_an_instant_out_of_bounds_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match="between 1970 and 9998"):
        parse_iso(text)


def test_the_bounds_themselves_are_instants() -> None:
    assert parse_iso("1970-01-01T00:00:00Z") == 0
    assert parse_iso("9998-12-31T00:00:00Z") == LATEST
