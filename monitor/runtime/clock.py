"""Instants, durations, how both are written, and the clocks that say what time it is.

An *instant* is a whole number of microseconds since 1970-01-01 UTC. A *duration* is a whole number of microseconds. Whole
numbers keep the edges of windows exact. People write durations as ``30s``, ``5m``, ``1h30m`` or ``7d`` and read instants as ISO-8601.
"""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

Instant = int
Duration = int

MICROSECOND = 1
MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND}
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 36_500 * DAY
LATEST: Instant = (datetime(9998, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
"""The latest instant that anybody may name. Instants that are computed from it can still be written as a date."""

_FIRST: Instant = (datetime(1, 1, 2, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def parse_duration(text: str) -> Duration:
    """Returns the duration written as ``text`` (``1h30m``). Raises ValueError with a sentence for people, also for 0s and over 100 years."""
    found = _DURATION.fullmatch(text)
    if not text or found is None or len(text) > 40:
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 5m, 1h30m or 7d")
    parts = zip(found.groups(), _UNITS.values(), strict=True)
    total = sum(int(number) * unit for number, unit in parts if number)
    if not SECOND <= total <= _LONGEST:
        raise ValueError(f"{text!r}: a duration is at least 1s and at most 36500d")
    return total


def format_duration(duration: Duration) -> str:
    """Returns ``duration`` as people write it, cut to whole seconds: ``1h30m``. Less than a second is ``0s``; a negative one has a minus."""
    if duration < 0:
        return "-" + format_duration(-duration)
    rest, words = duration, ""
    for letter, unit in _UNITS.items():
        count, rest = divmod(rest, unit)
        words += f"{count}{letter}" if count else ""
    return words or "0s"


def to_datetime(instant: Instant) -> datetime:
    """Returns the instant as an aware datetime in UTC. Never fails: an instant out of range becomes the nearest one that can be
    written as a date in every time zone."""
    return _EPOCH + timedelta(microseconds=min(max(instant, _FIRST), LATEST))


def from_datetime(moment: datetime) -> Instant:
    """Returns the instant of a datetime. A naive datetime is taken to be UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def iso(instant: Instant) -> str:
    """Returns the instant as ISO-8601 in UTC: ``2026-11-21T17:07:04Z``, with a fraction only where there is one."""
    return to_datetime(instant).isoformat().replace("+00:00", "Z")


def parse_iso(text: str) -> Instant:
    """Returns the instant of an ISO-8601 date-time. The offset may be ``Z``, ``+0000`` or missing, which means UTC.

    Raises ValueError, also for a time before 1970 or after 9998 in UTC.
    """
    instant = from_datetime(datetime.fromisoformat(text.strip()))
    if not 0 <= instant <= LATEST:
        raise ValueError("a time lies between 1970 and 9998")
    return instant


class Clock(Protocol):
    """The interface of a clock: the machine's, a test's, or that of a demo that runs faster than real time."""

    def now(self) -> Instant:
        """Returns the present instant."""

    async def sleep(self, duration: Duration) -> None:
        """Waits for this duration, measured by this clock."""

    def heard(self, date: Instant, took: Duration = 0) -> None:
        """Notes that another machine's clock said ``date``, to the second, within the last ``took``. Clocks that cannot be wrong ignore it."""
        return

    def doubt(self, is_wrong: bool) -> None:
        """Notes whether the clock of the database that several daemons share contradicts this one. Clocks that cannot be wrong ignore it."""
        return

    @property
    def is_sure(self) -> bool:
        """Whether another machine's clock confirms this one."""
        return False

    @property
    def may_forget(self) -> bool:
        """Whether data that is old by this clock may be deleted for good."""
        return True


class SystemClock(Clock):
    """Takes instants from the wall clock and waits by trio's monotonic clock, so that a clock step neither shortens nor prolongs a wait."""

    def now(self) -> Instant:
        return time.time_ns() // 1_000

    async def sleep(self, duration: Duration) -> None:
        import trio  # late: commands ask what time it is, and wait for nothing

        await trio.sleep(max(duration, 0) / SECOND)


class TrioClock(Clock):
    """Begins at ``start`` and runs ``speed`` times as fast as trio's own time. For tests (with MockClock) and accelerated demos."""

    def __init__(self, start: Instant, speed: float = 1.0) -> None:
        import trio

        self._start = start
        self._speed = speed
        self._time, self._wait = trio.current_time, trio.sleep
        self._origin = self._time()

    def now(self) -> Instant:
        return self._start + round((self._time() - self._origin) * self._speed * SECOND)

    async def sleep(self, duration: Duration) -> None:
        await self._wait(max(duration, 0) / SECOND / self._speed)
