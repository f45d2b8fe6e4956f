"""Notifies systemd of readiness, a line for `systemctl status`, and the watchdog's keep-alive."""

from collections.abc import Callable

import trio

from monitor.daemon.pipeline import Pipeline
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.model.plurals import plural
from monitor.runtime.clock import SECOND
from monitor.runtime.sd_notify import Systemd


class SystemdStatus:
    """Reports to systemd. ``present`` returns the configuration in force."""

    def __init__(self, systemd: Systemd, pipeline: Pipeline, present: Callable[[], RuntimeConfig]) -> None:
        self._systemd, self._pipeline, self._present = systemd, pipeline, present

    def ready(self) -> None:
        """Notifies systemd that the daemon has started or reloaded."""
        self._systemd.ready(self._line())

    def reloading(self) -> None:
        """Notifies systemd that the configuration is being reloaded."""
        self._systemd.reloading()

    def stopping(self) -> None:
        """Notifies systemd that the daemon is stopping."""
        self._systemd.stopping("draining")

    async def run(self) -> None:
        """Updates the status line, and feeds the watchdog only while every loop makes progress."""
        pause = (self._systemd.watchdog or 20 * SECOND) / 2 / SECOND
        while True:
            stuck = self._pipeline.services.health.stuck()
            if not stuck:
                self._systemd.alive()
            self._systemd.status(stuck[0] if stuck else self._line())
            await trio.sleep(min(pause, 10))

    def _line(self) -> str:
        firing = sum(alert.state == "firing" for alert in self._pipeline.every_alert())
        oldest = min((cursor.as_of for cursor in self._pipeline.cursors()), default=None)
        now = self._pipeline.services.clock.now()
        lag = "" if oldest is None else f", {max(now - oldest, 0) // SECOND}s behind"
        searches = len(self._present().config.searches)
        return f"{searches} {'search' if searches == 1 else 'searches'}, {plural(firing, 'alert')} firing{lag}"
