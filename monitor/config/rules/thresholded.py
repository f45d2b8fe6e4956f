"""The base model of rules that compare a value with thresholds."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar

from monitor.config.rules.model import Windowed
from monitor.config.rules.threshold import Comparison, Level, Limit, WrittenLevel, in_sigma, mixed, never, size
from monitor.config.yaml import FieldProblem, ValidationContext
from monitor.config.yaml.document import KeyPath


class Thresholded(Windowed):
    """A rule that measures something within a window and compares it with ``above`` or ``below``, or with several ``levels``."""

    most: ClassVar[float | None] = None
    """The largest value that the rule can measure, if there is one."""

    above: Limit | None = None
    """Fires when the value is above this."""
    below: Limit | None = None
    """Fires when the value is below this."""
    levels: tuple[WrittenLevel, ...] = ()
    """Several thresholds, each with its severity, in place of above or below: one alert that escalates."""

    @classmethod
    def check_keys(cls, data: Mapping[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
        written = [key for key in ("above", "below", "levels") if key in data]
        if not written:
            yield FieldProblem((), "needs a threshold: above, below or levels")
        for key in written[1:]:
            yield FieldProblem(
                (key,), f"only one of above, below and levels can be written; {written[0]} is there already", True
            )
        if "levels" in data and "severity" in data:
            yield FieldProblem(("severity",), "each of the levels has its own severity; take this one out", at_key=True)
        if data.get("levels") == []:
            yield FieldProblem(("levels",), "needs at least one level")

    @cached_property
    def levels_(self) -> tuple[Level[Any], ...]:
        found = [Level(severity, limit) for _, _, limit, severity in self._thresholds()]
        return tuple(sorted(found, key=lambda level: size(level.limit), reverse=self.worse == "below"))

    @cached_property
    def comparison(self) -> Comparison:
        return next(self._thresholds())[1]

    @property
    def waits_for_polls(self) -> bool:
        return self.comparison == "below" and self.measured_against() is None

    @property
    def worse(self) -> Comparison:
        """On which side of a threshold the worse ones are. A distance in sigma is one on either side: further out is worse."""
        return "above" if any(map(in_sigma, (limit for _, limit in self.thresholds))) else self.comparison

    @property
    def thresholds(self) -> tuple[tuple[KeyPath, Limit], ...]:
        """Each threshold with its path below the rule, in the order of the file."""
        return tuple((path, limit) for path, _, limit, _ in self._thresholds())

    def _thresholds(self) -> Iterator[tuple[KeyPath, Comparison, Limit, str]]:
        """Yields each threshold as written: path, side, limit, severity."""
        entries: list[tuple[KeyPath, Thresholded | WrittenLevel]] = [((), self)]
        entries += [(("levels", index), level) for index, level in enumerate(self.levels)]
        for path, entry in entries:
            if entry.above is not None:
                yield (*path, "above"), "above", entry.above, entry.severity
            if entry.below is not None:
                yield (*path, "below"), "below", entry.below, entry.severity

    def check_values(self) -> Iterable[FieldProblem]:
        yield from super().check_values()
        seen: list[Limit] = []
        first = next((comparison for _, comparison, _, _ in self._thresholds()), "above")
        for path, comparison, limit, _ in self._thresholds():
            if problem_text := never(comparison, limit, self.most):
                yield FieldProblem(path, problem_text)
            if comparison != first and self.levels:
                yield FieldProblem(path, f"the levels of one rule are all {first} or all {comparison}", at_key=True)
            if size(limit) in map(size, seen):
                yield FieldProblem(path, "two levels have the same threshold")
            seen.append(limit)
        if problem_text := mixed(seen):
            yield FieldProblem(("levels",), problem_text)
