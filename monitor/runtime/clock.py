"""Points in time, spans of time, and where "now" comes from.

An *instant* is a whole number of microseconds since 1970-01-01 UTC and a *duration* a whole number of microseconds, so that
the edges of windows are exact. People write durations as ``30s``, ``5m``, ``1h30m`` or ``7d`` and read instants as ISO-8601.
"""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

import trio

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
"""The latest instant that anybody may name: what is reckoned from it can still be written as a date."""

_FIRST: Instant = (datetime(1, 1, 2, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def parse_duration(text: str) -> Duration:
    """The duration written as ``text`` (``1h30m``). Raises ValueError with a sentence for people, also for 0s and over 100 years."""
    found = _DURATION.fullmatch(text)
    if not text or found is None or len(text) > 40:
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 5m, 1h30m or 7d")
    parts = zip(found.groups(), _UNITS.values(), strict=True)
    total = sum(int(number) * unit for number, unit in parts if number)
    if not SECOND <= total <= _LONGEST:
        raise ValueError(f"{text!r}: a duration is at least 1s and at most 36500d")
    return total


def format_duration(duration: Duration) -> str:
    """``duration`` as people write it, to the second: ``1h30m``; less than a second is ``0s``, a negative one has a minus."""
    if duration < 0:
        return "-" + format_duration(-duration)
    rest, words = duration, ""
    for letter, unit in _UNITS.items():
        count, rest = divmod(rest, unit)
        words += f"{count}{letter}" if count else ""
    return words or "0s"


def to_datetime(instant: Instant) -> datetime:
    """The instant as an aware datetime in UTC. It never fails: an instant that no date can be written for is shown as the nearest that can
    be, in every time zone."""
    return _EPOCH + timedelta(microseconds=min(max(instant, _FIRST), LATEST))


def from_datetime(moment: datetime) -> Instant:
    """The instant of an aware datetime; a naive one is taken to be UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def iso(instant: Instant) -> str:
    """ISO-8601 in UTC: ``2026-11-21T17:07:04Z``, with a fraction only where there is one."""
    return to_datetime(instant).isoformat().replace("+00:00", "Z")


def parse_iso(text: str) -> Instant:
    """The instant of an ISO-8601 date-time, ``Z``, ``+0000`` and no offset (UTC) included.

    Raises ValueError, also for what lies before 1970 or after 9998 in UTC.
    """
    instant = from_datetime(datetime.fromisoformat(text.strip()))
    if not 0 <= instant <= LATEST:
        raise ValueError("a time lies between 1970 and 9998")
    return instant


class Clock(Protocol):
    """Where the time comes from: the machine, a test, or a demo that runs faster than the world."""

    def now(self) -> Instant:
        """The present instant."""

    async def sleep(self, duration: Duration) -> None:
        """Wait that long, as this clock runs."""

    def heard(self, date: Instant) -> None:
        """Somebody else's clock says that it is ``date``, to the second. Only a clock that can be wrong listens."""
        return

    @property
    def is_sure(self) -> bool:
        """Whether somebody else's clock says the same."""
        return False

    @property
    def may_forget(self) -> bool:
        """Whether what is old by this clock may be forgotten for good."""
        return True


class SystemClock(Clock):
    """The wall clock for instants, trio's monotonic clock for waiting, so that a clock step neither hurries nor stalls a wait."""

    def now(self) -> Instant:
        return time.time_ns() // 1_000

    async def sleep(self, duration: Duration) -> None:
        await trio.sleep(max(duration, 0) / SECOND)


class TrioClock(Clock):
    """trio's own time, from ``start`` on and ``speed`` times as fast: for tests (MockClock) and for accelerated demos."""

    def __init__(self, start: Instant, speed: float = 1.0) -> None:
        self._start = start
        self._speed = speed
        self._origin = trio.current_time()

    def now(self) -> Instant:
        return self._start + round((trio.current_time() - self._origin) * self._speed * SECOND)

    async def sleep(self, duration: Duration) -> None:
        await trio.sleep(max(duration, 0) / SECOND / self._speed)
