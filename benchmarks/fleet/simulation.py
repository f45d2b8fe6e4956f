"""Workers that share accounts, in virtual time: a discrete-event simulation driven by measured costs.

A worker has one core, and does one thing after the other: a poll (what is fetched, and its evaluation), or a second's worth of restoring a
window. An account is polled again when its interval is over and its last poll has ended; a poll takes all messages that were sent until it
begins, and carries its share of the sweeps. It ends no sooner than the account's limit of requests allows, for which no core waits. Workers that
die hold their leases until these lapse; a living one that has less than its share takes one at each of its beats,
where a daemon takes all that are its own at once.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Final

from benchmarks.fleet.costs import Costs
from monitor.runtime.clock import SECOND, Duration, Instant

TTL: Final[Duration] = 6 * SECOND
BEAT: Final[Duration] = SECOND
PIECE: Final[Duration] = SECOND
"""So long a worker restores before it turns to the polls that are due."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is simulated. ``rate`` is an account's limit of requests a second, ``kept`` how many days of messages are in the window."""

    workers: int
    accounts: int = 100
    messages_a_day: int = 10_000_000
    every: Duration = 30 * SECOND
    rate: float = 5.0
    kept: int = 30

    @property
    def held_messages(self) -> int:
        """The messages in an account's window."""
        return self.messages_a_day * self.kept

    def largest_share(self, lost: int = 0) -> int:
        """The most accounts that a worker has, also once so many others are lost."""
        return -(-self.accounts // (self.workers - lost))


@dataclass(slots=True)
class Course:
    """What came of it: messages, polls' delays (from when one is due until it begins) and lags (until it has ended), each worker's work.

    ``held_again`` and ``judged_again``: from the deaths until all accounts have a worker, and until all have been polled by it.
    """

    sent: int = 0
    judged: int = 0
    delays: list[Duration] = field(default_factory=list)
    lags: list[Duration] = field(default_factory=list)
    worked: list[Duration] = field(default_factory=list)
    held_again: Duration = 0
    judged_again: Duration = 0


@dataclass(slots=True)
class _Worker:
    beats_at: Duration
    queue: "deque[_Account]" = field(default_factory=deque)
    is_busy: bool = False
    is_alive: bool = True
    holds: int = 0
    worked: Duration = 0


@dataclass(slots=True)
class _Account:
    worker: _Worker
    due: Instant
    judged: int
    restoring: Duration = 0
    lapses: Instant | None = None
    is_waited_for: bool = False
    """Its worker has died, and it was not polled since."""


class Simulation:
    """From ``begin`` until ``end``, in time since midnight. Delays, lags and work are those from ``measured`` on."""

    def __init__(
        self, costs: Costs, fleet: Fleet, begin: Instant, end: Instant, measured: Instant | None = None
    ) -> None:
        self._costs, self._fleet, self._begin, self._end = costs, fleet, begin, end
        self._measured = begin if measured is None else measured
        self._now, self._died_at, self._order = begin, begin, count()
        self._events: list[tuple[Instant, int, Callable[[], None]]] = []
        self._evaluating = round(costs.evaluation(fleet.held_messages) * SECOND)
        self._restoring = round(costs.restore_seconds * fleet.held_messages * SECOND)
        luck = random.Random(7)
        self._workers = [_Worker(luck.randrange(BEAT)) for _ in range(fleet.workers)]
        self._accounts = [
            _Account(self._workers[number % fleet.workers], begin + luck.randrange(fleet.every), self._sent(begin))
            for number in range(fleet.accounts)
        ]
        for account in self._accounts:
            account.worker.holds += 1
            self._at(account.due, partial(self._due, account.worker, account))
        self.course = Course()

    def run(self, deaths: int = 0, dies_at: Instant = 0) -> Course:
        """Lives through it, until all messages that are sent before the end are judged. So many workers die, all at once."""
        if deaths:
            self._at(dies_at, partial(self._die, self._workers[:deaths]))
        while self._events:
            self._now, _, happen = heappop(self._events)
            happen()
        course = self.course
        course.sent = (self._sent(self._end) - self._sent(self._begin)) * len(self._accounts)
        course.worked = [worker.worked for worker in self._workers]
        return course

    def _at(self, when: Instant, happen: Callable[[], None]) -> None:
        heappush(self._events, (when, next(self._order), happen))

    def _sent(self, moment: Instant) -> int:
        return self._costs.sent(self._fleet.messages_a_day, min(moment, self._end))

    def _due(self, worker: _Worker, account: _Account) -> None:
        """The account is to be polled by this worker, or its restoring goes on."""
        worker.queue.append(account)
        self._work(worker)

    def _work(self, worker: _Worker) -> None:
        if worker.is_alive and not worker.is_busy and worker.queue:
            account = worker.queue.popleft()
            took = self._restore(account) if account.restoring else self._poll(account)
            worker.is_busy = True
            worker.worked += max(min(self._now + took, self._end) - max(self._now, self._measured), 0)
            self._at(self._now + took, partial(self._free, worker))

    def _free(self, worker: _Worker) -> None:
        worker.is_busy = False
        self._work(worker)

    def _restore(self, account: _Account) -> Duration:
        took = min(account.restoring, PIECE)
        account.restoring -= took
        account.due = self._now + took
        self._at(account.due, partial(self._due, account.worker, account))
        return took

    def _poll(self, account: _Account) -> Duration:
        seen = self._sent(self._now)
        sent = min(seen - self._sent(self._now - self._fleet.every), seen - account.judged)
        missed = seen - account.judged - sent
        took = round(self._costs.reading(sent, missed) * SECOND) + self._evaluating
        asking = round(self._costs.asking(sent, missed) / self._fleet.rate * SECOND)
        self._at(
            self._now + max(took, asking),
            partial(self._polled, account.worker, account, (account.judged, seen), self._now),
        )
        return took

    def _polled(self, worker: _Worker, account: _Account, read: tuple[int, int], began: Instant) -> None:
        """The poll is committed, with the messages from one number to another, unless its worker has died meanwhile."""
        if not worker.is_alive:
            return
        if self._measured <= account.due < self._end:
            self.course.delays.append(began - account.due)
            self.course.lags.append(self._now - account.due)
        since, seen = read
        self.course.judged += seen - since
        account.judged = seen
        if account.is_waited_for:
            account.is_waited_for = False
            self.course.judged_again = self._now - self._died_at
        if seen < self._sent(self._end):
            account.due = max(account.due + self._fleet.every, self._now)
            self._at(account.due, partial(self._due, worker, account))

    def _die(self, workers: list[_Worker]) -> None:
        self._died_at = self._now
        for worker in workers:
            worker.is_alive = False
        for account in self._accounts:
            if not account.worker.is_alive:
                account.is_waited_for = True
                account.lapses = self._last_beat(account.worker) + TTL
        for worker in self._workers:
            if worker.is_alive:
                self._at(self._last_beat(worker) + BEAT, partial(self._beat, worker))

    def _last_beat(self, worker: _Worker) -> Instant:
        return self._now - (self._now - worker.beats_at) % BEAT

    def _beat(self, worker: _Worker) -> None:
        """Takes a lease that has lapsed, if the worker has less than its share, and beats again while there are any to be taken."""
        free = [account for account in self._accounts if account.lapses is not None]
        lapsed = [account for account in free if account.lapses is not None and account.lapses <= self._now]
        living = sum(each.is_alive for each in self._workers)
        if lapsed and worker.holds < -(-len(self._accounts) // living):
            self._take(worker, lapsed[0])
        if free:
            self._at(self._now + BEAT, partial(self._beat, worker))

    def _take(self, worker: _Worker, account: _Account) -> None:
        worker.holds += 1
        account.worker, account.lapses, account.due = worker, None, self._now
        account.restoring = self._restoring
        self.course.held_again = self._now - self._died_at
        self._due(worker, account)
