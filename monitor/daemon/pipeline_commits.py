"""Flushes: works out what changes, dispatches notifications, commits both and applies them; one commit at a time.

Memory changes only after the commit. Evaluating rules and planning notifications is done in pieces, between which other tasks run. Two locks
keep what is read from changing meanwhile: one for everything that is committed, and `PipelineState.windows` for the messages.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from functools import partial
from time import perf_counter  # noqa: TID251 - the log says how long it took
from typing import Final

import trio

from monitor.alerts.evaluation import EvaluationResult
from monitor.daemon.account_pipeline import AccountPipeline, Proposal
from monitor.daemon.committer import Committer
from monitor.daemon.decision_log import log_evaluation, log_flush
from monitor.daemon.edited_severities import edited_severities
from monitor.daemon.pipeline_state import PipelineState
from monitor.daemon.prepared_commit import PreparedCommit, preparing
from monitor.daemon.reporting import log_template_errors, log_transitions, report_alerts
from monitor.daemon.services import Services
from monitor.dispatch.dispatcher import Apart, Dispatcher, DispatchPlan, SuppressionEdits
from monitor.routing.route import AggregationGroup
from monitor.runtime.clock import Duration
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import DecidedTooLate
from monitor.runtime.pieces import Work, done
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import Commit

_TRIES: Final = 5
"""How often what people change is decided, while other daemons change something at the same moment."""


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """The parts of the pipeline that the configuration determines. ``retention`` is how long messages are kept; for ``order`` see `PipelineState`."""

    accounts: dict[str, AccountPipeline]
    dispatcher: Dispatcher
    retention: Duration
    order: tuple[str, ...] = ()


class PipelineCommits(PipelineState):
    """Makes one commit after the other. ``retention`` is how long messages are kept."""

    def __init__(
        self,
        store: AsyncStore,
        accounts: Iterable[AccountPipeline],
        dispatcher: Dispatcher,
        retention: Duration,
        services: Services,
        order: Iterable[str] = (),
    ) -> None:
        super().__init__(accounts, dispatcher, services, order)
        self._to_begin = set(self.accounts)
        """The held accounts for which `begin` has not succeeded since they were restored, taken over or reloaded. Changed under the lock."""
        self._store = store
        self._committer = Committer(store, services)
        self._retention = retention
        self._lock = trio.Lock()

    @property
    def begin_is_due(self) -> bool:
        """Whether there are accounts for which `begin` has not succeeded since they were restored, taken over or reloaded."""
        return bool(self._to_begin)

    async def flush(self, edits: Callable[[], SuppressionEdits] | None = None) -> None:
        """Flushes the groups that are due.

        ``edits`` is called under the lock and returns what people change, again if another daemon was faster; its exceptions are passed on.
        """
        async with self._lock:
            if edits is None:
                await self._flush_edits(SuppressionEdits())
                return

            async def change(decided_on: int | None) -> None:
                await self._flush_edits(edits(), decided_on)

            await self._edit(change)

    async def flush_due(self) -> None:
        """Flushes the accounts of which groups are due; all of them where they are not decided on apart. Raises StoreError."""
        async with self._lock:
            now = self.services.clock.now()
            due = {name for name, at in self._next_flushes.items() if at <= now}
            account = self._default if "" in due else next(iter(self._accounts_of(due).values()), None)
            if due:
                await self._flush(done(Proposal(account, EvaluationResult())), None if "" in due else due)

    async def begin(self) -> None:
        """Ends the alerts of what was removed from the configuration, and flushes, where `begin_is_due`; called after a start or a reload, and once
        other daemons agree on what was removed.

        Raises StoreError. What is left stays due, so that the flush timer calls this again.
        """
        async with self._lock:
            agreed = self.put_off - self.judged_otherwise.keys()
            self._to_begin |= agreed & self.accounts.keys()
            self.put_off -= agreed - self.accounts.keys()
            await self._begin()

    async def reload(self, make: Callable[[], PipelineConfig]) -> None:
        """Applies another configuration between two commits, when it calls ``make``. `begin` must be called afterwards."""
        async with self._lock, self.windows:
            config = make()
            self.dispatcher, self._order = config.dispatcher, config.order
            self._hold(config.accounts)
            longer, self._retention = config.retention - self._retention, config.retention
            for account in self.accounts.values():
                if longer > 0:
                    account.keep_longer(longer)
            self._to_begin = set(self.accounts)

    async def groups_of(self, key: str) -> list[AggregationGroup]:
        """Returns the stored groups with this key, of all accounts, whoever holds them. Raises StoreError."""
        return await self._store.groups_of(key)

    async def commit(self, make: Callable[[], Commit | None], apply: Callable[[Commit], None]) -> bool:
        """Commits what ``make`` returns, and then calls ``apply`` with it, both under the lock. Returns whether there was anything to commit.

        Raises StoreError.
        """
        async with self._lock:
            commit = make()
            if commit is None:
                return False
            await self._committer.commit(self._default, commit)
            apply(commit)
            if commit.outbox:
                self.services.wake()
            return True

    # Under the lock

    async def _begin(self) -> None:
        """Begins what is due now: while a caller waited for the lock, somebody else may have begun it.

        Each flush is a commit, so accounts of which nothing ends share one.
        """
        if not self._to_begin:
            return
        await self._reread_suppressions()
        unchanged, putting_off = [], self.judged_otherwise  # which may be others before all is committed
        for account in [one for one in self.accounts.values() if one.name in self._to_begin]:
            is_put_off = account.name in putting_off
            changed, now = EvaluationResult(), self.services.clock.now()
            if not is_put_off:
                changed = account.evaluator.drop_gone(now)
                changed.include(edited_severities(account, now))
            if changed.alerts:
                await self._flush(done(Proposal(account, changed)), {account.name}, putting_off)
                self._note_begun(account.name, putting_off)
            else:
                unchanged.append(account)
        if unchanged:
            begun = {account.name for account in unchanged}
            await self._flush(done(Proposal(unchanged[0], EvaluationResult())), begun, putting_off)
            for account in unchanged:
                self._note_begun(account.name, putting_off)

    def _note_begun(self, account: str, putting_off: Collection[str]) -> None:
        """Notes whether the ends of what was removed were put off when that was decided: others may agree by now, and it is begun anew then."""
        if account in putting_off:
            self.put_off |= {account}
        else:
            self.put_off -= {account}
        self._to_begin.discard(account)

    async def _edit(self, change: Callable[[int | None], Awaitable[None]]) -> None:
        """Calls ``change``, which decides by what is there and commits that, once others' edits are known; again while others were faster.

        It is given what its commit is decided on (`Commit`). Raises StoreError, DecidedTooLate after a few tries, and what ``change`` raises.
        """
        for _ in range(_TRIES - 1):
            with suppress(DecidedTooLate):
                return await change(await self._reread_suppressions())
        return await change(await self._reread_suppressions())

    async def _flush_edits(self, edits: SuppressionEdits, decided_on: int | None = None) -> None:
        await self._flush(done(Proposal(self._default, EvaluationResult(), edits=edits, decided_on=decided_on)))

    async def _reread_suppressions(self) -> int | None:
        """Reads silences and acknowledgements again where other daemons change them too. Returns their revision there. Raises StoreError."""
        if not self.dispatcher.by_account:
            return None
        stored = await self._store.suppressions()
        held = self.dispatcher.notified_fingerprints()  # also of alerts that the store lost
        held.update(alert.fingerprint for alert in self.every_alert())
        if self.dispatcher.suppress(stored.silences, [ack for ack in stored.acks if ack.fingerprint in held]):
            self._flush_all_soon()
        return stored.revision

    async def _flush(
        self,
        proposing: Work[Proposal],
        among: Collection[str] | None = None,
        keeping: Collection[str] | None = None,
    ) -> Proposal:
        """Works the proposal out, dispatches it, commits it and applies it; returns it. For ``keeping`` see
        `monitor.daemon.committer.commit_of`.

        It concerns the accounts ``among`` those that are held (None: all). Where accounts are not decided on apart it goes over all alerts.
        """
        do, began = self.services.pieces.do, perf_counter()
        among = among if self.dispatcher.by_account else None
        apart = None if among is None else Apart(among, partial(self._fingerprints_of_others, among))
        async with self.windows:
            proposal = await do(proposing)
            well, clock = not self.services.health.stuck(), self.services.clock
            alerts, may_forget = self.alerts(proposal, among), clock.may_forget
            flushing = self.dispatcher.flushing(
                alerts, clock.now(), proposal.edits, well=well, may_forget=may_forget, apart=apart
            )
            log_evaluation(proposal)
            plan, concerned = await do(flushing), self._accounts_of(among)
            keeping = self.judged_otherwise if keeping is None else keeping
            prepared = await do(preparing(self.accounts, concerned, proposal, plan, self.dispatcher, apart, keeping))
        log_template_errors(concerned.values())
        if prepared.commit is not None:
            await self._committer.commit(proposal.account, prepared.commit)
            for name, rule in prepared.commit.dropped_rule_states:
                self.accounts[name].evaluator.forget_state(rule)
        self._apply(proposal, prepared, plan, apart)
        log_flush(among, plan, len(plan.input.known), perf_counter() - began, commits=prepared.commit is not None)
        if proposal.account is not None:
            log_transitions(prepared.results[proposal.account.name], proposal.account.views)
        if plan.outbox:
            self.services.wake()
        # All is applied. What was made for thousands of alerts takes milliseconds to free, and others run before each part of that.
        with trio.CancelScope(shield=True):
            await trio.lowlevel.checkpoint()
            del prepared
            await trio.lowlevel.checkpoint()
            del plan
        return proposal

    def _apply(self, proposal: Proposal, prepared: PreparedCommit, plan: DispatchPlan, apart: Apart | None) -> None:
        """Applies what was committed, without a pause: nobody sees half of it, and nothing can cancel the rest."""
        for name, account in self._accounts_of(prepared.results).items():
            cursor, after = proposal.cursor if account is proposal.account else None, prepared.afterwards[name]
            account.evaluator.apply(prepared.results[name], cursor, after.alerts)
            report_alerts(account, after.counts, self.services)
        self.dispatcher.apply(plan)
        self._flush_again(None if apart is None else apart.accounts, plan.next_flush)
        self._announce()

    def _fingerprints_of_others(self, among: Collection[str]) -> set[str]:
        others = (account for name, account in self.accounts.items() if name not in among)
        return {alert.fingerprint for account in others for _, alert in account.evaluator.every_alert()}
