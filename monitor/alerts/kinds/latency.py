"""``latency``: a percentile of the time from sending to delivery."""

from dataclasses import replace
from typing import Final

from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.levels import crossed, number_of, numbers_of
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, RuleResult
from monitor.alerts.kinds.rule_query import considered
from monitor.alerts.kinds.tuning import tuned_by, values
from monitor.alerts.kinds.words import (
    always,
    at_once_only,
    compared,
    never,
    nothing,
    one_span,
    whole_reach,
)
from monitor.config.rules import EVERYTHING
from monitor.config.rules.latency import Latency
from monitor.model import phrases
from monitor.model.finding import Finding
from monitor.model.format import amount
from monitor.model.notification import AlertView
from monitor.model.phrases import against_threshold
from monitor.model.plurals import number, plural
from monitor.runtime.printable import clean
from monitor.window.aggregates import percentiles


def evaluate(rule: Latency, inputs: EvaluationInput) -> RuleResult:
    """Returns the percentile of each group, in seconds, over the messages with a known latency; ``matching`` are the slower ones.

    A message counts at the time of its present status, whatever that is; one that is still on its way has no latency.
    """
    question = considered(rule, inputs.as_of, rule.window, within=rule.receipts_within)
    found = percentiles(inputs.reading, question, rule.percentile)
    codes = inputs.codes(rule.by, found.tally)
    value, messages = found.at(codes), found.tally.at(codes)
    slower = inputs.count(replace(question, slower=number_of(rule))).at(codes)
    below = rule.comparison == "below"
    breached, threshold = crossed(value, numbers_of(rule), below)
    breached[messages < rule.min_messages] = NOT_ENOUGH

    def why(at: int) -> str:
        if breached[at] == NOT_ENOUGH:
            return _too_few(rule, int(messages[at]))
        side = "below" if value[at] < threshold[at] else "above" if value[at] > threshold[at] else "at"
        measured = f"p{number(rule.percentile)} of {plural(int(messages[at]), 'message')} is {amount(value[at], 'seconds', threshold[at])}"
        return f"{measured}: {side} {amount(threshold[at], 'seconds', value[at])}"

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return Finding(group, None, None, number_of(rule), _too_few(rule, 0))

    return RuleResult(inputs.reading, rule.by, codes, breached, value, threshold, messages, slower, why, absent)


def _too_few(rule: Latency, messages: int) -> str:
    known = f"{plural(messages, 'message')} whose latency is known"
    return f"not enough data: {known}, min_messages is {rule.min_messages}"


def _case(rule: Latency, inputs: EvaluationInput, group: Group) -> RuleCase | None:
    question = considered(rule, inputs.as_of, rule.window, within=rule.receipts_within)
    return RuleCase(group, question, EVERYTHING, True, rule.comparison == "below", slower=number_of(rule))


def _sentence(view: AlertView) -> str:
    which = f"{clean(view.matched)} of " if view.matched else ""
    return f"{phrases.measured_value(view)} to deliver {which}messages{phrases.place(view)}{phrases.in_window(view)}"


KIND: Final = Kind[Latency](
    model=Latency,
    evaluate=evaluate,
    ahead=at_once_only,
    unit=always("seconds"),
    matched=lambda rule: f"{rule.percentile:g}%",
    condition=lambda rule: compared(rule, "seconds"),
    case=_case,
    wording=Wording(
        measure=_sentence,
        against=against_threshold,
        is_amount=True,
        shows_usual=False,
        counts_silence=never,
        axis="",
    ),
    example=Example(unit="seconds"),
    past=PastEvaluation[Latency](spans=one_span, looked_at=whole_reach, is_known=True, unknown=nothing),
    tuning=tuned_by("seconds", values),
    batch=None,
)
