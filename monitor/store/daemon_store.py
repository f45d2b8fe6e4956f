"""Opens the daemon's store for its tasks, which work with it in a thread of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from threading import Lock
from typing import Final

import trio

from monitor.runtime.clock import SECOND, Duration, Instant
from monitor.runtime.errors import StoreOutdated, StoreUnreachable
from monitor.store.async_store import AsyncStore
from monitor.store.open import DamageReport, StoreLocation, open_for_daemon
from monitor.store.protocol import Store

STOP_PATIENCE: Final[Duration] = 4 * SECOND
"""How long a call may take when the daemon is to stop: systemd kills a daemon that has not ended after 15 s."""


@asynccontextmanager
async def daemon_store(
    location: StoreLocation, now: Instant, url: str = "", stop: trio.Event | None = None, port: int = 0
) -> AsyncIterator[tuple[AsyncStore, DamageReport | None]]:
    """Opens the daemon's store for its tasks, and closes it at the end, also when cancelled. Raises StoreError.

    ``url`` is where the daemon's page is, ``port`` where it listens, for others that share the store. When ``stop`` is set, no call takes longer
    than STOP_PATIENCE any more; if that is while the store is opened, which may take minutes where its tables change, raises StoreUnreachable.

    Yields the store, and a report if its file was damaged. Cancels the block and raises StoreOutdated if the store is no longer as the
    daemon left it.
    """
    store, damage = await _opened(_Opening(partial(open_for_daemon, location, now, url, port)), stop)
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


class _Opening:
    """Opens the store, and closes it at once if nobody waits for it any more."""

    def __init__(self, open_: Callable[[], tuple[Store, DamageReport | None]]) -> None:
        self._open = open_
        self._lock = Lock()
        self._is_open = self._is_given_up = False

    def __call__(self) -> tuple[Store, DamageReport | None]:
        store, damage = self._open()
        with self._lock:
            self._is_open = True
            if self._is_given_up:
                store.close()
        return store, damage

    def give_up(self) -> bool:
        """Returns whether the store is not open yet, and will be closed again."""
        with self._lock:
            self._is_given_up = not self._is_open
            return self._is_given_up


async def _opened(opening: _Opening, stop: trio.Event | None) -> tuple[Store, DamageReport | None]:
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


async def _give_up(opening: _Opening, stop: trio.Event, scope: trio.CancelScope, waiting: trio.CancelScope) -> None:
    with waiting:
        await stop.wait()
        if opening.give_up():
            scope.cancel()


async def _hurry(store: AsyncStore, stop: trio.Event, scope: trio.CancelScope) -> None:
    with scope:
        await stop.wait()
        store.hurry(STOP_PATIENCE)
