"""Parses thresholds (``20%``, ``100``, ``3x``) and defines levels of severity."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from pydantic import PlainValidator, WithJsonSchema

from monitor.config.yaml import FieldProblem, Name, YamlModel
from monitor.config.yaml.sentences import kind_of
from monitor.config.yaml.types import PERIOD
from monitor.runtime.clock import SECOND, parse_duration
from monitor.runtime.dataclass import dataclass
from monitor.runtime.environment_values import beginning

Comparison = Literal["above", "below"]

_PERCENT: Final = r"^\d{1,3}(\.\d{1,10})?\s*%$"
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,10})?)\s*%", re.ASCII)
_BARE = re.compile(r"-?\d{1,9}(?:\.\d{1,9})?", re.ASCII)
_SEPARATED = re.compile(r"\d{1,3}(?:[_,' ]\d{3}){1,3}", re.ASCII)
_WITH_UNIT = re.compile(r"\d{1,9}(?:\.\d{1,9})?(?=\s*[^\d\s.,]|$)", re.ASCII)
_CHANGE: Final[tuple[tuple[Literal["factor", "relative", "sigma"], re.Pattern[str]], ...]] = (
    ("factor", re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*x", re.ASCII)),
    ("relative", re.compile(r"([+-]\d{1,9}(?:\.\d{1,9})?)\s*%", re.ASCII)),
    ("sigma", re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*sigma", re.ASCII)),
)


@dataclass(frozen=True, slots=True)
class BaselineChange:
    """A distance from a baseline: ``3x`` is factor 3.0, ``-25%`` is relative -0.25, ``4 sigma`` is sigma 4.0."""

    form: Literal["factor", "relative", "sigma"]
    amount: float

    @property
    def factor(self) -> float | None:
        """Returns the threshold as a multiple of the baseline; None for sigma, which depends on the variation of the baseline."""
        if self.form == "sigma":
            return None
        return self.amount if self.form == "factor" else 1 + self.amount

    @property
    def size(self) -> float:
        """Returns the number by which thresholds of one rule are ordered."""
        return self.amount if self.factor is None else self.factor

    def __str__(self) -> str:
        if self.form == "relative":
            return f"{self.amount * 100:+.10g}%"
        return f"{self.amount:g}x" if self.form == "factor" else f"{self.amount:g} sigma"


class ShareAmount(float):
    """A share in a field that also accepts a number."""


Limit = float | BaselineChange


L = TypeVar("L", bound=Limit, covariant=True)


@dataclass(frozen=True, slots=True)
class Level(Generic[L]):
    """One threshold and its severity. A share is a fraction, a duration is in seconds, a limit of a spike is a BaselineChange."""

    severity: str
    limit: L


def parse_share(value: object) -> float:
    """Parses ``20%`` to 0.2. Refuses a bare number, because 30 and 0.3 could both mean thirty percent. Raises ValueError."""
    if isinstance(value, str) and (found := _SHARE.fullmatch(value)):
        share = float(Decimal(found[1]) / 100)
        if share > 1:
            raise ValueError(f"{value!r}: a share is at most 100%")
        return share
    number = _bare(value)
    if number is not None and 0 <= number <= 100:
        percent = number * 100 if 0 < number < 1 else number
        meant = "1% or 100%" if number == 1 else f"{percent:g}%"
        raise ValueError(f"a share is written in percent: {meant}, not {number:g}")
    raise ValueError(f"should be a share from 0% to 100%, like 20%, not {_shown(value)}")


def parse_number(value: object) -> float:
    """Parses a number that is at least 0. Raises ValueError."""
    if isinstance(value, str) and value.rstrip().endswith("%"):
        raise ValueError(f"{value!r} is a share, but this is a number; write a number without %")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError(f"should be a number like 100, at least 0, not {_shown(value)}{_without_unit(value)}")
    return float(value)


def parse_count(value: object) -> float:
    """Parses a count. Refuses a number between 0 and 1, which probably means a share. Raises ValueError."""
    if isinstance(value, float) and 0 < value < 1:
        raise ValueError(f"{value:g} is less than one; for a share use the kind rate, and write {value * 100:g}%")
    return parse_number(value)


def parse_change(value: object) -> BaselineChange:
    """Parses ``3x``, ``+25%``, ``-25%`` or ``4 sigma``. Raises ValueError."""
    if isinstance(value, BaselineChange):
        return value
    for form, pattern in _CHANGE if isinstance(value, str) else ():
        if found := pattern.fullmatch(str(value)):
            number = Decimal(found[1])
            return BaselineChange(form, float(number / 100 if form == "relative" else number))
    meant = _unsigned(value)
    raise ValueError(f"should be a change like 3x, 0.5x, +25%, -25% or 4 sigma, not {_shown(value)}{meant}")


def _unsigned(value: object) -> str:
    """Returns the end of a message about a change without a sign or a unit."""
    if isinstance(value, str) and _SHARE.fullmatch(value):
        return f"; a share of the usual is written +{value} or -{value}"
    number = _bare(value)
    if number is not None and number > 0:
        return f"; {number:g} times the usual is written {number:g}x"
    if number is not None and number < 0:
        return f"; a fall by {-number:g}% is written {number:g}%"
    return ""


def _bare(value: object) -> float | None:
    """Returns a number that is written without a unit, quoted or not; None for anything else."""
    if isinstance(value, str) and _BARE.fullmatch(value):
        return float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _without_unit(value: object) -> str:
    """Returns the end of a message about a number that is quoted, has separators or a unit."""
    if isinstance(value, str) and _SEPARATED.fullmatch(value):
        return f"; write {re.sub('[^0-9]', '', value)}, without separators"
    found = _WITH_UNIT.match(value) if isinstance(value, str) else None
    return f"; write {found[0]}, without quotes and without a unit" if found else ""


def parse_seconds(value: object) -> float:
    """Parses ``30s`` or ``1m30s`` to seconds. Refuses a bare number, because its unit is unknown. Raises ValueError."""
    if isinstance(value, str) and value.rstrip().endswith("%"):
        raise ValueError(f"{beginning(value, 40)} is a share, but this is a duration; write it like 30s or 2m")
    number = _bare(value)
    if number is not None and number >= 1 and number.is_integer():
        raise ValueError(f"a duration is written with its unit, like {number:.0f}s or {number:.0f}m, not {number:.0f}")
    if number is not None:
        raise ValueError(
            f"a duration is written in whole seconds with its unit, 1s or more, like 30s or 2m, not {number:g}"
        )
    if isinstance(value, str):
        return parse_duration(value) / SECOND
    raise ValueError(f"should be a duration like 30s or 2m, not {_shown(value)}")


def parse_count_or_share(value: object) -> float:
    """Parses ``50`` to 50.0 and ``5%`` to `ShareAmount` 0.05. Raises ValueError."""
    if isinstance(value, str) and value.rstrip().endswith("%"):
        return ShareAmount(parse_share(value))
    if isinstance(value, float) and 0 < value < 1:
        raise ValueError(f"{value:g} is not a number of messages; for a share, write {value * 100:g}%")
    if isinstance(value, str):
        raise ValueError(f"should be a number like 50 or a share like 5%, not {_shown(value)}")
    return parse_number(value)


def _shown(value: object) -> str:
    return beginning(value, 40) if isinstance(value, str) else kind_of(value)


def _schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


Share = Annotated[float, PlainValidator(parse_share), _schema(_PERCENT)]
Amount = Annotated[float, PlainValidator(parse_number), WithJsonSchema({"type": "number", "minimum": 0})]
CountOf = Annotated[float, PlainValidator(parse_count), WithJsonSchema({"type": "number", "minimum": 0})]
"""A number of messages or of values."""
Seconds = Annotated[float, PlainValidator(parse_seconds), _schema(f"^{PERIOD}$")]
"""A duration as a threshold, in seconds."""
CountOrShare = Annotated[
    float,
    PlainValidator(parse_count_or_share),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _PERCENT}]}),
]
"""A number, or a share as `ShareAmount`."""
ChangeOf = Annotated[
    BaselineChange,
    PlainValidator(parse_change),
    _schema(r"^(\d+(\.\d+)?\s*x|[+-]\d+(\.\d+)?\s*%|\d+(\.\d+)?\s*sigma)$"),
]


class WrittenLevel(YamlModel):
    """One entry of ``levels``: a threshold and its severity."""

    above: Limit | None = None
    """Crossed when the value is above this."""
    below: Limit | None = None
    """Crossed when the value is below this."""
    severity: Name
    """The severity: info, warning, critical, or a word of your own."""

    @classmethod
    def check_keys(cls, data: Any, reading: object) -> Iterable[FieldProblem]:
        if ("above" in data) == ("below" in data):
            yield FieldProblem((), "needs either above or below")


class ShareLevel(WrittenLevel):
    """A level of a share."""

    above: Share | None = None
    """Crossed when the share is above this."""
    below: Share | None = None
    """Crossed when the share is below this."""


class CountLevel(WrittenLevel):
    """A level of a number."""

    above: CountOf | None = None
    """Crossed when the number is above this."""
    below: CountOf | None = None
    """Crossed when the number is below this."""


class AmountLevel(WrittenLevel):
    """A level of an amount of money."""

    above: Amount | None = None
    """Crossed when the amount is above this."""
    below: Amount | None = None
    """Crossed when the amount is below this."""


class SecondsLevel(WrittenLevel):
    """A level of a duration."""

    above: Seconds | None = None
    """Crossed when it takes longer than this."""
    below: Seconds | None = None
    """Crossed when it takes less than this."""


class CountOrShareLevel(WrittenLevel):
    """A level of a number or of a share."""

    above: CountOrShare | None = None
    """Crossed when there are more than this."""
    below: None = None
    """Of no use here."""


class ChangeLevel(WrittenLevel):
    """A level of a change."""

    above: ChangeOf | None = None
    """Crossed when the change is above this."""
    below: ChangeOf | None = None
    """Crossed when the change is below this."""


def never(comparison: Comparison, limit: Limit, most: float | None = None) -> str | None:
    """Returns why a threshold makes no sense (it can never be crossed, or always is); None if it does. ``most`` is the largest possible value."""
    if isinstance(limit, BaselineChange):
        return _pointless_change(comparison, limit)
    most = 1.0 if isinstance(limit, ShareAmount) else most
    if comparison == "above" and most is not None and limit >= most:
        return (
            "can never fire: the value is never above 100%"
            if most == 1
            else f"can never fire: the value is at most {most:g}"
        )
    if comparison == "below" and limit <= 0:
        return "can never fire: the value is never below 0"
    return None


def _pointless_change(comparison: Comparison, limit: BaselineChange) -> str | None:
    if limit.factor is None:
        return None if limit.amount > 0 else "sigma must be more than 0"
    if comparison == "above" and limit.factor <= 1:
        return (
            f"{limit} is not a rise, so ordinary values would be above it; write a factor over 1x (3x) or a rise (+25%)"
        )
    if comparison == "below" and limit.factor >= 1:
        return f"{limit} is not a fall, so ordinary values would be below it; write a factor under 1x (0.5x) or a fall (-25%)"
    return "can never fire: the value is never below 0" if comparison == "below" and limit.factor <= 0 else None


def size(limit: Limit) -> float:
    """Returns the number by which limits of one form are ordered."""
    return limit.size if isinstance(limit, BaselineChange) else limit


def in_sigma(limit: Limit) -> bool:
    """Returns whether a limit is a distance from the baseline in standard deviations."""
    return isinstance(limit, BaselineChange) and limit.form == "sigma"


def mixed(limits: Sequence[Limit]) -> str | None:
    """Returns why limits cannot be ordered: sigma mixed with factors, or numbers with shares. None if they can."""
    if len(set(map(in_sigma, limits))) > 1:
        return "sigma cannot stand beside other forms: write all levels in one form"
    if len({isinstance(limit, ShareAmount) for limit in limits}) > 1:
        return "numbers cannot stand beside shares: write all levels in one form"
    return None
