"""Evaluates rules together that count the same. Rules of a batch that are within all thresholds need no evaluation of their own."""

from collections.abc import Callable, Collection, Iterable, Mapping
from time import perf_counter

from monitor.alerts.evaluation import EvaluationResult
from monitor.alerts.evaluation_history import EvaluationHistory
from monitor.alerts.kinds import EvaluationInput, batches
from monitor.alerts.kinds.batch import RuleBatch
from monitor.alerts.span import Span
from monitor.config.rules import Rule
from monitor.runtime.pieces import Work

InputFor = Callable[[Rule, Span], EvaluationInput]


class RuleBatches:
    """The batches of an account's rules. ``history`` gets the results."""

    def __init__(self, rules: Iterable[Rule], history: EvaluationHistory) -> None:
        self._batches = batches(rules)
        self._history = history

    def evaluate(
        self,
        due: Mapping[str, tuple[Rule, Span]],
        alone: Collection[str],
        input_for: InputFor,
        version: int,
        result: EvaluationResult,
    ) -> Work[set[str]]:
        """Evaluates the batches of the rules that are ``due``; returns the names of the rules that are within all thresholds.

        The caller evaluates the other rules one by one, and those named in ``alone``. ``version`` is the window's version.
        """
        within: set[str] = set()
        inputs_by_span: dict[tuple[Span, str | None], EvaluationInput] = {}
        for batch in self._batches:
            names = [name for name in batch.names if name in due and name not in alone]
            if names:
                rule, span = due[names[0]]
                position = span, rule.search
                if position not in inputs_by_span:
                    inputs_by_span[position] = input_for(rule, span)
                if not inputs_by_span[position].lacks(rule):
                    within |= self._evaluate(batch, names, inputs_by_span[position], version, result)
                yield
        return within

    def _evaluate(
        self, batch: RuleBatch, names: list[str], inputs: EvaluationInput, version: int, result: EvaluationResult
    ) -> set[str]:
        began = perf_counter()
        try:
            numbers = batch.count(inputs)
            within = set(names) - batch.to_evaluate_alone(numbers)
            if within:
                self._history.take_shared(batch, inputs, numbers)
        except Exception:  # noqa: BLE001 — the rule at fault fails again when it is evaluated alone, and is reported then
            return set()
        seconds = (perf_counter() - began) / len(names)
        evaluated, took = (inputs.as_of, version), result.seconds
        for name in within:
            result.evaluated[name] = evaluated
            took[name] = seconds
        return within
