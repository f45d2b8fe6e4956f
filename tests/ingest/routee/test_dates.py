"""Routee's dates: read a page at a time, and as the slow reader reads them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest.routee.dates import UNREADABLE, instants
from monitor.runtime.clock import from_datetime, parse_iso

zones = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones)  # noqa: DTZ001 - bounds are naive by hypothesis' rule
SPELLINGS = (
    lambda moment: moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20),
    lambda moment: moment.isoformat(timespec="milliseconds"),
    lambda moment: moment.isoformat(timespec="microseconds"),
    lambda moment: moment.isoformat(timespec="seconds").replace("T", " "),
    lambda moment: moment.isoformat(timespec="milliseconds")[:-3] + moment.isoformat()[-2:],
    lambda moment: moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "123Z",
    lambda moment: moment.replace(tzinfo=None).isoformat(),
)
spelled = st.tuples(moments, st.sampled_from(SPELLINGS)).map(lambda pair: pair[1](pair[0]))


@given(
    st.lists(
        spelled | st.sampled_from(["", "2026-02-30T00:00:00Z", "2026-11-21", "20261121T170704Z"]) | st.text(max_size=30)
    )
)
def test_dates_are_read_as_the_slow_reader_reads_them(texts: list[str]) -> None:
    assert instants(texts).tolist() == [slowly(text) for text in texts]


def slowly(text: str) -> int:
    try:
        return parse_iso(text)
    except (ValueError, OverflowError):
        return UNREADABLE


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T17:07:04Z",
        "2026-11-21T17:07:04.000Z",
        "2026-11-21T17:07:04.000000Z",
        "2026-11-21T17:07:04.000000000Z",
        "2026-11-21T17:07:04+0000",
        "2026-11-21T17:07:04+00:00",
        "2026-11-21T19:07:04.000+0200",
        "2026-11-21T11:37:04-05:30",
        "2026-11-21T17:07:04",
        "2026-11-21 17:07:04Z",
    ],
)
def test_every_spelling_seen_means_the_same_instant(text: str) -> None:
    expected = from_datetime(datetime(2026, 11, 21, 17, 7, 4, tzinfo=UTC))
    assert instants([text]).tolist() == [expected]
    assert instants(["2026-01-01T00:00:00.5Z", text, ""]).tolist()[1] == expected


@pytest.mark.parametrize("text", ["2016-12-31T23:59:60Z", "2016-12-31T23:59:60", "2017-01-01T05:29:60.000+05:30"])
def test_a_leap_second_is_the_beginning_of_the_next(text: str) -> None:
    assert instants([text]).tolist() == [from_datetime(datetime(2017, 1, 1, tzinfo=UTC))]


def test_a_leap_second_is_read_beside_a_text_of_its_length_that_is_not_ascii() -> None:
    leap = "2016-12-31T23:59:60Z"
    assert instants([leap, "2016-12-31T23:59:5٥Z"]).tolist() == [parse_iso("2017-01-01T00:00:00Z"), UNREADABLE]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "never",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-01-01T24:00:01Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T23:59:61Z",
        "0000-01-01T00:00:00Z",
        "２026-01-01T00:00:00Z",
    ],
)
def test_what_is_no_date_is_unreadable(text: str) -> None:
    assert instants([text, "2026-11-21T17:07:04Z"]).tolist()[0] == UNREADABLE


of_one_month = st.builds(
    "2024-{:02}-{:02}T{:02}:{:02}:{:02}{}".format,
    st.just(2),
    *(st.integers(0, most) for most in (31, 25, 61, 61)),
    st.just("Z"),
)
marked = st.sampled_from(
    ["2024-02-01T00:00:00Z\n", "\n2024-02-01T00:00:00Z", "2024-02-01T00:00:00", "2024-02-0\nT00:00:00Z"]
)


@given(st.lists(of_one_month | marked, min_size=1, max_size=4))
def test_dates_of_one_month_are_read_as_the_slow_reader_reads_them(texts: list[str]) -> None:
    assert instants(texts).tolist() == [slowly(text) for text in texts]


@pytest.mark.parametrize(
    "month", ["0000-01", "2026-00", "2026-13", "2026-0A", "9999-12", "0001-01", "1969-12", "1970-01"]
)
def test_what_is_no_month_has_no_dates(month: str) -> None:
    texts = [f"{month}-{day}T10:00:00Z" for day in ("01", "31")]
    assert instants(texts).tolist() == [slowly(text) for text in texts]
