"""Starts the daemon on its store, and closes the store at the end."""

import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import TextIO

import trio

from monitor.config.settings import Settings
from monitor.daemon.account_client import hide_secrets
from monitor.daemon.reload import Reloads
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.daemon.validate import SettingsWithTemplates
from monitor.daemon.wiring import Daemon, Running
from monitor.notify.render import Templates
from monitor.runtime.clock import SECOND, Clock
from monitor.runtime.guarded_clock import GuardedClock
from monitor.runtime.sd_notify import Systemd
from monitor.store.async_store import AsyncStore
from monitor.store.open import open_daemon_store

__all__ = ["Running", "run"]

log = logging.getLogger("monitor")

LOCK_PATIENCE = SECOND
"""Another program's lock on the store is waited for so long at a time: nothing else gets at the store meanwhile, nor does a stop."""


async def run(
    settings: Settings,
    templates: Templates,
    *,
    stop: trio.Event,
    clock: Clock | None = None,
    stream: TextIO = sys.stdout,
    systemd: Systemd | None = None,
    reloads: Reloads | None = None,
    live: Callable[[str], None] | None = None,
    task_status: trio.TaskStatus[Running] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run until ``stop`` is set. Raises StoreError or ListenError where it cannot even start.

    ``live`` shows a line that changes: how much of the past has been read.
    ``reloads``: where the settings came from, and who asks for them to be read again; without it they stay as they are.
    """
    config, clock = settings.config, clock or GuardedClock()
    hide_secrets(config)
    opening = partial(open_daemon_store, config.store_path, clock.now(), busy_timeout=LOCK_PATIENCE)
    opened, mishap = await trio.to_thread.run_sync(opening)
    if mishap is not None:
        log.error("%s", mishap)
    store = AsyncStore(opened)
    try:
        present = RuntimeConfig.first(SettingsWithTemplates(settings, templates), clock, stream)
        await Daemon(present, store, clock, live).run(systemd or Systemd(), reloads, stop, task_status)
    finally:
        with trio.CancelScope(shield=True):
            await store.close()
