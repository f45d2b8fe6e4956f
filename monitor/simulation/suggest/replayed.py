"""The alerts that a rule would have raised with other thresholds, from its recorded numbers: only the life of the alerts is run again."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.evaluation import Group
from monitor.alerts.lifecycle import RuleAlerts, policy_of
from monitor.config.rules import Rule
from monitor.model.alert import Alert
from monitor.model.finding import Finding
from monitor.runtime.dataclass import dataclass
from monitor.simulation.replay import Episode, Episodes
from monitor.simulation.suggest.recorded import GONE, RecordedRule


def replayed(recorded: RecordedRule, rule: Rule, sizes: Sequence[float]) -> list[Episode]:
    """The alerts of ``rule``, which is the recorded one with thresholds of these ``sizes``, the mildest first."""
    past = _RecordedPast(recorded, rule, sizes)
    episodes, alerts = Episodes({rule.name: rule}, past.put), past.alerts
    active, at = np.flatnonzero(past.levels.any(axis=1)), 0
    while at < len(recorded.instants):
        if not alerts:  # nothing happens before the next crossing
            later = active[np.searchsorted(active, at) :]
            if not later.size:
                break
            at = int(later[0])
        as_of = recorded.instants[at]
        found = _RecordedFindings(past, at)
        outcome = RuleAlerts(recorded.account, rule, policy_of(rule), dict(alerts), found, as_of, True).advance({})
        for (_, group), alert in outcome.alerts.items():
            past.put(rule.name, group, alert)
        episodes.follow(outcome, as_of)
        at += 1
    return episodes.fired


class _RecordedPast:
    """Recorded numbers against thresholds, and the alerts as they are meanwhile."""

    def __init__(self, recorded: RecordedRule, rule: Rule, sizes: Sequence[float]) -> None:
        self.recorded = recorded
        self.alerts: dict[Group, Alert] = {}
        self.sizes = sizes
        self.index_of = {group: index for index, group in enumerate(recorded.groups)}
        self.levels: NDArray[np.int64] = np.sum([recorded.crossed(size) for size in sizes], axis=0, dtype=np.int64)
        if len(sizes) < len(rule.levels_):  # a single threshold, whose alerts have the worst severity
            self.levels *= len(rule.levels_)

    def put(self, rule: str, group: Group, alert: Alert | None) -> None:
        if alert is None:
            self.alerts.pop(group, None)
        else:
            self.alerts[group] = alert


@dataclass(frozen=True, slots=True)
class _RecordedFindings:
    """What was found at one evaluation."""

    past: _RecordedPast
    at: int

    def breaching(self) -> Iterator[Finding]:
        return (self._finding(index) for index in np.flatnonzero(self.past.levels[self.at]).tolist())

    def of(self, group: Group) -> Finding:
        return self._finding(self.past.index_of[group])

    def _finding(self, index: int) -> Finding:
        recorded, levels = self.past.recorded, int(self.past.levels[self.at, index])
        reached, value = float(recorded.reached[self.at, index]), float(recorded.values[self.at, index])
        group, threshold = recorded.groups[index], self.past.sizes[min(max(levels, 1), len(self.past.sizes)) - 1]
        if reached == GONE:
            return Finding(group, None, None, threshold, "", gone=True)
        if np.isnan(reached):
            return Finding(group, None, None, threshold, "")
        return Finding(group, levels, None if np.isnan(value) else value, threshold, "")
