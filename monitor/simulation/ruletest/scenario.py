"""The state of a rule at one time of a test: its alerts with their labels, and its groups."""

from collections.abc import Iterator, Mapping
from typing import Literal

from monitor.alerts.evaluation import Group
from monitor.alerts.kinds import EvaluationInput, evaluate, unit_of
from monitor.config.rules import Rule
from monitor.model.alert import Alert
from monitor.model.finding import Finding, Unit, why_beside
from monitor.runtime.clock import Duration, Instant, format_duration
from monitor.runtime.dataclass import dataclass
from monitor.simulation.replay import Replay
from monitor.window import WindowReader

AlertState = Literal["firing", "pending", "resolved"]
GroupState = Literal["inactive", "pending", "firing", "not_enough_data"]


@dataclass(frozen=True, slots=True)
class ObservedAlert:
    """One alert as a test sees it. A resolved one has the last value and severity that it had while it fired. ``age`` is how long it has had its
    state.
    """

    status: AlertState
    labels: dict[str, str]
    severity: str
    value: float | None
    why: str
    age: Duration

    def __str__(self) -> str:
        labels = {name: value for name, value in self.labels.items() if name not in ("alertname", "severity")}
        return f"{self.status} {named(labels)} ({self.severity}) for {format_duration(self.age)}: {self.why}"


@dataclass(frozen=True, slots=True)
class ObservedGroup:
    """One group as a test sees it."""

    labels: dict[str, str]
    state: GroupState
    value: float | None
    why: str

    def __str__(self) -> str:
        return f"{named(self.labels)} is {said(self.state)}: {why_beside(self.state, self.why)}"


class RuleScenario:
    """One rule at one time."""

    def __init__(self, replay: Replay, rule: Rule, as_of: Instant, covered_since: Instant) -> None:
        self.rule = rule
        self.as_of = as_of
        self._replay = replay
        self._present = replay.evaluator.alerts.get(rule.name, {})
        self._reading = WindowReader(replay.evaluator.window)
        self._covered_since = covered_since

    @property
    def error(self) -> str:
        """Why the rule could not be evaluated; empty if it could."""
        return self._replay.evaluator.errors.get(self.rule.name, "")

    def alerts(self) -> Iterator[ObservedAlert]:
        """Yields the alerts that fire or are pending, and of each other group the latest resolved one."""
        for alert in self._present.values():
            yield self._shown(alert)
        over = {
            episode.group: episode for episode in self._replay.of(self.rule.name) if episode.resolved_at is not None
        }
        for group, episode in over.items():
            if group not in self._present and episode.resolved_at is not None:
                severity = episode.severities[-1][1]
                labels, age = self._labels(group, severity), self.as_of - episode.resolved_at
                yield ObservedAlert("resolved", labels, severity, episode.value, episode.why, age)

    def _shown(self, alert: Alert) -> ObservedAlert:
        level = self.rule.levels_[max(alert.level, 1) - 1]
        firing = alert.firing_at is not None
        since = alert.firing_at if alert.firing_at is not None else alert.pending_at
        labels = self._labels(alert.group, level.severity)
        return ObservedAlert(
            "firing" if firing else "pending", labels, level.severity, alert.value, alert.why, self.as_of - since
        )

    def _labels(self, group: Group, severity: str) -> dict[str, str]:
        return {"alertname": self.rule.name, **dict(group), "severity": severity, **self.rule.labels}

    def groups(self) -> Iterator[ObservedGroup]:
        """Yields every group with messages, or with an alert."""
        rule_result = evaluate(self.rule, self._inputs())
        for finding in rule_result.findings():
            yield self._observed(finding)

    def group(self, group: Group) -> ObservedGroup:
        """Returns one group, also if it has neither messages nor an alert."""
        return self._observed(evaluate(self.rule, self._inputs()).of(group))

    def _inputs(self) -> EvaluationInput:
        return self._replay.evaluator.input_for(self.rule, self._reading, self.as_of, self._covered_since)

    def _observed(self, finding: Finding) -> ObservedGroup:
        alert = self._present.get(finding.group)
        state: GroupState = "inactive"
        if alert is not None:
            state = "firing" if alert.firing_at is not None else "pending"
        if finding.breached is None and state != "firing":
            state = "not_enough_data"
        return ObservedGroup(dict(finding.group), state, finding.value, finding.why)

    def unit(self, labels: Mapping[str, str]) -> Unit:
        """Returns the unit of the values of a group with those labels."""
        return unit_of(self.rule, tuple(labels.items()))


def named(labels: dict[str, str]) -> str:
    """Returns ``{operator: Cosmote, country: GR}``."""
    return "{" + ", ".join(f"{name}: {value}" for name, value in labels.items()) + "}"


def said(state: str) -> str:
    """Returns a state in words."""
    return state.replace("_", " ")
