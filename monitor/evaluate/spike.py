"""``spike``: now against a baseline, as a number or as a share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.clock import DAY, iso
from monitor.detect import count_noise, robust_sigma, share_noise
from monitor.evaluate.judgement import NOT_ENOUGH, Floats, Judgement, Moment
from monitor.evaluate.levels import crossed
from monitor.evaluate.question import considered, of
from monitor.evaluate.words import number, percent, plural
from monitor.finding import Finding
from monitor.rules import Ago, Change, Spike
from monitor.window import Codes, Tally

ENOUGH_DAYS = 3
"""A baseline of the same hour speaks once so many days are known (or all, where it asks for fewer)."""
MOST_SLICES = 24


@dataclass(frozen=True, slots=True)
class _Span:
    """What was counted in one span: the denominators and the matching, by group; ``scale`` brings counts to the rule's window."""

    messages: Tally
    matching: Tally
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What is usual for each group: the expected measure, its noise, and how many messages that rests on."""

    expected: Floats
    noise: Floats
    rests_on: Floats


@dataclass(frozen=True, slots=True)
class _Measured:
    """What was counted, by group, now and usually. ``known`` is false while the baseline is still warming up."""

    codes: Codes
    messages: Codes
    matching: Codes
    value: Floats
    usual: _Baseline
    change: Floats
    known: bool


def evaluate(rule: Spike, moment: Moment) -> Judgement:
    """The present measure of each group that has messages now or had them in the baseline, or that has an alert."""
    measured = moment.shared(rule, lambda: _count(rule, moment))
    messages, matching, value = measured.messages, measured.matching, measured.value
    usual, change = measured.usual, measured.change
    below = rule.comparison == "below"
    breached, threshold = crossed(value, [_limit(level.limit, usual, below) for level in rule.levels_], below)
    few = _too_few(rule, messages, matching, breached > 0)
    thin = ~(usual.rests_on >= rule.min_baseline) | np.isnan(usual.expected)
    breached[few | thin | np.isnan(value)] = NOT_ENOUGH

    def why(at: int) -> str:
        if not measured.known:
            return f"not enough data: the baseline is still warming up; history reaches back to {iso(moment.covered_since)}"
        if few[at] or np.isnan(value[at]):
            counted = matching[at] if rule.measure == "count" else messages[at]
            return f"not enough data: {plural(int(counted), 'message')} now, min_messages is {rule.min_messages}"
        if thin[at]:
            return f"not enough data: {_thin(rule, usual, at)}"
        side = "below" if value[at] < threshold[at] else "above" if value[at] > threshold[at] else "at"
        times = "" if not np.isfinite(change[at]) else f" ({change[at]:.3g} times)"
        said = f"{_said(rule, value[at])} against {_said(rule, usual.expected[at])} usual{times}"
        return f"{said}: {side} {_said(rule, threshold[at])}"

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        calm = measured.known and not below and rule.measure == "count"  # none is a number, but no share
        return Finding(group, 0 if calm else None, 0.0 if calm else None, None, "no messages, now or in the baseline")

    return Judgement(
        moment.reading,
        rule.by,
        measured.codes,
        breached,
        value,
        threshold,
        messages,
        matching,
        why,
        absent,
        usual.expected,
        change,
    )


def _count(rule: Spike, moment: Moment) -> _Measured:
    now = _span(rule, moment, 0, rule.window)
    spans = _baseline_spans(rule, moment)
    codes = (
        moment.codes(rule.by, now.messages, *(span.messages for span in spans)) if rule.by else np.zeros(1, np.int64)
    )
    value = _measure(rule, now, codes)
    usual = _usual(rule, moment, spans, codes)
    change = np.divide(value, usual.expected, out=np.full(len(codes), np.nan), where=usual.expected > 0)
    return _Measured(codes, now.messages.at(codes), now.matching.at(codes), value, usual, change, bool(spans))


def _span(rule: Spike, moment: Moment, ago: int, window: int) -> _Span:
    question = considered(rule, moment.as_of, window, ago, rule.receipts_within)
    if rule.measure == "rate":
        question = of(question, rule.of)
    whole = moment.reading.tally(question)
    part = moment.reading.tally(question.narrowed(rule.match.conditions))
    return _Span(whole, part, rule.window / window)


def _baseline_spans(rule: Spike, moment: Moment) -> list[_Span]:
    """The spans that the baseline rests on; none while too little of them is known."""
    baseline = rule.baseline
    if isinstance(baseline, Ago):
        known = moment.as_of - baseline.ago - baseline.window >= moment.covered_since
        return [_span(rule, moment, baseline.ago, baseline.window)] if known else []
    days = [
        day for day in range(1, baseline.days + 1) if moment.as_of - day * DAY - rule.window >= moment.covered_since
    ]
    if len(days) < min(ENOUGH_DAYS, baseline.days):
        return []
    return [_span(rule, moment, day * DAY, rule.window) for day in days]


def _measure(rule: Spike, span: _Span, codes: Codes) -> Floats:
    matching = span.matching.at(codes).astype(np.float64)
    if rule.measure == "count":
        return np.asarray(matching * span.scale)
    messages = span.messages.at(codes)
    return np.asarray(np.divide(matching, messages, out=np.full(len(codes), np.nan), where=messages > 0))


def _usual(rule: Spike, moment: Moment, spans: list[_Span], codes: Codes) -> _Baseline:
    nothing = np.full(len(codes), np.nan)
    if not spans:
        return _Baseline(nothing, nothing, nothing)
    samples = np.stack([_measure(rule, span, codes) for span in spans])
    weights = np.stack([span.messages.at(codes).astype(np.float64) for span in spans])
    expected = _nanmedian(samples)
    rests_on = expected if rule.measure == "count" else np.median(weights, axis=0)
    if not rule.in_sigma:
        return _Baseline(expected, nothing, rests_on)
    chance = count_noise(expected) if rule.measure == "count" else share_noise(expected, np.median(weights, axis=0))
    spread = robust_sigma(samples if len(spans) > 1 else _slices(rule, moment, codes))
    return _Baseline(expected, np.fmax(spread, chance), rests_on)


def _slices(rule: Spike, moment: Moment, codes: Codes) -> Floats:
    """The measure in the pieces of the baseline's span that are as long as the rule's window."""
    assert isinstance(rule.baseline, Ago)
    count = min(max(rule.baseline.window // rule.window, 1), MOST_SLICES)
    spans = [_span(rule, moment, rule.baseline.ago + i * rule.window, rule.window) for i in range(count)]
    return np.stack([_measure(rule, span, codes) for span in spans])


def _nanmedian(samples: Floats) -> Floats:
    """The median of each column, NaN left out; NaN where a column has nothing else."""
    ordered = np.sort(samples, axis=0)  # NaN last
    counted = np.count_nonzero(~np.isnan(samples), axis=0)
    middle = [
        np.take_along_axis(ordered, at[None], axis=0)[0] for at in (np.maximum(counted - 1, 0) // 2, counted // 2)
    ]
    return np.asarray(np.where(counted > 0, (middle[0] + middle[1]) / 2, np.nan))


def _limit(change: float | Change, usual: _Baseline, below: bool) -> Floats:
    assert isinstance(change, Change)
    if change.factor is None:
        return usual.expected + usual.noise * (-change.amount if below else change.amount)
    # Rounded, so that 115 against a usual 100 is not above +15% by the last bit.
    return np.asarray(np.round(usual.expected * change.factor, 9))


def _too_few(rule: Spike, messages: Codes, matching: Codes, crossed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A share needs messages to be one. A number needs them to be a spike; that there is none, or that it is over, a few say as well."""
    if rule.measure == "rate":
        return messages < max(rule.min_messages, 1)
    if rule.comparison == "below":
        return np.zeros(len(messages), np.bool_)
    return crossed & (matching < rule.min_messages)


def _thin(rule: Spike, usual: _Baseline, at: int) -> str:
    """What the baseline lacks."""
    if rule.measure == "count":
        return f"{number(usual.expected[at])} usual, min_baseline is {rule.min_baseline}"
    messages = plural(int(usual.rests_on[at]), "message")
    return f"{messages} in the baseline, min_baseline is {max(rule.min_baseline, 1)}"


def _said(rule: Spike, measure: float) -> str:
    return percent(measure) if rule.measure == "rate" else number(measure)
