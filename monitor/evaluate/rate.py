"""``rate``: the share of messages that match, among those considered."""

from dataclasses import dataclass

import numpy as np

from monitor.detect import wilson
from monitor.evaluate.judgement import NOT_ENOUGH, Floats, Judgement, Moment
from monitor.evaluate.levels import crossed, number_of, numbers_of
from monitor.evaluate.question import considered, of
from monitor.evaluate.words import number, percent, plural
from monitor.finding import Finding
from monitor.rules import Rate
from monitor.window import Codes


@dataclass(frozen=True, slots=True)
class _Shares:
    """What was counted, by group: ``value`` is NaN where there are no messages."""

    codes: Codes
    messages: Codes
    matching: Codes
    value: Floats


def evaluate(rule: Rate, moment: Moment) -> Judgement:
    """The share of each group that has messages in the window, or an alert."""
    shares = moment.shared(rule, lambda: _count(rule, moment))
    codes, messages, matching, value = shares.codes, shares.messages, shares.matching, shares.value
    proven = _proven(rule, matching, messages, value)
    breached, threshold = crossed(proven, numbers_of(rule), rule.comparison == "below")
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


def _count(rule: Rate, moment: Moment) -> _Shares:
    question = of(considered(rule, moment.as_of, rule.window, within=rule.receipts_within), rule.of)
    total = moment.reading.tally(question)
    codes = moment.codes(rule.by, total)
    messages = total.at(codes)
    matching = moment.reading.tally(question.narrowed(rule.match.conditions)).at(codes)
    value = np.divide(matching, messages, out=np.full(len(codes), np.nan), where=messages > 0)
    return _Shares(codes, messages, matching, value)


def _proven(rule: Rate, matching: Codes, messages: Codes, value: Floats) -> Floats:
    """What is compared with the threshold: the share, or the bound that it is beyond with the confidence asked for."""
    if rule.confidence is None:
        return value
    lower, upper = wilson(matching.astype(np.float64), messages.astype(np.float64), rule.confidence)
    return upper if rule.comparison == "below" else lower


def _too_few(rule: Rate, messages: int) -> str:
    return f"not enough data: {plural(messages, 'message')}, min_messages is {rule.min_messages}"
