"""Who is told what does not depend on who holds an account: workers on one store adopt and lose accounts at any time, and are killed.

The same polls, silences and acknowledgements are lived through twice: by one worker, and by several between which the accounts move. Each
receiver must get exactly the same notifications at the same times, and the history of alerts must be the same.
"""

from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio
import trio.testing
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from monitor.config.settings import Settings
from monitor.daemon.flush_timer import flush_when_due
from monitor.model.notification import Notification
from monitor.routing.matchers import Matcher
from monitor.routing.silences import Silence
from monitor.runtime.clock import MILLISECOND, MINUTE, SECOND, TrioClock, parse_iso
from tests.fakes.memory_store import MemoryStore
from tests.fakes.pipeline_harness import traffic
from tests.fakes.rounds import rounds
from tests.fakes.shared_worker import SHARED, THREE_ACCOUNTS, SharedWorker
from tests.fakes.written import settings

ACCOUNTS = ("a", "b", "c")
OPERATORS = ("Cosmote", "Vodafone", "Nova")
FAILING = (0, 4, 8, 0)
"""Messages of ten that fail: calm, warning, critical."""
WORKERS = 3
RULES = """
rules:
  - name: Failing
    kind: rate
    by: [operator]
    window: 1m
    for: FOR
    INCIDENT
    levels: [{above: 20%, severity: warning}, {above: 60%, severity: critical}]
"""
CONFIG = f"""
{THREE_ACCOUNTS}rules: [rules.yaml]
receivers:
  - {{name: ops, slack: [{{channel: "#ops", token: xoxb-1}}]}}
  - {{name: oncall, console: [{{}}]}}
route:
  receiver: ops
  group_by: [GROUP_BY]
  group_wait: 10s
  group_interval: 5m
  repeat_interval: 1h
  routes: [{{matchers: ['severity="critical"'], receiver: oncall, continue: true}}, {{receiver: ops}}]
inhibit_rules:
  - {{source_matchers: ['operator="Cosmote"', 'severity="critical"'], target_matchers: ['operator="Nova"']}}
watchdog: {{receiver: oncall, every: 5m}}
web: off
{SHARED}
"""
ANY_WORKER = st.integers(0, WORKERS - 1)
ANY_ACCOUNT = st.sampled_from(ACCOUNTS)
STATES = st.integers(0, 63)
LATER = st.sampled_from([SECOND, 9 * SECOND, MINUTE, MINUTE, 6 * MINUTE])
EVENTS = st.one_of(
    st.tuples(st.just("poll"), LATER, ANY_ACCOUNT, STATES),
    st.tuples(st.just("poll"), LATER, ANY_ACCOUNT, STATES),
    st.tuples(st.just("interrupted poll"), LATER, ANY_ACCOUNT, STATES, ANY_WORKER),
    st.tuples(st.just("move"), LATER, ANY_ACCOUNT, ANY_WORKER, st.sampled_from(["release", "hand_over"])),
    st.tuples(st.just("kill"), LATER, ANY_WORKER, ANY_WORKER),
    st.tuples(st.just("silence"), LATER, st.sampled_from(OPERATORS), ANY_WORKER),
    st.tuples(st.just("acknowledge"), LATER, ANY_ACCOUNT, ANY_WORKER),
    st.tuples(st.just("unacknowledge"), LATER, ANY_ACCOUNT, ANY_WORKER),
)
Event = tuple[Any, ...]


class Life:
    """Lives through events with ``count`` workers. With one, accounts that move stay where they are."""

    def __init__(self, written: Settings, count: int, nursery: trio.Nursery) -> None:
        self.settings, self.count, self._nursery = written, count, nursery
        self.clock, self.store = TrioClock(parse_iso("2026-11-18T12:00:00Z")), MemoryStore()
        self.workers: dict[int, SharedWorker] = {}
        self.scopes: dict[int, trio.CancelScope] = {}
        self.holder = dict.fromkeys(ACCOUNTS, 0)
        self.messages = 0

    async def begin(self) -> None:
        for number in range(self.count):
            await self.start(number, ACCOUNTS if number == 0 else ())

    async def start(self, number: int, accounts: Sequence[str] = ()) -> None:
        worker = self.workers[number] = SharedWorker(self.settings, self.clock, self.store)
        await worker.start(accounts)
        scope = self.scopes[number] = trio.CancelScope()

        async def flush() -> None:
            with scope:
                await flush_when_due(worker.pipeline)

        self._nursery.start_soon(flush)

    async def live(self, events: Sequence[Event]) -> None:
        """Each event has a millisecond of its own, so that none is at the very time at which something is due."""
        for what, later, *how in events:
            await self.clock.sleep(later + MILLISECOND)
            await getattr(self, what.replace(" ", "_"))(*how)
            await self.hear_of_it()

    async def hear_of_it(self) -> None:
        """Everybody hears of what people changed, as with the next beat."""
        for worker in self.workers.values():
            await worker.pipeline.suppressions_changed()

    def holding(self, account: str) -> SharedWorker:
        return self.workers[self.holder[account]]

    def any_worker(self, number: int) -> SharedWorker:
        return self.workers[number % self.count]

    def rows(self, states: int) -> list[dict[str, Any]]:
        rows = [
            row
            for place, name in enumerate(OPERATORS)
            for row in traffic(FAILING[states >> 2 * place & 3], operator=name)
        ]
        self.messages += len(rows)
        now = self.clock.now()
        return [
            row | {"messageId": f"m{self.messages - i}", "date": now, "country": "GR"} for i, row in enumerate(rows)
        ]

    async def poll(self, account: str, states: int) -> None:
        await self.holding(account).poll(account, self.rows(states), self.clock.now())

    async def interrupted_poll(self, account: str, states: int, to: int) -> None:
        """The account moves in the middle of a poll, which its next holder makes again."""
        rows = self.rows(states)
        await self.holding(account).page(account, rows)
        await self.move(account, to, "release")
        await self.holding(account).poll(account, rows, self.clock.now())

    async def move(self, account: str, to: int, how: str) -> None:
        if self.holder[account] != to % self.count:
            await getattr(self.holding(account).pipeline, how)(account)
            self.holder[account] = to % self.count
            await self.holding(account).adopt(account)

    async def kill(self, number: int, to: int) -> None:
        """Kills a worker. Another one takes its accounts over, and it is started again without any."""
        number, to = number % self.count, to % self.count
        if number == to:
            return
        self.scopes[number].cancel()
        await self.start(number)
        for account in [one for one, holder in self.holder.items() if holder == number]:
            self.holder[account] = to
            await self.workers[to].adopt(account)

    async def silence(self, operator: str, at: int) -> None:
        now = self.clock.now()
        wanted = (Matcher("operator", "=", operator),)
        await self.any_worker(at).actions.put_silence(
            Silence(f"s{now}", wanted, now, now + 3 * MINUTE, "Ann", "why", now)
        )

    async def acknowledge(self, account: str, at: int) -> None:
        for alert in self.holding(account).firing(account)[:1]:
            await self.any_worker(at).actions.acknowledge(alert.fingerprint, "Ann", "", self.clock.now() + 8 * MINUTE)

    async def unacknowledge(self, account: str, at: int) -> None:
        known = self.holding(account).pipeline.dispatcher.acks
        for alert in self.holding(account).firing(account):
            if alert.fingerprint in known:
                await self.any_worker(at).actions.unacknowledge(alert.fingerprint)


@asynccontextmanager
async def living(written: Settings, count: int) -> Any:
    async with trio.open_nursery() as nursery:
        life = Life(written, count, nursery)
        await life.begin()
        yield life
        nursery.cancel_scope.cancel()


def lived(written: Settings, count: int, events: Sequence[Event]) -> Life:
    """Returns the life after the events, and after all that was wrong is over and told."""

    async def run() -> Life:
        async with living(written, count) as life:
            await life.live(events)
            await life.live([("poll", MINUTE, account, 0) for account in ACCOUNTS])
            await life.clock.sleep(40 * MINUTE)
            return life

    return trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))


@given(
    events=st.lists(EVENTS, min_size=4, max_size=25),
    group_by=st.sampled_from(["alertname", "operator", "'...'"]),
    incident=st.sampled_from(["", "incident: {by: []}", "incident: {by: [operator]}"]),
    for_=st.sampled_from(["0s", "90s"]),
)
@hypothesis_settings(max_examples=rounds(25, else_=10), deadline=None)
def test_it_makes_no_difference_who_holds_an_account(
    events: list[Event], group_by: str, incident: str, for_: str
) -> None:
    rules = RULES.replace("FOR", for_).replace("INCIDENT", incident)
    written = settings(rules, CONFIG.replace("GROUP_BY", group_by))
    one, several = lived(written, 1, events), lived(written, WORKERS, events)
    assert told(several) == told(one)
    assert sorted(map(repr, several.store.transitions)) == sorted(map(repr, one.store.transitions))
    assert not any(alerts(several)), "all is over, so nothing is left"
    assert not open_episodes(several.store.outbox)


def told(life: Life) -> list[tuple[str, str, bytes]]:
    """Returns what each channel was told, but for past values and samples: the store has neither evaluations nor ids of messages."""
    return sorted(
        (one.account, one.channel, msgspec.json.encode(as_stored(one.notification))) for one in life.store.outbox
    )


def as_stored(one: Notification) -> Notification:
    views = tuple(msgspec.structs.replace(view, history=(), samples=()) for view in one.alerts)
    return msgspec.structs.replace(one, alerts=views)


def alerts(life: Life) -> Iterator[object]:
    """Yields what is left in the store."""
    loaded = life.store.load()
    yield from (alert for alert in loaded.alerts if alert.state != "resolved")
    yield from (group for group in loaded.groups if group.key != "{watchdog}" and group.told)
    yield from loaded.acks


def open_episodes(outbox: Sequence[Any]) -> list[str]:
    """Returns the groups that were not told of the end."""
    last = {(one.channel, one.notification.episode): one.notification for one in outbox}
    return [one.group_key for one in last.values() if one.status == "firing" and one.group_key != "{watchdog}"]
