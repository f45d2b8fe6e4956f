"""The accounts that are watched: for each its client, a task for each search, and one for what else is asked of Routee.

An account that is written otherwise gets another client, and its tasks begin anew; else only those of the searches that changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from monitor.config.monitor import Account, Config, Search
from monitor.daemon.account_client import routee_client
from monitor.daemon.account_sink import AccountSink
from monitor.daemon.account_state_poller import run_errands
from monitor.daemon.metrics import PollOutcome
from monitor.daemon.pipeline import Pipeline, Services
from monitor.ingest.poll import PollFigures, SearchPlan, Trouble, poll_search
from monitor.ingest.routee.client import Routee
from monitor.model.routee_query import PAGE_SIZE, Page, RouteeQuery
from monitor.runtime.clock import MINUTE, Instant
from monitor.runtime.task_supervisor import KeepGoing, TaskSpec, TaskSupervisor, once, until_told

SLOWEST_PAGE: Final = 10 * MINUTE
"""A search that has not so much as read a page for so long, and three intervals, is stuck."""


class AccountSupervisor:
    """Keeps the accounts' tasks in ``roster``, which others may share."""

    def __init__(self, config: Config, pipeline: Pipeline, around: Services, keep_going: KeepGoing = once) -> None:
        self._config = config
        self._pipeline = pipeline
        self._around = around
        self._keep_going = keep_going
        self._crews: dict[str, _AccountTasks] = {}

    def duties(self, config: Config) -> Iterator[TaskSpec]:
        """One for each account of the configuration, which is in force from now on also for those that go on."""
        self._config = config
        for account in config.accounts:
            yield TaskSpec(f"account {account.name}", account, partial(self._watch, account))
        for crew in self._crews.values():
            crew.assign(config)  # also to leave at once, where its account is gone or another

    async def _watch(self, account: Account, leave: trio.Event) -> None:
        observe = partial(self._around.metrics.request, account.name)
        async with routee_client(account, self._around.clock, observe) as client, trio.open_nursery() as nursery:
            crew = _AccountTasks(
                account, client, self._pipeline, self._around, TaskSupervisor(nursery, self._keep_going)
            )
            self._crews[account.name] = crew
            crew.assign(self._config)
            await leave.wait()
            del self._crews[account.name]


class _AccountTasks:
    """The tasks over one client."""

    def __init__(
        self, account: Account, client: Routee, pipeline: Pipeline, around: Services, roster: TaskSupervisor
    ) -> None:
        self._account = account
        self._client = client
        self._pipeline = pipeline
        self._around = around
        self._roster = roster
        self._sink = AccountSink(pipeline, account.name, around)

    def assign(self, config: Config) -> None:
        """From now on as written there: nothing, but to end what is under way, where this account is not written there."""
        self._roster.assign(self._duties(config) if self._account in config.accounts else ())

    def _duties(self, config: Config) -> Iterator[TaskSpec]:
        account = self._account.name
        judge = self._pipeline.desks[account].judge
        asking = [rule for rule in judge.rules.values() if rule.asks_routee]
        errands = partial(
            run_errands, judge, self._client, self._around.clock, partial(self._pipeline.note_campaign, account)
        )
        yield TaskSpec(f"errands of account {account}", asking, lambda leave: until_told(leave, errands))
        for search in config.searches:
            if search.account == account:
                yield TaskSpec(loop_of(search), search, partial(self._poll, search))

    async def _poll(self, search: Search, leave: trio.Event) -> None:
        health, cursors = self._around.health, self._pipeline.desks[search.account].judge.cursors
        health.expect(loop_of(search), SLOWEST_PAGE + 3 * search.every)
        observer, trouble = _Rounds(search, self._around), Trouble(self._around.clock)
        health.troubled(search.account, search.name, lambda: str(trouble))
        try:
            await poll_search(
                plan_of(search),
                _Tried(self._client, trouble),
                self._sink,
                self._around.clock,
                cursors.get(search.name),
                stop=leave,
                observer=observer,
                trouble=trouble,
            )
        finally:
            health.forget(loop_of(search))


@dataclass(frozen=True, slots=True)
class _Tried:
    """An account's client, as one search has it: tries that fail are noted."""

    client: Routee
    trouble: Trouble

    async def search(
        self, question: RouteeQuery, start: Instant, end: Instant, *, page: int = 0, size: int = PAGE_SIZE
    ) -> Page:
        """See `monitor.model.routee_query.Tracking`."""
        return await self.client.search(question, start, end, page=page, size=size, failed=self.trouble.met)


class _Rounds:
    """Told of the polls and sweeps of one search that are over."""

    def __init__(self, search: Search, around: Services) -> None:
        self._search = search
        self._around = around

    def finished(self, figures: PollFigures) -> None:
        """See `monitor.ingest.poll.Observer`."""
        self._around.health.beat(loop_of(self._search))
        if figures.kind == "poll":
            outcome: PollOutcome = "complete" if figures.outcome == "ok" else "failed"
            self._around.metrics.poll(self._search.account, self._search.name, outcome, figures.seconds)

    def reached(self, search: str, share: float) -> None:
        """See `monitor.ingest.poll.Observer`."""
        self._around.reached(self._search.account, search, share)


def loop_of(search: Search) -> str:
    """The name of a search's loop, where signs of life are collected."""
    return f"search {search.name} of account {search.account}"


def plan_of(search: Search) -> SearchPlan:
    """A search as polling takes it."""
    resweeps = tuple((sweep.back, sweep.every) for sweep in search.resweep)
    return SearchPlan(search.account, search.name, search.question, search.every, resweeps, search.settle)
