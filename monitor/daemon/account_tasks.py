"""Runs each account's client, a task per search and a task that polls the account's balance and campaigns.

A changed account gets a new client and restarts all its tasks; otherwise only the tasks of changed searches restart. Where several daemons share
the accounts, only those that this one holds have tasks.
"""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Final

import trio

from monitor.config.monitor import Account, Config, Search
from monitor.daemon.account_client import routee_client
from monitor.daemon.account_sink import AccountSink, note_campaign
from monitor.daemon.account_state_poller import poll_account_state
from monitor.daemon.fleet.unpolled_accounts import UnpolledAccounts
from monitor.daemon.metrics import PollOutcome
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.search_plan import plan_of
from monitor.daemon.services import Services
from monitor.ingest.poll.search_tasks import poll_search
from monitor.ingest.poll.sink import PollFigures
from monitor.ingest.poll.trouble import Trouble
from monitor.ingest.routee.client import Routee
from monitor.model.routee_query import PAGE_SIZE, Page, RouteeQuery
from monitor.runtime.certificates import read_beside
from monitor.runtime.clock import MINUTE, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import RouteeError
from monitor.runtime.task_supervisor import KeepGoing, TaskSpec, TaskSupervisor, once, run_until

SLOWEST_PAGE: Final = 10 * MINUTE
"""Time without a page, in addition to three intervals, after which a search counts as stuck."""


class AccountSupervisor:
    """Makes one task spec per account. The tasks of an account share its client."""

    def __init__(
        self,
        config: Config,
        pipeline: Pipeline,
        keep_going: KeepGoing = once,
        works: Callable[[str], bool] = lambda account: True,
        unpolled: UnpolledAccounts | None = None,
    ) -> None:
        """``works`` returns whether an account that the pipeline has is to be polled now. ``unpolled`` learns what cannot be polled."""
        self._config = config
        self._works = works
        self._unpolled = UnpolledAccounts() if unpolled is None else unpolled
        self._pipeline = pipeline
        self._services = pipeline.services
        self._keep_going = keep_going
        self._running: dict[str, _AccountTasks] = {}

    def specs(self, config: Config) -> Iterator[TaskSpec]:
        """Yields a task spec per account and applies the configuration to the accounts that keep running."""
        self._config = config
        for account in self._working:
            yield TaskSpec(f"account {account.name}", account, partial(self._watch, account))
        for tasks in self._running.values():
            # also stops the tasks at once if their account was removed or changed
            tasks.assign(config, self._working)

    @property
    def _working(self) -> list[Account]:
        known = self._pipeline.accounts
        return [one for one in self._config.accounts if one.name in known and self._works(one.name)]

    def halt(self, account: str) -> None:
        """Cancels the account's tasks."""
        if account in self._running:
            self._running[account].cancel()

    async def ended(self, account: str) -> None:
        """Waits until none of the account's tasks runs. They must have been asked to end."""
        if account in self._running:
            await self._running[account].gone.wait()

    async def _watch(self, account: Account, leave: trio.Event) -> None:
        observe = partial(self._services.metrics.request, account.name)
        await read_beside()  # the client would hold the event loop for it
        async with routee_client(account, self._services.clock, observe) as client:
            if leave.is_set() or account.name not in self._pipeline.accounts:  # it was given away meanwhile
                return
            gone = trio.Event()
            try:
                async with trio.open_nursery() as nursery:
                    supervisor = TaskSupervisor(nursery, self._keep_going)
                    tasks = _AccountTasks(
                        account,
                        client,
                        self._pipeline,
                        supervisor,
                        leave,
                        nursery.cancel_scope.cancel,
                        gone,
                        self._unpolled,
                    )
                    self._running[account.name] = tasks
                    tasks.assign(self._config, self._working)
                    await leave.wait()
            finally:
                self._running.pop(account.name, None)
                gone.set()


class _AccountTasks:
    """The tasks that share one account's client."""

    def __init__(
        self,
        account_config: Account,
        client: Routee,
        pipeline: Pipeline,
        supervisor: TaskSupervisor,
        leave: trio.Event,
        cancel: Callable[[], None],
        gone: trio.Event,
        unpolled: UnpolledAccounts,
    ) -> None:
        """``leave`` is set once these tasks are to end, ``gone`` once they have; ``cancel`` ends them at once."""
        self._account_config = account_config
        self._client = client
        self._account = pipeline.accounts[account_config.name]
        self._services = pipeline.services
        self._supervisor = supervisor
        self._leave, self.cancel, self.gone, self._unpolled = leave, cancel, gone, unpolled
        self._sink = AccountSink(pipeline, self._account)

    def assign(self, config: Config, working: Collection[Account]) -> None:
        """Applies the configuration; stops all tasks if this account is not in it unchanged, or not among those that are ``working``."""
        goes_on = self._account_config in working and not self._leave.is_set()
        self._supervisor.assign(self._specs(config) if goes_on else ())

    def _specs(self, config: Config) -> Iterator[TaskSpec]:
        evaluator, noted = self._account.evaluator, partial(note_campaign, self._account, self._services)
        asking = [rule for rule in evaluator.rules.values() if rule.asks_routee]
        polling = partial(poll_account_state, evaluator, self._client, self._services.clock, noted)
        yield TaskSpec(f"account state of {self._account.name}", asking, lambda leave: run_until(leave, polling))
        for search in config.searches:
            if search.account == self._account.name:
                yield TaskSpec(loop_of(search), search, partial(self._poll, search))

    async def _poll(self, search: Search, leave: trio.Event) -> None:
        health, cursors = self._services.health, self._account.evaluator.coverage.cursors
        health.expect(loop_of(search), SLOWEST_PAGE + 3 * search.every)
        observer, trouble = _PollObserver(search, self._services), Trouble(self._services.clock)
        health.troubled(search.account, search.name, lambda: str(trouble))
        try:
            await poll_search(
                plan_of(search),
                _FailureRecordingClient(search.account, self._client, trouble, self._unpolled),
                self._sink,
                self._services.clock,
                cursors.get(search.name),
                stop=leave,
                observer=observer,
                trouble=trouble,
                overdue=self._unpolled.is_overdue(search.account),
                unread=partial(self._account.evaluator.unread, search.name),
            )
        finally:
            health.forget(loop_of(search))


@dataclass(frozen=True, slots=True)
class _FailureRecordingClient:
    """An account's client for one search, which records failed attempts, and whether Routee can be asked for the account at all."""

    account: str
    client: Routee
    trouble: Trouble
    unpolled: UnpolledAccounts

    async def search(
        self, question: RouteeQuery, start: Instant, end: Instant, *, page: int = 0, size: int = PAGE_SIZE
    ) -> Page:
        """See `monitor.model.routee_query.Tracking`."""
        try:
            found = await self.client.search(question, start, end, page=page, size=size, failed=self._failed)
        except RouteeError as error:
            self.unpolled.failed(self.account, error.outcome, trio.current_time())
            raise
        self.unpolled.succeeded(self.account, trio.current_time())
        return found

    def _failed(self, outcome: str, sentence: str) -> None:
        self.trouble.met(outcome, sentence)
        self.unpolled.failed(self.account, outcome, trio.current_time())


class _PollObserver:
    """Gets the finished polls and sweeps of one search."""

    def __init__(self, search: Search, services: Services) -> None:
        self._search = search
        self._services = services

    def finished(self, figures: PollFigures) -> None:
        """See `monitor.ingest.poll.Observer`."""
        self._services.health.beat(loop_of(self._search))
        if figures.kind == "poll":
            outcome: PollOutcome = "complete" if figures.outcome == "ok" else "failed"
            self._services.metrics.poll(self._search.account, self._search.name, outcome, figures.seconds)

    def reached(self, search: str, share: float) -> None:
        """See `monitor.ingest.poll.Observer`."""
        self._services.reached(self._search.account, search, share)


def loop_of(search: Search) -> str:
    """Returns the name of a search's loop in `Health`."""
    return f"search {search.name} of account {search.account}"
