"""Shared code of the kinds that measure an amount which is zero without messages: money, distinct values."""

from collections.abc import Callable

import numpy as np

from monitor.alerts.kinds.count import forgotten, remembered
from monitor.alerts.kinds.levels import crossed, numbers_of
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, Floats, RuleResult
from monitor.alerts.kinds.rule_query import considered
from monitor.config.rules import Thresholded
from monitor.model.finding import Finding
from monitor.runtime.clock import iso
from monitor.window import Codes


def codes_of(rule: Thresholded, moment: EvaluationInput) -> Codes:
    """The groups to judge: those with messages now or with an alert; for ``below`` those seen in the last 24 hours."""
    if not rule.by:
        return np.zeros(1, np.int64)
    if rule.comparison == "below":
        return moment.reading.tally(considered(rule, moment.as_of, remembered(rule))).codes
    return moment.codes(rule.by, moment.reading.tally(considered(rule, moment.as_of, rule.window)))


def judged(
    rule: Thresholded,
    moment: EvaluationInput,
    codes: Codes,
    value: Floats,
    messages: Codes,
    matching: Codes,
    say: Callable[[float], str],
    measured: Callable[[float], str],
) -> RuleResult:
    """The amounts against the rule's thresholds; ``say`` writes a threshold, ``measured`` an amount with its noun.

    What is too little may only be unknown: ``below`` has not enough data until the window is known to be complete.
    """
    below = rule.comparison == "below"
    breached, threshold = crossed(value, numbers_of(rule), below)
    warming = below and not moment.covers(rule.window)
    if warming:
        breached[:] = NOT_ENOUGH

    def why(at: int) -> str:
        if warming:
            return f"not enough data: history reaches back to {iso(moment.covered_since)} only"
        side = "below" if value[at] < threshold[at] else "above" if value[at] > threshold[at] else "at"
        return f"{measured(float(value[at]))}: {side} {say(float(threshold[at]))}"

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return forgotten(rule, group, warming=warming)

    return RuleResult(moment.reading, rule.by, codes, breached, value, threshold, messages, matching, why, absent)
