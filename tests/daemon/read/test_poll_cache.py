"""What is kept from one poll to the next: made once for many, and never from before a poll that came earlier than the question."""

from weakref import WeakSet

import pytest
import trio
from trio.testing import MockClock

from monitor.daemon.read.poll_cache import PollCache


class Large:
    """A result that takes much memory."""


class Counting:
    """A poll every ``every`` seconds, and something that takes ``seconds`` to count."""

    def __init__(self, every: float, seconds: float) -> None:
        self._every, self._seconds = every, seconds
        self.made: list[int] = []
        self.cache = PollCache(self.poll, most=2)

    def poll(self) -> int:
        return int(trio.current_time() // self._every)

    async def count(self) -> int:
        poll = self.poll()
        self.made.append(poll)
        await trio.sleep(self._seconds)
        return poll

    async def ask(self) -> None:
        before = self.poll()
        assert await self.cache.get("key", self.count) >= before


async def test_it_is_made_once_for_many_also_where_polls_come_faster_than_it_is_made(autojump_clock: MockClock) -> None:
    counting = Counting(every=5, seconds=7)
    async with trio.open_nursery() as asking:
        for _ in range(20):
            asking.start_soon(counting.ask)
        await trio.sleep(6)
        for _ in range(20):  # a poll came since the first began
            asking.start_soon(counting.ask)
    assert len(counting.made) == 2


async def test_what_was_made_before_a_poll_is_not_kept(autojump_clock: MockClock) -> None:
    counting, kept = Counting(every=5, seconds=0), WeakSet[Large]()

    async def make() -> Large:
        made = Large()
        kept.add(made)
        return made

    for key in ("a", "b", "c"):
        await counting.cache.get(key, make)
    assert len(kept) == 2, "the most that is kept"
    await trio.sleep(5)
    await counting.cache.get("d", make)
    assert len(kept) == 1


async def test_after_a_failure_the_next_one_makes_it(autojump_clock: MockClock) -> None:
    counting, errors = Counting(every=100, seconds=1), list[str]()

    async def fail() -> int:
        await trio.sleep(1)
        raise RuntimeError("it failed")

    async def ask_in_vain() -> None:
        with pytest.raises(RuntimeError) as error:
            await counting.cache.get("key", fail)
        errors.append(str(error.value))

    async with trio.open_nursery() as asking:
        asking.start_soon(ask_in_vain)
        await trio.testing.wait_all_tasks_blocked()
        asking.start_soon(counting.ask)
    assert (errors, counting.made) == (["it failed"], [0])
