"""``slo``: how fast an objective's error budget burns, over several pairs of windows (Google SRE Workbook, chapter 5)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, Floats, RuleResult
from monitor.alerts.kinds.rule_query import considered, of
from monitor.alerts.kinds.words import (
    always,
    never,
    nothing,
)
from monitor.config.rules.slo import Burn, Slo
from monitor.model import phrases
from monitor.model.finding import Finding
from monitor.model.notification import AlertView
from monitor.model.plurals import number, percent, plural
from monitor.runtime.clock import Duration, format_duration
from monitor.runtime.printable import clean
from monitor.window import Codes, Query


@dataclass(frozen=True, slots=True)
class _Spent:
    """Of each group in one window: messages, those that match, and how many times as fast as allowed they come."""

    messages: Codes
    matching: Codes
    burn: Floats


@dataclass(frozen=True, slots=True)
class _Pair:
    """What a pair of windows says of each group; ``over``: above 1 where both burn faster than its factor."""

    pair: Burn
    long: _Spent
    short: _Spent
    judged: NDArray[np.bool_]

    @property
    def over(self) -> Floats:
        pace = np.minimum(self.long.burn, self.short.burn) / self.pair.factor
        return np.where(self.judged, pace, -1.0)


def evaluate(rule: Slo, moment: EvaluationInput) -> RuleResult:
    """The burn rate of each group over the longer window of the pair that speaks, against that pair's factor.

    A pair speaks where both its windows burn faster than its factor, the fastest pair first; where none does, the one that is
    nearest to it is shown. A pair is judged once its longer window is known to be complete and has enough messages. An alert is over
    only where the fastest pair that is judged has messages in its short window.
    """
    question = asked(rule, moment, rule.burns[-1].long)
    codes = moment.codes(rule.by, moment.reading.tally(question)) if rule.by else np.zeros(1, np.int64)
    pairs = [_pair(rule, moment, codes, pair) for pair in rule.burns]
    speaking = _speaking(pairs)

    def chosen(name: str) -> NDArray[np.float64]:
        return np.choose(speaking, [getattr(pair.long, name) for pair in pairs])

    threshold = np.array([pair.pair.factor for pair in pairs])[speaking]
    breached = _breached(rule, pairs)
    breached[(breached == 0) & _is_unseen(pairs) & np.isin(codes, moment.known_codes(rule.by))] = NOT_ENOUGH
    value = np.where(breached == NOT_ENOUGH, np.nan, chosen("burn"))
    messages, matching = chosen("messages").astype(np.int64), chosen("matching").astype(np.int64)

    def why(at: int) -> str:
        if breached[at] == NOT_ENOUGH:
            return _too_few(rule, moment, int(messages[at]))
        pair = pairs[int(speaking[at])]
        left = _left(rule, moment, int(codes[at]))
        return f"{_pace(pair, at)}, {left}"

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return Finding(group, None, None, rule.burns[0].factor, _too_few(rule, moment, 0))

    return RuleResult(moment.reading, rule.by, codes, breached, value, threshold, messages, matching, why, absent)


def speaking(rule: Slo, moment: EvaluationInput, group: tuple[tuple[str, str], ...]) -> Burn:
    """The pair of windows that speaks of a group, or is nearest to it."""
    factor = evaluate(rule, moment).of(group).threshold
    return next((pair for pair in rule.burns if pair.factor == factor), rule.burns[0])


def asked(rule: Slo, moment: EvaluationInput, window: Duration) -> Query:
    """The messages that the objective is about, in a window."""
    return of(considered(rule, moment.as_of, window), rule.of)


def _pair(rule: Slo, moment: EvaluationInput, codes: Codes, pair: Burn) -> _Pair:
    long, short = (_spent(rule, moment, codes, window) for window in (pair.long, pair.short))
    known = moment.as_of - pair.long >= moment.covered_since
    return _Pair(pair, long, short, known & (long.messages >= rule.min_messages))


def _spent(rule: Slo, moment: EvaluationInput, codes: Codes, window: Duration) -> _Spent:
    question = asked(rule, moment, window)
    messages = moment.reading.tally(question).at(codes)
    matching = moment.reading.tally(question.narrowed(rule.match.conditions)).at(codes)
    share = np.divide(matching, messages, out=np.zeros(len(codes)), where=messages > 0)
    # Rounded, so that a share that is exactly a pair's limit is not above it by the last bit.
    return _Spent(messages, matching, np.round(share / rule.budget, 9))


def _speaking(pairs: list[_Pair]) -> NDArray[np.int64]:
    """Which pair is shown of each group: the fastest that is over, else the one that is nearest to it."""
    pace = np.stack([pair.over for pair in pairs])
    over = pace > 1
    return np.asarray(np.where(over.any(axis=0), np.argmax(over, axis=0), np.argmax(pace, axis=0)))


def _breached(rule: Slo, pairs: list[_Pair]) -> NDArray[np.int64]:
    """How bad it is: 1 where the slow pair is over, as many levels as there are where a fast one is."""
    judged = np.any([pair.judged for pair in pairs], axis=0)
    levels = [np.where(pair.over > 1, len(rule.levels_) if pair.pair.fast else 1, 0) for pair in pairs]
    return np.where(judged, np.max(levels, axis=0), NOT_ENOUGH)


def _is_unseen(pairs: list[_Pair]) -> NDArray[np.bool_]:
    """Which groups have no message in the short window of the fastest pair that is judged: nothing shows that an alert is over."""
    empty = np.stack([pair.short.messages == 0 for pair in pairs])
    fastest = np.argmax(np.stack([pair.judged for pair in pairs]), axis=0)
    return np.asarray(np.take_along_axis(empty, fastest[None], axis=0)[0])


def _pace(pair: _Pair, at: int) -> str:
    windows = (pair.long, pair.pair.long), (pair.short, pair.pair.short)
    paces = [f"{number(float(spent.burn[at]))}x over {format_duration(window)}" for spent, window in windows]
    verb = "burns too fast" if pair.over[at] > 1 else "burns"
    return f"{verb}: {paces[0]} and {paces[1]}, limit {number(pair.pair.factor)}x"


def _left(rule: Slo, moment: EvaluationInput, code: int) -> str:
    """How much of the period's budget is left. What is not known of the period is taken to have been faultless."""
    span = min(rule.period, max(moment.as_of - moment.covered_since, rule.burns[0].long))
    spent = _spent(rule, moment, np.array([code]), span).burn[0] * span / rule.period
    budget = f"the {format_duration(rule.period)} budget"
    if spent < 1:
        return f"{percent(1 - spent)} of {budget} is left"
    times = number(float(spent))
    return f"{budget} is used up" if times == "1" else f"{budget} is used up {times} times"


def _too_few(rule: Slo, moment: EvaluationInput, messages: int) -> str:
    if messages >= rule.min_messages and moment.covers(rule.burns[0].long):
        return "not enough data: no messages in the short window, which would show whether it is over"
    if moment.as_of - rule.burns[0].long < moment.covered_since:
        return f"not enough data: the shortest pair of windows looks {format_duration(rule.burns[0].long)} back"
    return f"not enough data: {plural(messages, 'message')}, min_messages is {rule.min_messages}"


def _case(rule: Slo, moment: EvaluationInput, group: Group) -> RuleCase | None:
    question = asked(rule, moment, speaking(rule, moment, group).long)
    return RuleCase(group, question, rule.match, True, rule.comparison == "below")


def _sentence(view: AlertView) -> str:
    where = phrases.place(view)
    return f"The error budget{' of messages' if where else ''}{where} {clean(view.why, 300)}"


KIND: Final = Kind[Slo](
    model=Slo,
    evaluate=evaluate,
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
    batch=None,
)
