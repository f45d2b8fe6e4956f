"""Lasting troubles are said, but not over and over."""

import logging

import pytest

from monitor.runtime.clock import MINUTE, SECOND
from monitor.runtime.throttled_log import ThrottledLog
from tests.fakes.hand_clock import HandClock

log = logging.getLogger("monitor.test")


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "monitor.test")
    return caplog


def lines(said: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in said.records]


def test_a_new_reason_is_said_at_once_and_a_number_does_not_make_one(said: pytest.LogCaptureFixture) -> None:
    trouble = ThrottledLog(log, "it", HandClock())
    for reason in ("503 after 1.2s", "503 after 7.9s", "no such host", "503 after 3s"):
        trouble.arose(reason)
    assert lines(said) == ["it: 503 after 1.2s", "it: no such host (1 more failure since this was last logged)"]


def test_the_end_is_said_with_the_number_of_failures(said: pytest.LogCaptureFixture) -> None:
    trouble = ThrottledLog(log, "it", HandClock())
    trouble.over()
    trouble.arose("why")
    trouble.over()
    trouble.over()
    assert lines(said) == ["it: why", "it: works again after 1 failure"]


def test_trouble_that_comes_and_goes_is_said_every_ten_minutes_only(said: pytest.LogCaptureFixture) -> None:
    clock = HandClock()
    trouble = ThrottledLog(log, "it", clock)
    for _ in range(60):
        trouble.arose("why")
        trouble.over()
        clock.at += 20 * SECOND
    assert lines(said) == [
        "it: why",
        "it: works again after 1 failure",
        "it: why (29 more failures since this was last logged)",
        "it: works again after 1 failure",
    ]


def test_a_clock_that_was_set_back_silences_nothing(said: pytest.LogCaptureFixture) -> None:
    clock = HandClock()
    trouble = ThrottledLog(log, "it", clock)
    trouble.arose("why")
    clock.at -= MINUTE
    trouble.arose("why")
    assert len(lines(said)) == 2


def test_endless_different_reasons_are_not_all_remembered(said: pytest.LogCaptureFixture) -> None:
    trouble = ThrottledLog(log, "it", HandClock())
    for letter in "abcdefghijklmnopqrstuvwxyz":
        trouble.arose(letter)
    trouble.arose("z")
    trouble.arose("a")
    assert lines(said)[-1] == "it: a (1 more failure since this was last logged)"
