"""``new_value``: a value that was not seen before appears."""

from dataclasses import replace
from typing import Final

import msgspec
import numpy as np

from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, RuleResult, history_reaches
from monitor.alerts.kinds.rule_query import considered
from monitor.alerts.kinds.tuning import untunable
from monitor.alerts.kinds.words import (
    always,
    at_once_only,
    never,
    nothing,
    one_span,
    whole_reach,
)
from monitor.config.rules import EVERYTHING, Condition
from monitor.config.rules.new_value import NewValue
from monitor.model import phrases
from monitor.model.finding import Finding
from monitor.model.message import UNKNOWN
from monitor.model.notification import AlertView
from monitor.model.plurals import number, plural
from monitor.runtime.clock import format_duration
from monitor.window import Query


def evaluate(rule: NewValue, inputs: EvaluationInput) -> RuleResult:
    """Returns the number of messages of each group and value first seen in the window; the baseline is their number before."""
    now, before = questions(rule, inputs)
    present, past = inputs.count(now), inputs.count(before)
    codes = inputs.codes(rule.grouping, present)
    messages, earlier = present.at(codes), past.at(codes)
    breached = ((earlier == 0) & (messages > 0)).astype(np.int64)
    few = (breached > 0) & (messages < rule.min_messages)
    breached[few] = NOT_ENOUGH
    warming = not inputs.remembers(rule.reach)
    if warming:
        breached[:] = NOT_ENOUGH
    value, threshold = messages.astype(np.float64), np.full(len(codes), float(rule.min_messages))

    def why(at: int) -> str:
        if warming:
            return f"not enough data: {history_reaches(inputs.known_since)} only"
        said = f"{plural(int(messages[at]), 'message')} in {format_duration(rule.window)}"
        if earlier[at]:
            return f"{said}: known, {number(int(earlier[at]))} in the {format_duration(rule.seen_in)} before"
        said += f", none in the {format_duration(rule.seen_in)} before"
        return f"not enough data: {said}, min_messages is {rule.min_messages}" if few[at] else said

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return Finding(group, None if warming else 0, 0.0, float(rule.min_messages), "no messages")

    return RuleResult(
        inputs.reading,
        rule.grouping,
        codes,
        breached,
        value,
        threshold,
        messages,
        messages,
        why,
        absent,
        earlier.astype(np.float64),
    )


def questions(rule: NewValue, inputs: EvaluationInput) -> tuple[Query, Query]:
    """Returns the queries for the messages with a value first seen in the window, and for those first seen before it."""
    asked = replace(considered(rule, inputs.as_of, rule.window), seen=True, by=rule.grouping)
    now = asked.narrowed([Condition(rule.field, "is_not", (UNKNOWN,))])
    return now, now.moved(now.start - rule.seen_in, now.start)


def _case(rule: NewValue, inputs: EvaluationInput, group: Group) -> RuleCase | None:
    return RuleCase(group, questions(rule, inputs)[0], EVERYTHING, False, rule.comparison == "below", novel=rule.field)


def _sentence(view: AlertView) -> str:
    if view.status == "resolved" or view.matched not in view.labels:
        return f"{phrases.messages(view.value or 0)}{phrases.place(view)}{phrases.in_window(view)}"
    others = {name: value for name, value in view.labels.items() if name != view.matched}
    new = f"New {phrases.noun(view.matched)} {phrases.named(view.matched, view.labels[view.matched])}"
    return f"{new}: {phrases.messages(view.value or 0)}{phrases.place(msgspec.structs.replace(view, labels=others))}{phrases.in_window(view)}"


KIND: Final = Kind[NewValue](
    model=NewValue,
    evaluate=evaluate,
    ahead=at_once_only,
    unit=always("count"),
    matched=lambda rule: rule.field,
    condition=lambda rule: f"new {rule.field}",
    case=_case,
    wording=Wording(
        measure=_sentence,
        against=nothing,
        is_amount=False,
        shows_usual=False,
        counts_silence=never,
        axis="",
    ),
    example=Example(unit="count", values=(62.0, 1.0, 0.0), has_baseline=True),
    past=PastEvaluation[NewValue](spans=one_span, looked_at=whole_reach, is_known=True, unknown=nothing),
    tuning=untunable("it has no threshold: a value is new or it is not"),
    batch=None,
)
