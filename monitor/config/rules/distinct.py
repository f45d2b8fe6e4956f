"""The kind ``distinct``: the number of different values."""

from collections.abc import Iterable
from typing import Literal

from monitor.config.rules.match import Condition
from monitor.config.rules.model import FieldName
from monitor.config.rules.threshold import CountLevel, CountOf, size
from monitor.config.rules.thresholded import Thresholded
from monitor.config.yaml import FieldProblem


class Distinct(Thresholded):
    """Fires when the number of different values of a field is above or below a threshold."""

    kind: Literal["distinct"]
    """How many different values a field has."""
    field: FieldName
    """The field whose values are counted, each once; that a message lacks it is no value. ``to`` counts recipients."""
    above: CountOf | None = None
    """Fires when there are more different values than this."""
    below: CountOf | None = None
    """Fires when there are fewer."""
    levels: tuple[CountLevel, ...] = ()
    """Several thresholds, each with its severity, in place of above or below: one alert that escalates."""

    def measured_against(self) -> tuple[Condition, ...] | None:
        return None

    def check_values(self) -> Iterable[FieldProblem]:
        yield from super().check_values()
        if self.field in self.by:
            yield FieldProblem(
                ("field",), f"can never be more than 1 within groups by {self.field}; count another field"
            )
        elif self.field == "account":
            yield FieldProblem(("field",), "is never more than 1: rules are judged account by account")
        for path, comparison, limit, _ in self._thresholds():
            named = {value for one in self.where.conditions if self._names(one) for value in one.values}
            if named and comparison == "above" and size(limit) >= len(named):
                yield FieldProblem(path, f"can never fire: where leaves {len(named)} of {self.field}")

    def _names(self, condition: Condition) -> bool:
        """Returns whether a condition limits the values of the field. A condition on groups does not: a message has other groups besides."""
        return condition.field == self.field != "groups" and condition.operator == "is"
