"""Receives an account's polls: puts pages into its window and passes complete polls to the evaluation."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import trio

from monitor.daemon.account_pipeline import AccountPipeline
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.services import Services
from monitor.daemon.unread_history import UnreadHistory
from monitor.model import builtin_alerts as builtin
from monitor.model.batch import Batch
from monitor.model.complete_read import SOMEWHERE, CompleteRead, ReadOrigin
from monitor.model.finding import Finding
from monitor.model.message import Unread
from monitor.model.routee_query import RejectedRecord
from monitor.runtime.clock import SECOND, Instant, iso
from monitor.runtime.errors import InternalError, RouteeError, RouteeUnavailable, StoreError
from monitor.runtime.throttled_log import ThrottledLog
from monitor.store.protocol import Cursor
from monitor.window.malloc_trim import trim_heap

log = logging.getLogger("monitor")
MANY: Final = 50_000
"""After so many messages of polls, freed memory is returned to the system."""


def note_campaign(account: AccountPipeline, services: Services, tracking_id: str, unread: Sequence[Unread]) -> None:
    """Quarantines and counts the fields of a campaign's state that could not be read, for the account rather than a search."""
    account.add_unread(tracking_id, unread, services.clock.now())
    for one in unread:
        services.metrics.unread(account.name, "", one.field, one.count)


class AccountSink:
    """The `monitor.ingest.poll.Sink` for the searches of one account."""

    def __init__(self, pipeline: Pipeline, account: AccountPipeline) -> None:
        self._pipeline = pipeline
        self._account = account
        self._services = pipeline.services
        self._failures: dict[str, ThrottledLog] = {}
        self._unread = defaultdict[str, UnreadHistory](UnreadHistory)
        self._taken = 0  # messages since freed memory was returned

    def begin(self, search: str, read: str) -> None:
        """See `monitor.ingest.poll.Sink`."""
        self._account.evaluator.window.search_results.begin(search, read)

    def end(self, search: str, read: str) -> None:
        """See `monitor.ingest.poll.Sink`."""
        self._account.evaluator.window.search_results.end(search, read)

    async def page(
        self, search: str, batch: Batch, rejected: tuple[RejectedRecord, ...], origin: ReadOrigin = SOMEWHERE
    ) -> None:
        """See `monitor.ingest.poll.Sink`."""
        async with self._pipeline.windows:  # rules may be under evaluation, in pieces
            if self._account.has(search):  # otherwise removed from the configuration meanwhile
                now = self._services.clock.now()
                await self._services.pieces.do(self._account.adding(search, batch, rejected, origin, now))
                self._count(search, batch, rejected)
                if origin is not SOMEWHERE:
                    self._unread[search].read(origin.since, now)
                self._taken += len(batch)
        self._services.health.beat(self._called(search))
        await self._pipeline.commit_rows(self._account)

    async def complete(self, search: str, cursor: Cursor, read: CompleteRead | None = None) -> Instant | None:
        """See `monitor.ingest.poll.Sink`."""
        dropped_to = await self._pipeline.evaluate(self._account, cursor, read)
        self._failure(search).over()
        await self._watch_history(search, cursor if dropped_to is None else cursor.without(dropped_to))
        if self._taken >= MANY:  # pages leave holes in the memory, which a poll as usual fills again
            self._taken = 0
            await trio.lowlevel.checkpoint()
            trim_heap()
        return dropped_to

    async def failed(self, search: str, error: RouteeError | StoreError | InternalError) -> None:
        """See `monitor.ingest.poll.Sink`. Store errors are reported by the code that writes to the store."""
        self._unread[search].why = error.reason if isinstance(error, RouteeUnavailable) else str(error)
        if isinstance(error, RouteeError):
            self._failure(search).arose(str(error))
        if isinstance(error, InternalError):
            self._services.internal_error(self._called(search), error.error)

    async def blind(self, search: str, since: Instant, reason: str) -> None:
        """See `monitor.ingest.poll.Sink`."""
        self._note_blind(search, True)
        self._unread[search].pause()
        by = f" (tried by {self._services.worker})" if self._services.worker else ""
        why = f"{self._called(search)} has not been polled completely since {_to_the_second(since)}{by}: {reason}"
        await self._pipeline.update_builtin(self._account.name, builtin.MONITOR_BLIND, self._finding(search, why))

    async def sighted(self, search: str) -> None:
        """See `monitor.ingest.poll.Sink`."""
        self._note_blind(search, False)
        over = builtin.over(account=self._account.name, search=search)
        await self._pipeline.update_builtin(self._account.name, builtin.MONITOR_BLIND, over)

    async def gap(self, search: str, start: Instant, end: Instant) -> None:
        """See `monitor.ingest.poll.Sink`."""
        why = f"{self._called(search)}: what changed from {_to_the_second(start)} to {_to_the_second(end)} cannot be fetched any more"
        await self._pipeline.update_builtin(self._account.name, builtin.GAP_IN_HISTORY, self._finding(search, why))

    async def _watch_history(self, search: str, cursor: Cursor) -> None:
        """Begins or ends the alert that says that past messages stay unread. If the store fails, the next poll does."""
        known, evaluator, now = self._unread[search], self._account.evaluator, self._services.clock.now()
        stuck: bool | None = False
        if evaluator.waits_for(search, now):
            stuck = known.is_stuck(cursor.covered_since, now)
        else:
            known.over()
        finding = builtin.over(account=self._account.name, search=search)
        alert = evaluator.alerts.get(builtin.HISTORY_UNREAD.name, {}).get(finding.group)
        fires = alert is not None and alert.state == "firing"
        if stuck is None or stuck == fires or not self._account.has(search):
            return
        if stuck:
            because = known.why or "other requests come first; give the account more `requests_per_second`"
            since = _to_the_second(cursor.covered_since)
            why = f"{self._called(search)}: messages before {since}, which rules look at, stay unread: {because}"
            finding = self._finding(search, why)
        with suppress(StoreError):
            await self._pipeline.update_builtin(self._account.name, builtin.HISTORY_UNREAD, finding)

    def _note_blind(self, search: str, blind: bool) -> None:
        if self._account.has(search):  # otherwise it was removed from the configuration
            self._services.metrics.blind(self._account.name, search, blind)

    def _finding(self, search: str, why: str) -> Finding:
        return builtin.finding(why, account=self._account.name, search=search)

    def _count(self, search: str, batch: Batch, rejected: tuple[RejectedRecord, ...]) -> None:
        metrics, account = self._services.metrics, self._account.name
        metrics.pages(account, search)
        for one in batch.unread:
            metrics.unread(account, search, one.field, one.count)
        if rejected:
            metrics.rejected_records(account, search, len(rejected))

    def _failure(self, search: str) -> ThrottledLog:
        if search not in self._failures:
            fields = {"account": self._account.name, "search": search}
            self._failures[search] = ThrottledLog(log, self._called(search), self._services.clock, fields=fields)
        return self._failures[search]

    def _called(self, search: str) -> str:
        return f"search {search} of account {self._account.name}"


def _to_the_second(at: Instant) -> str:
    """Returns the instant as text, without a fraction of a second."""
    return iso(at - at % SECOND)
