"""Reads Routee's dates, those of a whole page at once.

Dates have a fraction or not, and ``Z``, ``+0000``, ``+00:00`` or no offset (UTC). All dates of one length are read together as a matrix of
characters. Dates that cannot be read in this way are read one by one.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.runtime.clock import LATEST, SECOND, Instant, parse_iso

UNREADABLE: Final = -(2**63)
"""Stands for a date that could not be read. No instant is that early."""

_FIRST_MONTH: Final = (1 - 1970) * 12
_LAST_MONTH: Final = (9999 - 1970) * 12 + 11

Characters = NDArray[np.uint8]
Whole = NDArray[np.int64]
Truth = NDArray[np.bool_]

_HEAD = 19  # 2026-11-21T17:07:04
_LENGTHS = range(_HEAD, _HEAD + 10 + 6 + 1)
_NUMBERS = ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))
_DIGITS = np.concatenate([np.arange(start, end) for start, end in _NUMBERS])
_SIGNS = np.array([4, 7, 13, 16])  # - - : :
_DAY = 8
"""Where the day begins."""
_LATE_DIGITS = np.array([8, 9, 11, 12, 14, 15, 17, 18])  # of the day, hour, minute and second
_LATE_SIGNS = np.array([10, 13, 16])
_T_AND_COLONS = np.frombuffer(b"T::", np.uint8)[:, None]


def _place_values(digits: int) -> NDArray[np.float64]:
    """Returns the factor of each digit of a number with so many digits."""
    return np.power(10.0, np.arange(digits)[::-1], dtype=np.float64)


_PLACE_VALUES = np.zeros((len(_NUMBERS), len(_DIGITS)))
"""The factors of all digits, for each of the numbers."""
for _row, (_start, _end) in zip(_PLACE_VALUES, _NUMBERS, strict=True):
    _row[np.isin(_DIGITS, np.arange(_start, _end))] = _place_values(_end - _start)

_MARK: Final = "\n"
_ZERO = np.uint8(ord("0"))
_ZONES = (1, 5, 6, 0)  # lengths of Z, +0000, +00:00 and nothing


def instants(texts: Sequence[str]) -> Whole:
    """Returns the instant of each date; UNREADABLE for a text that is no date."""
    alike = _alike(texts)
    if alike is not None:
        return alike
    lengths = set(map(len, texts))
    if len(lengths) == 1:
        found = _of_length(texts, lengths.pop())
    else:
        found = np.full(len(texts), UNREADABLE, np.int64)
        for length in lengths.intersection(_LENGTHS):  # few, however many a page has
            where = [i for i, text in enumerate(texts) if len(text) == length]
            found[where] = _of_length([texts[i] for i in where], length)
    for i in np.flatnonzero(found == UNREADABLE).tolist():
        found[i] = _alone(texts[i])
    return found


def _alone(text: str) -> Instant:
    try:
        return parse_iso(text)
    except (ValueError, OverflowError):
        return UNREADABLE


def _alike(texts: Sequence[str]) -> Whole | None:
    """Returns the instants of dates that all have one length; None if there is anything else. It does not ask each for its length: if
    all that ought to be dates are followed by the mark, which is in no date, they are as long as the first one."""
    length = len(texts[0]) if texts else 0
    joined = _MARK.join(texts) + _MARK if length in _LENGTHS else ""
    if not joined.isascii() or len(joined) != (length + 1) * len(texts) or not joined:
        return None
    characters = _positions(joined, length + 1)
    found = _read(characters[:length])
    return found if (characters[length] == ord(_MARK)).all() and (found != UNREADABLE).all() else None


def _of_length(texts: Sequence[str], length: int) -> Whole:
    found = np.full(len(texts), UNREADABLE, np.int64)
    if length not in _LENGTHS:
        return found
    joined = "".join(texts)
    if joined.isascii():
        return _read(_positions(joined, length))
    where = [i for i, text in enumerate(texts) if text.isascii()]
    if where:
        found[where] = _of_length([texts[i] for i in where], length)
    return found


def _positions(joined: str, length: int) -> Characters:
    """Returns one row for each position, so that it is read for all dates at once."""
    return np.ascontiguousarray(np.frombuffer(joined.encode("ascii"), np.uint8).reshape(-1, length).T)


def _read(characters: Characters) -> Whole:
    """Returns the instants of dates of one length; UNREADABLE for what is none."""
    seconds, good = _head(characters[:_HEAD])
    micros, tail_good = _tail(characters[_HEAD:])
    found = seconds * SECOND + micros
    return np.where(good & tail_good & (found >= 0) & (found <= LATEST), found, UNREADABLE)


def _head(characters: Characters) -> tuple[Whole, Truth]:
    """Returns the seconds since the epoch of texts like ``2026-11-21T17:07:04``, and which of them are valid."""
    usual = _usual_head(characters)
    return _any_head(characters) if usual is None else (usual, np.ones(len(usual), np.bool_))


def _usual_head(characters: Characters) -> Whole | None:
    """Returns what `_head` does if all texts are dates of one month with a ``T``, as on most pages; else None. It takes a fourth of the
    time."""
    month = characters[:_DAY, :1]
    digits = characters[_LATE_DIGITS] - _ZERO
    if (
        digits.max() > 9
        or not (characters[:_DAY] == month).all()
        or not (characters[_LATE_SIGNS] == _T_AND_COLONS).all()
    ):
        return None
    days, first = _month_of(month.tobytes())
    numbers = digits[::2] * np.uint8(10) + digits[1::2]
    if not numbers[0].all() or (numbers > np.array([[days], [23], [59], [59]], np.uint8)).any():
        return None
    day, hour, minute, second = numbers.astype(np.int64)
    seconds: Whole = ((day + (first - 1)) * 24 + hour) * 3_600 + minute * 60 + second
    return seconds


@lru_cache(8)
def _month_of(text: bytes) -> tuple[int, int]:
    """Returns how many days the month in ``2026-11-`` has, and the days from the epoch to its first one. No days if it is no month."""
    if not re.fullmatch(rb"[0-9]{4}-(0[1-9]|1[0-2])-", text) or text.startswith(b"0000"):
        return 0, 0
    first, following = _months(*(np.array([int(number)]) for number in text[:-1].split(b"-")))
    return int(following[0] - first[0]), int(first[0])


def _any_head(characters: Characters) -> tuple[Whole, Truth]:
    """Does what `_head` does, for any texts."""
    digits = characters[_DIGITS] - _ZERO
    year, month, day, hour, minute, second = (_PLACE_VALUES @ digits.astype(np.float64)).astype(np.int64)
    first, following = _months(year, month)
    good = (digits <= 9).all(axis=0)
    good &= (characters[_SIGNS] == np.frombuffer(b"--::", np.uint8)[:, None]).all(axis=0)
    good &= (characters[10] == ord("T")) | (characters[10] == ord(" "))
    good &= (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (first + day <= following)
    leap = (second == 60) & (
        minute % 15 == 14
    )  # a leap second, which is at the end of an hour in UTC; it counts as the next second
    good &= (hour < 24) & (minute < 60) & ((second < 60) | leap)
    return (first + day - 1) * 86_400 + hour * 3_600 + minute * 60 + second, good


def _months(year: Whole, month: Whole) -> tuple[Whole, Whole]:
    """Returns the days from the epoch to the first of the month, and to the first of the next one. Only those of the years 1 to 9999 are
    right."""
    months = np.clip((year - 1970) * 12 + month - 1, _FIRST_MONTH, _LAST_MONTH)
    earliest, latest = int(months.min()), int(months.max())
    starts = np.arange(earliest, latest + 2).astype("M8[M]").astype("M8[D]").astype(np.int64)  # few, mostly two
    return starts[months - earliest], starts[months - earliest + 1]


def _tail(characters: Characters) -> tuple[Whole, Truth]:
    """Returns the microseconds that the fraction adds and the offset subtracts, and which rows are valid."""
    length, count = characters.shape
    micros, good = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    for zone in _ZONES:
        if length == zone or length > zone + 1:
            fraction, has_fraction = _fraction(characters[: length - zone])
            offset, has_zone = _offset(characters[length - zone :])
            these = has_fraction & has_zone & ~good
            micros = np.where(these, fraction - offset, micros)
            good |= these
        if good.all():
            break
    return micros, good


def _fraction(characters: Characters) -> tuple[Whole, Truth]:
    """Returns the microseconds of ``.123``, and which rows are valid. Digits after the sixth are dropped."""
    length, count = characters.shape
    if length == 0:
        return np.zeros(count, np.int64), np.ones(count, np.bool_)
    number, good = _number(characters[1:7])
    digits = min(length - 1, 6)
    rest = _number(characters[7:])[1]
    return number * 10 ** (6 - digits), good & rest & (characters[0] == ord("."))


def _offset(characters: Characters) -> tuple[Whole, Truth]:
    """Returns how many microseconds an offset is ahead of UTC, and which rows are valid."""
    length, count = characters.shape
    if length < 2:
        good = characters[0] == ord("Z") if length else np.ones(count, np.bool_)
        return np.zeros(count, np.int64), good
    hours, hours_good = _number(characters[1:3])
    minutes, minutes_good = _number(characters[-2:])
    good = hours_good & minutes_good & (hours < 24) & (minutes < 60)
    if length == 6:
        good &= characters[3] == ord(":")
    behind = characters[0] == ord("-")
    ahead = (hours * 3_600 + minutes * 60) * SECOND
    return np.where(behind, -ahead, ahead), good & (behind | (characters[0] == ord("+")))


def _number(characters: Characters) -> tuple[Whole, Truth]:
    """Returns the decimal numbers whose digits the rows are, and where all of them are digits."""
    digits = characters - _ZERO
    value = _place_values(len(digits)) @ digits.astype(np.float64)  # exact: there are few digits
    good: Truth = np.logical_and.reduce(digits <= 9, axis=0)
    return value.astype(np.int64), good
