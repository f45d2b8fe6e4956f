"""Parses expected values: ``> 20%``, ``<= 30s``, ``>= 50``, ``= 3``."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import Final, Literal

from monitor.alerts.kinds import unit_of
from monitor.config.rules import Rule
from monitor.model.finding import Unit
from monitor.model.format import amount
from monitor.runtime.clock import SECOND, parse_duration
from monitor.runtime.dataclass import dataclass

Compare = Literal[">", ">=", "<", "<=", "=", "!="]

_FORM: Final = re.compile(r"\s*(>=|<=|!=|==|>|<|=)?\s*(\S.*?)\s*")
_NUMBER: Final = re.compile(r"(-?\d{1,15}(?:\.\d{1,12})?)\s*(%|ms|s|x)?", re.ASCII)
_COMPARE: Final[dict[Compare, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_NOUNS: Final[dict[Unit, str]] = {"share": "shares", "seconds": "times", "count": "numbers", "money": "amounts"}


@dataclass(frozen=True, slots=True)
class ExpectedValue:
    """A comparison.

    ``number`` is in the unit of the rule (shares as fractions, latencies in seconds). A value is equal if it differs by less than half of the
    last written digit.
    """

    compare: Compare
    number: float
    tolerance: float
    text: str

    def holds(self, value: float | None) -> bool:
        """Returns whether a value is as expected; None never is."""
        if value is None:
            return False
        if self.compare in ("=", "!="):
            return (abs(value - self.number) <= self.tolerance) == (self.compare == "=")
        return _COMPARE[self.compare](value, self.number)

    def __str__(self) -> str:
        return self.text


def parse_wanted(text: str, unit: Unit) -> ExpectedValue:
    """Returns the comparison that ``text`` means for values of that unit; without a sign it means equality. Raises ValueError."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a value to compare with; write it like {_example(unit)}")
    sign, written = found[1] or "=", found[2]
    compare: Compare = next((known for known in _COMPARE if known == sign), "!=" if sign == "!=" else "=")
    number, tolerance = _seconds(written) if unit == "seconds" else _plain(written, unit)
    return ExpectedValue(compare, number, tolerance, f"{compare} {written}")


def units_of(rule: Rule, labels: Mapping[str, str]) -> tuple[Unit, ...]:
    """Returns the units of the rule's alerts; several if the labels leave open which of a campaign's problems is meant."""
    own = {name: (labels[name],) if name in labels else values for name, values in rule.own_labels.items()}
    return tuple(
        dict.fromkeys(unit_of(rule, tuple(zip(own, values, strict=True))) for values in product(*own.values()))
    )


def check_wanted(text: str, units: Sequence[Unit]) -> None:
    """Raises ValueError if the text is a value in none of the units."""
    errors = []
    for unit in units:
        try:
            parse_wanted(text, unit)
        except ValueError as error:
            errors.append(str(error))
    if len(errors) == len(units):
        raise ValueError(errors[0] if len(units) == 1 else _goes_with_none(text, units))


def _goes_with_none(text: str, units: Sequence[Unit]) -> str:
    nouns = " nor the ".join(_NOUNS[unit] for unit in units)
    examples = " or ".join(map(_example, units))
    return f"{text!r} fits no problem of the rule: neither the {nouns}; write it like {examples}"


def differs(text: str, value: float | None, unit: Unit) -> str:
    """Returns how a value differs from what is expected, in words; empty if it does not. A text in another unit always differs."""
    try:
        wanted = parse_wanted(text, unit)
    except ValueError:
        said: object = text if text[:1] in "<>=!" else f"= {text}"
    else:
        if wanted.holds(value):
            return ""
        said = wanted
    return f"value is {amount(value, unit) if value is not None else 'no value'}, expected {said}"


def _plain(written: str, unit: Unit) -> tuple[float, float]:
    found = _NUMBER.fullmatch(written)
    if found is None or (found[2] or "") not in ("%" if unit == "share" else "", "x" if unit == "count" else ""):
        raise ValueError(f"{written!r} does not fit the rule's values; write it like {_example(unit)}")
    if unit == "share" and not found[2]:
        raise ValueError(f"the rule's values are shares: write {written}%, or another percentage")
    number = Decimal(found[1])
    scale = Decimal(100 if unit == "share" else 1)
    return float(number / scale), float(_half_a_digit(number) / scale)


def _seconds(written: str) -> tuple[float, float]:
    found = _NUMBER.fullmatch(written)
    if found is not None and found[2] in ("s", "ms"):
        number, scale = Decimal(found[1]), Decimal(1 if found[2] == "s" else 1000)
        return float(number / scale), float(_half_a_digit(number) / scale)
    try:
        return parse_duration(written) / SECOND, 0.5
    except ValueError:
        raise ValueError(f"the rule's values are times: write them like {_example('seconds')}, not {written}") from None


def _half_a_digit(number: Decimal) -> Decimal:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return Decimal(5).scaleb(exponent - 1)


def _example(unit: Unit) -> str:
    return {"share": '"> 20%"', "seconds": '"> 30s"', "count": '">= 50"', "money": '">= 99.50"'}[unit]
