"""``distinct``: the number of different values of a field."""

import numpy as np

from monitor.alerts.kinds.amount import codes_of, judged
from monitor.alerts.kinds.result import EvaluationInput, RuleResult
from monitor.alerts.kinds.rule_query import considered
from monitor.config.rules import Distinct
from monitor.model.evaluate_words import number, plural
from monitor.window.aggregates import distinct


def evaluate(rule: Distinct, moment: EvaluationInput) -> RuleResult:
    """How many different values of the rule's field the messages of each group have."""
    question, codes = considered(rule, moment.as_of, rule.window), codes_of(rule, moment)
    value = distinct(moment.reading, question, rule.field).at(codes).astype(np.float64)
    messages = moment.reading.tally(question).at(codes)

    def measured(count: float) -> str:
        return f"{plural(int(count), 'different value')} of {rule.field}"

    return judged(rule, moment, codes, value, messages, messages, number, measured)
