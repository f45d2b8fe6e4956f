"""Keeps the latest evaluations of each rule, for ``explain``, the status page and sparklines, so that the past is not evaluated again.

Of each rule only some groups are kept, at most GROUPS: first those with an alert, then in turn the one nearest to (or furthest
beyond) its threshold and the one with most messages. They are chosen again from time to time; a group that is added starts with an
empty past. Beside the latest evaluations a few are kept at wider intervals, as far back as sparklines reach.

Rules that count the same share one series for as long as they are within their thresholds. It holds the counts of up to twice as many
groups, which are compared with a rule's thresholds on request. A rule that is evaluated alone has a series of its own.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.group_names import Group, meaning
from monitor.alerts.kinds import NOT_ENOUGH, EvaluationInput, RuleResult
from monitor.alerts.kinds.batch import Numbers, RuleBatch
from monitor.alerts.kinds.result import NO_CODE
from monitor.alerts.sampled_series import KEPT, RECHOOSE_EVERY, SPACED, SampledSeries, SeriesName, SeriesSample
from monitor.config.rules import Rule
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass

GROUPS: Final = 12
"""The most groups of a rule that are kept."""


_NOTHING: Final = (0.0, np.nan, np.nan, np.nan, np.nan)
"""Messages, value, threshold, baseline and evidence of a group that has nothing."""


class EvaluationObserver(Protocol):
    """Gets every evaluation of a rule."""

    def __call__(self, rule: Rule, as_of: Instant, rule_result: RuleResult, alerts: Iterable[Group], /) -> None:
        """Takes the result of ``rule``; ``alerts`` are its groups that have an alert."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One group's numbers as of one time. ``value`` is None if there was not enough data, or no value.

    ``baseline`` and ``evidence`` (see `RuleResult.evidence`) are None if the kind has none.
    """

    as_of: Instant
    value: float | None
    threshold: float | None
    messages: int
    baseline: float | None = None
    evidence: float | None = None


class EvaluationHistory:
    """The latest evaluations of all rules of one account."""

    def __init__(self) -> None:
        self._own: dict[str, SampledSeries] = {}
        self._shared: dict[str, _Part] = {}

    def take(self, rule: Rule, as_of: Instant, rule_result: RuleResult, alerts: Iterable[Group]) -> None:
        """Stores a result; it replaces one as of the same time."""
        series = self._own.get(rule.name)
        if series is None or series.by != rule_result.by:
            series = self._own[rule.name] = SampledSeries(
                rule_result.by, len(_NOTHING), GROUPS, self._offset(), rule.history_step
            )
        of_rule = (group for group in alerts if tuple(name for name, _ in group) == series.by)
        alarmed = list(islice(of_rule, GROUPS))
        value = np.where(rule_result.breached != NOT_ENOUGH, rule_result.value, np.nan)
        unknown = np.full(len(rule_result), np.nan)
        baseline, evidence = (unknown if one is None else one for one in (rule_result.baseline, rule_result.evidence))
        columns = (rule_result.messages, value, rule_result.threshold, baseline, evidence)
        nothing = (0.0, _absent_value(rule_result), *_NOTHING[2:])
        means, below = meaning(rule_result), rule.comparison == "below"
        series.take(
            SeriesSample(
                as_of, rule_result.codes, columns, nothing, means, rule_result.code, lambda: rule_result, below, alarmed
            )
        )

    def take_shared(self, batch: RuleBatch, inputs: EvaluationInput, numbers: Numbers) -> None:
        """Stores the counts on which those rules of a batch were evaluated that are within their thresholds."""
        known = self._shared.get(batch.rules[0].name)
        if known is None or known.shared.batch is not batch:
            shared = _Shared(batch, len(numbers.columns), self._offset())
            self._shared |= {rule.name: _Part(rule, shared) for rule in batch.rules}
            known = self._shared[batch.rules[0].name]
        known.shared.take(inputs, numbers)

    def of(self, rule: str, group: Group) -> tuple[Evaluation, ...]:
        """Returns the history of one group, oldest first; empty if it is not kept."""
        found = self._found(rule, group, "latest")
        return tuple(found[as_of] for as_of in sorted(found)[-KEPT:])

    def progress(self, rule: str, group: Group) -> tuple[Evaluation, ...]:
        """Returns one group's history as far back as a sparkline reaches, oldest first; further back there are fewer evaluations."""
        latest, spaced = self.of(rule, group), self._found(rule, group, "spaced")
        before = [as_of for as_of in sorted(spaced)[-SPACED:] if latest and as_of < latest[0].as_of]
        return (*(spaced[as_of] for as_of in before), *latest)

    def _found(self, rule: str, group: Group, series_name: SeriesName) -> dict[Instant, Evaluation]:
        """Returns one group's evaluations from the rule's own series and the one that it shares, by time."""
        own, part = self._own.get(rule), self._shared.get(rule)
        found = {} if part is None else part.of(group, series_name)
        return found | ({} if own is None else _evaluations(*own.rows(group, series_name)))

    def groups(self, rule: str) -> tuple[Group, ...]:
        """Returns the groups of a rule that are kept."""
        all_series = self._series(rule)
        return tuple(max(all_series, key=lambda series: series.latest).groups) if all_series else ()

    def _series(self, rule: str) -> "list[SampledSeries]":
        own = [self._own[rule]] if rule in self._own else []
        return own + ([self._shared[rule].shared.series] if rule in self._shared else [])

    def forget(self, rule: str) -> None:
        """Drops the history of a rule that was removed or changed."""
        self._own.pop(rule, None)
        self._shared.pop(rule, None)

    def _offset(self) -> int:
        """Returns a different start for each new series, so that they do not all choose their groups at the same poll."""
        return (len(self._own) + len({id(part.shared) for part in self._shared.values()})) % RECHOOSE_EVERY


class _Shared:
    """The series that the rules of a batch share."""

    def __init__(self, batch: RuleBatch, columns: int, turn: int) -> None:
        self.batch = batch
        most = GROUPS if len(batch.rules) == 1 else 2 * GROUPS
        self.series = SampledSeries(batch.by, columns, most, turn, batch.rules[0].history_step)
        self.absent_value = np.nan
        self._nothing = (0.0, *[np.nan] * (columns - 1))
        self._chosen = 0

    def take(self, inputs: EvaluationInput, numbers: Numbers) -> None:
        """Stores the counts as of one time."""

        def code(group: Group) -> int:
            known = inputs.reading.code(self.batch.by, tuple(value for _, value in group))
            return NO_CODE if known is None else known

        def evaluate() -> RuleResult:
            self._chosen += 1  # each rule of the batch chooses the groups in turn
            rule_result = self.batch.rule_result(self._chosen, inputs)
            self.absent_value = _absent_value(rule_result)
            return rule_result

        means, below = inputs.reading.window.facets, self.batch.below
        self.series.take(
            SeriesSample(inputs.as_of, numbers.codes, numbers.columns, self._nothing, means, code, evaluate, below)
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """One rule's use of a shared series."""

    rule: Rule
    shared: _Shared

    def of(self, group: Group, series_name: SeriesName) -> dict[Instant, Evaluation]:
        """Returns one group's evaluations by time, from the counts and the rule's thresholds."""
        moments, rows = self.shared.series.rows(group, series_name)
        there = ~np.isnan(rows[:, 1])  # the first count is NaN only if the group was absent
        weighed = self.shared.batch.weigh(self.rule, tuple(rows[there].T))
        value = np.where(weighed.breached != NOT_ENOUGH, weighed.value, np.nan)
        found = np.tile((0.0, self.shared.absent_value, *_NOTHING[2:]), (len(rows), 1))
        unknown = np.full(len(value), np.nan)
        baseline = unknown if weighed.baseline is None else weighed.baseline
        found[there] = np.stack([weighed.messages, value, weighed.threshold, baseline, unknown], axis=1)
        return _evaluations(moments, found)


def _absent_value(rule_result: RuleResult) -> float:
    """Returns the value of a group without any messages; NaN if it has none."""
    value = rule_result.absent(()).value
    return np.nan if value is None else value


def _evaluations(moments: Iterable[Instant], rows: NDArray[np.float64]) -> dict[Instant, Evaluation]:
    return {as_of: _evaluation(as_of, *row) for as_of, row in zip(moments, rows.tolist(), strict=True)}


def _evaluation(as_of: Instant, messages: float, *numbers: float) -> Evaluation:
    value, threshold, *others = (None if np.isnan(number) else number for number in numbers)
    return Evaluation(as_of, value, threshold, int(messages), *others)
