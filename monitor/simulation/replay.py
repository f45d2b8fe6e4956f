"""Replays the past: the engine of rule tests and backtests.

Reports are put into a window in the order of their time, and the daemon's `RuleEvaluator` evaluates them at each step. The cursors are made here:
every search counts as polled up to that step, with nothing missing since `covered_since`. Alerts are recorded as episodes. Nothing is sent, and
the steps are the only time that passes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Final, Protocol

import msgspec

from monitor.alerts.evaluation import EvaluationResult, Group, Key
from monitor.alerts.evaluator import RuleEvaluator
from monitor.config.rules import Rule
from monitor.model.alert import Alert
from monitor.model.builtin_alerts import BUILT_IN
from monitor.runtime.clock import DAY, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.store.protocol import Cursor

Feed = Callable[[Instant], None]
"""Puts every report up to that instant into the evaluator's window; called with ever later instants."""

ALWAYS: Final[Duration] = 3_650 * DAY
"""How long before the first step messages are complete, by default."""


@dataclass(slots=True)
class Episode:
    """One alert from its beginning to its end, or to the last step.

    ``firing_at`` is None if it never fired, ``resolved_at`` is None while it continues. ``severities`` are the severities that it had while it
    fired, each with its instant. ``peak`` is the worst value, including the time before it fired; ``value``, ``why`` and ``messages`` are the
    last ones before its end.
    """

    account: str
    rule: str
    group: Group
    pending_at: Instant
    firing_at: Instant | None = None
    resolved_at: Instant | None = None
    severities: list[tuple[Instant, str]] = field(default_factory=list)
    peak: float | None = None
    value: float | None = None
    threshold: float | None = None
    messages: int = 0
    why: str = ""
    because: str = ""

    @property
    def severity(self) -> str:
        """The worst severity that it had."""
        return self._worst

    _worst: str = field(default="", repr=False)
    _level: int = field(default=0, repr=False)

    def follow(self, alert: Alert, rule: Rule, as_of: Instant) -> None:
        """Copies the present state of the alert."""
        self.firing_at, self.peak, self.threshold = alert.firing_at, alert.peak, alert.threshold
        if alert.state == "resolved":
            self.resolved_at, self.because = alert.resolved_at, alert.because or ""
            return
        self.value, self.why, self.messages = alert.value, alert.why, alert.messages
        if alert.state == "firing":
            severity = rule.levels_[alert.level - 1].severity
            if not self.severities or self.severities[-1][1] != severity:
                self.severities.append((as_of, severity))
            if alert.level > self._level:
                self._level, self._worst = alert.level, severity


class Episodes:
    """Records alerts as episodes.

    ``fired`` holds the alerts that fired, ``dropped`` counts by rule the alerts that ended while pending. ``put`` stores what becomes of an alert
    after its end.
    """

    def __init__(self, rules: Mapping[str, Rule], put: Callable[[str, Group, Alert | None], None]) -> None:
        self.fired: list[Episode] = []
        self.dropped: dict[str, int] = {}
        self._rules = rules
        self._put = put
        self._open: dict[Key, Episode] = {}

    def follow(self, outcome: EvaluationResult, as_of: Instant) -> None:
        """Records what an evaluation changed, after it was applied."""
        for key, alert in outcome.alerts.items():
            name, group = key
            if name in BUILT_IN:
                continue
            if alert is None:
                self.dropped[name] = self.dropped.get(name, 0) + (self._open.pop(key, None) is not None)
                continue
            if alert.state == "pending" and alert.earlier is not None:
                self._displaced(key, alert, alert.earlier, as_of)
                continue
            episode = self._open.get(key)
            if episode is None:
                episode = self._open[key] = Episode(alert.account, name, group, alert.pending_at)
            had_fired = episode.firing_at is not None
            episode.follow(alert, self._rules[name], as_of)
            if episode.firing_at is not None and not had_fired:
                self.fired.append(episode)
            if alert.state == "resolved":
                del self._open[key]
                self._put(name, group, None)  # forgets the resolved alert: what comes next is a new one

    def _displaced(self, key: Key, alert: Alert, over: Alert, as_of: Instant) -> None:
        """Ends an alert whose place a worse group took, and begins the episode of the pending one."""
        name, group = key
        self._open.pop(key).follow(over, self._rules[name], as_of)
        self._open[key] = Episode(alert.account, name, group, alert.pending_at, peak=alert.peak)
        self._put(name, group, msgspec.structs.replace(alert, earlier=None))


class Listener(Protocol):
    """Follows the alerts of a replay."""

    def wait_until(self, now: Instant) -> None:
        """The time moves on to ``now``, and nothing was evaluated since the last step."""

    def take(self, outcome: EvaluationResult) -> None:
        """An evaluation changed these alerts."""

    def dispatch(self, now: Instant) -> None:
        """All evaluations at ``now`` are done."""


class Replay:
    """One account's rules over its past.

    Each `step` moves the time forward. ``fired`` holds the alerts that fired, ``dropped`` counts by rule the alerts that ended while pending, and
    ``errors`` holds the rules that could not be evaluated. ``listeners`` follow the alerts.
    """

    def __init__(self, evaluator: RuleEvaluator, feed: Feed, covered_since: Instant) -> None:
        episodes = Episodes(evaluator.rules, evaluator.put)
        self.evaluator = evaluator
        self.fired = episodes.fired
        self.dropped = episodes.dropped
        self.errors: dict[str, str] = {}
        self.listeners: Sequence[Listener] = ()
        self._feed = feed
        self._covered_since = covered_since
        self._episodes = episodes

    def step(self, as_of: Instant) -> None:
        """Moves the time to ``as_of``, which is later than the step before, and evaluates the rules."""
        for listener in self.listeners:
            listener.wait_until(as_of)
        self._feed(as_of)
        for search in self.evaluator.coverage.searches:
            cursor = Cursor(self.evaluator.account, search, as_of, self._covered_since)
            outcome = self.evaluator.evaluate(cursor)
            self.evaluator.apply(outcome, cursor)
            for listener in self.listeners:
                listener.take(outcome)
            self._episodes.follow(outcome, as_of)
            self.errors |= outcome.errors
        for listener in self.listeners:
            listener.dispatch(as_of)

    def of(self, rule: str) -> Iterator[Episode]:
        """Returns the alerts of a rule that fired, in the order in which they did."""
        return (episode for episode in self.fired if episode.rule == rule)


def times(start: Instant, end: Instant, every: Duration) -> Iterator[Instant]:
    """Yields ``start`` and each ``every`` after it, up to ``end``, which is always the last."""
    yield from range(start, end, every)
    yield end
