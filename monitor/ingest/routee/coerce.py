"""Reads single values of JSON tolerantly: numbers may come as texts and texts as numbers. An unusable value counts as missing."""

import math
import re

from monitor.runtime.clock import SECOND, iso

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_MOST = 2**31 - 1
_LATEST_SECONDS = 10**11  # a date given as a larger number counts milliseconds


def text_of(value: object) -> str | None:
    """Returns a text, or a finite number as text; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < math.inf:
        return None  # unlike math.isfinite, a comparison works with whole numbers of any size
    try:
        return str(int(value)) if value == int(value) else repr(value)
    except ValueError:  # Python does not convert numbers of very many digits
        return None


def number_of(value: object) -> float | None:
    """Returns a finite number, also a negative one; None for anything else. A text may have a decimal point or comma, an exponent, and spaces
    around it.

    ``1,000`` is ambiguous and so no number. ``1_000``, ``NaN``, truth values and digits other than 0 to 9 are no numbers either.
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
    """Returns an amount; None if it is missing, NaN if it cannot be read."""
    if value is None or value == "":
        return None
    number = number_of(value)
    return math.nan if number is None else number


def count_of(value: object) -> int | None:
    """Returns a whole number, cut to the range from -1 to 2**31 - 1; None if it is no number."""
    number = number_of(value)
    return None if number is None else int(min(max(number, -1), _MOST))


def date_of(value: object) -> str | None:
    """Returns a date as text; None if there is none. A number counts seconds or milliseconds since 1970."""
    number = None if isinstance(value, str) else number_of(value)
    if number is None:
        return text_of(value)
    seconds = number / 1_000 if abs(number) > _LATEST_SECONDS else number
    try:
        return iso(round(seconds * SECOND))
    except (ValueError, OverflowError):
        return None
