"""Rules that count the same and compare it in the same way: only their thresholds differ. They are judged together, see `BatchEvaluator`."""

from collections.abc import Iterable

from monitor.alerts.kinds.batch import BatchEvaluator, BatchResult, Numbers
from monitor.alerts.kinds.registry import ALIKE, evaluate
from monitor.alerts.kinds.result import EvaluationInput, Floats, RuleResult
from monitor.config.rules import Rule


class RuleBatch:
    """Some such rules, at least one; ``by`` is how all of them are grouped."""

    def __init__(self, alike: BatchEvaluator, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self.names = [rule.name for rule in self.rules]
        self.by = self.rules[0].grouping
        self.below = self.rules[0].comparison == "below"
        self._alike = alike
        self._asked = alike.asked(self.rules[0])
        self._limits = alike.limits(self.rules)

    def count(self, moment: EvaluationInput) -> Numbers:
        """What all of them count."""
        numbers: Numbers = moment.shared(self.rules[0], lambda: self._alike.count(self.rules[0], self._asked, moment))
        return numbers

    def speaking(self, numbers: Numbers) -> set[str]:
        """The names of those that must be judged by themselves. All groups of the others are within their thresholds, or too small."""
        over = self._alike.over(self._limits, numbers)
        return {self.rules[at].name for at in over.nonzero()[0].tolist()} if over.any() else set()

    def weigh(self, rule: Rule, columns: tuple[Floats, ...]) -> BatchResult:
        """Numbers of some groups, as they were remembered, against one rule's thresholds."""
        return self._alike.weigh(rule, columns)

    def judgement(self, number: int, moment: EvaluationInput) -> RuleResult:
        """One of the rules in full, whichever has its turn."""
        return evaluate(self.rules[number % len(self.rules)], moment)


def grouped(rules: Iterable[Rule]) -> list[RuleBatch]:
    """All rules that can be judged with others like them, or alone in the same way.

    Those grouped by recipient cannot: recipients are numbered anew by each reading.
    """
    found: dict[object, list[Rule]] = {}
    for rule in rules:
        alike = ALIKE.get(type(rule))
        if alike is not None and "to" not in rule.by:
            found.setdefault((rule.counted, rule.every, alike.apart(rule)), []).append(rule)
    return [RuleBatch(ALIKE[type(some[0])], some) for some in found.values()]
