"""Several workers on a model of the lease table, in a time that is only counted: calls are slow or get lost, workers are killed or stand still.

Each worker does what the keeper does with `Ownership` and `UnpolledAccounts`: beat, take, give away; and it polls what it holds.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import inf
from random import Random

from monitor.daemon.fleet.ownership import Ownership
from monitor.daemon.fleet.unpolled_accounts import UnpolledAccounts
from monitor.model.fleet import Fleet
from tests.fakes.lease_table import LeaseTable

PATIENCE = 2.0
"""Seconds after which a call is given up, although the server may have done it, or may still do it."""


def may_act(own: Ownership, account: str, now: float) -> bool:
    """Whether the worker may commit and notify for the account."""
    return account in own.tokens and not own.is_suspended and now < own.deadline


@dataclass
class Worker:
    """One process. It does nothing before ``asleep_until``, and cannot reach the server before ``cut_until``."""

    own: Ownership
    asleep_until: float = 0.0
    cut_until: float = 0.0
    is_dead: bool = False
    wanted: list[str] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    """Accounts that are being given away, for which it notifies nobody any more."""
    unpolled: UnpolledAccounts = field(default_factory=UnpolledAccounts)
    refused: frozenset[str] = frozenset()
    """Accounts that Routee refuses it."""
    misleading: frozenset[str] = frozenset()
    """Those of them for which it answers a single question all the same."""
    probes: list[tuple[float, str]] = field(default_factory=list)
    """When it asked Routee only to see whether it can."""

    def tells(self, account: str, now: float) -> bool:
        """Whether it may begin to notify, if it is not standing still just then."""
        return account not in self.closed and may_act(self.own, account, now) and not self.is_dead


class Simulation:
    """``accounts`` in a table, and workers that come and go. ``slowness``: how often a call is slow, or is lost."""

    def __init__(self, seed: int, accounts: int, slowness: float = 0.0) -> None:
        self.random, self.slowness = Random(seed), slowness
        self.accounts = [f"a{number}" for number in range(accounts)]
        self.table, self.now = LeaseTable(), 0.0
        self.workers: list[Worker] = []
        self.moves: list[tuple[float, str, int]] = []
        """When which account was taken, and by which worker."""
        self.polled_at: dict[str, float] = {}
        """When each account was last polled with success."""
        self.every = 60
        """Seconds between two polls of an account."""
        self.every_of: dict[str, int] = {}
        """The same of some accounts; 0: never, because they have no search."""
        self.unheld_since: dict[str, float] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order, self._ids = count(), count(1)

    # The world

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(when, self.now), next(self._order), what))

    def run(self, until: float) -> None:
        """Lets time pass. At no instant does an account have two workers that may notify."""
        while self._events and self._events[0][0] <= until:
            self.now, _, what = heapq.heappop(self._events)
            what()
        self.now = until

    def check(self) -> None:
        """Is called after each answer to a worker: only that can let it notify. Time and death can but end it."""
        telling: dict[str, int] = {}
        for one in self.living():
            for account in one.own.tokens:
                if one.tells(account, self.now):
                    other = telling.setdefault(account, one.own.worker)
                    assert other == one.own.worker, f"at {self.now:.3f} s {other} and {one.own.worker} have {account}"

    def start(self, *accounts: str) -> Worker:
        """Starts a worker that has ``accounts`` in its configuration; without any: all."""
        worker = Worker(Ownership(next(self._ids)), wanted=list(accounts) or self.accounts)
        self.workers.append(worker)
        self._poll(worker)
        self._beat(worker)
        return worker

    def kill(self, worker: Worker) -> None:
        worker.is_dead = True

    def living(self) -> list[Worker]:
        return [one for one in self.workers if not one.is_dead]

    def holder(self, account: str) -> Worker | None:
        return next((one for one in self.workers if one.tells(account, self.now)), None)

    def counts(self) -> list[int]:
        return sorted(sum(one.tells(account, self.now) for account in self.accounts) for one in self.living())

    # One call: to the server, and back

    def _delay(self) -> float:
        if self.random.random() < self.slowness:
            return self.random.uniform(0.1, 5.0)
        return self.random.uniform(0.001, 0.05)

    def _call(self, worker: Worker, on_server: Callable[[], object], then: Callable[[object], None]) -> None:
        """Runs ``then`` with the answer, or with None once the call was given up."""
        given_up = self.now + PATIENCE

        def answer_at(when: float, answer: object) -> None:
            self.at(when, lambda: self._when_awake(worker, lambda: answered(answer)))

        def answered(answer: object) -> None:
            then(answer)
            self.check()

        def arrive() -> None:
            is_late = self.now >= given_up
            answer = on_server()
            is_lost = self.now < worker.cut_until or self.random.random() < self.slowness / 4
            back = given_up if is_lost else self.now + self._delay()
            if back < given_up:
                answer_at(back, answer)
            elif not is_late:
                answer_at(given_up, None)

        there = inf if self.now < worker.cut_until else self.now + self._delay()
        if there < inf:
            self.at(there, arrive)
        if there >= given_up:
            answer_at(given_up, None)

    def _when_awake(self, worker: Worker, what: Callable[[], None]) -> None:
        if worker.is_dead:
            return
        if self.now < worker.asleep_until:
            self.at(worker.asleep_until, lambda: self._when_awake(worker, what))
        else:
            what()

    # What a worker does

    def _poll(self, worker: Worker) -> None:
        """Polls those of its accounts whose turn it is in this second, and tries what it left to others."""
        for number, account in enumerate(self.accounts):
            every = self.every_of.get(account, self.every)
            if every and worker.tells(account, self.now) and (int(self.now) + 7 * number) % every == 0:
                if account in worker.refused:
                    worker.unpolled.failed(account, "401", self.now)
                else:
                    worker.unpolled.succeeded(account, self.now)
                    self.polled_at[account] = self.now
        for account in worker.unpolled.to_probe(self.now):
            worker.probes.append((self.now, account))
            is_answered = account not in worker.refused or account in worker.misleading
            why_not = "" if is_answered else "401"
            worker.unpolled.probed(account, self.now, why_not if self.every_of.get(account, 1) else "unconfigured")
        self.at(self.now + 1.0, lambda: self._when_awake(worker, lambda: self._poll(worker)))

    def _beat(self, worker: Worker) -> None:
        own, began = worker.own, self.now
        own.expired(self.now)
        held, left_alone = dict(own.tokens), worker.unpolled.left_alone

        def answered(fleet: object) -> None:
            own.expired(self.now)
            if fleet is None:
                self._next(worker, self.now + 0.2)
                return
            assert isinstance(fleet, Fleet)
            decision = own.beaten(began, self.now, fleet, worker.wanted, (), left_alone)
            worker.unpolled.follow(own.worker, own.tokens, fleet, self.now)
            worker.closed -= {one for one in worker.closed if one not in own.tokens}
            for account in decision.released:
                if account in worker.unpolled.left_alone:
                    worker.unpolled.given_back(account, self.now)
                self._release(worker, account)
            if decision.take:
                self._take(worker, decision.take, began + decision.next_in)
            else:
                self._next(worker, began + decision.next_in)

        self._call(worker, lambda: self.table.beat(own.worker, worker.wanted, held, self.now, (), left_alone), answered)

    def _next(self, worker: Worker, when: float) -> None:
        self.at(when, lambda: self._when_awake(worker, lambda: self._beat(worker)))

    def _take(self, worker: Worker, accounts: Sequence[str], next_beat: float) -> None:
        def answered(taken: object) -> None:
            if taken:
                worker.own.took(taken)  # type: ignore[arg-type]  # what the table answered
                self.moves += [(self.now, account, worker.own.worker) for account in taken]  # type: ignore[attr-defined]  # what the table answered
            self._next(worker, next_beat)

        self._call(worker, lambda: self.table.take(worker.own.worker, accounts, self.now), answered)

    def _release(self, worker: Worker, account: str) -> None:
        """Its work is ended, which takes a while, and then the lease is given back."""
        worker.closed.add(account)
        token = worker.own.tokens[account]

        def ended() -> None:
            if worker.own.tokens.get(account) == token:
                self._call(worker, lambda: self.table.release(worker.own.worker, account, token) or True, released)

        def released(done: object) -> None:
            if worker.own.tokens.get(account) != token:
                return
            if done is None:
                self._when_awake(worker, ended)  # once more
                return
            worker.own.forget([account])
            worker.closed.discard(account)

        self.at(self.now + self.random.uniform(0.0, 2.0), lambda: self._when_awake(worker, ended))
