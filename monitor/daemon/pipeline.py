"""Evaluates polls, dispatches notifications, commits both and applies them, for all accounts.

Each poll ends in one transaction: its rows, its cursor, the alerts, the groups and the notifications to send are written to the store
together or not at all. Memory changes only afterwards. One commit is made at a time.

Evaluating rules and planning notifications is done in pieces, between which other tasks run. Two locks keep what is read from changing
meanwhile: one for everything that is committed, and `Pipeline.windows` for the messages.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import trio

from monitor.alerts.evaluation import EvaluationResult, ViewContext
from monitor.alerts.view import Views
from monitor.daemon.account_pipeline import AccountPipeline, Proposal
from monitor.daemon.committer import Committer, alerts_after, commit_of, final_results, is_worth_a_commit
from monitor.daemon.reporting import (
    log_template_errors,
    log_transitions,
    report_alerts,
    report_evaluation,
    report_rules,
)
from monitor.daemon.services import Services
from monitor.dispatch.dispatcher import Dispatcher, DispatchPlan, SuppressionEdits
from monitor.dispatch.notification_builder import to_all
from monitor.dispatch.scheduled_report import DueReport, first_group, settled
from monitor.model.alert import Alert
from monitor.model.builtin_alerts import BuiltIn
from monitor.model.complete_read import CompleteRead
from monitor.model.finding import Finding
from monitor.model.notification import Notification
from monitor.routing.route import AggregationGroup
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.errors import StoreError
from monitor.runtime.pieces import Work, done
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import Commit, Cursor

ROWS_AT_ONCE = 10_000
"""The most changed rows that wait in memory for the end of a poll; more are committed earlier, because rows are true in any case."""


EFFORT = 100.0
"""How much of the past one evaluation of a rule may work through, about 10 ms: see `monitor.alerts.kinds.EvaluationInput`."""


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """The parts of the pipeline that the configuration determines. ``retention`` is how long messages are kept."""

    accounts: dict[str, AccountPipeline]
    dispatcher: Dispatcher
    retention: Duration


class Pipeline:
    """Evaluates and flushes, one call at a time. ``retention`` is how long messages are kept."""

    def __init__(
        self,
        store: AsyncStore,
        accounts: Iterable[AccountPipeline],
        dispatcher: Dispatcher,
        retention: Duration,
        services: Services,
    ) -> None:
        self.accounts = _unhurried({account.name: account for account in accounts})
        self.dispatcher = dispatcher
        self.services = services
        self.next_flush: Instant | None = None
        """When the groups are flushed again if nothing else happens; None: only when something does."""
        self.begin_is_due = False
        """Whether `begin` has not succeeded since the last reload."""
        self.windows = trio.Lock()
        """Held by whoever changes a window, and by whoever reads one in pieces: an evaluation until its notifications are planned, a page that
        explains an alert. Who holds it does not wait for the store, nor for another commit.
        """
        self.explaining = trio.Lock()
        """Held by whoever explains an alert, and taken before `windows`: however many ask, whoever changes a window waits for one explanation."""
        self._committer = Committer(store, services)
        self._retention = retention
        self._lock = trio.Lock()
        self._news = trio.Event()

    # These change something. Each but `begin` and `reload` raises StoreError, and has then changed nothing but rows in memory.

    async def evaluate(self, account: AccountPipeline, cursor: Cursor, read: CompleteRead | None = None) -> None:
        """Evaluates the rules that a complete poll or sweep makes due, and flushes.

        ``read`` says what was read: messages that it should have returned but did not leave the search first.
        """
        async with self._lock:
            if not account.has(cursor.search):
                return
            proposal = await self._flush(self._evaluating(account, cursor, read))
            report_evaluation(proposal, cursor, self.services)

    def _evaluating(self, account: AccountPipeline, cursor: Cursor, read: CompleteRead | None) -> Work[Proposal]:
        if read is not None:
            account.changed += account.evaluator.window.conclude(read)
            yield
        if self.services.clock.may_forget:
            yield from account.expiring(cursor.as_of, self._retention)
        yield from account.evaluator.window.settling()
        result = yield from account.evaluator.evaluating(cursor)
        return Proposal(account, result, cursor)

    async def push(self, name: str, add: Callable[[AccountPipeline], None]) -> None:
        """Adds pushed reports to the account of that name by calling ``add``, and commits them: afterwards they are on the disk.

        Raises StoreError, also if the account is gone.
        """
        async with self._lock:
            account = self.accounts.get(name)
            if account is None:
                raise StoreError(f"the account {name} is not in the configuration any more")
            async with self.windows:
                add(account)
            await self._committer.commit(account, Commit(durable=True))

    async def evaluate_pushed(self, name: str, pushed_to: Instant) -> None:
        """Evaluates the account's rules on what was pushed, and flushes. ``pushed_to`` is the date of the latest report."""
        async with self._lock:
            account = self.accounts.get(name)
            if account is None:
                return
            proposal = await self._flush(self._evaluating_pushed(account, pushed_to))
            report_rules(proposal, self.services)

    def _evaluating_pushed(self, account: AccountPipeline, pushed_to: Instant) -> Work[Proposal]:
        yield from account.evaluator.window.settling()
        return Proposal(account, (yield from account.evaluator.evaluating_pushed(pushed_to)))

    async def update_builtin(self, name: str, built_in: BuiltIn, finding: Finding) -> None:
        """Starts or ends a built-in alert of the account of that name."""
        async with self._lock:
            account, result = self.accounts[name], EvaluationResult()
            if account.evaluator.is_gone(built_in.name, finding.group):
                return
            account.evaluator.update_builtin(built_in, finding, self.services.clock.now(), result)
            if result.alerts:
                await self._flush(done(Proposal(account, result)))

    async def catch_up(self) -> bool:
        """Works through some of the past for rules that need it; False where there is nothing to do."""
        async with self._lock, self.windows:
            for account in self.accounts.values():
                if await self.services.pieces.do(account.evaluator.catching_up()):
                    return True
            return False

    async def commit_rows(self, account: AccountPipeline) -> None:
        """Commits the account's changed rows if there are many."""
        if account.changed >= ROWS_AT_ONCE:
            async with self._lock:
                await self._committer.commit(account, Commit())

    async def flush(self, edits: Callable[[], SuppressionEdits] | None = None) -> None:
        """Flushes the groups that are due. ``edits`` is called under the lock and returns what people change; its exceptions are passed on."""
        async with self._lock:
            asked = SuppressionEdits() if edits is None else edits()
            await self._flush(done(Proposal(self._default, EvaluationResult(), edits=asked)))

    async def begin(self) -> None:
        """Ends the alerts of what was removed from the configuration, and flushes; called after a start or a reload.

        Raises StoreError. `begin_is_due` then stays set, so that the flush timer calls this again; accounts before the failing one are done.
        """
        async with self._lock:
            for account in self.accounts.values():
                gone = account.evaluator.drop_gone(self.services.clock.now())
                await self._flush(done(Proposal(account, gone)))
            self.begin_is_due = False

    async def report_group(self, receiver: str) -> AggregationGroup:
        """Returns the group that says which morning report was sent last; stores one if there is none yet."""
        async with self._lock:
            if self.dispatcher.reported is None:
                await self._report(first_group(receiver, self.services.clock.now()))
            return self.dispatcher.reported or first_group(receiver, self.services.clock.now())

    async def report_told(self, receiver: str, due: DueReport, notification: Notification | None) -> None:
        """Hands the report that is due over to the outbox (None: leaves it out), and notes that in the same transaction."""
        async with self._lock:
            known = self.dispatcher.reported or first_group(receiver, due.at)
            await self._report(settled(known, receiver, due), notification)

    async def _report(self, group: AggregationGroup, notification: Notification | None = None) -> None:
        before = self.dispatcher.reported
        outbox = [] if notification is None else to_all(notification, self.dispatcher.channels)
        moved = [(before.key, before.receiver, before.account)] if before and before.receiver != group.receiver else []
        await self._committer.commit(self._default, Commit(outbox=outbox, groups=[group], dropped_groups=moved))
        self.dispatcher.reported = group
        if outbox:
            self.services.wake()

    async def reload(self, make: Callable[[], PipelineConfig]) -> None:
        """Applies another configuration between two commits, when it calls ``make``. `begin` must be called afterwards."""
        async with self._lock, self.windows:
            config = make()
            self.accounts, self.dispatcher = _unhurried(config.accounts), config.dispatcher
            self._retention = config.retention
            self.begin_is_due = True

    # Reading

    @property
    def news(self) -> trio.Event:
        """An event that is set once alerts may have changed, and replaced by a new one. Take it before looking, so that no change is missed."""
        return self._news

    @property
    def default_account(self) -> str:
        """The name of the account that keeps alerts which are about no account."""
        return self._default.name

    @property
    def _default(self) -> AccountPipeline:
        return next(iter(self.accounts.values()))

    def cursors(self) -> Iterator[Cursor]:
        """Returns the cursors of all searches."""
        return (one for account in self.accounts.values() for one in account.evaluator.coverage.cursors.values())

    def every_alert(self) -> Iterator[Alert]:
        """Returns all alerts."""
        return (alert for account in self.accounts.values() for _, alert in account.evaluator.every_alert())

    def alerts(self, proposal: Proposal | None = None) -> Iterator[tuple[Alert, Views, ViewContext]]:
        """Yields all alerts with what they are rendered by, as they are once the ``proposal`` is applied."""
        for account in self.accounts.values():
            result, cursor = EvaluationResult(), None
            if proposal is not None and proposal.account is account:
                result, cursor = proposal.result, proposal.cursor
            context = account.evaluator.view_context(result, cursor)
            for alert in alerts_after(account.evaluator, result).values():
                yield alert, account.views, context

    def firing(self, built_in: BuiltIn) -> Iterator[tuple[str, dict[str, str]]]:
        """Yields each of these built-in alerts that fires: the account that keeps it, and its group."""
        for name, account in self.accounts.items():
            for group, alert in account.evaluator.alerts.get(built_in.name, {}).items():
                if alert.state == "firing":
                    yield name, dict(group)

    # One flush

    async def _flush(self, proposing: Work[Proposal]) -> Proposal:
        """Works the proposal out, dispatches it, commits it and applies it; returns it."""
        do = self.services.pieces.do
        async with self.windows:
            proposal = await do(proposing)
            well, now = not self.services.health.stuck(), self.services.clock.now()
            plan = await do(self.dispatcher.flushing(self.alerts(proposal), now, proposal.edits, well=well))
        log_template_errors(self.accounts.values())
        results = final_results(self.accounts, proposal, plan)
        if is_worth_a_commit(proposal, plan):
            commit = commit_of(self.accounts, proposal, results, plan)
            await self._committer.commit(proposal.account, commit)
            for name, rule in commit.dropped_rule_states:
                self.accounts[name].evaluator.dropped_states.discard(rule)
        self._apply(proposal, results, plan)
        log_transitions(results[proposal.account.name], proposal.account.views)
        if plan.outbox:
            self.services.wake()
        return proposal

    def _apply(self, proposal: Proposal, results: Mapping[str, EvaluationResult], plan: DispatchPlan) -> None:
        for name, account in self.accounts.items():
            account.evaluator.apply(results[name], proposal.cursor if account is proposal.account else None)
            report_alerts(account, self.services)
        self.dispatcher.apply(plan)
        notified = self.dispatcher.notified_fingerprints()
        for account in self.accounts.values():
            account.forget_resolved(notified)
        self.next_flush = plan.next_flush
        self._news.set()
        self._news = trio.Event()


def _unhurried(accounts: dict[str, AccountPipeline]) -> dict[str, AccountPipeline]:
    """The accounts, each of whose evaluations works through no more of the past than others can wait for."""
    for account in accounts.values():
        account.evaluator.effort = EFFORT
    return accounts
