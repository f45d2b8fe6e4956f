"""When a worker's clock counts as wrong, and when as right again."""

import pytest

from monitor.daemon.fleet.wrong_clock import WrongClock
from monitor.model.fleet import Fleet
from monitor.runtime.clock import MILLISECOND, MINUTE, SECOND, Duration

NOBODY = Fleet()


@pytest.mark.parametrize("side", [1, -1], ids=["ahead", "behind"])
def test_a_clock_just_at_a_minute_is_not_wrong_and_right_in_turn(side: int) -> None:
    clock = WrongClock()
    assert not clock.follow(1, (), NOBODY, side * MINUTE)
    turns = [clock.follow(1, (), NOBODY, side * (MINUTE + (-1) ** beat * 200 * MILLISECOND)) for beat in range(20)]
    assert turns == [True, *[False] * 19]
    assert clock.is_wrong


@pytest.mark.parametrize("ahead", [45 * SECOND, 0, -45 * SECOND])
def test_a_clock_that_was_set_right_is_right_again(ahead: Duration) -> None:
    clock = WrongClock()
    assert clock.follow(1, (), NOBODY, 2 * MINUTE)
    assert clock.follow(1, (), NOBODY, ahead)
    assert not clock.is_wrong
    assert not clock.follow(1, (), NOBODY, 59 * SECOND), "less than a minute makes no right clock wrong"
