"""``cost``: money spent."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.amount import codes_of, judged
from monitor.alerts.kinds.prices import are_few, too_few
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, RuleResult
from monitor.alerts.kinds.rule_query import considered
from monitor.config.rules import Cost
from monitor.model.evaluate_words import money, number
from monitor.window import Codes
from monitor.window.aggregates import charged, sums, unpriced


def evaluate(rule: Cost, moment: EvaluationInput) -> RuleResult:
    """The sum of the prices of each group's messages, in the account's currency; ``matching``: those whose price is given.

    Where Routee gives too few prices nobody knows what was spent.
    """
    question, codes = considered(rule, moment.as_of, rule.window), codes_of(rule, moment)
    spent = sums(moment.reading, question)
    value = np.nan_to_num(spent.at(codes))
    messages = moment.reading.tally(question).at(codes)

    def measured(amount: float) -> str:
        return f"{money(amount)} spent"

    priced, missing = spent.tally.at(codes), unpriced(moment.reading, question).at(codes)
    known = charged(moment.reading, question).at(codes) - missing  # of those that should have a price
    few = are_few(known, missing, rule.min_priced) | _is_over_unseen(rule, moment, codes, messages)
    judgement = judged(rule, moment, codes, value, messages, priced, number, measured)
    judgement.breached[few] = NOT_ENOUGH
    said = judgement.why

    def why(at: int) -> str:
        return too_few(int(known[at]), int(missing[at]), rule.min_priced) if few[at] else said(at)

    return replace(judgement, why=why)


def _is_over_unseen(rule: Cost, moment: EvaluationInput, codes: Codes, messages: Codes) -> NDArray[np.bool_]:
    """Which groups have an alert about much money, and no message any more whose price would show that it is over."""
    if rule.comparison == "below":
        return np.zeros(len(codes), np.bool_)
    return np.asarray((messages == 0) & np.isin(codes, moment.known_codes(rule.by)))
