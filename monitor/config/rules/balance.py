"""The kind ``balance``: the account's balance is low."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import PlainValidator, WithJsonSchema

from monitor.config.rules.match import EVERYTHING, Condition, Match
from monitor.config.rules.model import FieldName, Rule, Window
from monitor.config.rules.threshold import Comparison, Level, Seconds, Share, parse_number
from monitor.config.yaml import FieldProblem, Name, ValidationContext, YamlModel
from monitor.config.yaml.document import KeyPath
from monitor.config.yaml.types import PERIOD
from monitor.runtime.clock import DAY, HOUR, Duration

Unused = WithJsonSchema({"type": "null"})
"""Marks a key that every rule has but that says nothing here: editors do not offer it."""
WAYS = ("below", "lasts_below", "levels")
NOT_HERE = "does not apply here: the balance is that of the whole account"


def _money(value: object) -> float:
    if isinstance(value, str) and re.fullmatch(PERIOD, value):
        raise ValueError(f"{value!r} is a duration; write it as lasts_below: {value}")
    return parse_number(value)


Money = Annotated[float, PlainValidator(_money), WithJsonSchema({"type": "number", "minimum": 0})]
"""What may be left, in the account's currency."""


class BalanceLevel(YamlModel):
    """One entry of ``levels`` of a balance: a threshold and its severity."""

    below: Money | None = None
    """Crossed when less money than this is left."""
    lasts_below: Seconds | None = None
    """Crossed when the balance lasts less long than this."""
    severity: Name
    """The severity: info, warning, critical, or a word of your own."""

    @classmethod
    def check_keys(cls, data: Any, reading: ValidationContext) -> Iterable[FieldProblem]:
        if ("below" in data) == ("lasts_below" in data):
            yield FieldProblem((), "needs either below or lasts_below")


class Balance(Rule):
    """Fires when the account's balance is low, or will soon be."""

    asks_routee: ClassVar[bool] = True
    unused: ClassVar[tuple[str, ...]] = ("where", "by", "unit")

    kind: Literal["balance"]
    """How much money is left in the account, or how long it lasts."""
    below: Money | None = None
    """Fires when less than this is left, in the account's currency."""
    lasts_below: Seconds | None = None
    """Fires when the balance lasts less long than this at the present rate of spending: 2d."""
    levels: tuple[BalanceLevel, ...] = ()
    """Several thresholds of one form, each with its severity, in place of below or lasts_below: one alert that escalates."""
    window: Window = DAY
    """The span from which the present rate of spending is calculated."""
    min_priced: Share = 0.5
    """If fewer messages in the window have a price, the rate of spending is not known."""
    search: Name | None = None
    """Which account: that of this search; left out: every account by itself."""
    where: Annotated[Match, Unused] = EVERYTHING
    """Of no use here."""
    by: Annotated[tuple[FieldName, ...], Unused] = ()
    """Of no use here."""
    unit: Annotated[Literal["messages", "parts"], Unused] = "messages"
    """Of no use here."""

    @classmethod
    def check_keys(cls, data: Mapping[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
        for key in cls.unused:
            if key in data:
                yield FieldProblem((key,), NOT_HERE, at_key=True)
        written = [key for key in WAYS if key in data]
        if not written:
            yield FieldProblem((), "needs a threshold: below, lasts_below or levels")
        for key in written[1:]:
            yield FieldProblem(
                (key,), f"only one of {', '.join(WAYS)} can be written; {written[0]} is there already", True
            )
        if "levels" in data and "severity" in data:
            yield FieldProblem(("severity",), "each of the levels has its own severity; take this one out", at_key=True)
        if data.get("levels") == []:
            yield FieldProblem(("levels",), "needs at least one level")

    @property
    def reach(self) -> Duration:
        return self.window

    @property
    def polled_resource(self) -> Literal["balance", "campaigns"] | None:
        return "balance"

    @property
    def history_step(self) -> Duration:
        return HOUR

    @property
    def is_span(self) -> bool:
        """Returns whether the thresholds are spans of time rather than money."""
        return next(self._thresholds())[1] == "lasts_below"

    @property
    def speaks_early(self) -> bool:
        return not self.is_span

    @property
    def comparison(self) -> Comparison:
        return "below"

    @cached_property
    def levels_(self) -> tuple[Level[float], ...]:
        found = [Level(severity, limit) for _, _, limit, severity in self._thresholds()]
        return tuple(sorted(found, key=lambda level: level.limit, reverse=True))

    def measured_against(self) -> tuple[Condition, ...] | None:
        return () if self.is_span else None

    def _thresholds(self) -> Iterator[tuple[KeyPath, str, float, str]]:
        """Yields each threshold as written: path, form, limit, severity."""
        entries: list[tuple[KeyPath, Balance | BalanceLevel]] = [((), self)]
        entries += [(("levels", index), level) for index, level in enumerate(self.levels)]
        for path, entry in entries:
            if entry.below is not None:
                yield (*path, "below"), "below", entry.below, entry.severity
            if entry.lasts_below is not None:
                yield (*path, "lasts_below"), "lasts_below", entry.lasts_below, entry.severity

    def check_values(self) -> Iterable[FieldProblem]:
        yield from super().check_values()
        seen: list[float] = []
        first = next((form for _, form, _, _ in self._thresholds()), "below")
        for path, form, limit, _ in self._thresholds():
            if form == "below" and limit <= 0:
                yield FieldProblem(path, "would fire only when the balance is negative; write how much should be left")
            if form != first:
                yield FieldProblem(path, f"the levels of one rule are all {first} or all {form}", at_key=True)
            if limit in seen:
                yield FieldProblem(path, "two levels have the same threshold")
            seen.append(limit)
