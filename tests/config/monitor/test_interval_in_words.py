"""Intervals in words, as lists of silences show them."""

import pytest

from monitor.config.monitor.interval import in_words, written
from monitor.routing.time_intervals import TimeInterval


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        (
            TimeInterval(((120, 360),), ((0, 0), (6, 6)), location="Europe/Athens"),
            "sunday, saturday 02:00-06:00 Europe/Athens",
        ),
        (TimeInterval(((0, 60), (1380, 1440)), location="UTC"), "00:00-01:00, 23:00-24:00 UTC"),
        (
            TimeInterval(days_of_month=((1, 7),), months=((12, 12),), years=((2026, 2027),)),
            "1:7 december 2026:2027 UTC",
        ),
    ],
)
def test_all_conditions_are_said(interval: TimeInterval, words: str) -> None:
    assert in_words(written(interval)) == words
