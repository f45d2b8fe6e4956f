"""What a kind offers whose rules can be judged together where they count the same: numbers once, thresholds for all at a time.

Rules of a team mostly ask the same of the same messages, and nearly always nothing is over any threshold. So the kind says in a
few operations which of the rules have anything to say at all; only those are then judged one by one, by the kind's ``evaluate``.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.result import EvaluationInput, Floats, RuleResult
from monitor.config.rules.model import Rule
from monitor.window import Codes, RelativeQuery

Column = NDArray[np.int64] | NDArray[np.float64]


class Numbers(Protocol):
    """What was counted, by group; ``columns`` has all that a threshold is compared by, the number of messages first."""

    @property
    def codes(self) -> Codes: ...

    @property
    def columns(self) -> tuple[Column, ...]: ...


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Numbers against one rule's thresholds: see `RuleResult`."""

    breached: NDArray[np.int64]
    value: Floats
    threshold: Floats
    messages: Codes


@dataclass(frozen=True, slots=True)
class BatchEvaluator:
    """How the rules of one kind are judged together. The rules of a call agree in ``Rule.counted`` and in ``apart``.

    ``asked``: what a rule asks of the window. ``count``: the numbers, from that. ``limits``: what is needed of each rule to
    compare, in columns. ``over``: which of the rules have a group over a threshold; True also where that cannot be said of all
    their groups at once. ``weigh``: columns, as they were remembered, against a rule's thresholds.
    """

    apart: Callable[[Any], Hashable]
    asked: Callable[[Any], Any]
    count: Callable[[Any, Any, EvaluationInput], Any]
    limits: Callable[[Sequence[Any]], Any]
    over: Callable[[Any, Any], NDArray[np.bool_]]
    weigh: Callable[[Any, tuple[Floats, ...]], BatchResult]


Pair = tuple[RelativeQuery, RelativeQuery]
"""Two questions of one span: the messages considered, and those of them that match."""


def column(values: Sequence[float]) -> Floats:
    """One number a rule, to be compared with one number a group: gives a line a rule, a place a group."""
    return np.array(values, np.float64)[:, None]


Evaluator = Callable[[Rule, EvaluationInput], RuleResult]


class RuleBatch:
    """Rules that count the same and compare it in the same way, at least one: only their thresholds differ. ``by`` is how all of them are grouped."""

    def __init__(self, batch: BatchEvaluator, rules: Iterable[Rule], evaluate: Evaluator) -> None:
        self.rules = tuple(rules)
        self.names = [rule.name for rule in self.rules]
        self.by = self.rules[0].grouping
        self.below = self.rules[0].comparison == "below"
        self._batch = batch
        self._evaluate = evaluate
        self._asked = batch.asked(self.rules[0])
        self._limits = batch.limits(self.rules)

    def count(self, moment: EvaluationInput) -> Numbers:
        """What all of them count."""
        numbers: Numbers = moment.shared(self.rules[0], lambda: self._batch.count(self.rules[0], self._asked, moment))
        return numbers

    def to_judge(self, numbers: Numbers) -> set[str]:
        """The names of those that must be judged by themselves. All groups of the others are within their thresholds, or too small."""
        over = self._batch.over(self._limits, numbers)
        return {self.rules[at].name for at in over.nonzero()[0].tolist()} if over.any() else set()

    def weigh(self, rule: Rule, columns: tuple[Floats, ...]) -> BatchResult:
        """Numbers of some groups, as they were remembered, against one rule's thresholds."""
        return self._batch.weigh(rule, columns)

    def rule_result(self, number: int, moment: EvaluationInput) -> RuleResult:
        """One of the rules in full, whichever has its turn."""
        return self._evaluate(self.rules[number % len(self.rules)], moment)
