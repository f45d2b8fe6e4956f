"""A wall clock that accepts a change of the machine's time only after another source confirms it.

Two clocks are read together: the wall clock, which can be set to anything, and CLOCK_BOOTTIME, which only counts the time that has
passed, a machine's sleep included. While they agree, the wall clock's time is used. When they differ, the time goes on by the time
that has passed, until the Date of Routee's answers shows which of them is right. So a clock that is set wrong by hours and then right
again moves no window and ends no silence. A clock that is corrected is followed as soon as Routee's clock confirms it.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from monitor.runtime.clock import MINUTE, SECOND, Clock, Duration, Instant, SystemClock, format_duration
from monitor.runtime.dataclass import dataclass

TOLERANCE: Final[Duration] = 2 * SECOND
"""The most that the two clocks may differ between readings; leap seconds and slow corrections stay within it."""
UNCONTRADICTED: Final[Duration] = 10 * MINUTE
"""Without any other source, the wall clock is believed after this time."""
NOTICED: Final[Duration] = 20 * SECOND
"""A clock that differs from Routee's by more is complained of, until it differs by less than half of that: rules with short windows see less than
there is."""
DOUBTFUL: Final[Duration] = MINUTE
"""By a clock that differs from Routee's by more, nothing is forgotten."""

log = logging.getLogger("monitor")


def boot_time() -> Duration:
    """Returns the microseconds since the machine was started, its sleep included where the system can tell."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000


@dataclass(frozen=True, slots=True)
class _Reading:
    """A clock's instant, and the passed time at which it was read."""

    at: Instant
    passed: Duration

    def by_now(self, passed: Duration) -> Instant:
        """Returns the instant at which the passed time is ``passed``."""
        return self.at + passed - self.passed


class GuardedClock(Clock):
    """The guarded clock; see the module. ``wall`` gives the time and waits; ``passed`` returns the time since some fixed moment."""

    def __init__(self, wall: Clock | None = None, passed: Callable[[], Duration] = boot_time) -> None:
        self._wall = wall or SystemClock()
        self._passed = passed
        self._held = _Reading(self._wall.now(), passed())
        self._began = self._held.passed
        self._witness: _Reading | None = None
        self._parted: _Reading | None = None
        """The wall clock's reading when the change was first noticed."""
        self._is_contradicted = False
        self._complained = 0
        """Which of NOTICED and DOUBTFUL the clock was off by when it was last complained of: none, one or both."""

    def now(self) -> Instant:
        wall, passed = self._wall.now(), self._passed()
        held = self._held.by_now(passed)
        if abs(wall - held) > TOLERANCE and not self._is_believed(wall, held, passed):
            return held
        if self._parted is not None:
            log.warning("the machine's clock is used again")
            self._parted = None
        self._held = _Reading(wall, passed)
        return wall

    async def sleep(self, duration: Duration) -> None:
        await self._wall.sleep(duration)

    @property
    def is_sure(self) -> bool:
        """See `monitor.runtime.clock.Clock`."""
        now = self.now()
        return self._witness is not None and abs(now - self._witness.by_now(self._passed())) <= DOUBTFUL

    @property
    def may_forget(self) -> bool:
        """Whether data that is old by this clock may be deleted for good. It is false while Routee's clock differs; before Routee has answered, in
        the first ten minutes and while the database's clock differs."""
        if self._witness is None:
            return not self._is_contradicted and self._passed() - self._began >= UNCONTRADICTED
        return self.is_sure

    def doubt(self, is_wrong: bool) -> None:
        """See `monitor.runtime.clock.Clock`. A daemon whose clock is wrong asks Routee nothing if others work for all accounts."""
        self._is_contradicted = is_wrong

    def heard(self, date: Instant, took: Duration = 0) -> None:
        """Notes that Routee's clock said ``date``, to the second, within the last ``took``. Logs an error once if this machine's clock differs by
        more than NOTICED, and once more if it does by more than DOUBTFUL."""
        self._witness = _Reading(date, self._passed())
        off = self.now() - date
        if off > 0:
            off = max(off - took, 0)
        stage = (abs(off) > NOTICED) + (abs(off) > DOUBTFUL)
        if stage > self._complained:
            direction = "ahead of" if off > 0 else "behind"
            log.error("this machine's clock is %s %s Routee's: set it right", format_duration(abs(off)), direction)
        if stage or abs(off) < NOTICED // 2:
            self._complained = stage

    def _is_believed(self, wall: Instant, held: Instant, passed: Duration) -> bool:
        """Whether the wall clock is right after it was set: ``wall`` is its time, ``held`` the time without the change.

        Without Routee's clock it is believed after ten minutes; with it, if it is the nearer of the two.
        """
        if self._parted is None or abs(wall - self._parted.by_now(passed)) > TOLERANCE:
            self._parted = _Reading(wall, passed)
            step = format_duration(abs(wall - held))
            log.warning("the machine's clock was set %s %s", step, "ahead" if wall > held else "back")
        if self._witness is None:
            return passed - self._parted.passed >= UNCONTRADICTED
        there = self._witness.by_now(passed)
        return abs(wall - there) < abs(held - there)
