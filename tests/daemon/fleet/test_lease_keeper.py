"""The task that keeps a worker's leases: several of them on one table, under virtual time."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import pytest
import trio
import trio.testing

from monitor.daemon.fleet.async_leases import AsyncLeases
from monitor.daemon.fleet.lease_keeper import LeaseKeeper
from monitor.daemon.fleet.ownership import CHANGEOVER
from monitor.daemon.fleet.unpolled_accounts import FAILING_FOR, UnpolledAccounts
from monitor.daemon.fleet.unreadable_accounts import LEFT_TO_OTHERS, LONGEST_ALONE
from monitor.notify.outbox.gate import AccountGate
from monitor.runtime.clock import DAY, MINUTE, SECOND, Duration, TrioClock
from monitor.runtime.errors import StoreDamaged, StoreError
from monitor.store.async_store import AsyncStore
from monitor.store.leases import LeaseStore
from tests.fakes.lease_table import LeaseTable, TableLeases

A, B, C, D = "athens", "berlin", "cairo", "dublin"
EVERY = (A, B, C, D)
T = TypeVar("T")


class Leases(AsyncLeases):
    """Calls over a network that can be cut, without a thread, which virtual time would not wait for."""

    is_cut = False
    trouble = "the server does not answer"

    async def run(self, call: Callable[[LeaseStore], T]) -> T:
        await trio.sleep(0.01)
        if self.is_cut:
            await trio.sleep(2.0)
            raise StoreError(self.trouble)
        return call(self._leases)


class Store(AsyncStore):
    """Records what may be committed."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.why_not = ""

    def hold(self, leases: Mapping[str, int], why_not: str = "") -> None:
        self.held, self.why_not = dict(leases), why_not


@dataclass
class Duties:
    """Records what is to be done, which takes a while. ``failures``: how often the next accounts cannot be read; ``broken`` ones never.

    What is in ``faulty`` (the name of a method, or that and an account) fails in a way that nobody expects.
    """

    store: Store
    done: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    reading: set[str] = field(default_factory=set)
    failures: int = 0
    takes: float = 0.0
    broken: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)
    faulty: set[str] = field(default_factory=set)
    tried_at: list[float] = field(default_factory=list)
    failing: dict[str, str] = field(default_factory=dict)
    left_to_others: dict[str, str] = field(default_factory=dict)

    async def adopt(self, account: str) -> None:
        assert account not in self.known, "nothing is left of an earlier lease"
        assert account in self.store.held, "what is read may be written"
        self.reading.add(account)
        try:
            await trio.sleep(self.takes)
        finally:
            self.reading.discard(account)
        if self.failures:
            self.failures -= 1
            raise StoreError("the server does not answer")
        if account in self.damaged:
            raise StoreDamaged(f"a row of {account} cannot be read")
        if account in self.broken:
            self.tried_at.append(trio.current_time())
            raise ValueError(account)
        self.known.add(account)
        self.done.append(f"adopt {account}")

    async def hand_over(self, account: str) -> None:
        assert account in self.store.held, "what is left may be written"
        await trio.sleep(self.takes)
        self._fail(f"hand over {account}")
        self.known.discard(account)
        self.done.append(f"hand over {account}")

    def _fail(self, what: str) -> None:
        if what in self.faulty:
            raise KeyError(what)

    async def drop(self, account: str) -> None:
        await trio.sleep(self.takes)
        self._fail(f"drop {account}")
        if account in self.known:
            self.known.discard(account)
            self.done.append(f"drop {account}")

    def suspend(self) -> None:
        assert not self.store.held
        self.done.append("suspend")
        self._fail("suspend")

    def resume(self) -> None:
        self.done.append("resume")
        self._fail("resume")

    def unreadable(self, accounts: Mapping[str, str], elsewhere: Mapping[str, str]) -> None:
        self.failing, self.left_to_others = dict(accounts), dict(elsewhere)


class DoubtedClock(TrioClock):
    """A clock that knows whether it was contradicted."""

    is_doubted = False

    def doubt(self, is_wrong: bool) -> None:
        self.is_doubted = is_wrong


class Worker:
    """One keeper with what it acts on. Its clock is ``ahead`` of the server's."""

    def __init__(self, table: LeaseTable, number: int, wanted: Sequence[str] = EVERY, ahead: Duration = 0) -> None:
        self.wanted, self.orphans = wanted, list[str]()
        self.leases = Leases(TableLeases(table, number, trio.current_time))
        self.store, self.gate = Store(), AccountGate()
        self.duties, self.unpolled = Duties(self.store), UnpolledAccounts()
        self.clock = DoubtedClock(round(trio.current_time() * SECOND) + ahead)
        self.keeper = LeaseKeeper(
            self.leases,
            self.store,
            self.gate,
            lambda: self.wanted,
            self.duties,
            self.clock,
            orphans=lambda: self.orphans,
            failed=lambda task, error: self.failed.append(task),
            unpolled=self.unpolled,
        )
        self.failed = list[str]()
        self.scope = trio.CancelScope()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with self.scope:
            await self.keeper.run(task_status)

    def tells(self) -> set[str]:
        return {account for account in EVERY if self.gate.is_open(account)}


@dataclass
class Stage:
    """A table, and workers on it. Every 50 ms no account has two workers that may notify or commit."""

    nursery: trio.Nursery
    table: LeaseTable = field(default_factory=LeaseTable)
    workers: list[Worker] = field(default_factory=list)
    accounts: Sequence[str] = EVERY

    async def start(self, ahead: Duration = 0) -> Worker:
        worker = Worker(self.table, len(self.workers) + 1, self.accounts, ahead)
        self.workers.append(worker)
        await self.nursery.start(worker.run)
        return worker

    async def watch(self) -> None:
        while True:
            for account in EVERY:
                telling = [one for one in self.workers if one.gate.is_open(account)]
                writing = [one for one in self.workers if account in one.store.held]
                assert max(len(telling), len(writing)) <= 1, f"{account} has several at {trio.current_time()}"
            await trio.sleep(0.05)


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    async with trio.open_nursery() as nursery:
        made = Stage(nursery)
        nursery.start_soon(made.watch)
        yield made
        nursery.cancel_scope.cancel()


async def test_a_worker_alone_has_read_every_account_when_it_says_that_it_has_started(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        worker = Worker(on.table, 1)
        worker.duties.takes = 0.5
        await on.nursery.start(worker.run)
        assert worker.duties.known == set(EVERY)
        assert worker.tells() == set(EVERY) == set(worker.store.held)


async def test_what_is_still_read_is_read_no_further_once_the_daemon_is_to_stop(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        worker = Worker(on.table, 1)
        on.workers.append(worker)
        worker.duties.takes = 60.0
        on.nursery.start_soon(worker.run)
        await trio.sleep(62)
        assert worker.duties.reading == set(EVERY)
        worker.keeper.settle()
        await trio.sleep(0.1)
        assert worker.duties.reading == set()
        await trio.sleep(10)
        assert (worker.duties.reading, worker.duties.known, worker.failed) == (set(), set(), [])
        assert worker.tells() == set(EVERY), "what is just being sent may end"
        worker.keeper.leave()
        await trio.sleep(0.1)
        assert all(lease.worker is None for lease in on.table.leases.values())


async def test_an_account_that_cannot_be_read_at_once_is_read_again(autojump_clock: trio.testing.MockClock) -> None:
    async with stage() as on:
        worker = Worker(on.table, 1)
        worker.duties.failures = 1
        await on.nursery.start(worker.run)
        [failing] = worker.duties.failing
        assert worker.duties.known == set(EVERY) - {failing}, "the others do not wait for it"
        await trio.sleep(1.5)
        assert (worker.duties.known, worker.duties.failing) == (set(EVERY), {})
        assert dict(worker.store.held) == dict.fromkeys(EVERY, 1), "nothing was given back"


async def test_an_account_that_cannot_be_read_here_goes_to_another_worker(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        first = Worker(on.table, 1)
        on.workers.append(first)
        first.duties.broken = {A}
        await on.nursery.start(first.run)
        await trio.sleep(6)
        assert first.tells() == {B, C, D}
        assert list(first.duties.failing) == [A]
        second = await on.start()
        await trio.sleep(10)
        assert A in second.duties.known
        assert (first.duties.failing, list(first.duties.left_to_others)) == ({}, [A]), "somebody works for it"
        assert len(first.tells()) == len(second.tells()) == 2


async def test_what_nobody_can_read_makes_no_other_account_move(autojump_clock: trio.testing.MockClock) -> None:
    async with stage() as on:
        workers = [Worker(on.table, number) for number in (1, 2)]
        for worker in workers:
            worker.duties.broken = {A}
            on.workers.append(worker)
            await on.nursery.start(worker.run)
        await trio.sleep(60)
        before = [set(worker.duties.known) for worker in workers]
        assert before[0] | before[1] == {B, C, D}
        for _ in range(900):
            await trio.sleep(1)
            assert [worker.duties.known for worker in workers] == before
        assert all(len(worker.duties.tried_at) > 5 for worker in workers), "both try it now and then"


async def test_an_account_that_nobody_can_read_is_tried_ever_more_rarely(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        worker = Worker(on.table, 1)
        worker.duties.broken = {A}
        await on.nursery.start(worker.run)
        await trio.sleep(1800)
        times = worker.duties.tried_at
        pauses = [after - before for before, after in pairwise(times) if after - before > 2]
        assert pauses[:4] == pytest.approx([6, 11, 21, 41], abs=1.5)
        assert max(pauses) == pytest.approx(LONGEST_ALONE, abs=2.5)
        assert list(worker.duties.failing) == [A]
        worker.duties.broken = set()
        await trio.sleep(LONGEST_ALONE + 5)
        assert (worker.duties.known, worker.duties.failing) == (set(EVERY), {})


@pytest.mark.parametrize("takes", [0.0, 5.0])
async def test_a_worker_that_can_read_nothing_is_not_given_the_same_accounts_again_and_again(
    takes: float, autojump_clock: trio.testing.MockClock
) -> None:
    async with stage() as on:
        well, ill = await on.start(), Worker(on.table, 2)
        well.duties.takes, ill.duties.broken = takes, set(EVERY)
        on.workers.append(ill)
        on.nursery.start_soon(ill.run)
        await trio.sleep(120)
        well.duties.done.clear()
        await trio.sleep(600)
        assert (well.duties.known, well.duties.done) == (set(EVERY), [])
        assert set(ill.duties.left_to_others) >= {C, D}
        on.workers.remove(well)
        well.scope.cancel()
        ill.duties.broken = set()
        await trio.sleep(10)
        assert ill.duties.known == set(EVERY), "what nobody works for it tries again"


async def test_what_could_not_be_read_and_another_has_is_tried_again_after_a_long_while(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        await on.start()
        ill = Worker(on.table, 2)
        on.workers.append(ill)
        ill.duties.broken = set(EVERY)
        on.nursery.start_soon(ill.run)
        await trio.sleep(120)
        assert ill.duties.left_to_others
        ill.duties.broken = set()
        await trio.sleep(LEFT_TO_OTHERS)
        assert len(ill.duties.known) == 2
        assert not ill.duties.left_to_others


async def test_of_what_another_has_nothing_more_is_said_once_its_rows_can_be_read_here_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        await on.start()
        ill = Worker(on.table, 2)
        on.workers.append(ill)
        ill.duties.damaged, ill.duties.broken = {C}, {D}
        on.nursery.start_soon(ill.run)
        await trio.sleep(120)
        assert set(ill.duties.left_to_others) >= {C, D}
        ill.duties.damaged = set()
        ill.keeper.rows_read(EVERY)
        assert C not in ill.duties.left_to_others
        assert D in ill.duties.left_to_others, "that was no row"
        await trio.sleep(10)
        assert C not in ill.duties.left_to_others


async def test_what_nobody_has_is_not_thought_to_be_read(autojump_clock: trio.testing.MockClock) -> None:
    async with stage() as on:
        ill = Worker(on.table, 1)
        on.workers.append(ill)
        ill.duties.damaged = {C}
        on.nursery.start_soon(ill.run)
        await trio.sleep(60)
        ill.keeper.rows_read(EVERY)
        assert C in ill.duties.failing


async def test_what_cannot_be_polled_is_given_to_another_worker_in_good_order_and_the_log_says_to_whom(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "monitor")
    async with stage() as on:
        first, second = await on.start(), await on.start()
        await trio.sleep(10)
        assert (first.tells(), second.tells()) == ({A, B}, {C, D})
        assert f"account {D} was taken from w:1, which gave it away" in caplog.messages
        assert f"account {D} is held by w:2 now" in caplog.messages
        for account in (A, B, D):
            (second if account == D else first).unpolled.succeeded(account, trio.current_time())
        second.unpolled.failed(C, "401", trio.current_time())
        await trio.sleep(CHANGEOVER)
        assert C in second.tells()
        await trio.sleep(FAILING_FOR + 5)
        assert (first.tells(), second.tells()) == ({A, C}, {B, D}), "it gets another one for it"
        assert f"hand over {C}" in second.duties.done
        assert f"account {C} cannot be polled from here, and is given to another daemon" in caplog.messages
        assert f"account {C} is held by w:1 now" in caplog.messages
        await trio.sleep(300)
        assert C in first.tells()


async def test_nothing_may_be_committed_or_sent_before_the_first_lease(autojump_clock: trio.testing.MockClock) -> None:
    async with stage() as on:
        worker = Worker(on.table, 1)
        worker.leases.is_cut = True
        worker.store.held = {A: 1}
        with trio.move_on_after(10):
            await worker.run()
        assert (worker.store.held, worker.tells(), worker.duties.done) == ({}, set(), [])


async def test_a_second_worker_gets_half_one_by_one_and_leaves_it_when_it_stops(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        first = await on.start()
        second = await on.start()
        await trio.sleep(10)
        assert (first.tells(), second.tells()) == ({A, B}, {C, D})
        assert first.duties.done[5:] == [f"hand over {D}", f"hand over {C}"]
        second.keeper.settle()
        second.keeper.leave()
        await trio.sleep(1.5)
        assert first.tells() == set(EVERY), "without waiting for the lease to lapse"


@pytest.mark.parametrize(
    ("sends", "notes", "given_away", "was_cut"),
    [(1, 1, 2, False), (9, 0, 4, True), (1, 20, 21, False), (1, 99, 34, False)],
)
async def test_an_account_is_given_away_once_what_was_sent_is_noted(
    sends: float, notes: float, given_away: float, was_cut: bool, autojump_clock: trio.testing.MockClock
) -> None:
    async with stage() as on:
        first = await on.start()
        scopes = list[trio.CancelScope]()

        async def send() -> None:
            with first.gate.handling(D):
                with first.gate.sending(D) as scope:
                    scopes.append(scope)
                    await trio.sleep(sends)
                await trio.sleep(notes)

        await trio.sleep(0.5)
        second = await on.start()
        while first.gate.is_open(D):
            await trio.sleep(0.01)
            if not scopes:
                on.nursery.start_soon(send)
        closed = trio.current_time()
        while D in first.keeper.held:
            await trio.sleep(0.01)
        assert abs(trio.current_time() - closed - given_away) < 1
        assert scopes[0].cancelled_caught == was_cut
        await trio.sleep(3)
        assert D in second.tells()


async def test_a_killed_workers_accounts_are_taken_when_their_leases_have_lapsed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        first, second = await on.start(), await on.start()
        await trio.sleep(10)
        on.table.leave = lambda worker: None  # type: ignore[method-assign]  # a killed process gives nothing back
        on.workers.remove(second)
        second.scope.cancel()
        await trio.sleep(5)
        assert first.tells() == {A, B}
        await trio.sleep(3)
        assert first.tells() == set(EVERY)


async def test_the_log_says_from_whom_an_account_was_taken_and_why(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "monitor")
    async with stage() as on:
        await on.start()
        assert f"account {A} was taken, which nobody held" in caplog.messages
        assert {one.levelname for one in caplog.records} == {"INFO"}
        second = await on.start()
        await trio.sleep(10)
        on.table.leave = lambda worker: None  # type: ignore[method-assign]  # a killed process gives nothing back
        on.workers.remove(second)
        second.scope.cancel()
        await trio.sleep(8)
    said = {one.message: one.levelname for one in caplog.records}
    assert said[f"account {D} was taken from w:2, which did not renew its lease for 6s"] == "WARNING"


async def test_a_worker_that_cannot_renew_stops_before_another_begins_and_drops_what_was_taken(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        first, second = await on.start(), await on.start()
        await trio.sleep(10)
        second.duties.done.clear()
        second.leases.is_cut = True
        await trio.sleep(4.6)
        assert (second.tells(), second.store.held, second.duties.done) == (set(), {}, ["suspend"])
        assert second.duties.known == {C, D}, "it may still go on with them"
        await trio.sleep(4)
        assert first.tells() == set(EVERY)
        second.leases.is_cut = False
        await trio.sleep(12)
        assert {f"drop {C}", f"drop {D}"} <= set(second.duties.done)
        assert first.tells() | second.tells() == set(EVERY)
        assert len(second.tells()) == 2


async def test_while_it_cannot_renew_it_says_why_and_how_old_what_it_knows_is(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        worker = Worker(on.table, 1)
        assert worker.keeper.age is None
        await on.nursery.start(worker.run)
        await trio.sleep(1.5)
        assert worker.keeper.age == pytest.approx(0.5, abs=0.3)
        assert worker.store.why_not == ""
        worker.leases.is_cut = True
        await trio.sleep(30)
        assert worker.keeper.age == pytest.approx(30.5, abs=0.3)
        assert (worker.store.held, worker.store.why_not) == ({}, "the server does not answer")
        worker.leases.trouble = "the password is wrong"
        await trio.sleep(5)
        assert (worker.store.held, worker.store.why_not) == ({}, "the password is wrong")
        worker.leases.is_cut = False
        await trio.sleep(3)
        assert worker.store.held
        assert worker.store.why_not == ""


async def test_a_short_cut_costs_nothing_but_a_pause(autojump_clock: trio.testing.MockClock) -> None:
    async with stage() as on:
        worker = await on.start()
        tokens = dict(worker.store.held)
        worker.duties.done.clear()
        worker.leases.is_cut = True
        await trio.sleep(30)
        assert not worker.tells()
        worker.leases.is_cut = False
        await trio.sleep(3)
        assert worker.duties.done == ["suspend", "resume"], "nobody took them, so nothing is read again"
        assert worker.store.held == tokens


async def test_an_account_that_cannot_be_given_away_in_good_order_is_dropped_and_the_next_one_has_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        first = await on.start()
        first.duties.faulty = {f"hand over {D}"}
        second = await on.start()
        await trio.sleep(10)
        assert (first.tells(), second.tells()) == ({A, B}, {C, D})
        assert first.failed == [f"giving account {D} away"]
        assert first.duties.known == {A, B}


async def test_an_account_that_cannot_be_dropped_hinders_no_other_and_is_not_taken_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        worker = await on.start()
        worker.duties.faulty = {f"drop {A}"}
        lease = on.table.leases[A]
        lease.token, lease.worker, lease.expires = lease.token + 1, 99, trio.current_time() + 2.5
        await trio.sleep(9)
        assert set(worker.failed) == {f"ending the work for account {A}"}
        assert (worker.tells(), set(worker.store.held)) == ({B, C, D}, {B, C, D})
        assert list(worker.duties.failing) == [A]
        worker.duties.faulty = set()
        await trio.sleep(10)
        assert (worker.tells(), worker.duties.failing) == (set(EVERY), {})


async def test_a_fault_in_pausing_or_going_on_ends_nothing(autojump_clock: trio.testing.MockClock) -> None:
    async with stage() as on:
        worker = await on.start()
        worker.failed.clear()
        worker.duties.faulty = {"suspend", "resume"}
        worker.leases.is_cut = True
        await trio.sleep(10)
        assert (worker.tells(), worker.store.held) == (set(), {})
        worker.leases.is_cut = False
        await trio.sleep(3)
        assert worker.tells() == set(EVERY)
        assert worker.failed == ["pausing all accounts", "going on after a pause"]


async def test_what_is_left_of_an_earlier_lease_cannot_be_committed_under_the_next(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        worker = await on.start()
        worker.duties.takes = 3.0
        lease = on.table.leases[A]
        lease.token, lease.worker, lease.expires = lease.token + 1, 99, trio.current_time() + 0.5
        await trio.sleep(2.0)
        assert worker.keeper.held == (B, C, D, A), "it was lost, and taken again"
        assert A in worker.duties.known
        assert A not in worker.store.held
        await trio.sleep(8)
        assert worker.store.held[A] == lease.token
        assert worker.duties.done[-2:] == [f"drop {A}", f"adopt {A}"]


async def test_a_worker_that_is_about_to_stop_takes_nothing_more(autojump_clock: trio.testing.MockClock) -> None:
    async with stage() as on:
        first, second = await on.start(), await on.start()
        await trio.sleep(10)
        first.keeper.settle()
        second.keeper.leave()
        await trio.sleep(20)
        assert first.tells() == {A, B}


async def test_an_account_that_only_one_workers_configuration_has_is_held_by_that_one(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        on.accounts = [A, B]
        await on.start()
        second = await on.start()
        await trio.sleep(10)
        second.wanted = [A, B, C]
        await trio.sleep(10)
        assert C in second.tells()


async def test_what_a_newcomer_does_not_have_in_its_configuration_is_not_given_away(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        first = await on.start()
        on.accounts = [A, B]
        second = await on.start()
        await trio.sleep(60)
        assert (first.tells(), second.tells()) == ({C, D}, {A, B})


async def test_an_account_that_another_workers_configuration_has_is_no_orphan(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A worker with the old configuration would tell that its alerts are over."""
    async with stage() as on:
        first = await on.start()
        on.accounts = [A, B]
        second = Worker(on.table, 2, [A, B])
        second.orphans = [C, D]
        on.workers.append(second)
        await on.nursery.start(second.run)
        await trio.sleep(120)
        assert (first.tells(), second.tells()) == ({C, D}, {A, B})
        first.keeper.leave()
        await trio.sleep(50)
        assert second.tells() == {A, B}, "the first one may only be restarting"
        first = Worker(on.table, 3)
        on.workers.append(first)
        await on.nursery.start(first.run)
        await trio.sleep(120)
        assert (first.tells(), second.tells()) == ({C, D}, {A, B})


async def test_a_removed_account_is_kept_until_nothing_is_left_to_do_for_it_and_is_nobodys_then(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "monitor")
    async with stage() as on:
        worker = await on.start()
        worker.wanted, worker.orphans = [A, B, C], [D]
        await trio.sleep(3 * CHANGEOVER)
        assert D in worker.tells()
        worker.orphans = []
        await trio.sleep(CHANGEOVER + 5)
        assert worker.tells() == {A, B, C}
        assert "hand over dublin" in worker.duties.done
        assert on.table.leases[D].worker is None
        [said] = [line for line in caplog.messages if line.startswith("account dublin is in")]
        assert (
            said
            == "account dublin is in no daemon's configuration any more, and nothing is left to do for it: it is given up"
        )
        await trio.sleep(5 * CHANGEOVER)
        assert on.table.leases[D].worker is None, "nobody takes it again"


async def test_an_orphan_is_taken_after_a_while_although_the_table_does_not_know_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """As after the store was copied, or was made by a version without leases."""
    async with stage() as on:
        worker = Worker(on.table, 1, [A, B])
        worker.orphans = [C]
        await on.nursery.start(worker.run)
        await trio.sleep(70)
        assert worker.tells() == {A, B, C}


@pytest.mark.parametrize("ahead", [3 * DAY, -2 * MINUTE])
async def test_a_worker_whose_clock_is_wrong_takes_nothing_that_others_would_take(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, ahead: Duration
) -> None:
    async with stage() as on:
        right = await on.start()
        wrong = await on.start(ahead)
        await trio.sleep(120)
        assert (right.tells(), wrong.tells()) == (set(EVERY), set())
        assert set(on.table.left_alone[2]) == set(EVERY), "so that nobody gives it any"
        assert (right.clock.is_doubted, wrong.clock.is_doubted) == (False, True)
        [said] = [one.getMessage() for one in caplog.records if "clock" in one.getMessage()]
        assert "3d ahead of" in said or "2m behind" in said
        moves = [one for one in right.duties.done if one.startswith("hand over")]
        assert len(moves) <= 1, "what was given away before the others knew of it came back"
        right.scope.cancel()
        await trio.sleep(10)
        assert wrong.tells() == set(EVERY), "when nobody else is there it works all the same"


async def test_workers_whose_clocks_all_differ_from_the_server_s_hold_everything_between_them(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with stage() as on:
        for _ in range(3):
            await on.start(2 * DAY)
            await trio.sleep(3)
        await trio.sleep(60)
        assert set().union(*(one.tells() for one in on.workers)) == set(EVERY)
        on.workers[0].scope.cancel()
        await trio.sleep(10)
        assert set().union(*(one.tells() for one in on.workers[1:])) == set(EVERY)


async def test_a_worker_whose_clock_is_a_little_off_has_its_share(autojump_clock: trio.testing.MockClock) -> None:
    async with stage() as on:
        first, second = await on.start(), await on.start(50 * SECOND)
        await trio.sleep(20)
        assert len(first.tells()) == len(second.tells()) == 2
