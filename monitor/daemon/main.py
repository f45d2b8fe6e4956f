"""Starts the daemon on its store, and closes the store at the end."""

import logging
import sys
from collections.abc import Callable
from typing import TextIO

import trio

from monitor.config.settings import Settings
from monitor.daemon.hidden_secrets import hide_secrets
from monitor.daemon.reload import Reloads
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.daemon.validate import SettingsWithTemplates
from monitor.daemon.wiring import Daemon, Running
from monitor.notify.render import Templates
from monitor.runtime.clock import Clock
from monitor.runtime.guarded_clock import GuardedClock
from monitor.runtime.sd_notify import Systemd
from monitor.store.daemon_store import daemon_store

__all__ = ["Running", "run"]

log = logging.getLogger("monitor")


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
    """Runs the daemon until ``stop`` is set. Raises StoreError or ListenError if it cannot start.

    ``live`` shows a changing line: how much of the past has been read. ``reloads`` says where the settings came from and requests reloads;
    without it they never change.
    """
    config, clock = settings.config, clock or GuardedClock()
    hide_secrets(config)
    async with daemon_store(config.store_location, clock.now()) as (store, damage):
        if damage is not None:
            log.error("%s", damage)
        present = RuntimeConfig.first(SettingsWithTemplates(settings, templates), clock, stream)
        await Daemon(present, store, clock, live).run(systemd or Systemd(), reloads, stop, task_status)
