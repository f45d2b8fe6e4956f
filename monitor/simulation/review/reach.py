"""Whether a rule could have fired at all, and how near to its threshold it came."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from typing import Final

import numpy as np

from monitor.alerts.group_names import Names
from monitor.alerts.kinds import RuleResult, kind_of
from monitor.alerts.kinds.tuning import WrittenThreshold
from monitor.config.rules import Condition, Rule
from monitor.config.yaml import suggest
from monitor.model.message import UNKNOWN
from monitor.model.plurals import number, plural
from monitor.runtime.clock import Instant, format_duration
from monitor.runtime.dataclass import dataclass
from monitor.simulation.backtest.run import Trial
from monitor.simulation.backtest.step_size import EvaluationSpan
from monitor.simulation.suggest.proposal import Recorder
from monitor.simulation.suggest.recorded import Group, RecordedRule
from monitor.window import Window

_UNLISTED: Final = ("to", "account", "groups")
"""Fields whose values are not listed one by one."""
MOST_GROUPS: Final = 10_000
"""The most groups whose numbers of messages are remembered."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """The group that came nearest to its threshold, or furthest beyond it, and the threshold that it just reached.

    ``crossed`` is how often any group of the rule went over its threshold.
    """

    group: Group
    account: str
    reached: float
    threshold: WrittenThreshold
    crossed: int = 0


@dataclass(slots=True)
class _Sizes:
    """The most messages that each group of a rule had at once, and that any group had: also one of those that are too many to remember."""

    names: Names = field(default_factory=Names)
    most: dict[Group, int] = field(default_factory=dict)
    by_code: dict[int, int] = field(default_factory=dict)
    largest: int = 0

    def take(self, result: RuleResult) -> None:
        if not self.names.begin(result):
            self.by_code.clear()
        for at, (code, messages) in enumerate(zip(result.codes.tolist(), result.messages.tolist(), strict=True)):
            if messages > self.by_code.get(code, 0):
                self.by_code[code] = messages
                self._take_group(self.names.group(result, at), messages)

    def _take_group(self, group: Group, messages: int) -> None:
        self.largest = max(self.largest, messages)
        if group in self.most or len(self.most) < MOST_GROUPS:
            self.most[group] = max(self.most.get(group, 0), messages)


class Observer:
    """Sees what rules find while they are judged over the past."""

    def __init__(self, span: EvaluationSpan) -> None:
        self._recorder = Recorder(span)
        self._sizes: dict[str, _Sizes] = {}

    def watch(self, account: str, rule: Rule, as_of: Instant, result: RuleResult) -> None:
        """Takes one result; it is the ``watch`` of a backtest."""
        self._recorder.watch(account, rule, as_of, result)
        if hasattr(rule, "min_messages") and "to" not in rule.by:
            self._sizes.setdefault(rule.name, _Sizes()).take(result)

    def nearest(self, rule: Rule) -> Nearest | None:
        """The group that came nearest to the rule's mildest threshold; None if nothing was known of any, or there is no threshold."""
        thresholds = kind_of(rule).tuning.thresholds(rule)
        found = [one for one in self._recorder.rules.get(rule.name, ()) if one.groups]
        if not thresholds or not found:
            return None
        best = [(*_worst(one), one) for one in found]
        at, reached, recorded = (min if found[0].below else max)(best, key=lambda one: one[1])
        if not np.isfinite(reached):
            return None
        return Nearest(
            recorded.groups[at],
            recorded.account,
            reached,
            thresholds[0],
            sum(_crossings(one, thresholds[0].size) for one in found),
        )

    def small(self, rule: Rule) -> tuple[list[Group], int, int]:
        """The groups that never had ``min_messages``, the number of all groups, and the most messages that any of them had."""
        sizes = self._sizes.get(rule.name, _Sizes())
        least = int(getattr(rule, "min_messages", 0) or 0)
        return [group for group, most in sizes.most.items() if most < least], len(sizes.most), sizes.largest


def _crossings(recorded: RecordedRule, size: float) -> int:
    """How often a group went over a threshold."""
    crossed = recorded.crossed(size)
    return int(crossed[:1].sum() + (crossed[1:] & ~crossed[:-1]).sum())


def _worst(recorded: RecordedRule) -> tuple[int, float]:
    extremes = recorded.extremes()
    at = int(np.argmin(extremes) if recorded.below else np.argmax(extremes))
    return at, float(extremes[at])


def why_never(rule: Rule, trial: Trial | None, observer: Observer, windows: Sequence[Window]) -> Iterator[str]:
    """Yields why the rule could not have fired, in words; nothing if it could."""
    yield from _missing_values(rule, windows)
    if trial is None or trial.is_known:
        return
    _, groups, most = observer.small(rule)
    least = int(getattr(rule, "min_messages", 0) or 0)
    if groups and most < least:
        window = rule.alert_window
        span = f" in {format_duration(window)}" if window is not None else ""
        yield f"no group had more than {plural(most, 'message')}{span}, min_messages is {number(least)}"
    else:
        yield "there was never enough data to judge it"


def _missing_values(rule: Rule, windows: Sequence[Window]) -> Iterator[str]:
    """What the rule asks for and no message has."""
    for path, condition in rule.conditions():
        key = str(path[0]) if path else ""
        if key not in rule.model_fields_set or condition.operator == "is_not" or condition.field in _UNLISTED:
            continue
        known = {text for window in windows for text in window.dictionaries[condition.field].texts}
        if known and not any(condition.matches({condition.field: text}) for text in known):
            yield f"no message has {condition.field} {_values(condition, known)} ({key})"


def _values(condition: Condition, known: Iterable[str]) -> str:
    values = " or ".join(condition.values)
    if condition.operator != "is":
        return f"that {condition.operator.replace('_', ' ')} {values}"
    return values + (suggest(values, sorted({*known} - {UNKNOWN})) if len(condition.values) == 1 else "")
