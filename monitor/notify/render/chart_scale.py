"""Computes the axes of a chart: which values and times are labelled, and the position of a value."""

import math
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from monitor.model.finding import Unit
from monitor.runtime.clock import DAY, MINUTE, SECOND, Duration, Instant, to_datetime
from monitor.runtime.dataclass import dataclass

_MOST_UP: Final = 4
MOST_ACROSS: Final = 6
_ROUND: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_SPANS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Round distances between labelled times, in seconds."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values from ``low`` to ``high`` to positions in the picture."""

    low: float
    high: float
    first: float
    last: float

    def at(self, value: float) -> float:
        """Returns the position of a value."""
        part = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.first + part * (self.last - self.first)


_NOTHING: Final = 1e-12
"""Differences below this are too small to draw."""


def ticks(low: float, high: float, unit: Unit) -> list[float]:
    """Returns two to six round values, evenly spaced, from at or below ``low`` to at or above ``high``."""
    if high - low < _NOTHING:
        high = low + (0.01 if unit == "share" else 1.0)
    step = _step((high - low) / _MOST_UP, unit)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [index * step for index in range(first, last + 1)]


def _step(least: float, unit: Unit) -> float:
    if unit == "seconds":
        found = next((span for span in _SPANS if span >= least), None)
        if least >= 1 and found is not None:
            return float(found)
        if least > _SPANS[-1]:
            return math.ceil(least / _SPANS[-1]) * float(_SPANS[-1])
    scale = 10.0 ** math.floor(math.log10(least))
    step = next(scale * part for part in _ROUND if scale * part >= least * (1 - 1e-9))
    return max(step, 1.0) if unit == "count" else step


def times(first: Instant, last: Instant, zone: str = "", most: int = MOST_ACROSS) -> list[tuple[Instant, str]]:
    """Returns the round times of the time zone (empty: UTC) within the span, ``most`` and one at most, with their texts: ``17:05``, ``21 Nov``."""
    step = _time_step((last - first) / most)
    place = ZoneInfo(zone or "UTC")
    ahead = round((to_datetime(first).astimezone(place).utcoffset() or timedelta()).total_seconds()) * SECOND
    start = -(-(first + ahead) // step) * step - ahead
    form = "%d %b" if step >= DAY else "%H:%M:%S" if step < MINUTE else "%H:%M"
    return [(at, to_datetime(at).astimezone(place).strftime(form)) for at in range(start, last + 1, step)]


def zone_name(zone: str) -> str:
    """Returns the name of a time zone as people say it: ``UTC``, ``Athens``."""
    return "UTC" if zone in ("", "UTC", "Etc/UTC") else zone.rpartition("/")[2].replace("_", " ")


def _time_step(least: float) -> Duration:
    known = (SECOND * span for span in _SPANS)
    return next((span for span in known if span >= least), max(math.ceil(least / DAY), 1) * DAY)
