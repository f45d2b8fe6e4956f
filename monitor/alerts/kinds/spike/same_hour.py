"""Finds the same span on other days by wall clock time, because a day does not always have 24 hours."""

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from monitor.runtime.clock import Duration, Instant, from_datetime, to_datetime


@lru_cache(maxsize=256)
def days_ago(as_of: Instant, window: Duration, days: int, zone: str) -> tuple[Duration, ...]:
    """Returns how long ago the span of ``window`` with the same wall clock time in ``zone`` ended, for each of the last ``days`` days.

    A day is left out if the clocks were set forward or back within the span, so that it is missing, doubled or of another length.
    """
    zone_info = ZoneInfo(zone)
    wall = to_datetime(as_of).astimezone(zone_info).replace(tzinfo=None, fold=0)
    found = []
    for day in range(1, days + 1):
        end = wall - timedelta(days=day)
        start = end - timedelta(microseconds=window)
        if len({moment.utcoffset() for time in (start, end) for moment in _readings(time, zone_info)}) == 1:
            found.append(as_of - from_datetime(end.replace(tzinfo=zone_info)))
    return tuple(found)


def _readings(wall: datetime, zone_info: ZoneInfo) -> tuple[datetime, datetime]:
    """Returns both readings of a wall clock time; they differ if it occurs twice or never."""
    return wall.replace(tzinfo=zone_info), wall.replace(tzinfo=zone_info, fold=1)
