"""Single values of JSON, read tolerantly: numbers may come as texts and texts as numbers. What makes no sense counts as missing."""

import math

from monitor.clock import SECOND, iso

_MOST = 2**31 - 1
_LATEST_SECONDS = 10**11  # a date given as a larger number counts milliseconds


def text_of(value: object) -> str | None:
    """A text, or a number written as one; anything else counts as missing."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return str(int(value)) if value == int(value) else repr(value)


def number_of(value: object) -> float | None:
    """A number, which may still be negative or not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def count_of(value: object) -> int | None:
    """A whole number under 2**31; every negative one is -1."""
    number = number_of(value)
    return None if number is None or not math.isfinite(number) else int(min(max(number, -1), _MOST))


def date_of(value: object) -> str | None:
    """A date as text; a number counts seconds or milliseconds since 1970."""
    number = None if isinstance(value, str) else number_of(value)
    if number is None:
        return text_of(value)
    seconds = number / 1_000 if abs(number) > _LATEST_SECONDS else number
    try:
        return iso(round(seconds * SECOND))
    except (ValueError, OverflowError):
        return None
