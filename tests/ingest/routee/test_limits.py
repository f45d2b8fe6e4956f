"""The pace of an account, in virtual time."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from monitor.ingest.routee.rate_limit import Paused, Steady, TokenBucket
from monitor.runtime.clock import SECOND, TrioClock

LONG = 3600 * SECOND


async def times(per_second: float, arrivals: list[float]) -> list[float]:
    """When callers that arrive at these times get their turn."""
    pace = TokenBucket(per_second, Steady(TrioClock(0)))
    turns: list[float] = []

    async def take(arrival: float) -> None:
        await trio.sleep(arrival)
        await pace.take(LONG)
        turns.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        for arrival in arrivals:
            nursery.start_soon(take, arrival)
    return sorted(turns)


@given(st.floats(0.1, 50), st.lists(st.floats(0, 20), max_size=40))
def test_no_second_sees_more_than_burst_and_rate(per_second: float, arrivals: list[float]) -> None:
    turns = trio.run(times, per_second, arrivals, clock=MockClock(autojump_threshold=0))
    assert len(turns) == len(arrivals)
    burst = max(1.0, per_second)
    for i, first in enumerate(turns):
        for j in range(i, len(turns)):
            assert j - i + 1 <= burst + (turns[j] - first) * per_second + 1e-3


async def test_turns_come_in_order_of_arrival(autojump_clock: MockClock) -> None:
    pace, order = TokenBucket(2, Steady(TrioClock(0))), []

    async def take(number: int) -> None:
        await trio.sleep(number / 1000)
        await pace.take(LONG)
        order.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(take, number)
    assert order == list(range(20))


async def test_a_pause_begun_while_others_wait_holds_them_too(autojump_clock: MockClock) -> None:
    pace = TokenBucket(1, Steady(TrioClock(0)))
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(pace.take, LONG)
        await trio.sleep(0.5)
        pace.pause(10 * SECOND)
        pace.pause(5 * SECOND)
    assert trio.current_time() - began == pytest.approx(11.5, abs=0.01)


async def test_a_pause_that_lasts_too_long_is_refused_with_what_is_left(autojump_clock: MockClock) -> None:
    pace = TokenBucket(1, Steady(TrioClock(0)))
    pace.pause(60 * SECOND)
    await trio.sleep(20)
    with pytest.raises(Paused) as raised:
        await pace.take(30 * SECOND)
    assert raised.value.wait == 40 * SECOND
    await pace.take(41 * SECOND)


async def test_a_cancelled_caller_takes_no_turn(autojump_clock: MockClock) -> None:
    pace = TokenBucket(1, Steady(TrioClock(0)))
    await pace.take(LONG)
    began = trio.current_time()
    with trio.move_on_after(0.5):
        await pace.take(LONG)
    await pace.take(LONG)
    assert trio.current_time() - began == pytest.approx(1, abs=0.01)
