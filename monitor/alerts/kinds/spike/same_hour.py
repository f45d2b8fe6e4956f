"""The same span of other days, by the clock on people's walls: a day is not always 24 hours."""

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from monitor.runtime.clock import Duration, Instant, from_datetime, to_datetime


@lru_cache(maxsize=256)
def days_ago(as_of: Instant, window: Duration, days: int, zone: str) -> tuple[Duration, ...]:
    """How long ago the span of ``window`` ended that was the same by the wall clock of ``zone``, on each of the last ``days`` days.

    A day is left out where that span is not there once, whole and as long as the window: where the clocks were set forward or back within it.
    """
    position = ZoneInfo(zone)
    wall = to_datetime(as_of).astimezone(position).replace(tzinfo=None, fold=0)
    found = []
    for day in range(1, days + 1):
        end = wall - timedelta(days=day)
        start = end - timedelta(microseconds=window)
        if len({moment.utcoffset() for time in (start, end) for moment in _readings(time, position)}) == 1:
            found.append(as_of - from_datetime(end.replace(tzinfo=position)))
    return tuple(found)


def _readings(wall: datetime, position: ZoneInfo) -> tuple[datetime, datetime]:
    """The two readings of a wall clock's time. They differ where it is shown twice or never."""
    return wall.replace(tzinfo=position), wall.replace(tzinfo=position, fold=1)
