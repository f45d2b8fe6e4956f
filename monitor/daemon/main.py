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
from monitor.daemon.store_opening import begin_opening
from monitor.daemon.store_wait import StoreWait
from monitor.daemon.validate import SettingsWithTemplates
from monitor.daemon.wiring import Daemon, Running
from monitor.notify.render import Templates
from monitor.runtime.clock import Clock
from monitor.runtime.errors import StoreUnreachable
from monitor.runtime.guarded_clock import GuardedClock
from monitor.runtime.sd_notify import Systemd
from monitor.store.daemon_store import daemon_store
from monitor.store.opening import StoreOpening

__all__ = ["Running", "import_listener", "run"]

log = logging.getLogger("monitor")


def import_listener() -> None:
    """Imports what only a daemon that listens needs: 0.08 s and 7 MB. `run` would do so itself, but among objects where garbage is looked for."""
    import monitor.daemon.http.reloadable_app
    import monitor.daemon.http.server  # noqa: F401 - where it is needed it is imported by name


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
    opening: StoreOpening | None = None,
    task_status: trio.TaskStatus[Running] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Runs the daemon until ``stop`` is set. Raises StoreError or ListenError if it cannot start.

    It waits for the server of its store, if there is one that cannot be reached yet, and starts anew if that goes away while it starts.

    ``live`` shows a changing line: how much of the past has been read. ``opening`` is that of its store, if it has begun already. ``reloads`` says
    where the settings came from and requests reloads; without it they never change.
    """
    config, clock = settings.config, clock or GuardedClock()
    hide_secrets(config)
    systemd = systemd or Systemd()
    waiting = StoreWait(clock, systemd, stop)
    while True:
        opening = begin_opening(config, clock.now()) if opening is None else opening
        daemon: Daemon | None = None
        try:
            async with daemon_store(opening, stop) as (store, damage):
                if damage is not None:
                    log.error("%s", damage)
                present = RuntimeConfig.first(SettingsWithTemplates(settings, templates), clock, stream)
                daemon = Daemon(present, store, clock, live)
                await daemon.run(systemd, reloads, stop, task_status)
            return
        except (StoreUnreachable, BaseExceptionGroup) as error:
            away = _unreachable(error)
            if away is None or (daemon is not None and daemon.has_begun):
                raise
        if stop.is_set() or not await waiting.wait(away):
            return
        opening = None


def _unreachable(error: BaseException) -> StoreUnreachable | None:
    """Returns the error if nothing but that the store's server is away has happened."""
    if isinstance(error, BaseExceptionGroup):
        found = [_unreachable(one) for one in error.exceptions]
        return None if None in found else found[0]
    return error if isinstance(error, StoreUnreachable) else None
