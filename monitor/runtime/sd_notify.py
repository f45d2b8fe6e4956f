"""Reports the daemon's state to systemd by sd_notify's protocol: datagrams of ``NAME=value`` lines to the socket that systemd names.

Without systemd every method does nothing. No method ever raises: the daemon goes on if systemd cannot be reached.
Source: sd_notify(3).
"""

import logging
import os
import socket
import time
from collections.abc import Mapping
from typing import Self

from monitor.runtime.clock import Duration
from monitor.runtime.transport_errors import trouble

_PATIENCE_SECONDS = 1.0

log = logging.getLogger(__name__)


class Systemd:
    """The service manager's socket. ``address`` is a path, ``@name`` for an abstract socket, or empty without systemd."""

    def __init__(self, address: str = "", watchdog: Duration | None = None) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog: Duration | None = watchdog
        """The longest time between two calls of `alive`; None if systemd has no watchdog for this process."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID."""
        address = environment.get("NOTIFY_SOCKET", "")
        known = address.startswith(("/", "@"))
        return cls(address if known else "", _watchdog(environment))

    def starting(self, status: str, within: Duration) -> None:
        """Reports that start-up goes on, and takes up to ``within`` more from now on, whatever the service's time limit is."""
        self._send(f"EXTEND_TIMEOUT_USEC={within}", *_status(status))

    def ready(self, status: str = "") -> None:
        """Reports that start-up or a reload is complete."""
        self._send("READY=1", *_status(status))

    def status(self, text: str) -> None:
        """Sets the line that ``systemctl status`` shows."""
        self._send(*_status(text))

    def reloading(self) -> None:
        """Reports that a reload has begun; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1_000}")

    def stopping(self, status: str = "") -> None:
        """Reports that the daemon shuts down."""
        self._send("STOPPING=1", *_status(status))

    def alive(self) -> None:
        """Feeds the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address or not lines:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
                manager.settimeout(_PATIENCE_SECONDS)
                manager.connect(self._address)
                manager.sendall("\n".join(lines).encode(errors="replace"))
        except (OSError, ValueError) as error:
            log.warning("systemd did not get %s: %s", lines[0], trouble(error))


def _status(text: str) -> list[str]:
    """Returns the STATUS assignment without line breaks, since a line break would begin another assignment; nothing for an empty text."""
    return [f"STATUS={' '.join(text.split())}"] if text else []


def _watchdog(environment: Mapping[str, str]) -> Duration | None:
    """Returns half of the time that systemd waits, so that one late call does no harm; None without a watchdog for this process."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()) or not microseconds.isdecimal():
        return None
    return int(microseconds) // 2 or None
