"""``stuck``: messages that have had no final status for too long."""

from dataclasses import replace
from typing import Final

import numpy as np

from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.levels import crossed, number_of, numbers_of
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, Floats, RuleResult
from monitor.alerts.kinds.rule_query import considered
from monitor.alerts.kinds.tuning import tuned_by, values
from monitor.alerts.kinds.words import (
    at_once_only,
    compared,
    never,
    nothing,
    one_span,
    whole_reach,
)
from monitor.config.rules import EVERYTHING
from monitor.config.rules.stuck import Stuck
from monitor.model import phrases
from monitor.model.finding import Finding, Unit
from monitor.model.format import amount
from monitor.model.notification import AlertView
from monitor.model.phrases import against_threshold
from monitor.model.plurals import number, plural
from monitor.runtime.clock import format_duration
from monitor.runtime.printable import clean
from monitor.window import Codes, Query


def evaluate(rule: Stuck, inputs: EvaluationInput) -> RuleResult:
    """Returns how many messages of each group are stuck, or their share of those first seen in the window."""
    sent, waiting = questions(rule, inputs)
    total = inputs.count(sent)
    codes = inputs.codes(rule.by, total)
    messages, stuck = total.at(codes), inputs.count(waiting).at(codes)
    value = _share(stuck, messages) if rule.is_share else stuck.astype(np.float64)
    breached, threshold = crossed(value, numbers_of(rule), below=False)
    if rule.is_share:
        breached[messages < rule.min_messages] = NOT_ENOUGH

    def why(at: int) -> str:
        if breached[at] == NOT_ENOUGH:
            return _too_few(rule, int(messages[at]))
        said = f"{number(int(stuck[at]))} of {plural(int(messages[at]), 'message')} had no final status"
        said += f" {format_duration(rule.older_than)} after sending"
        side = "above" if value[at] > threshold[at] else "below" if value[at] < threshold[at] else "at"
        unit = _unit(rule)
        limit = amount(threshold[at], unit, value[at])
        share = f" ({amount(value[at], unit, threshold[at])})" if rule.is_share else ""
        return f"{said}{share}: {side} {limit}"

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        if rule.is_share:
            return Finding(group, None, None, number_of(rule), _too_few(rule, 0))
        return Finding(group, 0, 0.0, number_of(rule), "no messages")

    return RuleResult(inputs.reading, rule.by, codes, breached, value, threshold, messages, stuck, why, absent)


def questions(rule: Stuck, inputs: EvaluationInput) -> tuple[Query, Query]:
    """Returns the queries for the messages first seen in the window, and for those of them that are stuck."""
    sent = replace(considered(rule, inputs.as_of, rule.window), seen=True)
    old = sent.moved(sent.start, inputs.as_of - rule.older_than)
    return sent, replace(old, pending_at=inputs.as_of)


def _share(stuck: Codes, messages: Codes) -> Floats:
    return np.asarray(np.divide(stuck, messages, out=np.full(len(messages), np.nan), where=messages > 0))


def _too_few(rule: Stuck, messages: int) -> str:
    return f"not enough data: {plural(messages, 'message')}, min_messages is {rule.min_messages}"


def _case(rule: Stuck, inputs: EvaluationInput, group: Group) -> RuleCase | None:
    _, waiting = questions(rule, inputs)
    return RuleCase(
        group, replace(waiting, pending_at=None), EVERYTHING, True, rule.comparison == "below", pending_at=inputs.as_of
    )


def _sentence(view: AlertView) -> str:
    after = f" after {clean(view.matched)}" if view.matched else ""
    if view.unit == "share":
        sent = f"{phrases.measured_value(view)} of {phrases.messages(view.messages)}{phrases.place(view)} sent{phrases.in_window(view)}"
        return f"{sent} have no final status{after}"
    return f"{phrases.messages(view.value or 0)}{phrases.place(view)} without a final status{after}"


def _unit(rule: Stuck, group: Group = ()) -> Unit:
    return "share" if rule.is_share else "count"


KIND: Final = Kind[Stuck](
    model=Stuck,
    evaluate=evaluate,
    ahead=at_once_only,
    unit=_unit,
    matched=lambda rule: format_duration(rule.older_than),
    condition=lambda rule: compared(rule, _unit(rule)),
    case=_case,
    wording=Wording(
        measure=_sentence,
        against=against_threshold,
        is_amount=True,
        shows_usual=False,
        counts_silence=never,
        axis="",
    ),
    example=Example(unit="count"),
    past=PastEvaluation[Stuck](spans=one_span, looked_at=whole_reach, is_known=True, unknown=nothing),
    tuning=tuned_by("count", values),
    batch=None,
)
