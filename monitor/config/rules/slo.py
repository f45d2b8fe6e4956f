"""The kind ``slo``: an objective whose error budget burns too fast."""

from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from monitor.config.rules.match import FAILED, Condition, MatchField
from monitor.config.rules.model import LONGEST_WINDOW, Rule
from monitor.config.rules.ratio_fields import AtLeastOne, Of, among
from monitor.config.rules.threshold import Level, Share
from monitor.config.yaml import FieldProblem, Name, Period
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration
from monitor.runtime.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Burn:
    """A pair of windows, and the burn rate that both must exceed, as a multiple of the rate that exactly uses up the budget."""

    factor: float
    long: Duration
    short: Duration
    fast: bool


_USUAL: Final = 30 * DAY
PAIRS: Final = (
    Burn(14.4, HOUR, 5 * MINUTE, fast=True),
    Burn(6.0, 6 * HOUR, 30 * MINUTE, fast=True),
    Burn(1.0, 3 * DAY, 6 * HOUR, fast=False),
)
"""The pairs for a period of 30 days, from the Google SRE Workbook, chapter 5. They fire after 2 %, 5 % and 10 % of the budget."""
LONGEST_PERIOD: Final = LONGEST_WINDOW * _USUAL // PAIRS[-1].long
SHORTEST_PERIOD: Final = DAY
LEAST_OBJECTIVE: Final = 0.84
"""Below this objective a fast burn could never fire: 6 times the failures that it allows are nearly all messages."""


def _objective(value: float) -> float:
    if value >= 1:
        raise ValueError("an objective of 100% leaves no error budget; write less, 98% or 99.5%")
    if value <= 0:
        raise ValueError("an objective is more than 0%; write one like 98%")
    if value < 0.01:
        raise ValueError(f"{value * 100:g}% would allow nearly everything to fail; write {value * 10_000:g}%")
    if value < LEAST_OBJECTIVE and 1 - value >= LEAST_OBJECTIVE:
        allowed = value * 100
        raise ValueError(
            f"an objective is the share that should not fail; if {allowed:g}% may fail, write {100 - allowed:g}%"
        )
    return value


def _period(value: Duration) -> Duration:
    if not SHORTEST_PERIOD <= value <= LONGEST_PERIOD:
        raise ValueError(
            "should be 1d to 70d: the windows that are looked at follow from it, and none may be longer than 7d"
        )
    return value


class Slo(Rule):
    """Fires when the error budget of an objective burns too fast, over a long and a short window at once."""

    kind: Literal["slo"]
    """How fast the failures that an objective allows are used up."""
    objective: Annotated[Share, AfterValidator(_objective)]
    """The share of messages that should not match: 98% allows 2% failures."""
    period: Annotated[Period, AfterValidator(_period)] = 7 * DAY
    """The span that the objective is about. The windows that are evaluated are scaled to it."""
    match: MatchField = FAILED
    """Which messages use the budget up; left out: the failed ones (Failed, Undelivered, Unsent)."""
    of: Of = "final"
    """The messages of the denominator: final (a final status was reported), all, or a match."""
    min_messages: AtLeastOne = 1
    """With fewer messages in the longer window of a pair there is not enough data, and no alert."""
    severity: Name = Field(default="")
    """The severity; left out: critical for a fast burn, warning for a slow one."""

    def meant(self) -> tuple[Condition, ...]:
        return (*super().meant(), *among(self.of), *self.match.conditions)

    def measured_against(self) -> tuple[Condition, ...]:
        return (*self.where.conditions, *among(self.of))

    @property
    def budget(self) -> float:
        """Returns the share of messages that may match."""
        return round(1 - self.objective, 12)

    @cached_property
    def burns(self) -> tuple[Burn, ...]:
        """Returns the pairs of windows, scaled to the period so that each pair fires after the same share of the budget."""
        return tuple(Burn(p.factor, self._scaled(p.long), self._scaled(p.short), p.fast) for p in PAIRS)

    def _scaled(self, window: Duration) -> Duration:
        return max(window * self.period // _USUAL, SECOND)

    @property
    def reach(self) -> Duration:
        return self.period

    @cached_property
    def levels_(self) -> tuple[Level[Any], ...]:
        slow, fast = PAIRS[-1].factor, PAIRS[0].factor
        if self.severity:
            return (Level(self.severity, slow),)
        return (Level("warning", slow), Level("critical", fast))

    def check_values(self) -> Iterable[FieldProblem]:
        yield from super().check_values()
        least = min(pair.factor for pair in PAIRS if pair.fast)
        if least * self.budget >= 1:
            need = f"{least:g} times the {self.budget:.4g} that {self.objective * 100:g}% allows is everything"
            yield FieldProblem(
                ("objective",), f"can never fire for a fast burn: {need}; write 84% or more, or use the kind rate"
            )
