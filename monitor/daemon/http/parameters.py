"""The parameters of API requests: how each one is read, strictly, and how OpenAPI describes it. Pure."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from typing import Any, Final, Literal

from monitor.config.yaml.words import suggest
from monitor.daemon.read.result_page import MOST
from monitor.runtime.clock import DAY, Duration, Instant, parse_duration, parse_iso
from monitor.runtime.dataclass import dataclass

LONGEST: Final = 500
"""The most characters of a value."""
MOST_VALUES: Final = 20
"""The most values of a parameter that may be repeated."""
FARTHEST: Final = 1_000_000_000
"""The largest offset."""

_DURATION: Final = "^(\\d+d)?(\\d+h)?(\\d+m)?(\\d+s)?$"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. ``read`` returns its value from its text and raises ValueError; ``schema`` describes the text.

    One with ``is_rest`` is the rest of the path, so it may have slashes.
    """

    name: str
    about: str
    read: Callable[[str], Any] = str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string", "maxLength": LONGEST})
    default: Any = None
    is_repeated: bool = False
    place: Literal["query", "path"] = "query"
    is_rest: bool = False

    def value(self, texts: Sequence[str]) -> Any:
        """Returns the value that a request gives, else the default. Raises ValueError."""
        if not texts:
            return self.default
        if len(texts) > (MOST_VALUES if self.is_repeated else 1):
            most = f"at most {MOST_VALUES} times" if self.is_repeated else "once"
            raise ValueError(f"{self.name}: may be given {most}")
        values = [self._one(text) for text in texts]
        return values if self.is_repeated else values[0]

    def _one(self, text: str) -> Any:
        if len(text) > LONGEST:
            raise ValueError(f"{self.name}: is longer than {LONGEST} characters")
        try:
            return self.read(text)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from None

    def described(self) -> dict[str, Any]:
        """Returns the parameter as OpenAPI writes it."""
        one = (
            {"type": "array", "items": dict(self.schema), "maxItems": MOST_VALUES} if self.is_repeated else self.schema
        )
        return {
            "name": self.name,
            "in": self.place,
            "required": self.place == "path",
            "description": self.about,
            "schema": dict(one),
        }


def values_of(parameters: Sequence[Parameter], given: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Returns the values of all ``parameters`` from the pairs of a query. Raises ValueError for what is wrong, also for unknown names."""
    known = [one.name for one in parameters]
    for name, _ in given:
        if name not in known:
            raise ValueError(unknown_words(name, known))
    return {one.name: one.value([text for name, text in given if name == one.name]) for one in parameters}


def unknown_words(name: str, known: Collection[str]) -> str:
    """Returns what is wrong with an unknown name, with the nearest known one."""
    return f"{name[:40]!r} is not known here{suggest(name[:40], known) or '; nothing may be given'}"


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Returns a reader of whole numbers between two bounds."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= 12 and least <= int(text) <= most):
            raise ValueError(f"{text[:40]!r} is not a whole number from {least} to {most}")
        return int(text)

    return read


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    """Returns a reader of one of some words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text[:40]!r} is not known{suggest(text[:40], choices)}")
        return text

    return read


def pair(text: str) -> tuple[str, str]:
    """Reads ``name=value``. Raises ValueError."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ValueError(f"{text[:40]!r} should be written like operator=Cosmote")
    return name, value


def instant(text: str) -> Instant:
    """Reads a time. Raises ValueError."""
    try:
        return parse_iso(text)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:40]!r} is not a time; write it like 2026-11-21T17:07:04Z") from None


def span(most: Duration) -> Callable[[str], Duration]:
    """Returns a reader of durations up to ``most``."""

    def read(text: str) -> Duration:
        duration = parse_duration(text)
        if duration > most:
            raise ValueError(f"is at most {most // DAY}d")
        return duration

    return read


def number(name: str, about: str, least: int, most: int, default: int) -> Parameter:
    """Returns a parameter for a whole number."""
    schema = {"type": "integer", "minimum": least, "maximum": most, "default": default}
    return Parameter(name, about, whole_number(least, most), schema, default)


def words(name: str, about: str, choices: Sequence[str], *, repeated: bool = False) -> Parameter:
    """Returns a parameter for one or several of some words."""
    schema = {"type": "string", "enum": list(choices)}
    return Parameter(name, about, one_of(choices), schema, [] if repeated else None, repeated)


def pairs(name: str, about: str, fields: Sequence[str] = ()) -> Parameter:
    """Returns a parameter for several ``field=value``. ``fields`` are those that exist, where that is known."""
    pattern = f"^({'|'.join(fields)})=" if fields else "^[^=]+="
    schema = {"type": "string", "pattern": pattern, "maxLength": LONGEST}
    return Parameter(name, about, pair, schema, [], is_repeated=True)


def duration(name: str, about: str, most: Duration, default: Duration, written: str) -> Parameter:
    """Returns a parameter for a duration."""
    schema = {"type": "string", "pattern": _DURATION, "minLength": 2, "maxLength": 40, "default": written}
    return Parameter(name, about, span(most), schema, default)


def time(name: str, about: str) -> Parameter:
    """Returns a parameter for a time."""
    return Parameter(name, about, instant, {"type": "string", "format": "date-time"})


LIMIT: Final = number("limit", "The most rows of a page.", 1, MOST, 50)
OFFSET: Final = number("offset", "The number of rows to leave out.", 0, FARTHEST, 0)
PAGE: Final = (LIMIT, OFFSET)
SEARCH: Final = Parameter("search", "Only rows that contain this text; upper and lower case are the same.", default="")
ACCOUNT: Final = Parameter("account", "Only this account.")
