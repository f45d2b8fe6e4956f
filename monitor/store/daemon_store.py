"""Opens the daemon's store for its tasks, which work with it in a thread of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import trio

from monitor.runtime.clock import SECOND, Duration, Instant
from monitor.runtime.errors import StoreOutdated
from monitor.store.async_store import AsyncStore
from monitor.store.open import DamageReport, StoreLocation, open_for_daemon

STOP_PATIENCE: Final[Duration] = 4 * SECOND
"""How long a call may take when the daemon is to stop: systemd kills a daemon that has not ended after 15 s."""


@asynccontextmanager
async def daemon_store(
    location: StoreLocation, now: Instant, url: str = "", stop: trio.Event | None = None, port: int = 0
) -> AsyncIterator[tuple[AsyncStore, DamageReport | None]]:
    """Opens the daemon's store for its tasks, and closes it at the end, also when cancelled. Raises StoreError.

    ``url`` is where the daemon's page is, ``port`` where it listens, for others that share the store. When ``stop`` is set, no call takes longer
    than STOP_PATIENCE any more.

    Yields the store, and a report if its file was damaged. Cancels the block and raises StoreOutdated if the store is no longer as the
    daemon left it.
    """
    store, damage = await trio.to_thread.run_sync(partial(open_for_daemon, location, now, url, port))
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


async def _hurry(store: AsyncStore, stop: trio.Event, scope: trio.CancelScope) -> None:
    with scope:
        await stop.wait()
        store.hurry(STOP_PATIENCE)
