"""Who gets the next turn at long work."""

import random
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from monitor.daemon.smallest_first import SmallestFirst


def takes(seconds: float, size: int) -> Callable[[], Awaitable[int]]:
    async def measure() -> int:
        await trio.sleep(seconds)
        return size

    return measure


class Work:
    """``done`` has the sizes in the order in which their turns began. A turn takes as many seconds as its size."""

    def __init__(self, at_once: int) -> None:
        self.turns, self.done, self.under_way, self.most = SmallestFirst(at_once), list[int](), 0, 0

    async def do(self, size: int, measured: float = 0.0) -> None:
        async with self.turns.turn(takes(measured, size)):
            self.done.append(size)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            try:
                await trio.sleep(size)
            finally:
                self.under_way -= 1


@pytest.mark.parametrize("seed", range(20))
async def test_of_those_that_come_together_the_smallest_begin_and_no_more_than_allowed_are_under_way(
    seed: int, autojump_clock: trio.testing.MockClock
) -> None:
    chance = random.Random(seed)
    work, sizes = Work(2), chance.sample(range(1, 50), 9)
    async with trio.open_nursery() as nursery:
        for size in sizes:
            nursery.start_soon(work.do, size, chance.random())
    assert (sorted(work.done[:2]), work.done[2:], work.most) == (sorted(sizes)[:2], sorted(sizes)[2:], 2)


async def test_a_small_one_that_comes_later_does_not_wait_for_one_large_one(
    autojump_clock: trio.testing.MockClock,
) -> None:
    work = Work(2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work.do, 100)
        await trio.sleep(1)
        await work.do(2)
        assert trio.current_time() == 3


@pytest.mark.parametrize("cancelled_after", [0.5, 2.0, 5.0])
async def test_a_turn_that_is_cancelled_goes_to_the_next_one(
    cancelled_after: float, autojump_clock: trio.testing.MockClock
) -> None:
    """While it is measured, while it waits, and while it works."""
    work = Work(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work.do, 4)
        await trio.sleep(0.1)
        with trio.move_on_after(cancelled_after):
            await work.do(10, measured=1)
        await work.do(3)
    assert work.most == 1
    with trio.fail_after(2):
        await work.do(1)


async def test_a_measure_that_fails_holds_up_nobody(autojump_clock: trio.testing.MockClock) -> None:
    work = Work(1)

    async def fails() -> int:
        await trio.sleep(1)
        raise ValueError("no answer")

    async def failing() -> None:
        with pytest.raises(ValueError, match="no answer"):
            async with work.turns.turn(fails):
                raise AssertionError

    async with trio.open_nursery() as nursery:
        nursery.start_soon(failing)
        await trio.sleep(0.1)
        with trio.fail_after(3):
            await work.do(1)
