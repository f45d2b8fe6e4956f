"""When a channel that does not take something is tried again."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.notify.outbox.backoff import ChannelBackoff
from monitor.runtime.backoff import LONGEST_WAIT, backoff
from monitor.runtime.clock import HOUR, MINUTE, SECOND
from monitor.store.protocol import OutboxRow
from tests.store.store_samples import NOW, notification


def outbox_row(number: int, attempts: int = 0, next_at: int = 0) -> OutboxRow:
    return OutboxRow(number, "slack/0", notification(f"k{number}"), "waiting", attempts, next_at)


def slowest() -> float:
    return 1.0


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_wait_lies_between_nothing_and_its_ceiling(failures: int, fraction: float) -> None:
    ceiling = min(5 * MINUTE, SECOND * 2 ** min(failures - 1, 30))
    assert 0 <= backoff(failures, lambda: fraction) <= ceiling
    assert backoff(failures, slowest) == ceiling


def test_the_channel_pauses_longer_only_as_different_notifications_fail() -> None:
    pace = ChannelBackoff(slowest)
    assert pace.failed(outbox_row(1, attempts=0), None) == (SECOND, SECOND)
    assert pace.failed(outbox_row(1, attempts=7), None) == (128 * SECOND, SECOND)
    assert pace.failed(outbox_row(2, attempts=0), None) == (SECOND, 2 * SECOND)
    pace.answered(outbox_row(3))
    assert pace.failed(outbox_row(1, attempts=20), None) == (LONGEST_WAIT, SECOND)


def test_what_the_other_side_asks_for_holds_for_both() -> None:
    assert ChannelBackoff(slowest).failed(outbox_row(1, attempts=9), 7 * SECOND) == (7 * SECOND, 7 * SECOND)
    assert ChannelBackoff(slowest).failed(outbox_row(1), 5 * HOUR) == (HOUR, HOUR)
    assert ChannelBackoff(slowest).failed(outbox_row(1), 0) == (SECOND, SECOND)


def test_after_an_outage_each_failed_one_is_hurried_once() -> None:
    pace, later = ChannelBackoff(slowest), NOW + MINUTE
    for number in (1, 2):
        pace.failed(outbox_row(number), None)
    assert pace.due_at(outbox_row(1, next_at=later), NOW) == later
    pace.answered(outbox_row(3))
    assert pace.due_at(outbox_row(1, next_at=later), NOW) == NOW
    for number in (1, 2):
        pace.failed(outbox_row(number), None)
    pace.answered(outbox_row(3))
    assert pace.due_at(outbox_row(1, next_at=later), NOW) == later


def test_one_failure_alone_is_no_outage() -> None:
    pace, later = ChannelBackoff(slowest), NOW + MINUTE
    pace.failed(outbox_row(1), None)
    pace.answered(outbox_row(2))
    assert pace.due_at(outbox_row(1, next_at=later), NOW) == later


def test_what_is_due_is_due_now_and_a_time_beyond_any_wait_is_a_clock_set_back() -> None:
    pace = ChannelBackoff(slowest)
    assert pace.due_at(outbox_row(1, next_at=NOW - 30 * HOUR), NOW) == NOW
    assert pace.due_at(outbox_row(1, next_at=NOW + HOUR), NOW) == NOW + HOUR
    assert pace.due_at(outbox_row(1, next_at=NOW + HOUR + 1), NOW) == NOW
