"""Time intervals as in Alertmanager: times of day, week, month and year on the wall clock of a time zone."""

from calendar import monthrange
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from monitor.runtime.clock import Instant, to_datetime

Range = tuple[int, int]
"""First and last value, both included."""


class TimeInterval(msgspec.Struct, frozen=True):
    """The times at which all of the conditions hold. An empty condition always holds.

    ``times`` are minutes of the day without the end (1440 is midnight). ``weekdays`` count from 0 for Sunday; ``days_of_month`` from 1,
    or backwards from -1 for the last day; ``months`` from 1. The time is the wall clock's in ``location``: an hour that daylight saving
    time skips or repeats is skipped or repeated here too.
    """

    times: tuple[Range, ...] = ()
    weekdays: tuple[Range, ...] = ()
    days_of_month: tuple[Range, ...] = ()
    months: tuple[Range, ...] = ()
    years: tuple[Range, ...] = ()
    location: str = "UTC"

    def contains(self, at: Instant) -> bool:
        """Returns whether ``at`` is inside. Raises ZoneInfoNotFoundError for an unknown zone."""
        wall = to_datetime(at).astimezone(_zone(self.location))
        minute = wall.hour * 60 + wall.minute
        return (
            (not self.times or any(first <= minute < end for first, end in self.times))
            and _within(self.weekdays, wall.isoweekday() % 7)
            and (not self.days_of_month or _is_day(self.days_of_month, wall))
            and _within(self.months, wall.month)
            and _within(self.years, wall.year)
        )


class NamedInterval(msgspec.Struct, frozen=True):
    """Several intervals under one name, which routes refer to."""

    name: str
    intervals: tuple[TimeInterval, ...]

    def contains(self, at: Instant) -> bool:
        """Returns whether ``at`` is inside any of them."""
        return any(interval.contains(at) for interval in self.intervals)


def muting(mute: Iterable[NamedInterval], active: Sequence[NamedInterval], at: Instant) -> tuple[str, ...]:
    """Returns the names of the intervals that mute at ``at``: those of ``mute`` that contain it, and all of ``active`` if none of them
    contains it."""
    outside = bool(active) and not any(interval.contains(at) for interval in active)
    within = tuple(interval.name for interval in mute if interval.contains(at))
    return within + tuple(interval.name for interval in active if outside)


@lru_cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _within(ranges: Iterable[Range], value: int) -> bool:
    return not ranges or any(first <= value <= last for first, last in ranges)


def _is_day(ranges: Iterable[Range], wall: datetime) -> bool:
    _, days = monthrange(wall.year, wall.month)
    return any(_day(first, days) <= wall.day <= _day(last, days) for first, last in ranges)


def _day(number: int, days: int) -> int:
    return number if number > 0 else days + 1 + number
