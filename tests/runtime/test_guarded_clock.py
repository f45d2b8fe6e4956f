"""The machine's clock, set by whoever likes, and what the daemon takes for the time."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND
from monitor.runtime.guarded_clock import TOLERANCE, UNCONTRADICTED, GuardedClock, boot_time
from tests.fakes.hand_clock import HandClock

STEPS = st.sampled_from([0, SECOND, -SECOND, MINUTE, -MINUTE, HOUR, -HOUR, 3 * HOUR, -3 * HOUR, 30 * DAY, -30 * DAY])


class Machine:
    """``true`` is what time it really is, ``wall`` what the machine says."""

    def __init__(self, off: int = 0) -> None:
        self.wall = HandClock()
        self.true, self.passed = self.wall.at, 5 * HOUR
        self.wall.at += off
        self.clock = GuardedClock(self.wall, lambda: self.passed)

    def pass_(self, duration: int) -> None:
        self.wall.at += duration
        self.true += duration
        self.passed += duration

    def set(self, step: int) -> None:
        self.wall.at += step

    def hear(self) -> None:
        self.clock.heard(self.true // SECOND * SECOND)

    @property
    def off(self) -> int:
        return self.clock.now() - self.true


@pytest.mark.parametrize("step", [3 * HOUR, -3 * HOUR, MINUTE, -MINUTE, 400 * DAY])
def test_a_clock_that_is_set_wrong_is_not_followed_and_neither_is_its_way_back(step: int) -> None:
    machine = Machine()
    machine.hear()
    for _ in range(100):
        machine.set(step)
        machine.pass_(MINUTE)
        assert machine.off == 0
        machine.hear()
        machine.pass_(MINUTE)
        machine.set(-step)
        assert machine.off == 0


@pytest.mark.parametrize("off", [3 * HOUR, -3 * HOUR])
def test_a_clock_that_is_put_right_is_followed_at_once(off: int, caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(off)
    machine.hear()
    assert (machine.off, machine.clock.is_sure) == (off, False)
    assert "this machine's clock is 3h" in caplog.text
    machine.pass_(MINUTE)
    machine.set(-off)
    assert machine.off == 0
    machine.hear()
    assert machine.clock.is_sure


def test_by_a_clock_that_is_contradicted_or_unknown_nothing_is_forgotten_for_good() -> None:
    machine = Machine(400 * DAY)
    assert not machine.clock.may_forget
    machine.hear()
    machine.pass_(DAY)
    assert not machine.clock.may_forget
    machine.set(-400 * DAY)
    assert machine.clock.may_forget
    alone = Machine()
    alone.pass_(UNCONTRADICTED - 1)
    assert not alone.clock.may_forget
    alone.pass_(1)
    assert alone.clock.may_forget
    assert alone.wall.may_forget


def test_by_a_clock_that_the_database_s_contradicts_nothing_is_forgotten_unless_routee_confirms_it() -> None:
    machine = Machine()
    machine.clock.doubt(True)
    machine.pass_(2 * UNCONTRADICTED)
    assert not machine.clock.may_forget
    machine.clock.doubt(False)
    assert machine.clock.may_forget
    machine.clock.doubt(True)
    machine.hear()
    assert machine.clock.may_forget, "the database's clock is the one that is wrong"


def test_the_machine_sleeping_is_time_that_has_passed() -> None:
    machine = Machine()
    machine.hear()
    machine.pass_(9 * HOUR)
    assert machine.off == 0


def test_leap_seconds_and_slow_corrections_are_followed_as_they_come(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    machine.hear()
    for _ in range(3_600):
        machine.pass_(SECOND)
        machine.set(-500)
        assert machine.clock.now() == machine.wall.at
    machine.set(-SECOND)
    assert machine.clock.now() == machine.wall.at
    assert not caplog.records


def test_where_nobody_can_be_asked_the_clock_is_believed_in_the_end() -> None:
    machine = Machine()
    machine.set(HOUR)
    assert machine.off == 0
    machine.pass_(UNCONTRADICTED - 1)
    assert machine.off == 0
    machine.pass_(1)
    assert machine.off == HOUR


def test_a_clock_that_drifts_away_is_complained_of_before_it_matters_much_and_once_more_when_it_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine = Machine()
    for _ in range(100):
        machine.hear()
        machine.pass_(SECOND)
        machine.set(SECOND)
    assert [record.getMessage() for record in caplog.records] == [
        "this machine's clock is 21s ahead of Routee's: set it right",
        "this machine's clock is 1m1s ahead of Routee's: set it right",
    ]


def test_a_right_clock_is_not_complained_of_because_an_answer_took_long(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    for _ in range(5):
        date = machine.true // SECOND * SECOND
        machine.pass_(29 * SECOND)
        machine.clock.heard(date, 29 * SECOND)
        machine.hear()
    assert not caplog.records


def test_a_clock_about_the_limit_is_complained_of_once(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(20 * SECOND)
    for _ in range(100):
        machine.hear()
        machine.pass_(SECOND * 7 // 10)
        machine.set(SECOND if machine.wall.at - machine.true < 21 * SECOND else -SECOND)
    assert len(caplog.records) == 1


def test_it_is_said_once_that_the_clock_was_set_and_once_that_it_is_followed_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine = Machine()
    machine.hear()
    with caplog.at_level(logging.INFO, "monitor"):
        machine.set(HOUR)
        for _ in range(9):
            machine.pass_(MINUTE)
            machine.clock.now()
        machine.set(-HOUR)
        machine.clock.now()
    assert [record.getMessage() for record in caplog.records] == [
        "the machine's clock was set 1h ahead",
        "the machine's clock is used again",
    ]


@given(st.lists(st.tuples(STEPS, st.integers(0, 2 * HOUR)), max_size=30))
def test_whatever_is_done_to_a_clock_that_was_right_the_time_is_right_and_runs_on(moves: list[tuple[int, int]]) -> None:
    machine = Machine()
    machine.hear()
    before = machine.clock.now()
    for step, duration in moves:
        machine.set(step if abs(step) > 3 * TOLERANCE else 0)
        machine.pass_(duration)
        machine.hear()
        assert abs(machine.off) <= TOLERANCE
        assert machine.clock.now() >= before
        before = machine.clock.now()


def test_time_passes_on_this_machine() -> None:
    first = boot_time()
    clock = GuardedClock()
    assert boot_time() >= first > 0
    assert abs(clock.now() - GuardedClock().now()) < TOLERANCE
