"""Reads the store for pages and the API, so that a crowd of readers never delays for long what else needs the store."""

from collections.abc import Callable
from typing import Final, TypeVar

import trio

from monitor.runtime.errors import StoreBusy
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import Store

MOST_WAITING: Final = 50
"""The most reads that wait for the one before them."""

T = TypeVar("T")


class StoreReads:
    """Makes one read at a time. The store takes its calls in order, so a poll's commit waits for at most one of these reads."""

    def __init__(self, store: AsyncStore) -> None:
        self._store, self._one = store, trio.Lock()

    async def run(self, call: Callable[[Store], T]) -> T:
        """Runs ``call`` with the store in its worker thread. Raises StoreError, and StoreBusy if too many reads wait already."""
        if self._one.statistics().tasks_waiting >= MOST_WAITING:
            raise StoreBusy("too many ask for what is in the store; try again in a few seconds")
        async with self._one:
            return await self._store.run(call)
