"""The task that keeps a worker's leases: several of them on one table, under virtual time."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
import trio
import trio.testing

from monitor.daemon.fleet.async_leases import AsyncLeases
from monitor.daemon.fleet.lease_keeper import LeaseKeeper
from monitor.notify.outbox.gate import AccountGate
from monitor.runtime.clock import TrioClock
from monitor.runtime.errors import StoreError
from monitor.store.async_store import AsyncStore
from monitor.store.leases import LeaseStore
from tests.fakes.lease_table import LeaseTable, TableLeases
from tests.store.store_samples import NOW

A, B, C, D = "athens", "berlin", "cairo", "dublin"
EVERY = (A, B, C, D)
T = TypeVar("T")


class Leases(AsyncLeases):
    """Calls over a network that can be cut, without a thread, which virtual time would not wait for."""

    is_cut = False

    async def run(self, call: Callable[[LeaseStore], T]) -> T:
        await trio.sleep(0.01)
        if self.is_cut:
            await trio.sleep(2.0)
            raise StoreError("the server does not answer")
        return call(self._leases)


class Store(AsyncStore):
    """Records what may be committed."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}

    def hold(self, leases: Mapping[str, int]) -> None:
        self.held = dict(leases)


@dataclass
class Duties:
    """Records what is to be done, which takes a while. ``failures``: how often the next accounts cannot be read."""

    store: Store
    done: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    failures: int = 0
    takes: float = 0.0

    async def adopt(self, account: str) -> None:
        assert account not in self.known, "nothing is left of an earlier lease"
        assert account in self.store.held, "what is read may be written"
        await trio.sleep(self.takes)
        if self.failures:
            self.failures -= 1
            raise StoreError("the server does not answer")
        self.known.add(account)
        self.done.append(f"adopt {account}")

    async def hand_over(self, account: str) -> None:
        assert account in self.store.held, "what is left may be written"
        await trio.sleep(self.takes)
        self.known.discard(account)
        self.done.append(f"hand over {account}")

    async def drop(self, account: str) -> None:
        await trio.sleep(self.takes)
        if account in self.known:
            self.known.discard(account)
            self.done.append(f"drop {account}")

    def suspend(self) -> None:
        assert not self.store.held
        self.done.append("suspend")

    def resume(self) -> None:
        self.done.append("resume")


class Worker:
    """One keeper with what it acts on."""

    def __init__(self, table: LeaseTable, number: int) -> None:
        self.leases = Leases(TableLeases(table, number, trio.current_time))
        self.store, self.gate = Store(), AccountGate()
        self.duties = Duties(self.store)
        self.keeper = LeaseKeeper(self.leases, self.store, self.gate, lambda: EVERY, self.duties, TrioClock(NOW))
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

    async def start(self) -> Worker:
        worker = Worker(self.table, len(self.workers) + 1)
        self.workers.append(worker)
        await self.nursery.start(worker.run)
        return worker

    async def watch(self) -> None:
        while True:
            for account in EVERY:
                telling = [one for one in self.workers if one.gate.is_open(account)]
                assert len(telling) <= 1, f"{account} has several at {trio.current_time()}"
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
        worker.duties.takes, worker.duties.failures = 0.5, 1
        await on.nursery.start(worker.run)
        assert worker.duties.known == set(EVERY)
        assert worker.tells() == set(EVERY) == set(worker.store.held)


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
        second = await on.start()
        await trio.sleep(10)
        on.table.leave = lambda worker: None  # type: ignore[method-assign]  # a killed process gives nothing back
        on.workers.remove(second)
        second.scope.cancel()
        await trio.sleep(8)
    assert f"account {D} was taken from w:2, which did not renew its lease for 6s" in caplog.messages


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
