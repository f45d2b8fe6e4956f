"""Time intervals in the syntax of Alertmanager."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from monitor.config.yaml import FieldProblem, Text, YamlModel, Zone, suggest
from monitor.config.yaml.sentences import kind_of
from monitor.config.yaml.types import as_text
from monitor.routing.time_intervals import Range, TimeInterval
from monitor.runtime.environment_values import named

_DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_TIME: Final = re.compile(r"(?:([01]\d|2[0-3]):([0-5]\d))|24:00", re.ASCII)
_MINUTES: Final = 24 * 60
_NUMBER: Final = re.compile(r"-?\d{1,4}", re.ASCII)


def minute_of_day(text: str) -> int:
    """Returns the minute of the day that ``text`` (``09:30``, ``24:00``) names. Raises ValueError."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a time of day; write it like 09:00, or 24:00 for the end of the day")
    return int(found[1]) * 60 + int(found[2]) if found[1] else _MINUTES


def weekday_range(text: str) -> Range:
    """Parses ``monday:friday`` or ``saturday``; Sunday is 0. Raises ValueError."""
    first, last = _ends(text, partial(_word, _DAYS, "a day of the week"))
    if first > last:
        raise ValueError(_two_ranges("a week begins on Sunday", _DAYS, first, last))
    return first, last


def month_range(text: str) -> Range:
    """Parses ``november:december``, ``1:3`` or ``8``; January is 1. Raises ValueError."""
    first, last = _ends(text, _month)
    if first > last:
        raise ValueError(_two_ranges("a year begins in January", _MONTHS, first - 1, last - 1))
    return first, last


def day_range(text: str) -> Range:
    """Parses days of a month: ``1:15``, ``31``, or ``-3:-1`` from its end. Raises ValueError."""
    first, last = _ends(text, partial(_number, "a day of the month"))
    for day in (first, last):
        if not 1 <= abs(day) <= 31:
            raise ValueError(f"{day} is not a day of the month: 1 to 31, or -1 to -31 from its end")
    if first < 0 < last:
        raise ValueError(f"{text!r} begins at the end of the month and ends at a day from its start; write two ranges")
    if _at_most(first) > _at_most(last):
        raise ValueError(f"{text!r} ends before it begins, in every month; write two ranges")
    return first, last


def year_range(text: str) -> Range:
    """Parses ``2026`` or ``2026:2028``. Raises ValueError."""
    first, last = _ends(text, partial(_number, "a year"))
    if first < 1:
        raise ValueError(f"{first} is not a year")
    if first > last:
        raise ValueError(f"{text!r} ends before it begins")
    return first, last


def _at_most(day: int) -> int:
    return day if day > 0 else 28 + day  # days from the end count in the shortest month, as in Alertmanager


def _ends(text: str, member: Callable[[str], int]) -> Range:
    try:
        return _members(text, member)
    except ValueError:
        if named(text) != text:  # part of a value from the environment would not be masked
            raise ValueError(f"{named(text)!r} is not a range; write it like first:last") from None
        raise


def _members(text: str, member: Callable[[str], int]) -> Range:
    first, colon, last = (part.strip() for part in text.lower().partition(":"))
    if ":" in last:
        raise ValueError(f"{text!r} is not a range; write it like first:last")
    return member(first), member(last if colon else first)


def _word(words: Sequence[str], what: str, text: str) -> int:
    if text not in words:
        raise ValueError(f"{text!r} is not {what}{suggest(text, words)}")
    return words.index(text)


def _month(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        return _word(_MONTHS, "a month", text) + 1
    if not 1 <= int(text) <= 12:
        raise ValueError(f"{text} is not a month: 1 to 12, or its name")
    return int(text)


def _number(what: str, text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not {what}")
    return int(text)


def _two_ranges(why: str, words: Sequence[str], first: int, last: int) -> str:
    ranges = [words[first] if first == len(words) - 1 else f"{words[first]}:{words[-1]}"]
    ranges += [words[0] if last == 0 else f"{words[0]}:{words[last]}"]
    return f"{words[first]} comes after {words[last]}, because {why}; write two ranges: {ranges[0]!r}, {ranges[1]!r}"


def _range(read: Callable[[str], Range]) -> BeforeValidator:
    def from_written(value: object) -> Range:
        text = as_text(value)
        if not isinstance(text, str):
            raise ValueError(f"should be a range like first:last, not {kind_of(value)}")
        return read(text)

    return BeforeValidator(from_written)


_RANGE: Final = WithJsonSchema({"type": ["string", "number"]})
_SOME: Final = Field(default=(), min_length=1)
Time = Annotated[Text, AfterValidator(lambda text: (minute_of_day(text), text)[1])]
Weekdays = Annotated[Range, _range(weekday_range), _RANGE]
DaysOfMonth = Annotated[Range, _range(day_range), _RANGE]
Months = Annotated[Range, _range(month_range), _RANGE]
Years = Annotated[Range, _range(year_range), _RANGE]


class TimeRange(YamlModel):
    """Times of a day."""

    start_time: Time
    """The first minute: 09:00."""
    end_time: Time
    """The minute that is no longer in it: 17:00, or 24:00 for the end of the day."""

    def check_values(self) -> Iterable[FieldProblem]:
        first, end = self.minutes
        if first == end or end == 0:
            late = " (the end of the day is 24:00)" if end == 0 else ""
            yield FieldProblem(("end_time",), f"a range ends after it begins{late}")
        elif first > end:
            ranges = f'{{start_time: "{self.start_time}", end_time: "24:00"}} and {{start_time: "00:00", end_time: "{self.end_time}"}}'
            yield FieldProblem(
                ("end_time",), f"a range ends on the day on which it begins; over midnight write two: {ranges}"
            )

    @property
    def minutes(self) -> Range:
        """Returns the first minute of the day, and the minute after the last."""
        return minute_of_day(self.start_time), minute_of_day(self.end_time)


class Interval(YamlModel):
    """A time at which all of these conditions hold. A condition that is left out always holds."""

    times: tuple[TimeRange, ...] = _SOME
    """Times of day."""
    weekdays: tuple[Weekdays, ...] = _SOME
    """Days of the week: monday:friday, saturday."""
    days_of_month: tuple[DaysOfMonth, ...] = _SOME
    """Days of the month: 1:15, or from its end -3:-1."""
    months: tuple[Months, ...] = _SOME
    """Months: november:december, or 1:3."""
    years: tuple[Years, ...] = _SOME
    """Years: 2026:2028."""
    location: Zone = "UTC"
    """The time zone whose clock counts: Europe/Athens."""

    @property
    def interval(self) -> TimeInterval:
        """Returns the interval in the form that answers whether an instant is within it."""
        times = tuple(entry.minutes for entry in self.times)
        return TimeInterval(times, self.weekdays, self.days_of_month, self.months, self.years, self.location)


class TimeIntervals(YamlModel):
    """Intervals under a name that routes refer to."""

    name: Text
    """The name, for routes."""
    time_intervals: tuple[Interval, ...] = Field(min_length=1)
    """The intervals; it is enough to be within one."""


def written(interval: TimeInterval) -> dict[str, object]:
    """Returns an interval as a configuration writes it, without parts that hold always."""
    days = [_range_of(found, lambda day: _DAYS[day]) for found in interval.weekdays]
    times = [{"start_time": _time_of(first), "end_time": _time_of(end)} for first, end in interval.times]
    words: dict[str, object] = {
        "times": times,
        "weekdays": days,
        "days_of_month": [_range_of(found, str) for found in interval.days_of_month],
        "months": [_range_of(found, lambda month: _MONTHS[month - 1]) for found in interval.months],
        "years": [_range_of(found, str) for found in interval.years],
    }
    return {key: value for key, value in words.items() if value} | {"location": interval.location}


_IN_WORDS: Final = ("weekdays", "times", "days_of_month", "months", "years", "location")
"""The conditions of an interval, in the order in which they are read."""


def in_words(interval: Mapping[str, Any]) -> str:
    """Returns an interval that is written like `written` in words: ``saturday, sunday 02:00-06:00 Europe/Athens``."""
    return " ".join(", ".join(_words_of(interval[name])) for name in _IN_WORDS if interval.get(name))


def _words_of(condition: object) -> Iterator[str]:
    for one in condition if isinstance(condition, (list, tuple)) else (condition,):
        yield f"{one['start_time']}-{one['end_time']}" if isinstance(one, Mapping) else str(one)


def _range_of(found: Range, word: Callable[[int], str]) -> str:
    first, last = found
    return word(first) if first == last else f"{word(first)}:{word(last)}"


def _time_of(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
