"""Computes the recent values of a rule's groups from the messages that the window still holds."""

from dataclasses import replace
from typing import Final

from monitor.alerts.evaluation_history import EvaluationHistory
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.kinds import EvaluationInput, evaluate
from monitor.config.rules import Rule, Thresholded
from monitor.runtime.clock import MINUTE, SECOND
from monitor.window import WindowReader

POINTS: Final = 24


def trend(rule: Rule, evaluator: RuleEvaluator) -> EvaluationHistory:
    """Returns the latest POINTS evaluations of the groups that matter, a quarter of the rule's window apart.

    Of a rule that keeps a state it returns only the present one.
    """
    ring, span = EvaluationHistory(), evaluator.coverage.as_of(rule)
    if span is None:
        return ring
    inputs: EvaluationInput = evaluator.input_for(rule, WindowReader(evaluator.window), *span)
    step = max(rule.window // 4, 30 * SECOND) if isinstance(rule, Thresholded) else MINUTE
    alerts = [alert.group for alert in evaluator.alerts.get(rule.name, {}).values() if alert.state != "resolved"]
    # The present comes first, because it decides which groups matter.
    ring.take(rule, inputs.as_of, evaluate(rule, inputs), alerts)
    kept = [*alerts, *ring.groups(rule.name)]
    ring.forget(rule.name)
    for back in reversed(range(1 if rule.keeps_state else POINTS)):
        then = replace(inputs, as_of=inputs.as_of - back * step)
        if then.as_of >= inputs.covered_since:
            ring.take(rule, then.as_of, evaluate(rule, then), kept)
    return ring
