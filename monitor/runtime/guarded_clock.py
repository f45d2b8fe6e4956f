"""A wall clock that accepts a change of the machine's time only after another source confirms it.

Two clocks are read together: the wall clock, which says what time it is and can be set to anything, and one that only says how much
time has passed, a machine's sleep included (CLOCK_BOOTTIME). While they agree it is the wall clock's time. Where they part, the time
goes on by what has passed, until it is known which of them is right: the Date of Routee's answers decides. So a clock that is set
wrong by hours, and right again, moves no window, ends no silence and hurries nothing; one that is put right is followed at once.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from monitor.runtime.clock import MINUTE, SECOND, Clock, Duration, Instant, SystemClock, format_duration

TOLERANCE: Final[Duration] = 2 * SECOND
"""The most that the two clocks may differ between readings; leap seconds and slow corrections stay within it."""
UNCONTRADICTED: Final[Duration] = 10 * MINUTE
"""Without any other source, the wall clock is believed after this time."""
DOUBTFUL: Final[Duration] = MINUTE
"""A clock that differs from Routee's by more, without having been set, causes a warning."""

log = logging.getLogger("monitor")


def boot_time() -> Duration:
    """Microseconds since the machine was started, its sleep included where that can be had."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000


@dataclass(frozen=True, slots=True)
class _Reading:
    """An instant, and how much had passed when it was the present."""

    at: Instant
    passed: Duration

    def by_now(self, passed: Duration) -> Instant:
        """Returns the instant at which the passed time is ``passed``."""
        return self.at + passed - self.passed


class GuardedClock(Clock):
    """See above. ``wall`` gives the time and waits, ``passed`` says how much time has passed since whenever."""

    def __init__(self, wall: Clock | None = None, passed: Callable[[], Duration] = boot_time) -> None:
        self._wall = wall or SystemClock()
        self._passed = passed
        self._held = _Reading(self._wall.now(), passed())
        self._began = self._held.passed
        self._witness: _Reading | None = None
        self._parted: _Reading | None = None
        """The wall clock's reading when the change was first noticed."""
        self._doubted = False

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
        """Whether what is old by this clock may be forgotten for good: not while somebody says otherwise, or nobody could say anything yet."""
        if self._witness is None:
            return self._passed() - self._began >= UNCONTRADICTED
        return self.is_sure

    def heard(self, date: Instant) -> None:
        """Routee's clock says that it is ``date``, to the second."""
        self._witness = _Reading(date, self._passed())
        off = self.now() - date
        if abs(off) > DOUBTFUL and not self._doubted:
            direction = "ahead of" if off > 0 else "behind"
            log.error("this machine's clock is %s %s Routee's: set it right", format_duration(abs(off)), direction)
        self._doubted = abs(off) > DOUBTFUL

    def _is_believed(self, wall: Instant, held: Instant, passed: Duration) -> bool:
        """Whether a wall clock that was set is right."""
        if self._parted is None or abs(wall - self._parted.by_now(passed)) > TOLERANCE:
            self._parted = _Reading(wall, passed)
            step = format_duration(abs(wall - held))
            log.warning("the machine's clock was set %s %s", step, "ahead" if wall > held else "back")
        if self._witness is None:
            return passed - self._parted.passed >= UNCONTRADICTED
        there = self._witness.by_now(passed)
        return abs(wall - there) < abs(held - there)
