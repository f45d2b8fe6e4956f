"""Single values of JSON, read tolerantly: numbers may come as texts and texts as numbers. What makes no sense counts as missing."""

import math
import re

from monitor.runtime.clock import SECOND, iso

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_MOST = 2**31 - 1
_LATEST_SECONDS = 10**11  # a date given as a larger number counts milliseconds


def text_of(value: object) -> str | None:
    """A text, or a number written as one; anything else counts as missing."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < math.inf:
        return None  # a comparison takes whole numbers of any size, unlike math.isfinite
    try:
        return str(int(value)) if value == int(value) else repr(value)
    except ValueError:  # more digits than Python writes
        return None


def number_of(value: object) -> float | None:
    """A finite number, which may still be negative. A text may have a decimal point or a decimal comma, an exponent, and spaces around it.

    ``1,000`` can mean two numbers, and so it is none; neither are ``1_000``, ``NaN``, truth values, and digits that are not 0 to 9.
    """
    if isinstance(value, str):
        text = value.strip()
        if not _NUMBER.fullmatch(text) or _THOUSANDS.fullmatch(text):
            return None
        value = text.replace(",", ".")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def amount_of(value: object) -> float | None:
    """An amount: None where there is none, NaN where there is one that cannot be read."""
    if value is None or value == "":
        return None
    number = number_of(value)
    return math.nan if number is None else number


def count_of(value: object) -> int | None:
    """A whole number under 2**31; every negative one is -1."""
    number = number_of(value)
    return None if number is None else int(min(max(number, -1), _MOST))


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
