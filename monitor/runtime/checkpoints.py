"""Lets other tasks run during long loops and long work, so that thousands of alerts do not delay polling."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Final, TypeVar

import trio

from monitor.runtime.pieces import Work

_MOST_AT_ONCE: Final = 50
_LONGEST: Final = 0.005
"""Seconds for which a loop may block other tasks; one item may take as long at worst."""

T = TypeVar("T")


class with_checkpoints(AsyncIterator[T]):  # noqa: N801  # used like a function
    """Yields the items one by one. Lets other tasks run after every 50th item, and after an item once 5 ms have passed.

    Not an asynchronous generator, which each loop that is left early would have to close.
    """

    def __init__(self, items: Iterable[T]) -> None:
        self._items = iter(items)
        self._number = 0
        self._began = time.perf_counter()

    async def __anext__(self) -> T:
        if self._number and (self._number % _MOST_AT_ONCE == 0 or time.perf_counter() - self._began > _LONGEST):
            await trio.lowlevel.checkpoint()
            self._began = time.perf_counter()
        self._number += 1
        try:
            return next(self._items)
        except StopIteration:
            raise StopAsyncIteration from None


class Pieces:
    """Does work in pieces of about ``longest`` seconds, and lets other tasks run in between.

    ``elapsed`` returns seconds since any fixed moment. A piece is longer where the work has nowhere to be interrupted.
    """

    def __init__(self, longest: float = _LONGEST, elapsed: Callable[[], float] = time.perf_counter) -> None:
        self._longest = longest
        self._elapsed = elapsed

    async def do(self, work: Work[T]) -> T:
        """Does the work and returns its result. If it is cancelled in between, the rest of the work is not done."""
        began = self._elapsed()
        try:
            while True:
                next(work)
                if self._elapsed() - began >= self._longest:
                    await trio.lowlevel.checkpoint()
                    began = self._elapsed()
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            work.close()


async def work_off(steps: Iterator[None]) -> None:
    """Does work that pauses by itself, and lets other tasks run in the pauses."""
    for _ in steps:
        await trio.lowlevel.checkpoint()
