"""Selects what is shown together: a rule with its variants, and those of its groups that had alerts or came near one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Final

import numpy as np

from monitor.runtime.dataclass import dataclass
from monitor.simulation.backtest.run import Backtest, Trial
from monitor.simulation.backtest.series import Floats, GroupSeries, RuleSeries
from monitor.simulation.replay import Episode

MOST_GROUPS: Final = 6


@dataclass(slots=True)
class GroupTrial:
    """One group in one trial: its values, if they are known, and its alerts."""

    trial: Trial
    line: GroupSeries | None = None
    alerts: list[Episode] = field(default_factory=list)

    @property
    def values(self) -> Floats:
        """The values, NaN where data was missing."""
        return self.line.values if self.line is not None else np.zeros(0)

    @property
    def thresholds(self) -> Floats:
        """The thresholds, NaN where data was missing."""
        return self.line.thresholds if self.line is not None else np.zeros(0)

    @property
    def evidence(self) -> Floats:
        """The evidence, NaN where there is none."""
        return self.line.evidence if self.line is not None else np.zeros(0)


@dataclass(slots=True)
class GroupPanel:
    """One group with one entry for each trial, the original rule's first."""

    labels: dict[str, str]
    group_trials: list[GroupTrial]

    @property
    def name(self) -> str:
        """The group in a few words."""
        return ", ".join(self.labels.values()) or "all messages"

    @property
    def weight(self) -> tuple[int, float]:
        """The order of the panels: groups with alerts first, then those that came nearest to one."""
        alerts = sum(len(group_trial.alerts) for group_trial in self.group_trials)
        return alerts, max(
            (group_trial.line.worst for group_trial in self.group_trials if group_trial.line is not None), default=0.0
        )


@dataclass(frozen=True, slots=True)
class RuleChart:
    """A rule with its variants. ``more`` counts the groups that had an alert, or came near one, and are not shown."""

    name: str
    trials: Sequence[Trial]
    panels: Sequence[GroupPanel]
    more: int

    @property
    def series(self) -> RuleSeries | None:
        """The series of one of the trials; all of them have the same times."""
        return next((series for trial in self.trials for series in trial.courses.values()), None)


def rule_charts(found: Backtest) -> Iterator[RuleChart]:
    """Yields one chart for each rule, in the order of the trials; those with variants first, as they were asked about."""
    by_name: dict[str, list[Trial]] = {}
    for trial in found.trials:
        by_name.setdefault(trial.subject.name, []).append(trial)
    for name, trials in sorted(by_name.items(), key=lambda one: len(one[1]) == 1):
        panels = sorted(_panels(trials, found), key=lambda panel: panel.weight, reverse=True)
        yield RuleChart(name, trials, panels[:MOST_GROUPS], max(len(panels) - MOST_GROUPS, 0))


def _panels(trials: Sequence[Trial], found: Backtest) -> list[GroupPanel]:
    panels: dict[str, GroupPanel] = {}

    def group_trial(labels: Mapping[str, str], number: int) -> GroupTrial:
        panel = panels.setdefault(str(labels), GroupPanel(dict(labels), [GroupTrial(trial) for trial in trials]))
        return panel.group_trials[number]

    for number, trial in enumerate(trials):
        for account, series in trial.courses.items():
            for line in series.lines():
                group_trial(found.labels(account, line.group), number).line = line
        for episode in trial.alerts:
            group_trial(found.labels(episode.account, episode.group), number).alerts.append(episode)
    return list(panels.values())
