"""The kind ``shift``: a probability itself has changed."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from monitor.config.rules.match import FAILED, Condition, MatchField
from monitor.config.rules.model import Rule
from monitor.config.rules.ratio_fields import Of, among
from monitor.config.rules.threshold import BaselineChange, Level, parse_change
from monitor.config.yaml import FieldProblem, Period, PeriodOrZero, ValidationContext
from monitor.config.yaml.types import PERIOD
from monitor.runtime.clock import DAY, HOUR, MINUTE, Duration, format_duration

LEAST_LEARNED: Final[Duration] = HOUR
LARGEST_CHANGE: Final = 1000.0
_OUTCOMES: Final = ("status", "detailedStatus")
_FOR_FAILURES: Final = {
    "match": "counts what has no final status in time",
    "receipts_within": "needs the late reports",
}
_ONE_CHANGE: Final = "a shift has none: write to: 3x for the smallest change that matters"
_INSTEAD: Final = {
    "window": "a shift has none: it compares now with what was learned, for as long as the change lasts",
    "min_messages": "a shift has none: it waits until there is evidence enough",
} | dict.fromkeys(("levels", "above", "below"), _ONE_CHANGE)
"""Keys of other kinds that people write here, and what a shift has instead."""


_LIKE_A_PERIOD: Final = WithJsonSchema({"type": "string", "pattern": f"^{PERIOD}$"})


def _odds(value: object) -> float:
    """``3x`` as 3.0. Raises ValueError."""
    if not isinstance(value, str) or not value.rstrip().endswith("x"):
        meant = f"; {value:g} times the odds is written {value:g}x" if isinstance(value, int | float) else ""
        raise ValueError(f"should be a factor of the odds, like 3x{meant}")
    try:
        change = parse_change(value)
    except ValueError:  # it names forms that are of no use here
        raise ValueError("should be a factor of the odds, like 3x") from None
    if not 1 < change.amount <= LARGEST_CHANGE:
        raise ValueError(f"should be more than 1x and at most {LARGEST_CHANGE:g}x: 3x finds what triples the odds")
    return change.amount


def _rare(value: Duration) -> Duration:
    if value < DAY:
        raise ValueError(f"is a false alarm every {format_duration(value)}, too often to be of use; write 1d or more")
    return value


def _learned(value: Duration) -> Duration:
    if value < LEAST_LEARNED:
        raise ValueError("is too short to learn what is usual; write 1h or more (72h is usual)")
    return value


class Shift(Rule):
    """Fires when a probability itself has changed: a sequential test of each group, without a window."""

    counted_by: ClassVar[tuple[str, ...]] = (*Rule.counted_by, "event", "match", "of", "receipts_within")
    reach_is_in: ClassVar[tuple[str, ...]] = ("learn",)

    kind: Literal["shift"]
    """Whether the probability of a failure, or of a slow delivery, has changed."""
    event: Literal["failure", "slow"] = "failure"
    """failure: a message matches. slow: it has no final status after the time in which four of five of its group usually have one."""
    match: MatchField = FAILED
    """For event failure: which messages count as failures; left out: the failed ones (Failed, Undelivered, Unsent)."""
    of: Of = "final"
    """The messages of the denominator: final (a final status was reported), or a match."""
    to: Annotated[
        float,
        PlainValidator(_odds),
        WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*x$"}),
    ] = 3.0
    """The smallest change that matters, in odds: 3x finds 3% that become 8.5%."""
    false_alarm_every: Annotated[PeriodOrZero, AfterValidator(_rare), _LIKE_A_PERIOD] = 30 * DAY
    """How often a false alarm is allowed: the mean time between two of them, for all groups of an account together."""
    learn: Annotated[PeriodOrZero, AfterValidator(_learned), _LIKE_A_PERIOD] = 72 * HOUR
    """How long a history must be known before the rule can fire."""
    receipts_within: Period | None = None
    """For event failure: only reports that came so soon after sending count, because late ones are about the past."""
    for_: PeriodOrZero = Field(default=3 * MINUTE, alias="for")
    """How long a change must go on before the alert fires; left out: 3m."""
    forget_after: Period = 30 * MINUTE
    """How long a firing alert stays without enough messages for the test; then it resolves. Left out: 30m."""

    @classmethod
    def unknown_key(cls, key: str, value: object) -> str:
        return _INSTEAD.get(key) or super().unknown_key(key, value)

    @classmethod
    def check_keys(cls, data: Mapping[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
        for key, why in _FOR_FAILURES.items():
            if data.get("event") == "slow" and key in data:
                yield FieldProblem((key,), f"works only with event: failure; event: slow {why}", at_key=True)

    def meant(self) -> tuple[Condition, ...]:
        counted = (*among(self.of), *self.match.conditions) if self.event == "failure" else self._considered
        return (*super().meant(), *counted)

    def measured_against(self) -> tuple[Condition, ...]:
        return (*self.where.conditions, *(among(self.of) if self.event == "failure" else self._considered))

    @property
    def _considered(self) -> tuple[Condition, ...]:
        return () if isinstance(self.of, str) else self.of.conditions

    @property
    def keeps_state(self) -> bool:
        return True

    @property
    def is_of_one_campaign(self) -> bool:
        return "campaign" in self.by or "campaignTrackingId" in self.by

    @property
    def reach(self) -> Duration:
        return self.learn

    @cached_property
    def levels_(self) -> tuple[Level[Any], ...]:
        return (Level(self.severity, BaselineChange("factor", self.to)),)

    def check_values(self) -> Iterable[FieldProblem]:
        yield from super().check_values()
        if self.of == "all":
            yield FieldProblem(("of",), "a message without a final status shows nothing yet; write final or a match")
        for index, name in enumerate(self.by):
            if name == "to":
                yield FieldProblem(
                    ("by", index), "has a group for each recipient, far too small to judge; leave it out"
                )
            if name in _OUTCOMES:
                yield FieldProblem(
                    ("by", index), "says how a message fared: all messages of a group would be alike; write it in match"
                )
