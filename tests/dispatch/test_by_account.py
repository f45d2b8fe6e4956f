"""Where several daemons share the accounts, a dispatcher decides on each account as a dispatcher would that has this account alone."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
import trio
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from monitor.model.builtin_alerts import NOTIFICATION_FAILING, finding, over
from monitor.routing.matchers import Matcher
from monitor.routing.route import AggregationGroup
from monitor.routing.silences import Silence
from monitor.runtime.clock import MINUTE, SECOND
from tests.fakes.hand_clock import HandClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.pipeline_harness import traffic
from tests.fakes.shared_worker import SHARED, THREE_ACCOUNTS, SharedWorker
from tests.fakes.written import settings

ACCOUNTS = ("a", "b", "c")
OPERATORS = ("Cosmote", "Vodafone", "Nova")
FAILING = {"calm": 0, "warning": 4, "major": 6, "critical": 8}
STATES = st.integers(0, 4**9 - 1).map(lambda number: [list(FAILING)[number >> 2 * place & 3] for place in range(9)])
"""The states of three operators of three accounts."""
INCIDENTS = ("", "incident: {by: []}", "incident: {by: [operator]}", "incident: {by: [country]}")
GROUP_BY = ("alertname", "operator", "'...'", "")
RULES = """
rules:
  - name: Failing
    kind: rate
    by: [operator]
    window: 1m
    INCIDENT
    levels: [{above: 20%, severity: warning}, {above: 50%, severity: major}, {above: 70%, severity: critical}]
  - {name: OfOne, kind: count, search: only, window: 1m, levels: [{above: 25, severity: critical}, {above: 35, severity: major}]}
"""
CONFIG = f"""
{THREE_ACCOUNTS}  - {{name: only, account: c, every: 1d}}
rules: [rules.yaml]
receivers: [{{name: ops, console: [{{}}]}}, {{name: oncall, console: [{{}}]}}]
route:
  receiver: ops
  group_by: [GROUP_BY]
  group_wait: 10s
  group_interval: 5m
  repeat_interval: 1h
  routes: [{{matchers: ['severity="critical"'], receiver: oncall, continue: true}}, {{receiver: ops}}]
inhibit_rules:
  - {{source_matchers: ['operator="Cosmote"', 'severity="critical"'], target_matchers: ['operator="Nova"']}}
  - {{source_matchers: [alertname="NotificationFailing"], target_matchers: ['operator="Vodafone"']}}
watchdog: {{receiver: oncall, every: 5m}}
web: off
{SHARED}
"""


class Apart(RuleBasedStateMachine):
    """``together`` holds all accounts, each of ``alone`` holds one, and all see the same at the same times."""

    @initialize(
        most_groups=st.sampled_from([1, 2, 20]), incident=st.sampled_from(INCIDENTS), group_by=st.sampled_from(GROUP_BY)
    )
    def start(self, most_groups: int, incident: str, group_by: str) -> None:
        self.clock = HandClock()
        self.messages = 0
        written = settings(RULES.replace("INCIDENT", incident), CONFIG.replace("GROUP_BY", group_by))

        def worker() -> SharedWorker:
            return SharedWorker(written, self.clock, MemoryStore(), most_groups=most_groups)

        self.together, self.alone = worker(), {account: worker() for account in ACCOUNTS}
        trio.run(self.together.start, ACCOUNTS)
        for account, one in self.alone.items():
            trio.run(one.start, (account,))

    def everywhere(self, account: str, act: Callable[[SharedWorker], Awaitable[None]], later: int = SECOND) -> None:
        """Does something about an account, and then flushes what is due, as the flush timer does."""
        self.clock.at += later

        async def run() -> None:
            for one in (self.together, self.alone[account]):
                await act(one)
            for one in (self.together, *self.alone.values()):
                await one.pipeline.flush_due()

        trio.run(run)

    @invariant()
    def each_account_is_told_of_alike(self) -> None:
        if hasattr(self, "alone"):
            for account, one in self.alone.items():
                assert told(self.together, account) == told(one, account)
                assert groups(self.together, account) == groups(one, account)
            assert {one.account for one in self.together.store.outbox} <= set(ACCOUNTS)

    @rule(states=STATES, later=st.sampled_from([10 * SECOND, MINUTE, MINUTE, 7 * MINUTE]))
    def poll(self, states: list[str], later: int) -> None:
        """Each account is polled, one second after the other; ``states`` are those of each one's operators."""
        self.clock.at += later
        for account in ACCOUNTS:
            rows = [
                self.row(row | {"country": "GR"})
                for operator in OPERATORS
                for row in traffic(FAILING[states.pop()], operator=operator)
            ]
            searches = ("all", "only") if account == "c" else ("all",)
            poll = partial(SharedWorker.poll, account=account, rows=rows, as_of=self.clock.at, searches=searches)
            self.everywhere(account, poll)

    def row(self, row: dict[str, Any]) -> dict[str, Any]:
        self.messages += 1
        return {"messageId": f"m{self.messages}", "date": self.clock.at} | row

    @rule(later=st.sampled_from([SECOND, 10 * SECOND, MINUTE, 61 * MINUTE]))
    def wait(self, later: int) -> None:
        self.everywhere("a", lambda one: one.pipeline.flush_due(), later)

    @rule(operator=st.sampled_from(OPERATORS), minutes=st.sampled_from([1, 30]))
    def silence(self, operator: str, minutes: int) -> None:
        now = self.clock.at = self.clock.at + SECOND
        wanted = (Matcher("operator", "=", operator),)
        silence = Silence(f"s{now}", wanted, now, now + minutes * MINUTE, "Ann", "why", now)

        async def put() -> None:
            for one in (self.together, *self.alone.values()):
                await one.actions.put_silence(silence)

        trio.run(put)

    @rule(account=st.sampled_from(ACCOUNTS), number=st.integers(0, 2))
    def acknowledge(self, account: str, number: int) -> None:
        firing = sorted(alert.fingerprint for alert in self.together.firing(account) if alert.rule == "Failing")
        if firing:
            fingerprint = firing[number % len(firing)]

            async def take_on(one: SharedWorker) -> None:
                await one.actions.acknowledge(fingerprint, "Ann")

            self.everywhere(account, take_on)

    @rule(account=st.sampled_from(ACCOUNTS), receiver=st.sampled_from(["ops", "oncall"]), fails=st.booleans())
    def fail(self, account: str, receiver: str, fails: bool) -> None:
        about = {"receiver": receiver, "channel": "console/0"}
        found = finding("refused", **about) if fails else over(**about)
        self.everywhere(account, lambda one: one.pipeline.update_builtin(account, NOTIFICATION_FAILING, found))


def told(worker: SharedWorker, account: str) -> list[bytes]:
    """Returns what was put into the outbox for an account."""
    return sorted(msgspec.json.encode(one) for one in worker.store.outbox if one.account == account)


def groups(worker: SharedWorker, account: str) -> list[AggregationGroup]:
    """Returns the groups of an account."""
    known = worker.pipeline.dispatcher.groups.values()
    return sorted((one for one in known if one.account == account), key=lambda one: (one.receiver, one.key))


TestApart = Apart.TestCase
TestApart.settings = hypothesis_settings(max_examples=25, stateful_step_count=20, deadline=None)
