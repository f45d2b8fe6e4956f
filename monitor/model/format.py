"""Formats values for people. The functions are also filters of templates. None is written as ``–``."""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from monitor.model.finding import Unit
from monitor.model.privacy import mask as mask_number
from monitor.runtime.clock import (
    DAY,
    HOUR,
    MICROSECOND,
    MINUTE,
    SECOND,
    Duration,
    Instant,
    format_duration,
    to_datetime,
)

NOTHING: Final = "–"
MOST_DECIMALS: Final = 9
"""The most decimals by which two values are told apart, since sums of money are exact to a billionth: nearer ones look the same."""
_LONGEST_SECONDS: Final = 1e12
_LARGEST: Final = 1e300
BARS: Final = "▁▂▃▄▅▆▇█"
GAP: Final = "·"
"""The character for an unknown value in a sparkline."""


def percent(value: float | None, digits: int | None = None) -> str:
    """Returns a fraction as a percentage: 0.342 → ``34.2%``, 0.2 → ``20%``, 0.0034 → ``0.34%``; with ``digits`` exactly that many decimals."""
    if value is None or not math.isfinite(value):
        return NOTHING
    shown = value * 100
    if digits is not None:
        return f"{shown:,.{min(max(digits, 0), 9)}f}%"
    if 99.95 <= shown < 100:
        return ">99.9%"
    return f"{_trimmed(shown)}%"


def number(value: float | None, digits: int | None = None) -> str:
    """Returns a number with separated thousands: 1204 → ``1,204``, 12.345 → ``12.3``, 0.045 → ``0.045``; with ``digits`` that many decimals."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return _trimmed(value) if digits is None else f"{value:,.{min(max(digits, 0), 9)}f}"


def _trimmed(value: float) -> str:
    """Returns the value with one decimal, or two significant digits below 1, without zeros at the end."""
    size = abs(value)
    decimals = 1 if size >= 1 or size == 0 else min(1 - math.floor(math.log10(size)), 9)
    return _without_zeros(f"{value:,.{decimals}f}")


def duration(value: float | None) -> str:
    """Returns a span of time in its two largest units: ``1h30m``, ``4.2s``, ``350ms``.

    An int is a Duration in microseconds (``window``, ``duration``); a float is in seconds (the ``value`` of a latency).
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if isinstance(value, float) and abs(value) > _LONGEST_SECONDS:
        return f"{number(value)}s"
    span = round(value * SECOND) if isinstance(value, float) else value
    if span < 0:
        return "-" + duration(-span)
    if span < 10 * SECOND:
        return _short(span)
    return format_duration(span - span % _precision(span))


def _short(span: Duration) -> str:
    if 0 < span < SECOND:
        return f"{max(round(span / (1000 * MICROSECOND)), 1)}ms"
    return f"{_trimmed(span / SECOND)}s"


def _precision(span: Duration) -> Duration:
    """Returns the second-largest unit of the span. Smaller units are left out."""
    if span >= DAY:
        return HOUR
    return MINUTE if span >= HOUR else SECOND


def datetime(value: Instant | None, form: str = "%Y-%m-%d %H:%M:%S UTC") -> str:
    """Returns an instant in UTC, ``2026-11-21 17:07:04 UTC``, or in the given strftime form, of which 100 characters are used."""
    return NOTHING if value is None else to_datetime(value).strftime(form[:100])


def moments(value: Instant, zone: str = "") -> str:
    """Returns an instant in UTC and, if a time zone is given, also in that zone: ``2026-11-21 17:02 UTC (19:02 Athens)``."""
    text = datetime(value, "%Y-%m-%d %H:%M UTC")
    if not zone or zone in ("UTC", "Etc/UTC"):
        return text
    there = to_datetime(value).astimezone(ZoneInfo(zone))
    day = "" if there.date() == to_datetime(value).date() else f"{there:%Y-%m-%d} "
    return f"{text} ({day}{there:%H:%M} {zone.rpartition('/')[2].replace('_', ' ')})"


def sparkline(values: Iterable[float | None], width: int = 24) -> str:
    """Returns the values as a row of bars from zero up, ``▁▂▅█``. Of more than ``width`` values, each bar shows the highest of several."""
    columns = _gathered(list(values), min(max(width, 1), 200))
    known = [value for value in columns if value is not None]
    if not known:
        return ""
    low, high = min(0.0, *known), max(known)
    height = high - low or 1.0
    return "".join(GAP if value is None else BARS[round((value - low) / height * (len(BARS) - 1))] for value in columns)


def _gathered(values: list[float | None], width: int) -> list[float | None]:
    finite = [value if value is not None and abs(value) < _LARGEST else None for value in values]
    if len(finite) <= width:
        return finite
    edges = [index * len(finite) // width for index in range(width + 1)]
    return [_highest(finite[start:end]) for start, end in pairwise(edges)]


def _highest(values: list[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def mask(value: object) -> str:
    """Returns a phone number with its middle hidden: ``+30691•••••78``."""
    return mask_number(str(value))


def amount(value: float | None, unit: Unit, beside: float | None = None) -> str:
    """Returns a rule's value in its unit, with as many digits as tell it from the one ``beside`` it, such as its threshold, up to
    `MOST_DECIMALS`: 0.0402 beside 0.04 → ``4.02%``.
    """
    short = _amount(value, unit)
    if value is None or beside is None or value == beside or short != _amount(beside, unit) or short == NOTHING:
        return short
    for decimals in range(2 if unit != "seconds" else 0, MOST_DECIMALS + 1):
        longer = _longer(value, unit, decimals)
        if longer != _longer(beside, unit, decimals):
            return longer
    return short


def _longer(value: float, unit: Unit, decimals: int) -> str:
    """Returns a value with up to so many decimals."""
    if unit == "share":
        return f"{_without_zeros(f'{value * 100:,.{decimals}f}')}%"
    if unit == "seconds" and abs(value) < _LONGEST_SECONDS:
        whole, rest = divmod(abs(value), 60.0)
        minutes = format_duration(int(whole) * MINUTE) if whole else ""
        return f"{'-' if value < 0 else ''}{minutes}{_without_zeros(f'{rest:.{decimals}f}')}s"
    text = f"{value:,.{decimals}f}"
    return text if unit == "money" else _without_zeros(text)


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _amount(value: float | None, unit: Unit) -> str:
    if unit == "share":
        return percent(value)
    if unit == "seconds":
        return duration(None if value is None else float(value))
    return number(value, 2 if unit == "money" else None)
