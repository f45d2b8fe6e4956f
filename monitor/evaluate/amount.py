"""What kinds have in common that measure an amount which is zero where there are no messages: money, different values."""

from collections.abc import Callable

import numpy as np

from monitor.clock import HOUR, iso
from monitor.evaluate.judgement import NOT_ENOUGH, Floats, Judgement, Moment
from monitor.evaluate.levels import crossed, fixed, number_of
from monitor.evaluate.question import considered
from monitor.finding import Finding
from monitor.rules import Thresholded
from monitor.window import Codes

SEEN_IN = 24 * HOUR
"""A group without messages counts as zero where it was seen in this long."""


def codes_of(rule: Thresholded, moment: Moment) -> Codes:
    """The groups to judge: those with messages now or with an alert; for ``below`` also those seen in the last 24 hours."""
    if not rule.by:
        return np.zeros(1, np.int64)
    span = max(SEEN_IN, rule.window) if rule.comparison == "below" else rule.window
    seen = moment.reading.tally(considered(rule, moment.as_of, span)).codes
    return np.union1d(seen, moment.known_codes(rule.by))


def judged(
    rule: Thresholded,
    moment: Moment,
    codes: Codes,
    value: Floats,
    messages: Codes,
    matching: Codes,
    say: Callable[[float], str],
    measured: Callable[[float], str],
) -> Judgement:
    """The amounts against the rule's thresholds; ``say`` writes a threshold, ``measured`` an amount with its noun.

    What is too little may only be unknown: ``below`` has not enough data until the window is known to be complete.
    """
    below = rule.comparison == "below"
    breached, threshold = crossed(value, fixed(rule, len(codes)), below)
    warming = below and moment.as_of - rule.window < moment.covered_since
    if warming:
        breached[:] = NOT_ENOUGH

    def why(at: int) -> str:
        if warming:
            return f"not enough data: history reaches back to {iso(moment.covered_since)} only"
        side = "below" if value[at] < threshold[at] else "above" if value[at] > threshold[at] else "at"
        return f"{measured(float(value[at]))}: {side} {say(float(threshold[at]))}"

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        levels = sum(level.limit > 0 for level in rule.levels_) if below else 0
        return Finding(group, None if warming else levels, 0.0, number_of(rule), "no messages")

    return Judgement(moment.reading, rule.by, codes, breached, value, threshold, messages, matching, why, absent)
