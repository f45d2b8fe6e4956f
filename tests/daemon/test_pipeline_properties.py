"""What receivers believe in the end, whatever happened: refused commits, restarts, flapping, other routes, receivers and rules gone,
silences, acknowledgements, inhibition, clock steps, blindness, reloads.

A naive oracle knows which groups fire. A receiver that knows alerts by their labels, as Alertmanager's do, must believe exactly
those once all is told; and when nothing fires any more, nobody may believe that anything does. On the way nothing suppressed is
announced, each end is told once, and neither a restart nor a reload tells anybody.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import trio
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from monitor.config.settings import Settings
from monitor.model.notification import Notification
from monitor.notify.render.alertmanager_payload import alertmanager
from monitor.routing.matchers import Matcher
from monitor.routing.silences import Silence
from monitor.runtime.clock import MINUTE, SECOND
from monitor.runtime.errors import StoreError
from tests.fakes.hand_clock import HandClock
from tests.fakes.pipeline_harness import PipelineHarness, traffic
from tests.fakes.rounds import rounds
from tests.fakes.written import settings

OPERATORS = ("Cosmote", "Vodafone", "Nova")
RULES = """
rules:
  - name: Failing
    kind: rate
    by: [operator]
    window: 1m
    for: {for_}
    forget_after: 30d
    labels: {{team: {team}}}
    {incident}
    levels: [{{above: 20%, severity: warning}}, {{above: 60%, severity: critical}}]
"""
CONFIG = """
accounts: [{{name: main, application_id: id, application_secret: secret}}]
searches: [{{name: all, every: 1d}}]
rules: [rules.yaml]
receivers: [{receivers}]
route: {{receiver: {receiver}, group_by: [{group_by}], group_wait: 10s, group_interval: 5m, repeat_interval: 1h{routes}}}
inhibit_rules: [{inhibit_rules}]
web: off
"""
BOTH = "{name: ops, console: [{}]}, {name: oncall, console: [{}]}"
WORSE = "matchers: ['severity=\"critical\"'], receiver: oncall"
TREES = {
    "ops": ("ops", BOTH, ""),
    "oncall": ("oncall", BOTH, ""),
    "split": ("ops", BOTH, f", routes: [{{{WORSE}}}]"),
    "continued": ("ops", BOTH, f", routes: [{{{WORSE}, continue: true}}, {{receiver: ops}}]"),
    "alone": ("ops", "{name: ops, console: [{}]}", ""),
}
"""By a name: the root's receiver, all receivers, and the routes below the root."""
INCIDENTS = ("", "incident: {by: []}", "incident: {by: [operator]}", "incident: {by: [country]}")
"""How the alerts are grouped in incidents: not at all, all in one, each by itself."""
INHIBITS = """{source_matchers: ['operator="Cosmote"', 'severity="critical"'], target_matchers: ['operator="Nova"']}"""
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
    """The oracle of one operator: since when each level is crossed, and which of them fire.

    The search is polled once a day as far as the rules know, so that no time between two polls counts as unseen (see `missed_evaluations`).
    """

    def __init__(self, for_: int) -> None:
        self.for_ = for_
        self.since: dict[str, int] = {}
        self.on: set[str] = set()

    @property
    def severity(self) -> str | None:
        return next((level for level in reversed(LEVELS) if level in self.on), None)

    def evaluated(self, state: str, now: int) -> None:
        if state == "none":
            self.since = {level: since for level, since in self.since.items() if level in self.on}
            return
        for level in LEVELS:
            if FAILING[state] >= FAILING[level]:
                self.since.setdefault(level, now)
                self.on |= {level} if now - self.since[level] >= self.for_ else set()
            else:
                self.since.pop(level, None)
                self.on.discard(level)


class Beliefs(RuleBasedStateMachine):
    """``lives`` is the oracle, ``silences`` are (operator, start, end), ``seen`` is how many notifications were checked on the way.

    ``is_changed`` says that the configuration is no longer the first one: alerts may then be in other groups than those that notified.
    """

    @initialize(
        for_=st.sampled_from([0, MINUTE]), most_groups=st.sampled_from([1, 2, 20]), incident=st.sampled_from(INCIDENTS)
    )
    def start(self, for_: int, most_groups: int, incident: str) -> None:
        self.for_ = for_
        self.clock = HandClock()
        self.tree, self.group_by, self.has_rule, self.inhibits = "ops", "alertname", True, False
        self.incident, self.is_changed, self.team = incident, False, "sms"
        self.harness = PipelineHarness(self.settings(), self.clock, most_groups=most_groups)
        self.lives = {name: Life(for_) for name in OPERATORS}
        self.states = dict.fromkeys(OPERATORS, "calm")
        self.blind = False
        self.silences: list[tuple[str, int, int]] = []
        self.seen = 0
        self.told: dict[tuple[str, str], set[str]] = {}

    def settings(self) -> Settings:
        receiver, receivers, routes = TREES[self.tree]
        config = CONFIG.format(
            receiver=receiver,
            receivers=receivers,
            routes=routes,
            group_by=self.group_by,
            inhibit_rules=INHIBITS if self.inhibits else "",
        )
        said = RULES.format(for_=f"{self.for_ // SECOND}s", incident=self.incident, team=self.team)
        rules = said if self.has_rule else "rules: []"
        return settings(rules, config)

    @invariant()
    def nothing_is_told_that_should_not_be(self) -> None:
        for one in self.harness.told[self.seen :] if hasattr(self, "harness") else ():
            told = self.told.setdefault((one.receiver, one.group_key), set())
            for view in one.alerts:
                if view.status == "resolved":
                    assert view.fingerprint in told, "an end is told once, and only to whom it was told"
                    told.discard(view.fingerprint)
                elif view.fingerprint not in told:
                    assert not self.is_suppressed(view.labels.get("operator", ""), one.created_at)
                    elsewhere = [known for (name, _), known in self.told.items() if name == one.receiver]
                    assert self.is_changed or not any(view.fingerprint in known for known in elsewhere), "told twice"
                    told.add(view.fingerprint)
            if one.reason == "repeat":
                assert any(not view.acknowledged_by and not view.suppressed for view in one.firing)
        self.seen = len(self.harness.told)

    def is_suppressed(self, operator: str, now: int) -> bool:
        if any(one == operator and start <= now < end for one, start, end in self.silences):
            return True
        return operator == "Nova" and self.is_inhibited

    @property
    def is_inhibited(self) -> bool:
        return self.inhibits and self.lives["Cosmote"].severity == "critical"

    def do(self, action: Callable[[], Awaitable[None]], *, fails: bool = False) -> bool:
        """Run it; gives whether the store took it."""
        self.harness.store.failures = int(fails)
        try:
            trio.run(action)
        except StoreError:
            return False
        finally:
            self.harness.store.failures = 0
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
        if self.do(lambda: self.harness.poll(rows), fails=fails) and self.has_rule:
            for name, state in self.states.items():
                self.lives[name].evaluated(state, self.clock.at)

    @rule(later=st.sampled_from([SECOND, 10 * SECOND, MINUTE, 61 * MINUTE]), fails=st.booleans())
    def flush(self, later: int, fails: bool) -> None:
        self.clock.at += later
        self.do(self.harness.pipeline.flush, fails=fails)

    @rule(fails=st.booleans(), blind=st.booleans())
    def sight(self, fails: bool, blind: bool) -> None:
        self.clock.at += SECOND
        sink, now = self.harness.sinks["main"], self.clock.at
        action = (lambda: sink.blind("all", now, "no answer")) if blind else (lambda: sink.sighted("all"))
        if self.do(action, fails=fails):
            self.blind = blind

    @rule(operator=st.sampled_from(OPERATORS), minutes=st.sampled_from([1, 3, 30]), fails=st.booleans())
    def silence(self, operator: str, minutes: int, fails: bool) -> None:
        now, end = self.clock.at, self.clock.at + minutes * MINUTE
        wanted = Silence(f"s{len(self.silences)}", (Matcher("operator", "=", operator),), now, end, "Ann", "why", now)
        if self.do(lambda: self.harness.actions.put_silence(wanted), fails=fails):
            self.silences.append((operator, now, end))

    @precondition(lambda self: self.silences)
    @rule(number=st.integers(0, 9), fails=st.booleans())
    def expire(self, number: int, fails: bool) -> None:
        self.clock.at += SECOND
        number %= len(self.silences)
        if self.do(lambda: self.expire_silence(number), fails=fails):
            operator, start, end = self.silences[number]
            self.silences[number] = (operator, start, min(end, self.clock.at))

    async def expire_silence(self, number: int) -> None:
        await self.harness.actions.expire_silence(f"s{number}")

    @rule(operator=st.sampled_from(OPERATORS), minutes=st.sampled_from([None, 90]), fails=st.booleans())
    def acknowledge(self, operator: str, minutes: int | None, fails: bool) -> None:
        alerts = self.harness.pipeline.accounts["main"].evaluator.alerts.get("Failing", {})
        alert = alerts.get((("operator", operator),))
        if alert is not None and alert.state == "firing":
            until = None if minutes is None else self.clock.at + minutes * MINUTE
            fingerprint = alert.fingerprint
            self.do(lambda: self.take_on(fingerprint, until), fails=fails)

    async def take_on(self, fingerprint: str, until: int | None) -> None:
        await self.harness.actions.acknowledge(fingerprint, "Ann", "", until)

    @rule(step=st.sampled_from([-90 * MINUTE, 90 * MINUTE]))
    def look_while_the_clock_is_wrong(self, step: int) -> None:
        self.clock.at += step
        self.do(self.harness.pipeline.flush)
        self.nothing_is_told_that_should_not_be()
        self.clock.at -= step
        self.do(self.harness.pipeline.flush)

    @rule(
        tree=st.sampled_from(list(TREES)),
        group_by=st.sampled_from(["alertname", "'alertname', severity", "operator", "'...'"]),
        has_rule=st.sampled_from([True, True, True, False]),
        incident=st.sampled_from(INCIDENTS),
        inhibits=st.booleans(),
        fails=st.booleans(),
        reloads=st.booleans(),
    )
    def other_configuration(
        self, tree: str, group_by: str, has_rule: bool, incident: str, inhibits: bool, fails: bool, reloads: bool
    ) -> None:
        self.clock.at += SECOND
        self.incident, self.is_changed = incident, True
        self.tree, self.group_by, self.has_rule, self.inhibits = tree, group_by, has_rule, inhibits
        taken_up = self.do(lambda: self.take_up(reloads), fails=fails)
        if not taken_up:  # a daemon that cannot start is started again, and one that reloaded makes up for it
            self.do(self.harness.pipeline.begin if reloads else lambda: self.take_up(reloads))
        if not has_rule:
            self.lives = {name: Life(self.for_) for name in OPERATORS}

    @rule(team=st.sampled_from(["sms", "voice"]), fails=st.booleans(), reloads=st.booleans())
    def other_labels(self, team: str, fails: bool, reloads: bool) -> None:
        self.clock.at += SECOND
        self.team, self.is_changed = team, True
        if not self.do(lambda: self.take_up(reloads), fails=fails):
            self.do(self.harness.pipeline.begin if reloads else lambda: self.take_up(reloads))

    async def take_up(self, reloads: bool) -> None:
        await (self.harness.reload if reloads else self.harness.restart)(self.settings())

    @rule(reloads=st.booleans(), times=st.integers(1, 3))
    def the_same_configuration_again(self, reloads: bool, times: int) -> None:
        self.do(self.harness.pipeline.flush)
        before = len(self.harness.told)
        for _ in range(times):
            self.do(lambda: self.take_up(reloads))
        assert len(self.harness.told) == before

    @rule()
    def all_is_told(self) -> None:
        """Time enough passes for every group that has something to say, and silences are over."""
        self.clock.at = max(self.clock.at, *(end for _, _, end in self.silences), 0)
        self.settle()
        labels_of, fire = believed(self.harness.told), self.expected()
        beliefs = {name: {without_team(labels) for labels in known} for name, known in labels_of.items()}
        _, receivers, _ = TREES[self.tree]
        for name in ("ops", "oncall"):
            assert {labels for labels in self.routed(name) if not self.is_left(labels)} <= beliefs[name]
            if f"name: {name}" in receivers:
                wrong = {labels for labels in beliefs[name] - fire if not self.is_left(labels)}
                assert not wrong, "nobody may believe in what is over"
                assert len(beliefs[name]) == len(labels_of[name]), "nobody may know one alert under two sets of labels"

    def routed(self, name: str) -> set[Labels]:
        """What that receiver is to believe."""
        worse = {labels for labels in self.expected() if ("severity", "critical") in labels}
        told_all = {"ops": "ops", "alone": "ops", "oncall": "oncall", "continued": "ops"}
        if told_all.get(self.tree) == name:
            return self.expected()
        if self.tree == "split":
            return worse if name == "oncall" else self.expected() - worse
        return worse if self.tree == "continued" else set()

    def is_left(self, labels: Labels) -> bool:
        """Whether a receiver's belief about it is left as it was, whatever it was."""
        return self.is_inhibited and ("operator", "Nova") in labels

    def settle(self) -> None:
        for _ in range(8):
            self.clock.at += 6 * MINUTE
            assert self.do(self.harness.pipeline.flush)
            self.nothing_is_told_that_should_not_be()

    def expected(self) -> set[Labels]:
        fire = [
            {"alertname": "Failing", "operator": name, "severity": life.severity}
            for name, life in self.lives.items()
            if life.severity is not None
        ]
        if self.blind:
            fire.append({"alertname": "MonitorBlind", "account": "main", "search": "all", "severity": "critical"})
        return {frozenset(labels.items()) for labels in fire}

    def teardown(self) -> None:
        if not hasattr(self, "harness"):
            return
        self.all_is_told()
        self.tree = "ops" if self.tree == "alone" else self.tree
        assert self.do(lambda: self.harness.restart(self.settings()))
        self.poll(dict.fromkeys(OPERATORS, "calm"), MINUTE, False)
        assert self.do(lambda: self.harness.sinks["main"].sighted("all"))
        self.settle()
        assert not any(self.told.values())
        assert believed(self.harness.told) == {"ops": set(), "oncall": set()}
        assert_every_episode_ends(self.harness.told)
        assert not self.harness.pipeline.dispatcher.groups
        assert not any(alerts for alerts in self.harness.pipeline.accounts["main"].evaluator.alerts.values())


def without_team(labels: Labels) -> Labels:
    """Returns the labels without the one of an edited rule, which an alert may have or not that began before."""
    return frozenset((name, value) for name, value in labels if name != "team")


def assert_every_episode_ends(told: list[Notification]) -> None:
    """Whoever keeps a message for each episode sees every one of them end, with the alerts that end."""
    last: dict[str, Any] = {notification.episode: notification for notification in told}
    for notification in last.values():
        assert notification.status == "resolved"
        assert notification.alerts
        assert all(view.status == "resolved" for view in notification.alerts)


TestBeliefs = Beliefs.TestCase
TestBeliefs.settings = hypothesis_settings(max_examples=rounds(40, else_=16), stateful_step_count=25, deadline=None)
