"""Evaluates polls and pushed reports, dispatches notifications, commits both and applies them, for all accounts that are held.

Each poll ends in one transaction: its rows, its cursor, the alerts, the groups and the notifications to send are written to the store
together or not at all. See `monitor.daemon.pipeline_commits` for that transaction, and `monitor.daemon.shared_pipeline` for several daemons
on one store.
"""

from collections.abc import Callable
from typing import Final

from monitor.alerts.evaluation import EvaluationResult
from monitor.daemon.account_pipeline import AccountPipeline, Proposal
from monitor.daemon.reporting import report_evaluation, report_rules
from monitor.daemon.shared_pipeline import SharedPipeline
from monitor.model.builtin_alerts import BuiltIn
from monitor.model.complete_read import CompleteRead
from monitor.model.finding import Finding
from monitor.runtime.clock import Instant
from monitor.runtime.errors import StoreError
from monitor.runtime.pieces import Work, done
from monitor.store.protocol import Commit, Cursor

ROWS_AT_ONCE: Final = 10_000
"""The most changed rows that wait in memory for the end of a poll; more are committed earlier, because rows are true in any case."""


class Pipeline(SharedPipeline):
    """Takes in what is read of accounts, one call at a time. What comes of an account that is not held any more is dropped: it is read
    again by its next holder.

    Each method raises StoreError, and has then changed nothing but rows in memory.
    """

    async def evaluate(
        self, account: AccountPipeline, cursor: Cursor, read: CompleteRead | None = None
    ) -> Instant | None:
        """Evaluates the rules that a complete poll or sweep makes due, and flushes.

        ``read`` says what was read: messages that it should have returned but did not leave the search first. Returns up to where messages were
        dropped, as `monitor.ingest.poll.Sink.complete` does.
        """
        async with self._lock:
            if not self._is_present(account) or not account.has(cursor.search):
                return None
            proposal = await self._flush(self._evaluating(account, cursor, read), {account.name})
            dropped_to = account.dropped_to(cursor.search)
            account.dropped.pop(cursor.search, None)
            report_evaluation(proposal, account, cursor, self.services)
            return dropped_to

    def _evaluating(self, account: AccountPipeline, cursor: Cursor, read: CompleteRead | None) -> Work[Proposal]:
        if read is not None:
            account.changed += account.evaluator.window.conclude(read)
            yield
        if self.services.clock.may_forget:
            yield from account.expiring(cursor, self._retention)
        cursor = cursor.without(account.dropped_to(cursor.search))
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
            proposal = await self._flush(self._evaluating_pushed(account, pushed_to), {name})
            report_rules(proposal, self.services)

    def _evaluating_pushed(self, account: AccountPipeline, pushed_to: Instant) -> Work[Proposal]:
        yield from account.evaluator.window.settling()
        return Proposal(account, (yield from account.evaluator.evaluating_pushed(pushed_to)))

    async def update_builtin(self, name: str, built_in: BuiltIn, finding: Finding) -> None:
        """Starts or ends a built-in alert of the account of that name."""
        async with self._lock:
            account, result = self.accounts.get(name), EvaluationResult()
            if account is None or account.evaluator.is_gone(built_in.name, finding.group):
                return
            account.evaluator.update_builtin(built_in, finding, self.services.clock.now(), result)
            if result.alerts:
                await self._flush(done(Proposal(account, result)), {name})

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
                if self._is_present(account):
                    await self._committer.commit(account, Commit())

    def _is_present(self, account: AccountPipeline) -> bool:
        """Returns whether the account is held, and since it was made: it may have been released, and adopted anew, while its poll went on."""
        return self.accounts.get(account.name) is account
