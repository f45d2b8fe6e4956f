"""The leases for trio tasks. Calls run in a thread of their own, so that a long commit never delays a renewal."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeVar

import trio

from monitor.model.fleet import FleetView
from monitor.runtime.errors import StoreError
from monitor.store.leases import NONE_LEFT, LeaseStore

T = TypeVar("T")
LEAVE_LIMIT: Final = 3.0
"""Seconds that giving all leases back may take at a stop; otherwise they lapse by themselves."""


class AsyncLeases:
    """A lease store's methods as coroutines, one at a time and in order; `monitor.store.leases.LeaseStore` describes them.

    All raise StoreError. A call that has begun is finished even if its task is cancelled meanwhile.
    """

    def __init__(self, leases: LeaseStore) -> None:
        self._leases = leases
        self._limiter = trio.CapacityLimiter(1)

    async def run(self, call: Callable[[LeaseStore], T]) -> T:
        """Runs ``call`` in the thread."""
        return await trio.to_thread.run_sync(call, self._leases, limiter=self._limiter)

    @property
    def worker(self) -> int:
        """The number of this worker."""
        return self._leases.worker

    @property
    def name(self) -> str:
        """The name of this worker."""
        return self._leases.name

    async def beat(
        self,
        wanted: Sequence[str],
        held: Mapping[str, int],
        orphans: Sequence[str] = (),
        left_alone: Mapping[str, str] = NONE_LEFT,
    ) -> FleetView:
        return await self.run(lambda leases: leases.beat(wanted, held, orphans, left_alone))

    async def take(self, wanted: Sequence[str]) -> dict[str, int]:
        return await self.run(lambda leases: leases.take(wanted))

    async def release(self, account: str, token: int) -> None:
        await self.run(lambda leases: leases.release(account, token))

    async def leave(self) -> None:
        await self.run(lambda leases: leases.leave())

    async def close(self) -> None:
        await self.run(lambda leases: leases.close())

    async def withdraw(self) -> None:
        """Leaves if the store answers in time, and closes the connection: others are not told any more of a daemon that could not start."""
        with trio.move_on_after(LEAVE_LIMIT, shield=True), suppress(StoreError):
            await self.leave()
        with trio.CancelScope(shield=True):
            await self.close()
