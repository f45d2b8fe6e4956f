"""``cost``: money spent."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.amount import codes_of, judged
from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.prices import are_few, too_few
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, RuleResult
from monitor.alerts.kinds.rule_query import considered
from monitor.alerts.kinds.words import (
    always,
    compared,
    nothing,
    one_span,
    where_too_little,
    whole_reach,
)
from monitor.config.rules import EVERYTHING
from monitor.config.rules.cost import Cost
from monitor.model import phrases
from monitor.model.format import amount
from monitor.model.notification import AlertView
from monitor.model.phrases import against_threshold
from monitor.model.plurals import money, number
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
    rule_result = judged(rule, moment, codes, value, messages, priced, number, measured)
    rule_result.breached[few] = NOT_ENOUGH
    said = rule_result.why

    def why(at: int) -> str:
        return too_few(int(known[at]), int(missing[at]), rule.min_priced) if few[at] else said(at)

    return replace(rule_result, why=why)


def _is_over_unseen(rule: Cost, moment: EvaluationInput, codes: Codes, messages: Codes) -> NDArray[np.bool_]:
    """Which groups have an alert about much money, and no message any more whose price would show that it is over."""
    if rule.comparison == "below":
        return np.zeros(len(codes), np.bool_)
    return np.asarray((messages == 0) & np.isin(codes, moment.known_codes(rule.by)))


def _case(rule: Cost, moment: EvaluationInput, group: Group) -> RuleCase | None:
    question = considered(rule, moment.as_of, rule.window)
    return RuleCase(group, question, EVERYTHING, False, rule.comparison == "below", by_money=True)


def _sentence(view: AlertView) -> str:
    return f"{amount(view.value, view.unit)} spent{phrases.place(view)}{phrases.in_window(view)}"


KIND: Final = Kind[Cost](
    model=Cost,
    evaluate=evaluate,
    unit=always("money"),
    matched=nothing,
    condition=lambda rule: compared(rule, "money"),
    case=_case,
    wording=Wording(
        measure=_sentence,
        against=against_threshold,
        is_amount=True,
        shows_usual=False,
        counts_silence=where_too_little,
        axis="",
    ),
    example=Example(unit="money"),
    past=PastEvaluation[Cost](spans=one_span, looked_at=whole_reach, is_known=True, unknown=nothing),
    batch=None,
)
