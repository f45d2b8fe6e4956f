"""The values of a rule's groups over time, for charts.

Each group has one value for each of a fixed number of times; if rules are evaluated more often, it is the worst value in between. If there are
many groups, only those are kept that came nearest to their threshold, or went furthest beyond it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.evaluation import Group
from monitor.alerts.group_names import Names
from monitor.alerts.kinds import NOT_ENOUGH, RuleResult
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.simulation.backtest.step_size import EvaluationSpan

MOST_POINTS: Final = 720
MOST_GROUPS: Final = 256

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GroupSeries:
    """One group: its value and threshold at each time, NaN where data was missing. ``worst`` is how near it came to its threshold, as a factor."""

    group: Group
    values: Floats
    thresholds: Floats
    worst: float
    evidence: Floats
    """See `RuleResult.evidence`; NaN where there is none, for most kinds always."""


class RuleSeries:
    """The values of one rule over a span; ``below`` means that low values are bad."""

    def __init__(self, span: EvaluationSpan, below: bool) -> None:
        self.span = span
        self.points = min(span.steps, MOST_POINTS)
        self._had_data = self._asked = False
        self._below = below
        self._names = Names()
        self._rows: dict[int, int] = {}
        self._groups: list[Group] = []
        self._row_of_group: dict[Group, int] = {}
        self._values = np.full((8, self.points), np.nan)
        self._thresholds = np.full((8, self.points), np.nan)
        self._evidence = np.full((8, self.points), np.nan)

    @property
    def known(self) -> bool:
        """Whether there was enough data about any group; True if there were no groups."""
        return self._had_data or not self._asked

    def at(self, point: int) -> Instant:
        """Returns the instant of a position in the series."""
        return self.span.since + round((point + 0.5) * self.span.length / self.points)

    def take(self, as_of: Instant, rule_result: RuleResult) -> None:
        """Adds the result of one evaluation."""
        if not self._names.begin(rule_result):
            self._rows.clear()
        with_data = rule_result.breached != NOT_ENOUGH
        self._had_data |= bool(with_data.any())
        self._asked |= len(rule_result) > 0
        enough = np.flatnonzero(with_data & ~np.isnan(rule_result.value))
        if not enough.size:
            return
        rows = np.array([self._row(rule_result, int(at)) for at in enough], np.int64)
        point = min((as_of - self.span.since) * self.points // max(self.span.length, 1), self.points - 1)
        worst = np.fmin if self._below else np.fmax
        before, value = self._values[rows, point], rule_result.value[enough]
        self._values[rows, point] = worst(before, value)
        self._thresholds[rows, point] = rule_result.threshold[enough]
        if rule_result.evidence is not None:
            self._evidence[rows, point] = np.fmax(self._evidence[rows, point], rule_result.evidence[enough])
        if len(self._groups) > MOST_GROUPS:
            self._thin_out()

    def lines(self) -> list[GroupSeries]:
        """Returns all groups that were kept, the worst first."""
        scores = self._scores()
        order = np.argsort(-scores, kind="stable")
        return [
            GroupSeries(self._groups[i], self._values[i], self._thresholds[i], float(scores[i]), self._evidence[i])
            for i in order.tolist()
        ]

    def _row(self, rule_result: RuleResult, at: int) -> int:
        code = int(rule_result.codes[at])
        row = self._rows.get(code)
        if row is None:
            group = self._names.group(rule_result, at)
            row = self._rows[code] = self._row_of_group.setdefault(group, len(self._groups))
            if row == len(self._groups):
                self._groups.append(group)
                self._reserve(row + 1)
        return row

    def _reserve(self, count: int) -> None:
        if count > len(self._values):
            more = np.full((len(self._values), self.points), np.nan)
            arrays = self._values, self._thresholds, self._evidence
            self._values, self._thresholds, self._evidence = (np.concatenate([one, more]) for one in arrays)

    def _scores(self) -> Floats:
        """Returns how near each group came to its threshold, or how far it went beyond, as a factor."""
        count = len(self._groups)
        values, thresholds = self._values[:count] + 1e-9, self._thresholds[:count] + 1e-9
        ratios = thresholds / values if self._below else values / thresholds
        return np.asarray(np.max(np.nan_to_num(ratios, nan=0.0), axis=1, initial=0.0))

    def _thin_out(self) -> None:
        """Keeps the worst half of the groups."""
        kept = np.sort(np.argsort(-self._scores(), kind="stable")[: MOST_GROUPS // 2])
        self._groups = [self._groups[i] for i in kept.tolist()]
        self._row_of_group = {group: row for row, group in enumerate(self._groups)}
        self._rows.clear()
        self._values, self._thresholds, self._evidence = (
            one[kept] for one in (self._values, self._thresholds, self._evidence)
        )
