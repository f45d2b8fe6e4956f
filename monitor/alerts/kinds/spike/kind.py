"""``spike``: now against a baseline, as a number or as a share."""

from collections.abc import Hashable, Sequence
from dataclasses import field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.batch import BatchEvaluator, BatchResult, Column, Pair, column
from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.count import number_said
from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.levels import crossed
from monitor.alerts.kinds.rate import share_said
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, Floats, RuleResult, from_second, history_reaches
from monitor.alerts.kinds.rule_query import considered, of, pair
from monitor.alerts.kinds.spike.same_hour import days_ago
from monitor.alerts.kinds.spike.sigma import SigmaBaseline, distance, past_of, threshold
from monitor.alerts.kinds.statistics import median
from monitor.alerts.kinds.tuning import tuned_by, where_known
from monitor.alerts.kinds.words import (
    at_once_only,
    compared,
    is_particular,
    never,
    nothing,
    outcome_of,
)
from monitor.config.rules import BaselineChange
from monitor.config.rules.spike import ENOUGH_DAYS, Ago, SameHour, Spike
from monitor.model.finding import Finding, Unit
from monitor.model.format import amount
from monitor.model.notification import AlertView
from monitor.model.phrases import against_threshold, against_usual
from monitor.model.plurals import number, plural
from monitor.runtime.clock import Duration
from monitor.runtime.dataclass import dataclass
from monitor.window import Codes, GroupCounts

MOST_SLICES = 24
NEARLY = 1e-6
"""Distance, in sigma, below its threshold from which a rule is evaluated alone; thresholds are solved more precisely than that."""


@dataclass(frozen=True, slots=True)
class _SpikeQuery:
    """The queries for one span, which begins ``reach`` ago. ``scale`` converts counts to the length of the rule's window."""

    pair: Pair
    reach: Duration
    scale: float


@dataclass(frozen=True, slots=True)
class _Questions:
    """A rule's queries: for now, for the baseline, and for the slices of the baseline that show how much it varies.

    ``ago`` is None if the baseline is other days, because their spans depend on the time of the evaluation (`_known_days`). ``days`` caches
    the queries for them, by how long ago they ended.
    """

    now: _SpikeQuery
    ago: _SpikeQuery | None
    slices: tuple[_SpikeQuery, ...]
    days: dict[Duration, _SpikeQuery] = field(default_factory=dict)

    def of_day(self, rule: Spike, ago: Duration) -> _SpikeQuery:
        """Returns the queries for the rule's window on another day."""
        if ago not in self.days:
            self.days[ago] = _span_asked(rule, ago, rule.window)
        return self.days[ago]


@dataclass(frozen=True, slots=True)
class _SpanCounts:
    """The counts of one span: considered and matching messages by group. ``scale`` converts counts to the length of the rule's window."""

    messages: GroupCounts
    matching: GroupCounts
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What is usual for each group.

    ``expected`` is the usual measure. ``rests_on`` is compared with ``min_baseline``: for a number it is the expected number, for a share the
    messages behind it. ``past`` is what thresholds in sigma need.
    """

    expected: Floats
    rests_on: Floats
    past: SigmaBaseline | None = None

    @property
    def columns(self) -> tuple[Floats, ...]:
        """All columns, in the order of the parameters of `_remembered`."""
        return self.expected, self.rests_on, *(self.past.columns if self.past else ())


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

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.messages, self.matching, self.value, *self.usual.columns


@dataclass(frozen=True, slots=True)
class _SpikeLimits:
    """The rules, and in columns their least messages now and in the baseline, and their mildest threshold (a factor, or sigma)."""

    rules: tuple[Spike, ...]
    least: Floats
    least_usual: Floats
    sizes: Floats


@dataclass(slots=True, kw_only=True)
class SpikeResult(RuleResult):
    """Numbers with the whole baseline that they are held against."""

    usual: _Baseline


def evaluate(rule: Spike, inputs: EvaluationInput) -> RuleResult:
    """Returns the present measure of each group that has messages now or in the baseline, or an alert."""
    measured = inputs.shared(rule, lambda: _count(rule, _asked(rule), inputs))
    messages, matching, value = measured.messages, measured.matching, measured.value
    usual, change = measured.usual, measured.change
    below = rule.comparison == "below"
    breached, threshold, few, thin = _crossed(rule, messages, matching, value, usual)

    def why(at: int) -> str:
        if not measured.known:
            return f"not enough data: {_warming(rule, inputs)}"
        if few[at] or np.isnan(value[at]):
            counted = matching[at] if rule.measure == "count" else messages[at]
            return f"not enough data: {plural(int(counted), 'message')} now, min_messages is {rule.min_messages}"
        if thin[at]:
            return f"not enough data: {_thin(rule, usual, at)}"
        side = "below" if value[at] < threshold[at] else "above" if value[at] > threshold[at] else "at"
        times = "" if not np.isfinite(change[at]) else f" ({change[at]:.3g} times)"
        said = f"{_said(rule, value[at], threshold[at])} against {_said(rule, usual.expected[at])} usual{times}"
        return f"{said}: {side} {_said(rule, threshold[at], value[at])}"

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        # Zero messages are a number but not a share, and a number only if min_messages allows it.
        is_within = measured.known and not below and rule.measure == "count" and not rule.min_messages
        return Finding(
            group, 0 if is_within else None, 0.0 if is_within else None, None, "no messages, now or in the baseline"
        )

    return SpikeResult(
        inputs.reading,
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
        usual=usual,
    )


def _crossed(
    rule: Spike, messages: Column, matching: Column, value: Floats, usual: _Baseline
) -> tuple[NDArray[np.int64], Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Returns levels crossed and thresholds, and which groups have too few messages now, or in the baseline."""
    below = rule.comparison == "below"
    limits = [_limit(rule, level.limit, messages, usual) for level in rule.levels_]
    breached, threshold = crossed(value if rule.in_sigma else _exactly(value), limits, below)
    few = _too_few(rule, messages, matching)
    thin = ~(usual.rests_on >= rule.min_baseline) | np.isnan(usual.expected)
    breached[few | thin | np.isnan(value)] = NOT_ENOUGH
    return breached, threshold, few, thin


def _asked(rule: Spike) -> _Questions:
    baseline, now = rule.baseline, _span_asked(rule, 0, rule.window)
    if not isinstance(baseline, Ago):
        return _Questions(now, None, ())
    count = min(max(baseline.window // rule.window, 1), MOST_SLICES) if rule.in_sigma else 0
    slices = [_span_asked(rule, baseline.ago + i * rule.window, rule.window) for i in range(count)]
    return _Questions(now, _span_asked(rule, baseline.ago, baseline.window), tuple(slices))


def _span_asked(rule: Spike, ago: Duration, window: Duration) -> _SpikeQuery:
    question = considered(rule, 0, window, ago, rule.receipts_within)
    if rule.measure == "rate":
        question = of(question, rule.of)
    return _SpikeQuery(pair(question, rule.match), ago + window, rule.window / window)


def _count(rule: Spike, asked: _Questions, inputs: EvaluationInput) -> _Measured:
    now = _span(asked.now, inputs)
    spans = _baseline_spans(rule, asked, inputs)
    codes = (
        inputs.codes(rule.by, now.messages, *(span.messages for span in spans)) if rule.by else np.zeros(1, np.int64)
    )
    value = _measure(rule, now, codes)
    usual = _usual(rule, [_span(one, inputs) for one in asked.slices] if spans else [], spans, codes)
    change = np.divide(value, usual.expected, out=np.full(len(codes), np.nan), where=usual.expected > 0)
    return _Measured(codes, now.messages.at(codes), now.matching.at(codes), value, usual, change, bool(spans))


def _span(asked: _SpikeQuery, inputs: EvaluationInput) -> _SpanCounts:
    whole, part = asked.pair
    return _SpanCounts(inputs.tally(whole), inputs.tally(part), asked.scale)


def _baseline_spans(rule: Spike, asked: _Questions, inputs: EvaluationInput) -> list[_SpanCounts]:
    """Returns the counts of the baseline's spans; empty while too little of them is known."""
    return [_span(one, inputs) for one in _usual_asked(rule, asked, inputs)]


def _usual_asked(rule: Spike, asked: _Questions, inputs: EvaluationInput) -> list[_SpikeQuery]:
    if asked.ago is not None:
        return [asked.ago] if inputs.covers(asked.ago.reach) else []
    known = _known_days(rule, inputs)
    return [asked.of_day(rule, ago) for ago in known] if len(known) >= ENOUGH_DAYS else []


def _known_days(rule: Spike, inputs: EvaluationInput) -> list[Duration]:
    """Returns how long ago the same span ended on each day for which all of it is known."""
    baseline = rule.baseline
    assert not isinstance(baseline, Ago)
    days = days_ago(inputs.as_of, rule.window, baseline.days, baseline.location or inputs.time_zone)
    return [ago for ago in days if inputs.as_of - ago - rule.window >= inputs.known_since]


def _warming(rule: Spike, inputs: EvaluationInput) -> str:
    """Returns why no baseline is known yet."""
    if isinstance(rule.baseline, Ago):
        return f"the baseline is still warming up; {history_reaches(inputs.covered_since)}"
    days, since = len(_known_days(rule, inputs)), from_second(inputs.known_since)
    return f"this hour is known for {plural(days, 'day')}, {ENOUGH_DAYS} are needed; history begins at {since}"


def _measure(rule: Spike, span: _SpanCounts, codes: Codes) -> Floats:
    matching = span.matching.at(codes).astype(np.float64)
    if rule.measure == "count":
        return np.asarray(matching * span.scale)
    messages = span.messages.at(codes)
    return np.asarray(np.divide(matching, messages, out=np.full(len(codes), np.nan), where=messages > 0))


def _usual(rule: Spike, slices: list[_SpanCounts], spans: list[_SpanCounts], codes: Codes) -> _Baseline:
    nothing = np.full(len(codes), np.nan)
    if not spans:
        return _Baseline(nothing, nothing, SigmaBaseline(nothing, nothing, nothing) if rule.in_sigma else None)
    samples = [_measure(rule, span, codes) for span in spans]
    weights = [span.messages.at(codes).astype(np.float64) for span in spans]
    expected = samples[0] if len(spans) == 1 else _of_enough_days(np.stack(samples))
    weight = weights[0] if len(spans) == 1 else np.median(weights, axis=0)
    rests_on = expected if rule.measure == "count" else weight
    if not rule.in_sigma:
        return _Baseline(expected, rests_on)
    past = past_of(_sized(rule, spans, codes), _sized(rule, slices or spans, codes), rule.measure == "rate")
    return _Baseline(expected, rests_on, past)


def _of_enough_days(samples: Floats) -> Floats:
    """Returns the median of days; NaN where fewer than ENOUGH_DAYS have a measure, since there is no share of no messages."""
    measured = np.count_nonzero(~np.isnan(samples), axis=0)
    return np.where(measured < ENOUGH_DAYS, np.nan, median(samples))


def _sized(rule: Spike, spans: list[_SpanCounts], codes: Codes) -> tuple[Floats, Floats]:
    """Returns the measures of some spans, one row each, and their sizes: messages for a share, windows for a number."""
    values = np.stack([_measure(rule, span, codes) for span in spans])
    if rule.measure == "rate":
        return values, np.stack([span.messages.at(codes).astype(np.float64) for span in spans])
    return values, np.stack([np.full(len(codes), 1 / span.scale) for span in spans])


def _size_now(rule: Spike, messages: Column) -> Floats:
    return messages.astype(np.float64) if rule.measure == "rate" else np.ones(len(messages))


def _limit(rule: Spike, change: float | BaselineChange, messages: Column, usual: _Baseline) -> Floats:
    assert isinstance(change, BaselineChange)
    if change.factor is not None:
        return _times(usual, change.factor)
    assert usual.past is not None
    size, below = _size_now(rule, messages), rule.comparison == "below"
    return threshold(change.amount, size, usual.past, rule.measure == "rate", below)


def _times(usual: _Baseline, factor: float | Floats) -> Floats:
    """Returns the threshold for a factor, rounded as `_exactly` rounds."""
    return _exactly(np.asarray(usual.expected * factor))


def _exactly(measure: Floats) -> Floats:
    """Returns the measure rounded for comparison.

    Otherwise the last bit could put 115 above +15% of 100, or 5/6 above 2.5 times 1/3.
    """
    return np.asarray(np.round(measure, 9))


def _too_few(rule: Spike, messages: Column, matching: Column) -> NDArray[np.bool_]:
    """Returns which groups have too few messages now. A share needs at least one message."""
    if rule.measure == "rate":
        return messages < max(rule.min_messages, 1)
    return matching < rule.min_messages


def _thin(rule: Spike, usual: _Baseline, at: int) -> str:
    """Returns what the baseline lacks, in words."""
    if rule.measure == "count":
        return f"{number(usual.expected[at])} usual, min_baseline is {rule.min_baseline}"
    messages = plural(int(usual.rests_on[at]), "message")
    return f"{messages} in the baseline, min_baseline is {max(rule.min_baseline, 1)}"


def _apart(rule: Spike) -> Hashable:
    return rule.comparison


def _limits(rules: Sequence[Spike]) -> _SpikeLimits:
    changes = [rule.levels_[0].limit for rule in rules]
    return _SpikeLimits(
        tuple(rules),
        column([rule.min_messages for rule in rules]),
        column([rule.min_baseline for rule in rules]),
        column([change.size for change in changes if isinstance(change, BaselineChange)]),
    )


def _over(limits: _SpikeLimits, measured: _Measured) -> NDArray[np.bool_]:
    rule, usual = limits.rules[0], measured.usual
    below = rule.comparison == "below"
    if usual.past is None:
        limit = _times(usual, limits.sizes)
        value = _exactly(measured.value)
        over = value < limit if below else value > limit
    else:
        size, is_share = _size_now(rule, measured.messages), rule.measure == "rate"
        over = distance(measured.value, size, usual.past, is_share, below) > limits.sizes - NEARLY
    over &= usual.rests_on >= limits.least_usual
    over &= (measured.messages if rule.measure == "rate" else measured.matching) >= limits.least
    return np.asarray(over.any(axis=1))


def _weigh(rule: Spike, columns: tuple[Floats, ...]) -> BatchResult:
    messages, matching, value, *usual = columns
    breached, threshold, _, _ = _crossed(rule, messages, matching, value, _remembered(*usual))
    return BatchResult(breached, value, threshold, messages.astype(np.int64), usual[0])


def _remembered(expected: Floats, rests_on: Floats, *past: Floats) -> _Baseline:
    return _Baseline(expected, rests_on, SigmaBaseline(*past) if past else None)


BATCH = BatchEvaluator(_apart, _asked, _count, _limits, _over, _weigh)


def _said(rule: Spike, measure: float, beside: float | None = None) -> str:
    return amount(float(measure), "share" if rule.measure == "rate" else "count", beside)


def _case(rule: Spike, inputs: EvaluationInput, group: Group) -> RuleCase | None:
    question = considered(rule, inputs.as_of, rule.window, within=rule.receipts_within)
    is_share = rule.measure == "rate"
    return RuleCase(
        group, of(question, rule.of) if is_share else question, rule.match, is_share, rule.comparison == "below"
    )


def _unit(rule: Spike, group: Group = ()) -> Unit:
    return "share" if rule.measure == "rate" else "count"


def _sentence(view: AlertView) -> str:
    return share_said(view) if view.unit == "share" else number_said(view)


def _against(view: AlertView) -> str:
    return against_threshold(view) if view.baseline is None else against_usual(view)


def _days(rule: Spike) -> int:
    return rule.baseline.days if isinstance(rule.baseline, SameHour) else 0


def _looked_at(rule: Spike) -> Duration:
    if rule.receipts_within is None and not is_particular(rule):
        return 0
    return rule.window * (1 + _days(rule)) if _days(rule) else rule.reach


def _reached(rule: Spike, result: RuleResult) -> Floats:
    """How many times the usual, or how many sigma. Of nothing usual any message is infinitely many times, and none is no change."""
    assert isinstance(result, SpikeResult)
    usual, below = result.usual, rule.comparison == "below"
    if usual.past is not None:
        size, is_share = _size_now(rule, result.messages), rule.measure == "rate"
        return where_known(result, distance(result.value, size, usual.past, is_share, below))
    none = np.where((result.value > 0) | below, np.inf, 0.0)
    times = np.divide(_exactly(result.value), usual.expected, out=none, where=usual.expected > 0)
    return where_known(result, _exactly(times))


KIND: Final = Kind[Spike](
    model=Spike,
    evaluate=evaluate,
    ahead=at_once_only,
    unit=_unit,
    matched=lambda rule: outcome_of(rule.match),
    condition=lambda rule: compared(rule, _unit(rule)),
    case=_case,
    wording=Wording(
        measure=_sentence,
        against=_against,
        is_amount=True,
        shows_usual=True,
        counts_silence=never,
        axis="",
    ),
    example=Example(unit="count", has_baseline=True, has_change=True),
    past=PastEvaluation[Spike](
        spans=lambda rule: 1 + _days(rule), looked_at=_looked_at, is_known=True, unknown=nothing
    ),
    tuning=tuned_by("factor", _reached),
    batch=BATCH,
)
