"""``count``: a number of messages."""

from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.batch import BatchEvaluator, BatchResult, Column, Pair, column
from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.levels import crossed, number_of, numbers_of
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, Floats, RuleResult, history_reaches
from monitor.alerts.kinds.rule_query import considered, pair
from monitor.alerts.kinds.tuning import tuned_by, values
from monitor.alerts.kinds.words import (
    always,
    at_once_only,
    compared,
    is_particular,
    nothing,
    one_span,
    outcome_of,
    where_too_little,
)
from monitor.config.rules import Thresholded
from monitor.config.rules.count import Count
from monitor.model import phrases
from monitor.model.finding import Finding
from monitor.model.notification import AlertView
from monitor.model.phrases import against_threshold
from monitor.model.plurals import number, plural
from monitor.runtime.clock import HOUR, Duration, format_duration
from monitor.runtime.dataclass import dataclass
from monitor.window import Codes, GroupCounts, RelativeQuery

SEEN_IN = 24 * HOUR
"""A group without messages counts as zero if it was seen within this time."""


@dataclass(frozen=True, slots=True)
class _CountNumbers:
    """What was counted, by group. ``warming`` says that not all messages of the window are known, so a low number may be too low."""

    codes: Codes
    messages: Codes
    matching: Codes
    warming: bool

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.messages, self.matching


@dataclass(frozen=True, slots=True)
class _CountQuery:
    """``seen`` selects the messages that make a group exist; None if it takes messages in the window."""

    pair: Pair
    seen: RelativeQuery | None


@dataclass(frozen=True, slots=True)
class _CountLimits:
    """The mildest threshold of each rule, in a column."""

    below: bool
    limit: Floats


def evaluate(rule: Count, inputs: EvaluationInput) -> RuleResult:
    """Returns the number of each group; for ``below`` also of groups without messages now that were seen in the last 24 hours."""
    numbers = inputs.shared(rule, lambda: _count(rule, _asked(rule), inputs))
    codes, messages, matching = numbers.codes, numbers.messages, numbers.matching
    value = matching.astype(np.float64)
    breached, threshold = crossed(value, numbers_of(rule), rule.comparison == "below")
    warming = numbers.warming
    if warming:
        breached[:] = NOT_ENOUGH

    def why(at: int) -> str:
        if warming:
            return f"not enough data: {history_reaches(inputs.covered_since)} only"
        limit = threshold[at]
        side = "below" if matching[at] < limit else "above" if matching[at] > limit else "at"
        return f"{plural(int(matching[at]), 'message')}: {side} {number(limit)}"

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return forgotten(rule, group, warming=warming)

    return RuleResult(inputs.reading, rule.by, codes, breached, value, threshold, messages, matching, why, absent)


def remembered(rule: Thresholded) -> Duration:
    """Returns how long a group counts as zero after it was last seen; after that, a rule with ``below`` forgets it."""
    return max(SEEN_IN, rule.window)


def forgotten(rule: Thresholded, group: tuple[tuple[str, str], ...], *, warming: bool) -> Finding:
    """Returns the finding of a group without messages that is no longer counted; it is never above a threshold."""
    if rule.comparison == "above":
        return Finding(group, 0, 0.0, number_of(rule), "no messages")
    why = f"no messages for {format_duration(remembered(rule))}: the group is no longer counted"
    return Finding(group, None, 0.0, number_of(rule), why, gone=not warming)


def _asked(rule: Count) -> _CountQuery:
    below = rule.comparison == "below"
    seen = RelativeQuery(considered(rule, 0, remembered(rule))) if below and rule.by else None
    return _CountQuery(pair(considered(rule, 0, rule.window), rule.match), seen)


def _count(rule: Count, asked: _CountQuery, inputs: EvaluationInput) -> _CountNumbers:
    whole, part = (inputs.tally(one) for one in asked.pair)
    codes = _codes(rule, asked, inputs, part)
    warming = rule.comparison == "below" and not inputs.covers(rule.window)
    return _CountNumbers(codes, whole.at(codes), part.at(codes), warming)


def _codes(rule: Count, asked: _CountQuery, inputs: EvaluationInput, part: GroupCounts) -> Codes:
    if rule.comparison == "above":
        return inputs.codes(rule.by, part)
    return np.zeros(1, np.int64) if asked.seen is None else inputs.tally(asked.seen).codes


def _apart(rule: Count) -> Hashable:
    return rule.comparison


def _limits(rules: Sequence[Count]) -> _CountLimits:
    return _CountLimits(rules[0].comparison == "below", column([number_of(rule) for rule in rules]))


def _over(limits: _CountLimits, numbers: _CountNumbers) -> NDArray[np.bool_]:
    over = numbers.matching < limits.limit if limits.below else numbers.matching > limits.limit
    return np.asarray(over.any(axis=1) | numbers.warming)


def _weigh(rule: Count, columns: tuple[Floats, ...]) -> BatchResult:
    value = columns[1]
    breached, threshold = crossed(value, numbers_of(rule), rule.comparison == "below")
    return BatchResult(breached, value, threshold, columns[0].astype(np.int64))


BATCH = BatchEvaluator(_apart, _asked, _count, _limits, _over, _weigh)


def _case(rule: Count, inputs: EvaluationInput, group: Group) -> RuleCase | None:
    return RuleCase(group, considered(rule, inputs.as_of, rule.window), rule.match, False, rule.comparison == "below")


def number_said(view: AlertView) -> str:
    """Returns for example ``62 Undelivered to Cosmote (GR) in 15m``."""
    outcome = phrases.outcome(view)
    counted = f"{number(view.value)} {outcome}" if outcome else phrases.messages(view.value or 0)
    return f"{counted}{phrases.place(view)}{phrases.in_window(view)}"


def _looked_at(rule: Count) -> Duration:
    return rule.reach if is_particular(rule) else 0


KIND: Final = Kind[Count](
    model=Count,
    evaluate=evaluate,
    ahead=at_once_only,
    unit=always("count"),
    matched=lambda rule: outcome_of(rule.match),
    condition=lambda rule: compared(rule, "count"),
    case=_case,
    wording=Wording(
        measure=number_said,
        against=against_threshold,
        is_amount=True,
        shows_usual=False,
        counts_silence=where_too_little,
        axis="",
    ),
    example=Example(unit="count"),
    past=PastEvaluation[Count](spans=one_span, looked_at=_looked_at, is_known=True, unknown=nothing),
    tuning=tuned_by("count", values),
    batch=BATCH,
)
