"""Prunes old data from the store, ends what was lost from it, and counts what waits in the outbox, at intervals."""

import logging
from collections.abc import Callable
from typing import Final

import trio

from monitor.daemon.health import Health
from monitor.daemon.metrics import Metrics
from monitor.daemon.unseen_ends import UnseenEnds
from monitor.runtime.clock import HOUR, MINUTE, Clock, Duration
from monitor.runtime.errors import StoreError
from monitor.runtime.throttled_log import ThrottledLog
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import HISTORY_KEPT

LOOP: Final = "housekeeping"
"""The name of this loop in `Health`."""
SLOWEST: Final[Duration] = 30 * MINUTE

log = logging.getLogger("monitor")


async def run_retention(
    store: AsyncStore, clock: Clock, metrics: Metrics, health: Health, retention: Callable[[], Duration]
) -> None:
    """Prunes data older than ``retention`` and updates the metrics of the outbox until it is stopped."""
    pruned_at, unseen = 0, UnseenEnds(store)
    trouble = ThrottledLog(log, "housekeeping in the store", clock, logging.ERROR)
    while True:
        health.beat(LOOP)
        try:
            now = clock.now()
            if not 0 <= now - pruned_at < HOUR and clock.may_forget:
                await store.prune(now - retention(), now - HISTORY_KEPT)
                await unseen.look(now)
                metrics.dead_letters(await store.dead_letters())
                pruned_at = now
            metrics.backlog(await store.backlog())
        except StoreError as error:
            trouble.arose(str(error))
            metrics.store_error()
        else:
            trouble.over()
        await trio.sleep(5)
