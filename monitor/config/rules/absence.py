"""The kind ``absence``: a group that was active falls silent."""

from collections.abc import Iterable
from functools import cached_property
from typing import Final, Literal

from monitor.config.rules.match import Condition
from monitor.config.rules.model import Windowed
from monitor.config.rules.ratio_fields import AtLeastOne
from monitor.config.rules.threshold import Comparison, Level
from monitor.config.yaml import FieldProblem, Period
from monitor.runtime.clock import DAY, HOUR, SECOND, Duration

RHYTHM_DAYS: Final = 7
"""The number of days whose same hour says how many messages are expected."""


class Absence(Windowed):
    """Fires when a group that was active has had no new message for as long as the window."""

    kind: Literal["absence"]
    """Whether messages still come."""
    active_in: Period = DAY
    """A group counts as active where messages of it were first seen in this span before the window."""
    min_baseline: AtLeastOne = 1
    """The number of messages that makes a group active; a group with fewer may pause."""
    expected: AtLeastOne | None = None
    """Also fires once so many messages are expected to have come since the last one, by the same hour of the last 7 days."""

    @property
    def reach(self) -> Duration:
        usual = self.window + self.active_in
        return usual if self.expected is None else max(usual, RHYTHM_DAYS * DAY + HOUR)

    @cached_property
    def levels_(self) -> tuple[Level[float], ...]:
        return (Level(self.severity, 1.0 if self.expected is None else self.window / SECOND),)

    @property
    def waits_for_polls(self) -> bool:
        return True

    @property
    def comparison(self) -> Comparison:
        return "below" if self.expected is None else "above"

    def measured_against(self) -> tuple[Condition, ...]:
        return self.where.conditions

    def check_values(self) -> Iterable[FieldProblem]:
        yield from super().check_values()
        if self.active_in < self.window:
            yield FieldProblem(
                ("active_in",), "must be at least as long as the window, else it does not show what is usual"
            )
