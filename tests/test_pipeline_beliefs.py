"""What receivers believe in the end, whatever happened: refused commits, restarts, flapping, other routes, rules gone, blindness.

A naive oracle knows which groups fire. A receiver that knows alerts by their labels, as Alertmanager's do, must believe exactly
those once all is told; and when nothing fires any more, nobody may believe that anything does.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from monitor.clock import MINUTE, SECOND
from monitor.errors import StoreError
from monitor.notification import Notification
from monitor.render.payload import alertmanager
from monitor.settings import Settings
from tests.fakes.hand_clock import HandClock
from tests.fakes.station import Station, traffic
from tests.fakes.written import settings

OPERATORS = ("Cosmote", "Vodafone", "Nova")
RULES = """
rules:
  - name: Failing
    kind: rate
    by: [operator]
    window: 1m
    for: {for_}
    labels: {{team: sms}}
    levels: [{{above: 20%, severity: warning}}, {{above: 60%, severity: critical}}]
"""
CONFIG = """
accounts: [{{name: main, application_id: id, application_secret: secret}}]
searches: [{{name: all}}]
rules: [rules.yaml]
receivers: [{{name: ops, console: [{{}}]}}, {{name: oncall, console: [{{}}]}}]
route: {{receiver: {receiver}, group_by: [{group_by}], group_wait: 10s, group_interval: 5m, repeat_interval: 1h}}
web: off
"""
FAILING = {"calm": 0, "warning": 4, "critical": 8}
LEVELS = ("warning", "critical")
Labels = frozenset[tuple[str, str]]


def believed(told: list[Notification]) -> dict[str, set[Labels]]:
    """By receiver: what it believes to be firing after these."""
    beliefs: dict[str, set[Labels]] = {"ops": set(), "oncall": set()}
    for notification in told:
        for alert in alertmanager(notification)["alerts"]:
            labels = frozenset(alert["labels"].items())
            if alert["status"] == "firing":
                beliefs[notification.receiver].add(labels)
            else:
                beliefs[notification.receiver].discard(labels)
    return beliefs


class Life:
    """The oracle of one operator: since when each level is crossed, and which of them fire."""

    def __init__(self, for_: int) -> None:
        self.for_ = for_
        self.since: dict[str, int] = {}
        self.on: set[str] = set()

    @property
    def severity(self) -> str | None:
        return next((level for level in reversed(LEVELS) if level in self.on), None)

    def judged(self, state: str, now: int) -> None:
        if state == "none":
            self.since = self.since if self.on else {}
            return
        for level in LEVELS:
            if FAILING[state] >= FAILING[level]:
                self.since.setdefault(level, now)
                self.on |= {level} if now - self.since[level] >= self.for_ else set()
            else:
                self.since.pop(level, None)
                self.on.discard(level)


class Beliefs(RuleBasedStateMachine):
    """``lives`` is the oracle."""

    @initialize(for_=st.sampled_from([0, MINUTE]))
    def start(self, for_: int) -> None:
        self.for_ = for_
        self.clock = HandClock()
        self.receiver, self.group_by, self.has_rule = "ops", "alertname", True
        self.station = Station(self.settings(), self.clock)
        self.lives = {name: Life(for_) for name in OPERATORS}
        self.states = dict.fromkeys(OPERATORS, "calm")
        self.blind = False

    def settings(self) -> Settings:
        config = CONFIG.format(receiver=self.receiver, group_by=self.group_by)
        rules = RULES.format(for_=f"{self.for_ // SECOND}s") if self.has_rule else "rules: []"
        return settings(rules, config)

    def do(self, action: Callable[[], Awaitable[None]], *, fails: bool = False) -> bool:
        """Run it; gives whether the store took it."""
        self.station.store.failures = int(fails)
        try:
            trio.run(action)
        except StoreError:
            return False
        finally:
            self.station.store.failures = 0
        return True

    @rule(
        changed=st.dictionaries(st.sampled_from(OPERATORS), st.sampled_from(["none", "calm", *FAILING])),
        later=st.sampled_from([MINUTE, MINUTE, 2 * MINUTE, 7 * MINUTE]),
        fails=st.sampled_from([False, False, True]),
    )
    def poll(self, changed: dict[str, str], later: int, fails: bool) -> None:
        self.clock.at += later
        self.states |= changed
        rows = [
            row
            for name, state in self.states.items()
            if state != "none"
            for row in traffic(FAILING[state], operator=name)
        ]
        if self.do(lambda: self.station.poll(rows), fails=fails) and self.has_rule:
            for name, state in self.states.items():
                self.lives[name].judged(state, self.clock.at)

    @rule(later=st.sampled_from([SECOND, 10 * SECOND, MINUTE, 61 * MINUTE]), fails=st.booleans())
    def flush(self, later: int, fails: bool) -> None:
        self.clock.at += later
        self.do(self.station.pipeline.flush, fails=fails)

    @rule(fails=st.booleans(), blind=st.booleans())
    def sight(self, fails: bool, blind: bool) -> None:
        self.clock.at += SECOND
        sink, now = self.station.sinks["main"], self.clock.at
        action = (lambda: sink.blind("all", now, "no answer")) if blind else (lambda: sink.sighted("all"))
        if self.do(action, fails=fails):
            self.blind = blind

    @rule(
        receiver=st.sampled_from(["ops", "ops", "oncall"]),
        group_by=st.sampled_from(["alertname", "'alertname', severity", "operator", "'...'"]),
        has_rule=st.sampled_from([True, True, True, False]),
        fails=st.booleans(),
    )
    def restart(self, receiver: str, group_by: str, has_rule: bool, fails: bool) -> None:
        self.clock.at += SECOND
        self.receiver, self.group_by, self.has_rule = receiver, group_by, has_rule
        if not self.do(lambda: self.station.restart(self.settings()), fails=fails):
            self.do(lambda: self.station.restart(self.settings()))
        if not has_rule:
            self.lives = {name: Life(self.for_) for name in OPERATORS}

    @rule()
    def all_is_told(self) -> None:
        """Time enough passes for every group that has something to say."""
        self.settle()
        beliefs = believed(self.station.told)
        assert beliefs[self.receiver] == self.expected()
        for labels in beliefs["ops"] | beliefs["oncall"]:
            assert labels in self.expected(), "a receiver of before must not believe in what is over"

    def settle(self) -> None:
        for _ in range(4):
            self.clock.at += 6 * MINUTE
            assert self.do(self.station.pipeline.flush)

    def expected(self) -> set[Labels]:
        fire = [
            {"alertname": "Failing", "operator": name, "severity": life.severity, "team": "sms"}
            for name, life in self.lives.items()
            if life.severity is not None
        ]
        if self.blind:
            fire.append({"alertname": "MonitorBlind", "account": "main", "search": "all", "severity": "critical"})
        return {frozenset(labels.items()) for labels in fire}

    def teardown(self) -> None:
        if not hasattr(self, "station"):
            return
        self.all_is_told()
        self.poll(dict.fromkeys(OPERATORS, "calm"), MINUTE, False)
        assert self.do(lambda: self.station.sinks["main"].sighted("all"))
        self.settle()
        assert believed(self.station.told) == {"ops": set(), "oncall": set()}
        assert_every_episode_ends(self.station.told)
        assert not self.station.pipeline.dispatch.groups
        assert not any(alerts for alerts in self.station.pipeline.desks["main"].judge.alerts.values())


def assert_every_episode_ends(told: list[Notification]) -> None:
    """Whoever keeps a message for each episode sees every one of them end, with the alerts that end."""
    last: dict[str, Any] = {notification.episode: notification for notification in told}
    for notification in last.values():
        assert notification.status == "resolved"
        assert notification.alerts
        assert all(view.status == "resolved" for view in notification.alerts)


TestBeliefs = Beliefs.TestCase
TestBeliefs.settings = hypothesis_settings(max_examples=40, stateful_step_count=25, deadline=None)
