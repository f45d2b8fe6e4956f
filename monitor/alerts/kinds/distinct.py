"""``distinct``: the number of different values of a field."""

from typing import Final

import numpy as np

from monitor.alerts.kinds.amount import amount_result, codes_of
from monitor.alerts.kinds.kind import Example, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.result import EvaluationInput, RuleResult
from monitor.alerts.kinds.rule_query import considered
from monitor.alerts.kinds.tuning import tuned_by, values
from monitor.alerts.kinds.words import (
    always,
    at_once_only,
    compared,
    nothing,
    one_span,
    where_too_little,
    whole_reach,
)
from monitor.config.rules.distinct import Distinct
from monitor.model import phrases
from monitor.model.notification import AlertView
from monitor.model.phrases import against_threshold
from monitor.model.plurals import number, plural
from monitor.window.aggregates import distinct


def evaluate(rule: Distinct, inputs: EvaluationInput) -> RuleResult:
    """Returns how many different values of the rule's field the messages of each group have."""
    question, codes = considered(rule, inputs.as_of, rule.window), codes_of(rule, inputs)
    value = distinct(inputs.reading, question, rule.field).at(codes).astype(np.float64)
    messages = inputs.count(question).at(codes)

    def measured(count: float, limit: float) -> str:
        return f"{plural(int(count), 'different value')} of {rule.field}"

    return amount_result(rule, inputs, codes, value, messages, messages, lambda limit, count: number(limit), measured)


def _sentence(view: AlertView) -> str:
    value = view.value or 0
    return (
        f"{number(value)} different {phrases.noun(view.matched, value)}{phrases.place(view)}{phrases.in_window(view)}"
    )


KIND: Final = Kind[Distinct](
    model=Distinct,
    evaluate=evaluate,
    ahead=at_once_only,
    unit=always("count"),
    matched=lambda rule: rule.field,
    condition=lambda rule: compared(rule, "count"),
    case=lambda rule, inputs, group: None,
    wording=Wording(
        measure=_sentence,
        against=against_threshold,
        is_amount=True,
        shows_usual=False,
        counts_silence=where_too_little,
        axis="value",
    ),
    example=Example(unit="count"),
    past=PastEvaluation[Distinct](spans=one_span, looked_at=whole_reach, is_known=True, unknown=nothing),
    tuning=tuned_by("count", values),
    batch=None,
)
