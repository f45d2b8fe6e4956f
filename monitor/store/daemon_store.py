"""Opens the daemon's store for its tasks, which work with it in a thread of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from monitor.runtime.clock import SECOND, Duration
from monitor.runtime.errors import StoreOutdated, StoreUnreachable
from monitor.store.async_store import AsyncStore
from monitor.store.open import DamageReport
from monitor.store.opening import Opened, StoreOpening

STOP_PATIENCE: Final[Duration] = 4 * SECOND
"""How long a call may take when the daemon is to stop: systemd kills a daemon that has not ended after 15 s."""


@asynccontextmanager
async def daemon_store(
    opening: StoreOpening, stop: trio.Event | None = None
) -> AsyncIterator[tuple[AsyncStore, DamageReport | None]]:
    """Has the daemon's store for its tasks once it is open, and closes it at the end, also when cancelled. Raises StoreError.

    When ``stop`` is set, no call takes longer than STOP_PATIENCE any more; if that is while the store is opened, which may take minutes where its
    tables change, raises StoreUnreachable.

    Yields the store, and a report if its file was damaged. Cancels the block and raises StoreOutdated if the store is no longer as the
    daemon left it.
    """
    store, damage = await _opened(opening, stop)
    outdated: list[StoreOutdated] = []
    with trio.CancelScope() as scope:

        def end(error: StoreOutdated) -> None:
            outdated.append(error)
            scope.cancel()

        used = AsyncStore(store, end)
        hurrying = trio.CancelScope()
        if stop is not None:
            # Outside of the block, which may be stuck in a call, and whose exceptions are to come out as they are.
            trio.lowlevel.spawn_system_task(_hurry, used, stop, hurrying)
        try:
            yield used, damage
        finally:
            hurrying.cancel()
            with trio.CancelScope(shield=True):
                await used.close()
    if outdated:
        raise outdated[0]


async def _opened(opening: StoreOpening, stop: trio.Event | None) -> Opened:
    if stop is None:
        return await trio.to_thread.run_sync(opening)
    waiting = trio.CancelScope()
    with trio.CancelScope() as scope:
        trio.lowlevel.spawn_system_task(_give_up, opening, stop, scope, waiting)
        try:
            return await trio.to_thread.run_sync(opening, abandon_on_cancel=True)
        finally:
            waiting.cancel()
    raise StoreUnreachable("the store was not opened: the daemon is to stop")


async def _give_up(opening: StoreOpening, stop: trio.Event, scope: trio.CancelScope, waiting: trio.CancelScope) -> None:
    with waiting:
        await stop.wait()
        if opening.give_up():
            scope.cancel()


async def _hurry(store: AsyncStore, stop: trio.Event, scope: trio.CancelScope) -> None:
    with scope:
        await stop.wait()
        store.hurry(STOP_PATIENCE)
