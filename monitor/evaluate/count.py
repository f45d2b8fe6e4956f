"""``count``: a number of messages."""

from dataclasses import dataclass

import numpy as np

from monitor.clock import HOUR, iso
from monitor.evaluate.judgement import NOT_ENOUGH, Judgement, Moment
from monitor.evaluate.levels import crossed, number_of, numbers_of
from monitor.evaluate.question import considered
from monitor.evaluate.words import number, plural
from monitor.finding import Finding
from monitor.rules import Count
from monitor.window import Codes

SEEN_IN = 24 * HOUR
"""A group that sent nothing counts as zero where it was seen in this long."""


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What was counted, by group."""

    codes: Codes
    messages: Codes
    matching: Codes


def evaluate(rule: Count, moment: Moment) -> Judgement:
    """The number of each group; for ``below`` also of groups that sent nothing now but did in the last 24 hours."""
    numbers = moment.shared(rule, lambda: _count(rule, moment))
    codes, messages, matching = numbers.codes, numbers.messages, numbers.matching
    value = matching.astype(np.float64)
    breached, threshold = crossed(value, numbers_of(rule), rule.comparison == "below")
    warming = rule.comparison == "below" and moment.as_of - rule.window < moment.covered_since
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

    return Judgement(moment.reading, rule.by, codes, breached, value, threshold, messages, matching, why, absent)


def _count(rule: Count, moment: Moment) -> _Numbers:
    question = considered(rule, moment.as_of, rule.window)
    found = moment.reading.tally(question.narrowed(rule.match.conditions))
    codes = moment.codes(rule.by, found)
    if rule.comparison == "below":
        codes = np.union1d(codes, _seen(rule, moment))
    return _Numbers(codes, moment.reading.tally(question).at(codes), found.at(codes))


def _seen(rule: Count, moment: Moment) -> Codes:
    if not rule.by:
        return np.zeros(1, np.int64)
    return moment.reading.tally(considered(rule, moment.as_of, max(SEEN_IN, rule.window))).codes
