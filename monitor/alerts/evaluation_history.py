"""The latest evaluations of each rule: what `explain`, the status page and sparklines show without judging the past again.

Of each rule only the groups that matter are kept, at most GROUPS: first those with an alert, then in turn the one nearest to (or
furthest beyond) its threshold and the one with most messages. Which ones these are is looked at again from time to time; a group
that comes in starts with an empty past. Beside the latest evaluations some further apart are kept, as far back as sparklines reach.

Rules that count the same share one track while they have nothing to say: it has what was counted, of up to twice as many groups,
and that is compared with a rule's thresholds when somebody asks. A rule that is judged by itself has a track of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.group_names import Group, meaning
from monitor.alerts.kinds import NOT_ENOUGH, EvaluationInput, RuleResult
from monitor.alerts.kinds.batch import Numbers, RuleBatch
from monitor.alerts.kinds.result import UNHEARD_OF
from monitor.alerts.sampled_series import KEPT, LOOK_AGAIN, SPACED, SampledSeries, SeriesName, SeriesSample
from monitor.config.rules import Rule
from monitor.runtime.clock import Instant

GROUPS: Final = 12
"""The most groups of a rule that are kept."""


class EvaluationObserver(Protocol):
    """Who looks on while rules are judged."""

    def __call__(self, rule: Rule, as_of: Instant, rule_result: RuleResult, alerts: Iterable[Group], /) -> None:
        """``rule`` was judged; ``alerts`` are the groups that have an alert."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One group at one moment. ``value`` is None where there was not enough data, or none at all."""

    as_of: Instant
    value: float | None
    threshold: float | None
    messages: int


class EvaluationHistory:
    """The latest evaluations of all rules of one account."""

    def __init__(self) -> None:
        self._own: dict[str, SampledSeries] = {}
        self._shared: dict[str, _Part] = {}

    def take(self, rule: Rule, as_of: Instant, rule_result: RuleResult, alerts: Iterable[Group]) -> None:
        """Remember a judgement; one of the same moment replaces the one before."""
        track = self._own.get(rule.name)
        if track is None or track.by != rule_result.by:
            track = self._own[rule.name] = SampledSeries(rule_result.by, 3, GROUPS, self._offset(), rule.history_step)
        alarmed = [group for group in alerts if tuple(name for name, _ in group) == track.by][:GROUPS]
        value = np.where(rule_result.breached != NOT_ENOUGH, rule_result.value, np.nan)
        columns, nothing = (rule_result.messages, value, rule_result.threshold), (0.0, _of_nothing(rule_result), np.nan)
        means, below = meaning(rule_result), rule.comparison == "below"
        track.take(
            SeriesSample(
                as_of, rule_result.codes, columns, nothing, means, rule_result.code, lambda: rule_result, below, alarmed
            )
        )

    def take_shared(self, batch: RuleBatch, moment: EvaluationInput, numbers: Numbers) -> None:
        """Remember what some of these rules were judged on that had nothing to say."""
        known = self._shared.get(batch.rules[0].name)
        if known is None or known.shared.batch is not batch:
            shared = _Shared(batch, len(numbers.columns), self._offset())
            self._shared |= {rule.name: _Part(rule, shared) for rule in batch.rules}
            known = self._shared[batch.rules[0].name]
        known.shared.take(moment, numbers)

    def of(self, rule: str, group: Group) -> tuple[Evaluation, ...]:
        """Returns the history of one group, oldest first; empty if it is not kept."""
        found = self._found(rule, group, "latest")
        return tuple(found[as_of] for as_of in sorted(found)[-KEPT:])

    def progress(self, rule: str, group: Group) -> tuple[Evaluation, ...]:
        """What is known of one group as far back as a sparkline reaches, oldest first; less and less dense towards the past."""
        latest, spaced = self.of(rule, group), self._found(rule, group, "spaced")
        before = [as_of for as_of in sorted(spaced)[-SPACED:] if latest and as_of < latest[0].as_of]
        return (*(spaced[as_of] for as_of in before), *latest)

    def _found(self, rule: str, group: Group, series_name: SeriesName) -> dict[Instant, Evaluation]:
        """The values of one series, of the rule's own track and of the one that it shares."""
        own, part = self._own.get(rule), self._shared.get(rule)
        found = {} if part is None else part.of(group, series_name)
        return found | ({} if own is None else _evaluations(*own.rows(group, series_name)))

    def groups(self, rule: str) -> tuple[Group, ...]:
        """The groups that are kept of a rule."""
        tracks = self._tracks(rule)
        return tuple(max(tracks, key=lambda track: track.latest).groups) if tracks else ()

    def _tracks(self, rule: str) -> "list[SampledSeries]":
        own = [self._own[rule]] if rule in self._own else []
        return own + ([self._shared[rule].shared.track] if rule in self._shared else [])

    def forget(self, rule: str) -> None:
        """A rule is gone, or means something else now."""
        self._own.pop(rule, None)
        self._shared.pop(rule, None)

    def _offset(self) -> int:
        """Each track's turn to look again comes at another poll, so that no poll pays for all of them."""
        return (len(self._own) + len({id(part.shared) for part in self._shared.values()})) % LOOK_AGAIN


class _Shared:
    """The track of rules that count the same."""

    def __init__(self, batch: RuleBatch, columns: int, turn: int) -> None:
        self.batch = batch
        most = GROUPS if len(batch.rules) == 1 else 2 * GROUPS
        self.track = SampledSeries(batch.by, columns, most, turn, batch.rules[0].history_step)
        self.of_nothing = np.nan
        self._nothing = (0.0, *[np.nan] * (columns - 1))
        self._chosen = 0

    def take(self, moment: EvaluationInput, numbers: Numbers) -> None:
        """Write down what was counted."""

        def code(group: Group) -> int:
            known = moment.reading.code(self.batch.by, tuple(value for _, value in group))
            return UNHEARD_OF if known is None else known

        def judge() -> RuleResult:
            self._chosen += 1  # the groups that matter to one rule, then those that matter to the next
            rule_result = self.batch.rule_result(self._chosen, moment)
            self.of_nothing = _of_nothing(rule_result)
            return rule_result

        means, below = moment.reading.window.facets, self.batch.below
        self.track.take(
            SeriesSample(moment.as_of, numbers.codes, numbers.columns, self._nothing, means, code, judge, below)
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """One rule's part in a shared track."""

    rule: Rule
    shared: _Shared

    def of(self, group: Group, series_name: SeriesName) -> dict[Instant, Evaluation]:
        """What is known of one group, against the rule's thresholds."""
        moments, rows = self.shared.track.rows(group, series_name)
        there = ~np.isnan(rows[:, 1])  # what was counted is never NaN where there is anything to count
        weighed = self.shared.batch.weigh(self.rule, tuple(rows[there].T))
        value = np.where(weighed.breached != NOT_ENOUGH, weighed.value, np.nan)
        found = np.tile((0.0, self.shared.of_nothing, np.nan), (len(rows), 1))
        found[there] = np.stack([weighed.messages, value, weighed.threshold], axis=1)
        return _evaluations(moments, found)


def _of_nothing(rule_result: RuleResult) -> float:
    """The value of a group of which nothing is found; NaN where it has none."""
    value = rule_result.absent(()).value
    return np.nan if value is None else value


def _evaluations(moments: Iterable[Instant], rows: NDArray[np.float64]) -> dict[Instant, Evaluation]:
    return {as_of: _evaluation(as_of, *row) for as_of, row in zip(moments, rows.tolist(), strict=True)}


def _evaluation(as_of: Instant, messages: float, value: float, threshold: float) -> Evaluation:
    known, limit = (None if np.isnan(number) else number for number in (value, threshold))
    return Evaluation(as_of, known, limit, int(messages))
