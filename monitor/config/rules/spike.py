"""The kind ``spike``: compares the present value with a baseline."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from monitor.config.rules.match import EVERYTHING, FAILED, Condition, Match, MatchField
from monitor.config.rules.model import Window
from monitor.config.rules.ratio_fields import AtLeastNone, Of, among
from monitor.config.rules.threshold import ChangeLevel, ChangeOf, in_sigma
from monitor.config.rules.thresholded import Thresholded
from monitor.config.yaml import FieldProblem, Period, PeriodOrZero, ValidationContext, YamlModel, Zone
from monitor.runtime.clock import DAY, HOUR, Duration

ENOUGH_DAYS = 3
"""The number of known days that a baseline of the same hour needs."""


def _whole_days(duration: Duration) -> Duration:
    if duration % DAY or not ENOUGH_DAYS * DAY <= duration <= 30 * DAY:
        raise ValueError(f"should be whole days, {ENOUGH_DAYS}d to 30d: fewer days do not show what is usual")
    return duration


class Ago(YamlModel):
    """A span that ended some time ago, scaled to the length of the rule's window."""

    window: Window
    """How long the span is."""
    ago: PeriodOrZero
    """How long ago it ended."""

    @property
    def reach(self) -> Duration:
        """Returns how far back the span begins."""
        return self.window + self.ago


class SameHour(YamlModel):
    """The same span of each of the last days; the median is the baseline."""

    same_hour: Annotated[Period, AfterValidator(_whole_days)]
    """How many days back, at least 3d: 7d."""
    location: Zone | None = None
    """The time zone whose clock says which hour is the same; left out: the account's time_zone."""

    @property
    def days(self) -> int:
        """Returns the number of days."""
        return self.same_hour // DAY


def _form(data: object) -> str:
    return "<same hour>" if isinstance(data, SameHour) or (isinstance(data, dict) and "same_hour" in data) else "<ago>"


Baseline = Annotated[
    Annotated[Ago, Tag("<ago>")] | Annotated[SameHour, Tag("<same hour>")],
    Discriminator(_form),
]


def _usual_match(data: Mapping[str, Any]) -> Match:
    return FAILED if data.get("measure") == "rate" else EVERYTHING


def _usual_least(data: Mapping[str, Any]) -> int:
    return 1 if data.get("measure") == "rate" else 0


class Spike(Thresholded):
    """Fires when the present differs from a baseline."""

    counted_by: ClassVar[tuple[str, ...]] = (
        *Thresholded.counted_by,
        *("window", "measure", "match", "of", "baseline", "receipts_within", "in_sigma"),
    )

    kind: Literal["spike"]
    """How a number or a share of messages has changed against a baseline."""
    measure: Literal["count", "rate"] = "count"
    """What is compared: the number of messages that match, or their share."""
    match: MatchField = Field(default_factory=_usual_match)
    """Which messages are measured; left out: all for a count, the failed ones for a rate."""
    of: Of = "final"
    """For measure rate: among which messages the share is taken: final, all, or a match."""
    baseline: Baseline
    """What now is compared with: {window: 1h, ago: 15m} or {same_hour: 7d, location: Europe/Athens}."""
    above: ChangeOf | None = None
    """Fires above this change: 3x, +25% or 4 sigma."""
    below: ChangeOf | None = None
    """Fires below this change: 0.5x, -25% or 4 sigma."""
    levels: tuple[ChangeLevel, ...] = ()
    """Several changes, each with its severity, in place of above or below: one alert that escalates."""
    min_messages: AtLeastNone = Field(default_factory=_usual_least)
    """With fewer messages now there is not enough data, and no alert."""
    min_baseline: AtLeastNone = 0
    """With less in the baseline there is not enough data, and no alert. For measure count: the usual number, brought to the length
    of the window; for measure rate: the messages among which the usual share is taken (of same_hour, on the median day)."""
    receipts_within: Period | None = None
    """Only reports that came so soon after sending count, because late ones are about the past."""

    @classmethod
    def check_keys(cls, data: Mapping[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
        yield from super().check_keys(data, reading)
        if "of" in data and data.get("measure", "count") == "count":
            yield FieldProblem(
                ("of",), "works only with measure: rate; a count includes all messages considered", at_key=True
            )

    def meant(self) -> tuple[Condition, ...]:
        denominator = among(self.of) if self.measure == "rate" else ()
        return (*super().meant(), *denominator, *self.match.conditions)

    def measured_against(self) -> tuple[Condition, ...] | None:
        return (*self.where.conditions, *among(self.of)) if self.measure == "rate" else None

    @property
    def remembers(self) -> bool:
        return True

    @cached_property
    def in_sigma(self) -> bool:
        """Returns whether thresholds are in standard deviations."""
        return any(in_sigma(level.limit) for level in self.levels_)

    @property
    def reach(self) -> Duration:
        if isinstance(self.baseline, SameHour):
            return (
                self.window + self.baseline.same_hour + HOUR
            )  # the day on which clocks are set back is an hour longer
        return max(self.window, self.baseline.reach)
