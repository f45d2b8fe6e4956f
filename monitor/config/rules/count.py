"""The kind ``count``: how many messages there are."""

from typing import ClassVar, Literal

from monitor.config.rules.match import EVERYTHING, Condition, MatchField
from monitor.config.rules.threshold import CountLevel, CountOf
from monitor.config.rules.thresholded import Thresholded


class Count(Thresholded):
    """Fires when a number of messages is above or below a threshold."""

    counted_by: ClassVar[tuple[str, ...]] = (*Thresholded.counted_by, "window", "match", "comparison")

    kind: Literal["count"]
    """How many messages match."""
    match: MatchField = EVERYTHING
    """Which messages are counted; left out: all that are considered."""
    above: CountOf | None = None
    """Fires when there are more than this."""
    below: CountOf | None = None
    """Fires when there are fewer than this."""
    levels: tuple[CountLevel, ...] = ()
    """Several thresholds, each with its severity, in place of above or below: one alert that escalates."""

    def meant(self) -> tuple[Condition, ...]:
        return (*super().meant(), *self.match.conditions)

    def measured_against(self) -> tuple[Condition, ...] | None:
        return None

    @property
    def speaks_early(self) -> bool:
        return self.comparison == "above"
