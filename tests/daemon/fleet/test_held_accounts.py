"""What a daemon does for an account that it is given, gives away, loses, or may not work for just now."""

from dataclasses import dataclass, field

import trio
import trio.testing

from monitor.daemon.fleet.held_accounts import END_LIMIT, HeldAccounts
from monitor.runtime.errors import LeaseLost
from monitor.store.protocol import Commit
from tests.fakes.hand_clock import HandClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.shared_worker import SHARED, THREE_ACCOUNTS, SharedWorker
from tests.fakes.written import settings

CONFIG = f"""
{THREE_ACCOUNTS}
rules: [rules.yaml]
receivers: [{{name: ops, console: [{{}}]}}]
route: {{receiver: ops, group_wait: 0s}}
watchdog: {{receiver: ops, every: 5m}}
web: off
{SHARED}
"""
RULES = "rules: [{name: Failing, kind: rate, by: [operator], window: 1h, above: 20%}]"


class Store(MemoryStore):
    """Refuses commits once ``is_lost``, as PostgreSQL does for accounts that another daemon has."""

    is_lost = False

    def commit(self, commit: Commit) -> list[int]:
        if self.is_lost:
            raise LeaseLost(("a",))
        return super().commit(commit)


@dataclass
class Tasks:
    """Polls that take ``takes`` seconds to end by themselves."""

    takes: float = 0.0
    halted: list[str] = field(default_factory=list)

    def halt(self, account: str) -> None:
        self.halted.append(account)

    async def ended(self, account: str) -> None:
        if account not in self.halted:
            await trio.sleep(self.takes)


class Stage:
    def __init__(self) -> None:
        self.store = Store()
        self.worker = SharedWorker(settings(RULES, CONFIG), HandClock(), self.store)
        self.tasks = Tasks()
        self.polled: list[list[str]] = []
        self.leading = self.why_not = ""

    async def start(self, *accounts: str) -> "Stage":
        await self.worker.start(accounts)
        worker = self.worker
        key = self.store.secret("recipients")
        pipeline, present = worker.pipeline, worker.present
        self.held = HeldAccounts(
            worker.front,
            pipeline,
            self.tasks,
            lambda: present,
            key,
            self._changed,
            lambda: self.leading,
            lambda: self.why_not,
        )
        return self

    def _changed(self) -> None:
        self.polled.append([name for name in self.worker.pipeline.accounts if self.held.works(name)])

    @property
    def accounts(self) -> list[str]:
        return list(self.worker.pipeline.accounts)


async def test_an_account_that_is_taken_is_read_and_polled() -> None:
    stage = await Stage().start("b")
    await stage.held.adopt("a")
    assert stage.accounts == ["a", "b"]
    assert stage.polled == [["a", "b"]]


async def test_the_watchdog_is_not_sent_for_an_account_that_only_this_daemon_has_first() -> None:
    stage = await Stage().start()
    stage.leading = "b"
    await stage.held.adopt("a")
    assert stage.store.outbox == []
    await stage.held.adopt("b")
    assert [(one.account, one.notification.group_key) for one in stage.store.outbox] == [("b", "{watchdog}")]


async def test_an_account_is_given_away_after_its_polls_have_ended_and_what_they_read_is_committed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    stage = await Stage().start("a", "b")
    stage.tasks.takes = END_LIMIT - 1
    await stage.worker.page("a", [{"messageId": "m", "status": "Failed", "date": 1}])
    before = len(stage.store.commits)
    await stage.held.hand_over("a")
    assert trio.current_time() == END_LIMIT - 1
    assert (stage.accounts, stage.tasks.halted) == (["b"], [])
    assert stage.polled == [["b"], ["b"]]
    [commit] = stage.store.commits[before:]
    assert [account for account, _ in commit.journal] == ["a"]


async def test_polls_that_do_not_end_are_cut_off_and_what_they_read_is_left_to_the_next_holder(
    autojump_clock: trio.testing.MockClock,
) -> None:
    stage = await Stage().start("a")
    stage.tasks.takes = 100
    await stage.worker.page("a", [{"messageId": "m", "status": "Failed", "date": 1}])
    before = len(stage.store.commits)
    await stage.held.hand_over("a")
    assert trio.current_time() == END_LIMIT
    assert (stage.accounts, stage.tasks.halted, stage.store.commits[before:]) == ([], ["a"], [])


async def test_an_account_that_is_lost_while_it_is_given_away_is_forgotten_all_the_same() -> None:
    stage = await Stage().start("a")
    stage.store.is_lost = True
    await stage.held.hand_over("a")
    assert stage.accounts == []


async def test_an_account_that_another_daemon_has_is_forgotten_at_once_and_nothing_is_written() -> None:
    stage = await Stage().start("a", "b")
    stage.tasks.takes = 100
    before = len(stage.store.commits)
    await stage.held.drop("a")
    await stage.held.drop("never held")
    assert (stage.accounts, stage.tasks.halted, stage.store.commits[before:]) == (["b"], ["a"], [])


async def test_a_suspended_daemon_polls_nothing_is_not_ready_and_goes_on_with_what_it_has() -> None:
    stage = await Stage().start("a", "b")
    health = stage.worker.services.health
    health.searches([])
    stage.why_not = "Connection refused"
    stage.held.suspend()
    assert (stage.polled[-1], sorted(stage.tasks.halted), stage.accounts) == ([], ["a", "b"], ["a", "b"])
    said = "This daemon cannot renew the leases of its accounts, and does nothing for them; it goes on by itself once it can"
    assert health.unready() == [f"{said}: Connection refused"]
    stage.why_not = "the database system is starting up"
    assert health.unready() == [f"{said}: the database system is starting up"]
    stage.held.resume()
    assert (stage.polled[-1], health.unready()) == (["a", "b"], [])


async def test_a_daemon_that_cannot_read_an_account_is_not_ready() -> None:
    stage = await Stage().start("a")
    health = stage.worker.services.health
    health.searches([])
    stage.held.unreadable({"b": "a row is damaged"}, {})
    assert health.unready() == [
        "Account b cannot be read from the store, and is not watched by this daemon: a row is damaged"
    ]
    stage.held.unreadable({}, {"b": "a row is damaged"})
    assert health.unready() == []
    assert health.warnings() == [
        "Account b could not be read from the store by this daemon, and is left to another one: a row is damaged"
    ]
    stage.held.unreadable({}, {})
    assert health.warnings() == []
