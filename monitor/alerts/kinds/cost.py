"""``cost``: money spent."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.amount import amount_result, codes_of
from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.levels import number_of
from monitor.alerts.kinds.prices import are_few, too_few
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, Floats, RuleResult
from monitor.alerts.kinds.rule_query import considered
from monitor.alerts.kinds.tuning import tuned_by, where_known
from monitor.alerts.kinds.words import (
    always,
    at_once_only,
    compared,
    nothing,
    one_span,
    where_too_little,
    whole_reach,
)
from monitor.config.rules import EVERYTHING
from monitor.config.rules.cost import Cost
from monitor.model import phrases
from monitor.model.finding import Finding
from monitor.model.format import amount
from monitor.model.notification import AlertView
from monitor.model.phrases import against_threshold, threshold
from monitor.window import Codes
from monitor.window.aggregates import charged, without_price


def evaluate(rule: Cost, inputs: EvaluationInput) -> RuleResult:
    """Returns the sum of the prices of each group's messages, in the account's currency; ``matching`` are the messages with a price.

    There is not enough data if Routee gives too few prices.
    """
    question, codes = considered(rule, inputs.as_of, rule.window), codes_of(rule, inputs)
    spent = inputs.spent(question)
    value = np.nan_to_num(spent.at(codes))
    messages = inputs.count(question).at(codes)

    def measured(spent: float, limit: float) -> str:
        return f"{amount(spent, 'money', limit)} spent"

    def limited(limit: float, spent: float) -> str:
        return threshold(limit, "money", spent)

    priced, missing = spent.tally.at(codes), inputs.count(without_price(question)).at(codes)
    known = inputs.count(charged(question)).at(codes) - missing  # of those that should have a price
    few = are_few(known, missing, rule.min_priced) | _is_over_unseen(rule, inputs, codes, messages)
    rule_result = amount_result(rule, inputs, codes, value, messages, priced, limited, measured)
    rule_result.breached[few] = NOT_ENOUGH
    said = rule_result.why

    def why(at: int) -> str:
        return too_few(int(known[at]), int(missing[at]), rule.min_priced) if few[at] else said(at)

    def absent(group: Group) -> Finding:
        if rule.comparison == "below":
            return rule_result.absent(group)
        return Finding(group, None, None, number_of(rule), too_few(0, 0, rule.min_priced))

    return replace(rule_result, why=why, absent=absent)


def _is_over_unseen(rule: Cost, inputs: EvaluationInput, codes: Codes, messages: Codes) -> NDArray[np.bool_]:
    """Returns which groups have an alert about too much money and no messages left whose prices could end it."""
    if rule.comparison == "below":
        return np.zeros(len(codes), np.bool_)
    return np.asarray((messages == 0) & np.isin(codes, inputs.known_codes(rule.by)))


def _reached(rule: Cost, result: RuleResult) -> Floats:
    """Without messages nothing shows that much money is over."""
    unseen = (result.messages == 0) & (rule.comparison == "above")
    return where_known(result, np.where(unseen, np.nan, result.value))


def _case(rule: Cost, inputs: EvaluationInput, group: Group) -> RuleCase | None:
    question = considered(rule, inputs.as_of, rule.window)
    return RuleCase(group, question, EVERYTHING, False, rule.comparison == "below", by_money=True)


def _sentence(view: AlertView) -> str:
    return f"{phrases.measured_value(view)} spent{phrases.place(view)}{phrases.in_window(view)}"


KIND: Final = Kind[Cost](
    model=Cost,
    evaluate=evaluate,
    ahead=at_once_only,
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
    tuning=tuned_by("money", _reached),
    batch=None,
)
