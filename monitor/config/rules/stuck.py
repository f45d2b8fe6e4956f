"""The kind ``stuck``: messages that have had no final status for too long."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from monitor.config.rules.match import Condition
from monitor.config.rules.model import Window
from monitor.config.rules.ratio_fields import HAS_ENDED, AtLeastOne
from monitor.config.rules.threshold import CountOrShare, CountOrShareLevel, ShareAmount
from monitor.config.rules.thresholded import Thresholded
from monitor.config.yaml import FieldProblem, Period, ValidationContext
from monitor.runtime.clock import DAY


class Stuck(Thresholded):
    """Fires when too many messages wait for a final status."""

    kind: Literal["stuck"]
    """How many messages have had no final status for too long."""
    window: Window = DAY
    """Messages that were first seen within this span count. Older ones are ignored."""
    older_than: Period
    """A message is stuck if it was first seen at least so long ago and has no final status."""
    above: CountOrShare | None = None
    """Fires when more are stuck than this: a number (50), or a share of those first seen in the window (5%)."""
    below: None = None
    """Of no use here: few stuck messages are no trouble."""
    levels: tuple[CountOrShareLevel, ...] = ()
    """Several thresholds, each with its severity, in place of above: one alert that escalates."""
    min_messages: AtLeastOne = 1
    """For a share: with fewer messages first seen in the window there is not enough data, and no alert."""

    @classmethod
    def check_keys(cls, data: Mapping[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
        yield from super().check_keys(data, reading)
        if "above" in data and "min_messages" in data and not str(data["above"]).rstrip().endswith("%"):
            yield FieldProblem(("min_messages",), "works only with a share (above: 5%), not with a number", at_key=True)

    def meant(self) -> tuple[Condition, ...]:
        return (*super().meant(), replace(HAS_ENDED, operator="is_not"))

    def measured_against(self) -> tuple[Condition, ...] | None:
        return self.where.conditions if self.is_share else None

    @property
    def waits_for_polls(self) -> bool:
        return True

    @property
    def is_share(self) -> bool:
        """Returns whether the thresholds are shares."""
        return isinstance(self.levels_[0].limit, ShareAmount)

    def check_values(self) -> Iterable[FieldProblem]:
        yield from super().check_values()
        if self.older_than >= self.window:
            yield FieldProblem(("older_than",), "must be shorter than the window, else no message could be stuck")
