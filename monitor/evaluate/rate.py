"""``rate``: the share of messages that match, among those considered."""

import numpy as np

from monitor.detect import wilson
from monitor.evaluate.judgement import NOT_ENOUGH, Floats, Judgement, Moment
from monitor.evaluate.levels import crossed, fixed, number_of
from monitor.evaluate.question import considered, of
from monitor.evaluate.words import number, percent, plural
from monitor.finding import Finding
from monitor.rules import Rate
from monitor.window import Codes


def evaluate(rule: Rate, moment: Moment) -> Judgement:
    """The share of each group that has messages in the window, or an alert."""
    question = of(considered(rule, moment.as_of, rule.window, within=rule.receipts_within), rule.of)
    total = moment.reading.tally(question)
    codes = np.union1d(total.codes, moment.known_codes(rule.by))
    messages = total.at(codes)
    matching = moment.reading.tally(question.narrowed(rule.match.conditions)).at(codes)
    value = np.divide(matching, messages, out=np.full(len(codes), np.nan), where=messages > 0)
    limits = fixed(rule, len(codes))
    below = rule.comparison == "below"
    proven = _proven(rule, matching, messages, value)
    breached, threshold = crossed(proven, limits, below)
    breached[messages < max(rule.min_messages, 1)] = NOT_ENOUGH

    def why(at: int) -> str:
        if breached[at] == NOT_ENOUGH:
            return _too_few(rule, int(messages[at]))
        said = f"{percent(value[at])} ({number(int(matching[at]))} of {plural(int(messages[at]), 'message')})"
        side = "below" if value[at] < threshold[at] else "above" if value[at] > threshold[at] else "at"
        said += f" is {side} {percent(threshold[at])}"
        if rule.confidence is not None and not breached[at] and side == rule.comparison:
            said += f", but not with {percent(rule.confidence)} confidence: the bound is {percent(proven[at])}"
        return said

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return Finding(group, None, None, number_of(rule), _too_few(rule, 0))

    return Judgement(moment.reading, rule.by, codes, breached, value, threshold, messages, matching, why, absent)


def _proven(rule: Rate, matching: Codes, messages: Codes, value: Floats) -> Floats:
    """What is compared with the threshold: the share, or the bound that it is beyond with the confidence asked for."""
    if rule.confidence is None:
        return value
    lower, upper = wilson(matching.astype(np.float64), messages.astype(np.float64), rule.confidence)
    return upper if rule.comparison == "below" else lower


def _too_few(rule: Rate, messages: int) -> str:
    return f"not enough data: {plural(messages, 'message')}, min_messages is {rule.min_messages}"
