"""Turns at long work: a few at a time, and of those that wait the smallest first, so that it need not wait for a large one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from heapq import heapify, heappop, heappush
from itertools import count

import trio


class SmallestFirst:
    """Gives out turns, ``at_once`` of them at a time."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._measuring = 0
        self._waiting: list[tuple[int, int, trio.Event]] = []
        self._order = count()

    @asynccontextmanager
    async def turn(self, measure: Callable[[], Awaitable[int]]) -> AsyncIterator[None]:
        """Waits for a turn, which lasts for the block. ``measure`` returns how large the work is; no turn begins while one is measured."""
        self._measuring += 1
        try:
            size = await measure()
        except BaseException:
            self._measuring -= 1
            self._give()
            raise
        self._measuring -= 1
        entry = (size, next(self._order), trio.Event())
        heappush(self._waiting, entry)
        self._give()
        try:
            await entry[-1].wait()
        except BaseException:
            self._withdraw(entry)
            raise
        try:
            yield
        finally:
            self._free += 1
            self._give()

    def _give(self) -> None:
        while self._waiting and self._free and not self._measuring:
            self._free -= 1
            heappop(self._waiting)[-1].set()

    def _withdraw(self, entry: tuple[int, int, trio.Event]) -> None:
        if entry in self._waiting:
            self._waiting.remove(entry)
            heapify(self._waiting)
        else:  # its turn had just come
            self._free += 1
        self._give()
