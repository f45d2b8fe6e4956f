"""Opens the daemon's store for its tasks, which work with it in a thread of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import trio

from monitor.runtime.clock import SECOND, Duration, Instant
from monitor.store.async_store import AsyncStore
from monitor.store.open import DamageReport, open_daemon_store

LOCK_PATIENCE: Final[Duration] = SECOND
"""How long one call waits for another program's lock on the store. Other calls and a stop of the daemon wait as well."""


@asynccontextmanager
async def daemon_store(path: Path, now: Instant) -> AsyncIterator[tuple[AsyncStore, DamageReport | None]]:
    """Opens the daemon's store for its tasks, and closes it at the end, also when cancelled. Raises StoreError.

    Yields the store, and a report if its file was damaged.
    """
    opening = partial(open_daemon_store, path, now, busy_timeout=LOCK_PATIENCE)
    store, damage = await trio.to_thread.run_sync(opening)
    used = AsyncStore(store)
    try:
        yield used, damage
    finally:
        with trio.CancelScope(shield=True):
            await used.close()
