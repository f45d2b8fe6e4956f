"""Waits at the daemon's start for the server of its store: the start of a machine or a cluster has no order."""

import logging
from typing import Final

import trio

from monitor.runtime.backoff import Jitter, backoff, equal_jitter
from monitor.runtime.clock import MINUTE, SECOND, Clock, Duration
from monitor.runtime.errors import StoreUnreachable
from monitor.runtime.sd_notify import Systemd
from monitor.runtime.throttled_log import ThrottledLog

LONGEST_WAIT: Final[Duration] = 30 * SECOND
_EXTENSION: Final[Duration] = 2 * MINUTE
"""What systemd is asked for before each wait: more than the wait and one try take."""

log = logging.getLogger("monitor")


class StoreWait:
    """The waits between tries to open the store, until ``stop`` is set."""

    def __init__(self, clock: Clock, systemd: Systemd, stop: trio.Event, jitter: Jitter = equal_jitter) -> None:
        self._systemd, self._stop, self._jitter = systemd, stop, jitter
        self._log = ThrottledLog(log, "the daemon cannot start yet", clock)
        self._failures = 0

    async def wait(self, error: StoreUnreachable) -> bool:
        """Says why the store is waited for, and waits a while. Returns False as soon as the daemon shall stop."""
        self._failures += 1
        self._log.arose(str(error))
        self._systemd.starting(str(error), _EXTENSION)
        pause = backoff(self._failures, self._jitter, longest=LONGEST_WAIT)
        with trio.move_on_after(pause / SECOND):
            await self._stop.wait()
        return not self._stop.is_set()
