"""The kind ``campaign``: one campaign fails, stalls or falls short; and a report when it has ended."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, ConfigDict

from monitor.config.rules.balance import Unused
from monitor.config.rules.match import Condition
from monitor.config.rules.model import LONGEST_WINDOW, FieldName, Rule
from monitor.config.rules.ratio_fields import AtLeastOne, Confidence
from monitor.config.rules.threshold import Level, Share
from monitor.config.yaml import FieldProblem, Period, ValidationContext
from monitor.runtime.clock import DAY, HOUR, Duration

FOLLOWED: Final[Duration] = LONGEST_WINDOW
"""Rules look at messages of a campaign that were first seen within this span."""
ACTIVE: Final[Duration] = DAY
"""A campaign is followed while a message of it appeared or changed within this span."""
TOLD_FOR: Final[Duration] = HOUR
"""How long an alert that reports an end lasts."""

Problem = Literal["failing", "stalled", "short", "ended"]
WATCHED: Final[dict[str, Problem]] = {
    "failure_above": "failing",
    "stalled_for": "stalled",
    "short_below": "short",
    "ended": "ended",
}
"""The problem that each key asks for."""

_OF_CAMPAIGNS: Final = frozenset(
    {"campaign", "campaignTrackingId", "label", "from", "direction", "applicationName", "originatingService", "account"}
)
"""Fields that have the same value in all messages of a campaign."""


def _part(value: float) -> float:
    if not 0 < value < 1:
        raise ValueError("should be more than 0% and less than 100%")
    return value


def _not_none(value: float) -> float:
    if value <= 0:
        raise ValueError("can never fire: the value is never below 0")
    return value


class Campaign(Rule):
    """Fires when a campaign fails, stalls or falls short, and reports its end: each is an alert of its own."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": [key]} for key in WATCHED]})

    asks_routee: ClassVar[bool] = True

    kind: Literal["campaign"]
    """How each campaign fares, from its first message to its end."""
    failure_above: Annotated[Share, AfterValidator(_part)] | None = None
    """Fires when more than this share of a campaign's messages failed, of those with a final status; until it has ended."""
    confidence: Confidence | None = None
    """For failure_above: the lower bound of the share must be above it with this confidence, not only the share itself."""
    stalled_for: Period | None = None
    """Fires when a campaign that has not ended made no progress for so long."""
    short_below: Annotated[Share, AfterValidator(_not_none)] | None = None
    """Fires when a campaign ended with messages to less than this share of its recipients, if Routee says how many it has."""
    ended: Literal["report"] | None = None
    """report: each campaign is reported once when it has ended, with its totals and the severity info."""
    min_messages: AtLeastOne = 50
    """Smaller campaigns are not followed; for failure_above: with fewer final messages there is not enough data."""
    by: Annotated[tuple[FieldName, ...], Unused] = ()
    """Of no use here: alerts are by campaign and problem."""

    @classmethod
    def check_keys(cls, data: Mapping[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
        if "by" in data:
            yield FieldProblem(
                ("by",), "does not apply here: there is always one alert for each campaign and problem", at_key=True
            )
        if not any(key in data for key in WATCHED):
            yield FieldProblem((), f"watches nothing: write one or more of {', '.join(WATCHED)}")
        if "confidence" in data and "failure_above" not in data:
            yield FieldProblem(("confidence",), "works only with failure_above", at_key=True)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Returns the problems that the rule watches."""
        return tuple(problem for key, problem in WATCHED.items() if getattr(self, key) is not None)

    @property
    def waits_for_polls(self) -> bool:
        return self.problems != ("failing",)

    @property
    def takes_whole_campaigns(self) -> bool:
        """Returns whether the rule considers all messages of a campaign or none, so that they can be compared with its recipients."""
        return all(condition.field in _OF_CAMPAIGNS for condition in self.where.conditions)

    @property
    def reach(self) -> Duration:
        return FOLLOWED

    @property
    def grouping(self) -> tuple[str, ...]:
        return ("campaign", "campaignTrackingId", "problem")

    @property
    def polled_resource(self) -> Literal["balance", "campaigns"] | None:
        return "campaigns" if self.takes_whole_campaigns else None

    @property
    def is_of_one_campaign(self) -> bool:
        return True

    @property
    def own_labels(self) -> Mapping[str, tuple[str, ...]]:
        return {"problem": self.problems}

    @cached_property
    def levels_(self) -> tuple[Level[Any], ...]:
        """Returns the report's severity, then the rule's."""
        if self.ended is None or self.severity == "info":
            return (Level(self.severity, 0.0),)
        if len(self.problems) == 1:
            return (Level("info", 0.0),)
        return (Level("info", 0.0), Level(self.severity, 0.0))

    def measured_against(self) -> tuple[Condition, ...]:
        return self.where.conditions

    def check_values(self) -> Iterable[FieldProblem]:
        yield from super().check_values()
        if self.stalled_for is not None and self.stalled_for >= ACTIVE:
            yield FieldProblem(
                ("stalled_for",), "must be less than 1d: campaigns are followed while something happened within a day"
            )
        if self.for_ >= TOLD_FOR and self.problems[-1] in ("short", "ended"):
            yield FieldProblem(
                ("for",), "can never fire for short and ended: an end is reported for one hour; write less than 1h"
            )
        if self.short_below is not None and not self.takes_whole_campaigns:
            yield FieldProblem(
                ("short_below",), "cannot be known if `where` leaves out messages of a campaign", at_key=True
            )
