"""``rate``: the share of messages that match, among those considered."""

from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.batch import BatchEvaluator, BatchResult, Column, Pair, column
from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.levels import crossed, number_of, numbers_of
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, Floats, RuleResult
from monitor.alerts.kinds.rule_query import considered, of, pair
from monitor.alerts.kinds.statistics import wilson
from monitor.alerts.kinds.tuning import tuned_by, where_known
from monitor.alerts.kinds.words import (
    always,
    at_once_only,
    compared,
    is_particular,
    never,
    nothing,
    one_span,
    outcome_of,
)
from monitor.config.rules.rate import Rate
from monitor.model import phrases
from monitor.model.finding import Finding
from monitor.model.format import amount
from monitor.model.notification import AlertView
from monitor.model.phrases import against_threshold
from monitor.model.plurals import number, percent, plural
from monitor.runtime.clock import Duration
from monitor.runtime.dataclass import dataclass
from monitor.window import Codes


@dataclass(frozen=True, slots=True)
class _Shares:
    """The counts by group; ``value`` is NaN for groups without messages."""

    codes: Codes
    messages: Codes
    matching: Codes
    value: Floats

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.messages, self.matching, self.value


@dataclass(frozen=True, slots=True)
class _RateLimits:
    """The mildest threshold and ``min_messages`` of each rule, in columns. The rest of ``rule`` is the same for all."""

    rule: Rate
    limit: Floats
    least: Floats


def evaluate(rule: Rate, inputs: EvaluationInput) -> RuleResult:
    """Returns the share of each group that has messages in the window, or an alert."""
    shares = inputs.shared(rule, lambda: _count(rule, _asked(rule), inputs))
    codes, messages, matching, value = shares.codes, shares.messages, shares.matching, shares.value
    proven = _proven(rule, matching, messages, value)
    breached, threshold = _crossed(rule, proven, messages)

    def why(at: int) -> str:
        if breached[at] == NOT_ENOUGH:
            return _too_few(rule, int(messages[at]))
        said = f"{amount(value[at], 'share', threshold[at])} ({number(int(matching[at]))} of {plural(int(messages[at]), 'message')})"
        side = "below" if value[at] < threshold[at] else "above" if value[at] > threshold[at] else "at"
        said += f" is {side} {amount(threshold[at], 'share', value[at])}"
        if rule.confidence is not None and not breached[at] and side == rule.comparison:
            said += f", but not with {percent(rule.confidence)} confidence: the bound is {amount(proven[at], 'share', threshold[at])}"
        return said

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return Finding(group, None, None, number_of(rule), _too_few(rule, 0))

    return RuleResult(inputs.reading, rule.by, codes, breached, value, threshold, messages, matching, why, absent)


def _asked(rule: Rate) -> Pair:
    return pair(of(considered(rule, 0, rule.window, within=rule.receipts_within), rule.of), rule.match)


def _count(rule: Rate, asked: Pair, inputs: EvaluationInput) -> _Shares:
    total = inputs.tally(asked[0])
    codes = inputs.codes(rule.by, total)
    messages, matching = total.at(codes), inputs.tally(asked[1]).at(codes)
    value = np.divide(matching, messages, out=np.full(len(codes), np.nan), where=messages > 0)
    return _Shares(codes, messages, matching, value)


def _proven(rule: Rate, matching: Codes, messages: Codes, value: Floats) -> Floats:
    """Returns what is compared with the threshold: the share, or its bound at the rule's confidence."""
    if rule.confidence is None:
        return value
    lower, upper = wilson(matching.astype(np.float64), messages.astype(np.float64), rule.confidence)
    return upper if rule.comparison == "below" else lower


def _crossed(rule: Rate, proven: Floats, messages: Column) -> tuple[NDArray[np.int64], Floats]:
    breached, threshold = crossed(proven, numbers_of(rule), rule.comparison == "below")
    breached[messages < max(rule.min_messages, 1)] = NOT_ENOUGH
    return breached, threshold


def _apart(rule: Rate) -> Hashable:
    return rule.comparison, rule.confidence


def _limits(rules: Sequence[Rate]) -> _RateLimits:
    least = [max(rule.min_messages, 1) for rule in rules]
    return _RateLimits(rules[0], column([number_of(rule) for rule in rules]), column(least))


def _over(limits: _RateLimits, shares: _Shares) -> NDArray[np.bool_]:
    rule = limits.rule
    proven = _proven(rule, shares.matching, shares.messages, shares.value)
    over = proven < limits.limit if rule.comparison == "below" else proven > limits.limit
    return np.asarray((over & (shares.messages >= limits.least)).any(axis=1))


def _weigh(rule: Rate, columns: tuple[Floats, ...]) -> BatchResult:
    messages, matching, value = columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2]
    breached, threshold = _crossed(rule, _proven(rule, matching, messages, value), messages)
    return BatchResult(breached, value, threshold, messages)


BATCH = BatchEvaluator(_apart, _asked, _count, _limits, _over, _weigh)


def _too_few(rule: Rate, messages: int) -> str:
    return f"not enough data: {plural(messages, 'message')}, min_messages is {rule.min_messages}"


def _reached(rule: Rate, result: RuleResult) -> Floats:
    return where_known(result, _proven(rule, result.matching, result.messages, result.value))


def _case(rule: Rate, inputs: EvaluationInput, group: Group) -> RuleCase | None:
    question = considered(rule, inputs.as_of, rule.window, within=rule.receipts_within)
    return RuleCase(group, of(question, rule.of), rule.match, True, rule.comparison == "below")


def share_said(view: AlertView) -> str:
    """Returns for example ``34.2% of 1,204 messages to Cosmote (GR) failed in 15m``."""
    outcome = phrases.outcome(view)
    verb = "failed" if outcome.lower() in ("", "failed") else f"were {outcome}"
    return f"{phrases.measured_value(view)} of {phrases.messages(view.messages)}{phrases.place(view)} {verb}{phrases.in_window(view)}"


def _looked_at(rule: Rate) -> Duration:
    return rule.reach if rule.receipts_within is not None or is_particular(rule) else 0


KIND: Final = Kind[Rate](
    model=Rate,
    evaluate=evaluate,
    ahead=at_once_only,
    unit=always("share"),
    matched=lambda rule: outcome_of(rule.match),
    condition=lambda rule: compared(rule, "share"),
    case=_case,
    wording=Wording(
        measure=share_said,
        against=against_threshold,
        is_amount=True,
        shows_usual=False,
        counts_silence=never,
        axis="",
    ),
    example=Example(unit="share"),
    past=PastEvaluation[Rate](spans=one_span, looked_at=_looked_at, is_known=True, unknown=nothing),
    tuning=tuned_by("share", _reached),
    batch=BATCH,
)
