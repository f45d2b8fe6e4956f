"""``count``: a number of messages."""

import numpy as np

from monitor.clock import HOUR, iso
from monitor.evaluate.judgement import NOT_ENOUGH, Judgement, Moment
from monitor.evaluate.levels import crossed, fixed, number_of
from monitor.evaluate.question import considered
from monitor.evaluate.words import number, plural
from monitor.finding import Finding
from monitor.rules import Count
from monitor.window import Codes

SEEN_IN = 24 * HOUR
"""A group that sent nothing counts as zero where it was seen in this long."""


def evaluate(rule: Count, moment: Moment) -> Judgement:
    """The number of each group; for ``below`` also of groups that sent nothing now but did in the last 24 hours."""
    question = considered(rule, moment.as_of, rule.window)
    tally = moment.reading.tally(question.narrowed(rule.match.conditions))
    codes = np.union1d(tally.codes, moment.known_codes(rule.by))
    if rule.comparison == "below":
        codes = np.union1d(codes, _seen(rule, moment))
    matching = tally.at(codes)
    messages = moment.reading.tally(question).at(codes)
    limits = fixed(rule, len(codes))
    breached, threshold = crossed(matching.astype(np.float64), limits, rule.comparison == "below")
    warming = rule.comparison == "below" and question.start < moment.covered_since
    if warming:
        breached[:] = NOT_ENOUGH

    def why(at: int) -> str:
        if warming:
            return f"not enough data: history reaches back to {iso(moment.covered_since)} only"
        limit = threshold[at]
        side = "below" if matching[at] < limit else "above" if matching[at] > limit else "at"
        return f"{plural(int(matching[at]), 'message')}: {side} {number(limit)}"

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        limit = number_of(rule)
        breached = sum(level.limit > 0 for level in rule.levels_) if rule.comparison == "below" else 0
        return Finding(group, None if warming else breached, 0.0, limit, "no messages")

    value = matching.astype(np.float64)
    return Judgement(moment.reading, rule.by, codes, breached, value, threshold, messages, matching, why, absent)


def _seen(rule: Count, moment: Moment) -> Codes:
    if not rule.by:
        return np.zeros(1, np.int64)
    return moment.reading.tally(considered(rule, moment.as_of, max(SEEN_IN, rule.window))).codes
