"""Lets other tasks run during long loops, so that thousands of alerts do not delay polling."""

import time
from collections.abc import AsyncIterator, Iterable
from typing import Final, TypeVar

import trio

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
