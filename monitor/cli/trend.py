"""Computes the recent values of a rule's groups from the messages that the window still holds."""

from dataclasses import replace
from typing import Final

from monitor.alerts.evaluation_history import EvaluationHistory
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.kinds import EvaluationInput, evaluate
from monitor.config.rules import Rule, Thresholded
from monitor.runtime.clock import MINUTE, SECOND
from monitor.window import WindowReader

MOMENTS: Final = 24


def trend(rule: Rule, evaluator: RuleEvaluator) -> EvaluationHistory:
    """Returns the latest MOMENTS evaluations of the groups that matter, a quarter of the rule's window apart."""
    ring, span = EvaluationHistory(), evaluator.coverage.as_of(rule)
    if span is None:
        return ring
    moment: EvaluationInput = evaluator.input_for(rule, WindowReader(evaluator.window), *span)
    step = max(rule.window // 4, 30 * SECOND) if isinstance(rule, Thresholded) else MINUTE
    alerts = [alert.group for alert in evaluator.alerts.get(rule.name, {}).values() if alert.state != "resolved"]
    # The present first: it says which groups matter.
    ring.take(rule, moment.as_of, evaluate(rule, moment), alerts)
    kept = [*alerts, *ring.groups(rule.name)]
    ring.forget(rule.name)
    for back in reversed(range(MOMENTS)):
        then = replace(moment, as_of=moment.as_of - back * step)
        if then.as_of >= moment.covered_since:
            ring.take(rule, then.as_of, evaluate(rule, then), kept)
    return ring
