"""An async store without its thread, for tests in virtual time, which would jump while a thread works."""

from collections.abc import Callable
from typing import TypeVar

import trio

from monitor.runtime.pieces import Work, at_once
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import Store

T = TypeVar("T")


class InlineStoreFront(AsyncStore):
    """Runs each call at once, in the event loop."""

    async def run(self, call: Callable[[Store], T]) -> T:
        await trio.lowlevel.checkpoint()
        return call(self._store)

    async def work(self, call: Callable[[], T]) -> T:
        await trio.lowlevel.checkpoint()
        return call()

    async def work_in_pieces(self, work: Work[T]) -> T:
        await trio.lowlevel.checkpoint()
        return at_once(work)
