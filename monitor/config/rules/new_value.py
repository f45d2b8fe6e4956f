"""The kind ``new_value``: a value that was not seen before appears."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal

from monitor.config.rules.match import Condition
from monitor.config.rules.model import FieldName, Windowed
from monitor.config.rules.ratio_fields import AtLeastOne
from monitor.config.rules.threshold import Level
from monitor.config.yaml import FieldProblem, Period
from monitor.runtime.clock import DAY, Duration


class NewValue(Windowed):
    """Fires when a field has a value that it did not have before; the alert's group is ``by`` and the value."""

    kind: Literal["new_value"]
    """Which values of a field are new."""
    field: FieldName
    """The field whose new values are found. A message that lacks it has no value."""
    seen_in: Period = 7 * DAY
    """A value is new where no message with it was first seen in this span before the window."""
    min_messages: AtLeastOne = 1
    """The least number of messages with the value in the window: one may be a mistake."""

    @property
    def reach(self) -> Duration:
        return self.window + self.seen_in

    @property
    def grouping(self) -> tuple[str, ...]:
        return (*self.by, self.field)

    @cached_property
    def levels_(self) -> tuple[Level[Any], ...]:
        return (Level(self.severity, float(self.min_messages)),)

    @property
    def remembers(self) -> bool:
        return True

    def measured_against(self) -> tuple[Condition, ...] | None:
        return None

    def check_values(self) -> Iterable[FieldProblem]:
        yield from super().check_values()
        if self.field in self.by:
            yield FieldProblem(("by",), f"alerts are grouped by {self.field} anyway; take it out here")
        if self.seen_in < self.window:
            yield FieldProblem(
                ("seen_in",), "must be at least as long as the window, else nearly every value would be new"
            )
