"""Evaluates rules together that count the same: counts once, and compares with the thresholds of all rules at once.

Rules of one team mostly count the same messages, and nearly always all groups are within all thresholds. A kind's `BatchEvaluator` finds
in a few array operations which rules may have a group over a threshold; only those are then evaluated alone, by the kind's ``evaluate``.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.result import EvaluationInput, Floats, RuleResult
from monitor.config.rules.model import Rule
from monitor.runtime.dataclass import dataclass
from monitor.window import Codes, RelativeQuery

Column = NDArray[np.int64] | NDArray[np.float64]


class Numbers(Protocol):
    """What was counted, by group. ``columns`` are all numbers that thresholds are compared with; the number of messages comes first."""

    @property
    def codes(self) -> Codes: ...

    @property
    def columns(self) -> tuple[Column, ...]: ...


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Numbers compared with one rule's thresholds; see `RuleResult`."""

    breached: NDArray[np.int64]
    value: Floats
    threshold: Floats
    messages: Codes
    baseline: Floats | None = None


@dataclass(frozen=True, slots=True)
class BatchEvaluator:
    """How the rules of one kind are evaluated together. The rules of one call agree in ``Rule.counted`` and in ``apart``.

    ``asked`` returns a rule's queries, and ``count`` the numbers that they give. ``limits`` returns the rules' thresholds in columns. ``over``
    says which rules have a group over a threshold, or may have one. ``weigh`` compares remembered columns with one rule's thresholds.
    """

    apart: Callable[[Any], Hashable]
    asked: Callable[[Any], Any]
    count: Callable[[Any, Any, EvaluationInput], Any]
    limits: Callable[[Sequence[Any]], Any]
    over: Callable[[Any, Any], NDArray[np.bool_]]
    weigh: Callable[[Any, tuple[Floats, ...]], BatchResult]


Pair = tuple[RelativeQuery, RelativeQuery]
"""Two queries for one span: the messages considered, and those of them that match."""


def column(values: Sequence[float]) -> Floats:
    """Returns one number per rule as a column: compared with one number per group, it gives a row per rule."""
    return np.array(values, np.float64)[:, None]


Evaluator = Callable[[Rule, EvaluationInput], RuleResult]


class RuleBatch:
    """Rules, at least one, that differ only in their thresholds. ``by`` are the fields by which all of them group."""

    def __init__(self, batch: BatchEvaluator, rules: Iterable[Rule], evaluate: Evaluator) -> None:
        self.rules = tuple(rules)
        self.names = [rule.name for rule in self.rules]
        self.by = self.rules[0].grouping
        self.below = self.rules[0].comparison == "below"
        self._batch = batch
        self._evaluate = evaluate
        self._asked = batch.asked(self.rules[0])
        self._limits = batch.limits(self.rules)

    def count(self, inputs: EvaluationInput) -> Numbers:
        """Returns what all of them count."""
        numbers: Numbers = inputs.shared(self.rules[0], lambda: self._batch.count(self.rules[0], self._asked, inputs))
        return numbers

    def to_evaluate_alone(self, numbers: Numbers) -> set[str]:
        """Returns the names of the rules to evaluate alone. All groups of the other rules are within their thresholds or too small."""
        over = self._batch.over(self._limits, numbers)
        return {self.rules[at].name for at in over.nonzero()[0].tolist()} if over.any() else set()

    def weigh(self, rule: Rule, columns: tuple[Floats, ...]) -> BatchResult:
        """Compares remembered numbers of some groups with one rule's thresholds."""
        return self._batch.weigh(rule, columns)

    def rule_result(self, number: int, inputs: EvaluationInput) -> RuleResult:
        """Returns the full result of one rule; consecutive numbers choose the rules in turn."""
        return self._evaluate(self.rules[number % len(self.rules)], inputs)
