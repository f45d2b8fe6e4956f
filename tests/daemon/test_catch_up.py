"""How much of the past has been read: lines at steps for a log, a line that changes for a terminal."""

import logging

import pytest

from monitor.daemon.catch_up import CatchUp
from monitor.runtime.clock import MINUTE, SECOND
from tests.fakes.hand_clock import HandClock

COURSE = (0.0, 0.1, 0.26, 0.27, 0.5, 0.99, 1.0)


def test_a_log_is_told_at_steps_and_of_the_end(caplog: pytest.LogCaptureFixture) -> None:
    clock = HandClock(0)
    catch_up = CatchUp(clock)
    with caplog.at_level(logging.INFO, "monitor"):
        for share in COURSE:
            catch_up.reached("main", "outbound", share)
            clock.at += 10 * SECOND
        catch_up.reached("main", "outbound", 1.0)
    said = [record.getMessage().removeprefix("search outbound of account main") for record in caplog.records]
    assert said[0].startswith(" reads past messages")
    assert said[1:] == [
        ": 26% of the past messages are read",
        ": 50% of the past messages are read",
        ": 99% of the past messages are read",
        ": all past messages were read, in 1m",
    ]


def test_the_line_goes_with_the_account_that_is_given_away_before_all_was_read() -> None:
    shown: list[str] = []
    catch_up = CatchUp(HandClock(0), shown.append)
    catch_up.reached("otp", "codes", 0.0)
    catch_up.reached("main", "outbound", 0.1)
    catch_up.keep({"main"})
    assert shown[-1] == "reading the past: outbound 10%"
    catch_up.keep(())
    assert shown[-1] == ""
    catch_up.keep(())
    assert len(shown) == 4, "only what changes is shown"


def test_a_restart_that_has_the_past_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    shown: list[str] = []
    with caplog.at_level(logging.INFO, "monitor"):
        CatchUp(HandClock(0), shown.append).reached("main", "outbound", 1.0)
    assert (caplog.records, [text for text in shown if text]) == ([], [])


def test_a_terminal_shows_each_search_and_about_how_long_it_will_take(caplog: pytest.LogCaptureFixture) -> None:
    shown: list[str] = []
    clock = HandClock(0)
    catch_up = CatchUp(clock, shown.append)
    with caplog.at_level(logging.INFO, "monitor"):
        catch_up.reached("main", "outbound", 0.0)
        clock.at += MINUTE
        catch_up.reached("main", "outbound", 0.25)
        catch_up.reached("main", "inbound", 0.5)
        catch_up.reached("main", "inbound", 1.0)
        catch_up.reached("main", "outbound", 1.0)
    assert shown == [
        "reading the past: outbound 0%",
        "reading the past: outbound 25%, about 3m left",
        "reading the past: outbound 25%, inbound 50%, about 3m left",
        "reading the past: outbound 25%, about 3m left",
        "",
    ]
    assert not any("25%" in record.getMessage() for record in caplog.records), "the line shows it"
