"""Evaluates, dispatches, commits and applies what was polled, for all accounts.

Each poll ends in one transaction: its rows, its cursor, the alerts, the groups and the notifications to be sent stand in the
store together or not at all. Only then does the memory follow. One commit is made at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import trio

from monitor.alerts.evaluation import EvaluationResult, ViewContext
from monitor.alerts.view import Views
from monitor.daemon.account_pipeline import AccountPipeline, Proposal
from monitor.daemon.committer import Committer, alerts_after, commit_of, final_results, is_worth_a_commit
from monitor.daemon.reporting import log_template_errors, log_transitions, report_alerts, report_evaluation
from monitor.daemon.services import Services
from monitor.dispatch.dispatcher import Dispatcher, DispatchPlan, SuppressionEdits
from monitor.model.alert import Alert
from monitor.model.builtin_alerts import BuiltIn
from monitor.model.complete_read import CompleteRead
from monitor.model.finding import Finding
from monitor.runtime.clock import Duration, Instant
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import Commit, Cursor

ROWS_AT_ONCE = 20_000
"""The most changed rows that wait in memory for the end of a poll. More are committed before it: they are true in any case."""


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """What of the pipeline comes of the configuration: the accounts by name, who is notified, how long messages are kept."""

    accounts: dict[str, AccountPipeline]
    dispatcher: Dispatcher
    retention: Duration


class Pipeline:
    """Evaluates and flushes, one thing at a time. ``retention`` is how long messages are kept."""

    def __init__(
        self,
        store: AsyncStore,
        accounts: Iterable[AccountPipeline],
        dispatcher: Dispatcher,
        retention: Duration,
        services: Services,
    ) -> None:
        self.accounts = {account.name: account for account in accounts}
        self.dispatcher = dispatcher
        self.services = services
        self.next_flush: Instant | None = None
        """When the groups are flushed again if nothing happens; None: not before something does."""
        self.begin_is_due = False
        """Whether `begin` is still to be called since the last reload, or failed."""
        self._committer = Committer(store, services)
        self._retention = retention
        self._lock = trio.Lock()
        self._news = trio.Event()

    # What changes something. Each raises StoreError, and then nothing has happened but rows in memory.

    async def evaluate(self, account: AccountPipeline, cursor: Cursor, read: CompleteRead | None = None) -> None:
        """A poll or sweep is complete: evaluate the rules that it bears on, and flush.

        ``read`` is what it has read: messages that it would have returned, and did not, leave the search first.
        """
        async with self._lock:
            if not account.has(cursor.search):
                return
            if read is not None:
                account.changed += account.evaluator.window.conclude(read)
            if self.services.clock.may_forget:
                account.expire(cursor.as_of, self._retention)
            result = account.evaluator.evaluate(cursor)
            proposal = Proposal(account, result, cursor)
            await self._flush(proposal)
            report_evaluation(proposal, self.services)

    async def update_builtin(self, name: str, built_in: BuiltIn, finding: Finding) -> None:
        """Start or end a built-in alert of the account of that name."""
        async with self._lock:
            account, result = self.accounts[name], EvaluationResult()
            if account.evaluator.is_gone(built_in.name, finding.group):
                return
            account.evaluator.update_builtin(built_in, finding, self.services.clock.now(), result)
            if result.alerts:
                await self._flush(Proposal(account, result))

    async def commit_rows(self, account: AccountPipeline) -> None:
        """Commit the rows that have come so far, where they are many."""
        if account.changed >= ROWS_AT_ONCE:
            async with self._lock:
                await self._committer.commit(account, Commit())

    async def flush(self, edits: Callable[[], SuppressionEdits] | None = None) -> None:
        """Flush the groups that are due. ``edits`` says, at its time, what people change by hand; what it raises is let out."""
        async with self._lock:
            asked = SuppressionEdits() if edits is None else edits()
            await self._flush(Proposal(self._default, EvaluationResult(), edits=asked))

    async def begin(self) -> None:
        """After a restart or a reload: end the alerts of what is gone from the configuration, and flush."""
        async with self._lock:
            for account in self.accounts.values():
                gone = account.evaluator.drop_gone(self.services.clock.now())
                await self._flush(Proposal(account, gone))
            self.begin_is_due = False

    async def reload(self, make: Callable[[], PipelineConfig]) -> None:
        """Go on under another configuration, from the moment at which ``make`` is called: between two commits. `begin` comes after it."""
        async with self._lock:
            config = make()
            self.accounts, self.dispatcher, self._retention = config.accounts, config.dispatcher, config.retention
            self.begin_is_due = True

    # What there is

    @property
    def news(self) -> trio.Event:
        """Set once alerts may have changed, and then another one. Take it before looking: then nothing is missed."""
        return self._news

    @property
    def default_account(self) -> str:
        """The account under which alerts are kept that are about none."""
        return self._default.name

    @property
    def _default(self) -> AccountPipeline:
        return next(iter(self.accounts.values()))

    def cursors(self) -> Iterator[Cursor]:
        """How far each search was polled."""
        return (one for account in self.accounts.values() for one in account.evaluator.coverage.cursors.values())

    def every_alert(self) -> Iterator[Alert]:
        """All alerts."""
        return (alert for account in self.accounts.values() for _, alert in account.evaluator.every_alert())

    def alerts(self, proposal: Proposal | None = None) -> Iterator[tuple[Alert, Views, ViewContext]]:
        """All alerts, with what they are shown by; as they are once the ``proposal`` is applied."""
        for account in self.accounts.values():
            result, cursor = EvaluationResult(), None
            if proposal is not None and proposal.account is account:
                result, cursor = proposal.result, proposal.cursor
            context = account.evaluator.view_context(result, cursor)
            for alert in alerts_after(account.evaluator, result).values():
                yield alert, account.views, context

    def firing(self, built_in: BuiltIn) -> Iterator[tuple[str, dict[str, str]]]:
        """Each of these alerts that fires: the account under which it is kept, and its group."""
        for name, account in self.accounts.items():
            for group, alert in account.evaluator.alerts.get(built_in.name, {}).items():
                if alert.state == "firing":
                    yield name, dict(group)

    # One flush

    async def _flush(self, proposal: Proposal) -> None:
        """Dispatches the proposals, commits them together and applies them."""
        well = not self.services.health.stuck()
        now, edits = self.services.clock.now(), proposal.edits
        plan = self.dispatcher.flush(self.alerts(proposal), now, edits, well=well)
        log_template_errors(self.accounts.values())
        results = final_results(self.accounts, proposal, plan)
        if is_worth_a_commit(proposal, plan):
            await self._committer.commit(proposal.account, commit_of(self.accounts, proposal, results, plan))
        self._apply(proposal, results, plan)
        log_transitions(results[proposal.account.name], proposal.account.views)
        if plan.outbox:
            self.services.wake()

    def _apply(self, proposal: Proposal, results: Mapping[str, EvaluationResult], plan: DispatchPlan) -> None:
        for name, account in self.accounts.items():
            account.evaluator.apply(results[name], proposal.cursor if account is proposal.account else None)
            report_alerts(account, self.services)
        self.dispatcher.apply(plan)
        notified = self.dispatcher.notified()
        for account in self.accounts.values():
            account.forget_notified(notified)
        self.next_flush = plan.next_flush
        self._news.set()
        self._news = trio.Event()
