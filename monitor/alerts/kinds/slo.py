"""``slo``: how fast an objective's error budget burns, over several pairs of windows (Google SRE Workbook, chapter 5)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, Floats, RuleResult
from monitor.alerts.kinds.rule_query import considered, of
from monitor.alerts.kinds.tuning import untunable
from monitor.alerts.kinds.words import (
    always,
    at_once_only,
    never,
    nothing,
)
from monitor.config.rules.slo import Burn, Slo
from monitor.model import phrases
from monitor.model.finding import Finding
from monitor.model.notification import AlertView
from monitor.model.plurals import number, percent, plural
from monitor.runtime.clock import Duration, format_duration
from monitor.runtime.dataclass import dataclass
from monitor.runtime.printable import clean
from monitor.window import Codes, Query


@dataclass(frozen=True, slots=True)
class _Spent:
    """One window's numbers by group: messages, matching ones, and the burn rate (how many times as fast as allowed they come)."""

    messages: Codes
    matching: Codes
    burn: Floats


@dataclass(frozen=True, slots=True)
class _Pair:
    """A pair of windows with its numbers by group. ``over`` is above 1 if both windows burn faster than the pair's factor."""

    pair: Burn
    long: _Spent
    short: _Spent
    is_evaluated: NDArray[np.bool_]

    @property
    def over(self) -> Floats:
        pace = np.minimum(self.long.burn, self.short.burn) / self.pair.factor
        return np.where(self.is_evaluated, pace, -1.0)


def evaluate(rule: Slo, inputs: EvaluationInput) -> RuleResult:
    """Returns the burn rate of each group over the longer window of its decisive pair; the threshold is that pair's factor.

    The decisive pair is the fastest one of which both windows burn faster than its factor; if there is none, the one nearest to it. A pair is
    evaluated once all messages of its longer window are known and there are enough of them. An alert ends only if the fastest evaluated
    pair has messages in its short window.
    """
    question = asked(rule, inputs, rule.burns[-1].long)
    codes = inputs.codes(rule.by, inputs.reading.tally(question)) if rule.by else np.zeros(1, np.int64)
    pairs = [_pair(rule, inputs, codes, pair) for pair in rule.burns]
    decisive = _decisive_pairs(pairs)

    def chosen(name: str) -> NDArray[np.float64]:
        return np.choose(decisive, [getattr(pair.long, name) for pair in pairs])

    threshold = np.array([pair.pair.factor for pair in pairs])[decisive]
    breached = _breached(rule, pairs)
    breached[(breached == 0) & _is_unseen(pairs) & np.isin(codes, inputs.known_codes(rule.by))] = NOT_ENOUGH
    value = np.where(breached == NOT_ENOUGH, np.nan, chosen("burn"))
    messages, matching = chosen("messages").astype(np.int64), chosen("matching").astype(np.int64)

    def why(at: int) -> str:
        if breached[at] == NOT_ENOUGH:
            return _too_few(rule, inputs, int(messages[at]))
        pair = pairs[int(decisive[at])]
        left = _left(rule, inputs, int(codes[at]))
        return f"{_pace(pair, at)}, {left}"

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return Finding(group, None, None, rule.burns[0].factor, _too_few(rule, inputs, 0))

    return RuleResult(inputs.reading, rule.by, codes, breached, value, threshold, messages, matching, why, absent)


def decisive_pair(rule: Slo, inputs: EvaluationInput, group: tuple[tuple[str, str], ...]) -> Burn:
    """Returns the pair of windows that decides about a group."""
    factor = evaluate(rule, inputs).of(group).threshold
    return next((pair for pair in rule.burns if pair.factor == factor), rule.burns[0])


def asked(rule: Slo, inputs: EvaluationInput, window: Duration) -> Query:
    """Returns the query for the objective's messages in a window."""
    return of(considered(rule, inputs.as_of, window), rule.of)


def _pair(rule: Slo, inputs: EvaluationInput, codes: Codes, pair: Burn) -> _Pair:
    long, short = (_spent(rule, inputs, codes, window) for window in (pair.long, pair.short))
    known = inputs.as_of - pair.long >= inputs.covered_since
    return _Pair(pair, long, short, known & (long.messages >= rule.min_messages))


def _spent(rule: Slo, inputs: EvaluationInput, codes: Codes, window: Duration) -> _Spent:
    question = asked(rule, inputs, window)
    messages = inputs.reading.tally(question).at(codes)
    matching = inputs.reading.tally(question.narrowed(rule.match.conditions)).at(codes)
    share = np.divide(matching, messages, out=np.zeros(len(codes)), where=messages > 0)
    # Rounded, so that a share that is exactly a pair's limit is not above it by the last bit.
    return _Spent(messages, matching, np.round(share / rule.budget, 9))


def _decisive_pairs(pairs: list[_Pair]) -> NDArray[np.int64]:
    """Returns the index of each group's decisive pair: the fastest that is over, or else the one nearest to its factor."""
    pace = np.stack([pair.over for pair in pairs])
    over = pace > 1
    return np.asarray(np.where(over.any(axis=0), np.argmax(over, axis=0), np.argmax(pace, axis=0)))


def _breached(rule: Slo, pairs: list[_Pair]) -> NDArray[np.int64]:
    """Returns the levels crossed: 1 if only a slow pair is over, all if a fast one is."""
    is_evaluated = np.any([pair.is_evaluated for pair in pairs], axis=0)
    levels = [np.where(pair.over > 1, len(rule.levels_) if pair.pair.fast else 1, 0) for pair in pairs]
    return np.where(is_evaluated, np.max(levels, axis=0), NOT_ENOUGH)


def _is_unseen(pairs: list[_Pair]) -> NDArray[np.bool_]:
    """Returns which groups have no messages in the short window of the fastest evaluated pair, so that nothing shows that an alert is over."""
    empty = np.stack([pair.short.messages == 0 for pair in pairs])
    fastest = np.argmax(np.stack([pair.is_evaluated for pair in pairs]), axis=0)
    return np.asarray(np.take_along_axis(empty, fastest[None], axis=0)[0])


def _pace(pair: _Pair, at: int) -> str:
    windows = (pair.long, pair.pair.long), (pair.short, pair.pair.short)
    paces = [f"{number(float(spent.burn[at]))}x over {format_duration(window)}" for spent, window in windows]
    verb = "burns too fast" if pair.over[at] > 1 else "burns"
    return f"{verb}: {paces[0]} and {paces[1]}, limit {number(pair.pair.factor)}x"


def _left(rule: Slo, inputs: EvaluationInput, code: int) -> str:
    """Returns how much of the period's budget is left, in words; counts the unknown part of the period as faultless."""
    span = min(rule.period, max(inputs.as_of - inputs.covered_since, rule.burns[0].long))
    spent = _spent(rule, inputs, np.array([code]), span).burn[0] * span / rule.period
    budget = f"the {format_duration(rule.period)} budget"
    if spent < 1:
        return f"{percent(1 - spent)} of {budget} is left"
    times = number(float(spent))
    return f"{budget} is used up" if times == "1" else f"{budget} is used up {times} times"


def _too_few(rule: Slo, inputs: EvaluationInput, messages: int) -> str:
    if messages >= rule.min_messages and inputs.covers(rule.burns[0].long):
        return "not enough data: no messages in the short window, which would show whether it is over"
    if inputs.as_of - rule.burns[0].long < inputs.covered_since:
        return f"not enough data: the shortest pair of windows looks {format_duration(rule.burns[0].long)} back"
    return f"not enough data: {plural(messages, 'message')}, min_messages is {rule.min_messages}"


def _case(rule: Slo, inputs: EvaluationInput, group: Group) -> RuleCase | None:
    question = asked(rule, inputs, decisive_pair(rule, inputs, group).long)
    return RuleCase(group, question, rule.match, True, rule.comparison == "below")


def _sentence(view: AlertView) -> str:
    where = phrases.place(view)
    return f"The error budget{' of messages' if where else ''}{where} {clean(view.why, 300)}"


KIND: Final = Kind[Slo](
    model=Slo,
    evaluate=evaluate,
    ahead=at_once_only,
    unit=always("count"),
    matched=nothing,
    condition=lambda rule: f"objective {percent(rule.objective)} over {format_duration(rule.period)}",
    case=_case,
    wording=Wording(
        measure=_sentence,
        against=nothing,
        is_amount=False,
        shows_usual=False,
        counts_silence=never,
        axis="value",
    ),
    example=Example(
        unit="count",
        values=(15.2, 14.4, None),
        why={"": "burns too fast: 15.2x over 14m and 16.1x over 1m10s, limit 14.4x, 38% of the budget is left"},
    ),
    past=PastEvaluation[Slo](
        spans=lambda rule: len(rule.burns), looked_at=lambda rule: 0, is_known=True, unknown=nothing
    ),
    tuning=untunable("it has no threshold: the objective is what you promise"),
    batch=None,
)
