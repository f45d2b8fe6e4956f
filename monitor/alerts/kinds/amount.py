"""Shared code of the kinds that measure an amount which is zero without messages: money and distinct values."""

from collections.abc import Callable

import numpy as np

from monitor.alerts.kinds.count import forgotten, remembered
from monitor.alerts.kinds.levels import crossed, numbers_of
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, Floats, RuleResult, history_reaches
from monitor.alerts.kinds.rule_query import considered
from monitor.config.rules import Thresholded
from monitor.model.finding import Finding
from monitor.window import Codes


def codes_of(rule: Thresholded, inputs: EvaluationInput) -> Codes:
    """Returns the groups to evaluate: those with messages now or with an alert; for ``below`` those seen in the last 24 hours."""
    if not rule.by:
        return np.zeros(1, np.int64)
    if rule.comparison == "below":
        return inputs.count(considered(rule, inputs.as_of, remembered(rule))).codes
    return inputs.codes(rule.by, inputs.count(considered(rule, inputs.as_of, rule.window)))


def amount_result(
    rule: Thresholded,
    inputs: EvaluationInput,
    codes: Codes,
    value: Floats,
    messages: Codes,
    matching: Codes,
    say: Callable[[float, float], str],
    measured: Callable[[float, float], str],
) -> RuleResult:
    """Compares amounts with the rule's thresholds. ``say`` formats a threshold beside an amount, ``measured`` an amount with its noun beside
    a threshold, so that they can be told apart.

    An amount that is too low may only be incomplete: ``below`` has not enough data until all messages of the window are known.
    """
    below = rule.comparison == "below"
    breached, threshold = crossed(value, numbers_of(rule), below)
    warming = below and not inputs.covers(rule.window)
    if warming:
        breached[:] = NOT_ENOUGH

    def why(at: int) -> str:
        if warming:
            return f"not enough data: {history_reaches(inputs.covered_since)} only"
        side = "below" if value[at] < threshold[at] else "above" if value[at] > threshold[at] else "at"
        amount, limit = float(value[at]), float(threshold[at])
        return f"{measured(amount, limit)}: {side} {say(limit, amount)}"

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return forgotten(rule, group, warming=warming)

    return RuleResult(inputs.reading, rule.by, codes, breached, value, threshold, messages, matching, why, absent)
