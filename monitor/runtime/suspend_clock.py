"""The time by which a daemon counts its deadlines: it goes on while the machine is suspended, as it does for everybody else."""

import time
from collections.abc import Callable

from trio.abc import Clock


def since_boot() -> float:
    """Returns seconds that also grow while the machine is suspended, where the system counts those (Linux)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class SuspendCountingClock(Clock):
    """trio's seconds, with those of a suspend. ``read`` returns the present ones.

    trio's own clock stands still then: a daemon on a machine that wakes up after an hour would believe that it had renewed its leases just now.
    With this one everything that was due meanwhile is over as soon as anything happens in the daemon, at the latest with its next second.
    """

    def __init__(self, read: Callable[[], float] = since_boot) -> None:
        self._read = read

    def start_clock(self) -> None:
        """Does nothing: the time runs anyway."""

    def current_time(self) -> float:
        """Returns the present seconds."""
        return self._read()

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Returns how long trio has to wait for the deadline if the machine is not suspended meanwhile."""
        return deadline - self._read()
