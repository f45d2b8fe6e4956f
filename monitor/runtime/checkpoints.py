"""Lets other tasks run during long loops, so that thousands of alerts do not delay polling."""

import time
from collections.abc import AsyncIterator, Iterable
from typing import Final, TypeVar

import trio

_MOST_AT_ONCE: Final = 50
_LONGEST: Final = 0.005
"""Seconds for which a loop may block other tasks; one item may take as long at worst."""

T = TypeVar("T")


async def with_checkpoints(items: Iterable[T]) -> AsyncIterator[T]:
    """Yields the items one by one and lets other tasks run after every 50 of them, or after 5 ms."""
    began = time.perf_counter()
    for number, item in enumerate(items, 1):
        yield item
        if number % _MOST_AT_ONCE == 0 or time.perf_counter() - began > _LONGEST:
            await trio.lowlevel.checkpoint()
            began = time.perf_counter()
