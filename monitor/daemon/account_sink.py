"""An account's end of the pipeline: where its polls go."""

import logging

from monitor.daemon.pipeline import Pipeline, Services
from monitor.model import builtin_alerts as builtin
from monitor.model.complete_read import SOMEWHERE, CompleteRead, ReadOrigin
from monitor.model.finding import Finding
from monitor.model.message import Batch
from monitor.model.routee_query import SetAside
from monitor.runtime.clock import Instant, iso
from monitor.runtime.errors import InternalError, RouteeError, StoreError
from monitor.runtime.throttled_log import ThrottledLog
from monitor.store.protocol import Cursor

log = logging.getLogger("monitor")


class AccountSink:
    """What polling sees of the pipeline (`monitor.ingest.poll.Sink`), for the searches of one account."""

    def __init__(self, pipeline: Pipeline, account: str, around: Services) -> None:
        self._pipeline = pipeline
        self._account = account
        self._around = around
        self._complaints: dict[str, ThrottledLog] = {}

    def begin(self, search: str, read: str) -> None:
        """See `monitor.ingest.poll.Sink`."""
        self._pipeline.membership(self._account).begin(search, read)

    def end(self, search: str, read: str) -> None:
        """See `monitor.ingest.poll.Sink`."""
        self._pipeline.membership(self._account).end(search, read)

    async def page(
        self, search: str, batch: Batch, asides: tuple[SetAside, ...], origin: ReadOrigin = SOMEWHERE
    ) -> None:
        """See `monitor.ingest.poll.Sink`."""
        self._pipeline.take(self._account, search, batch, asides, origin)
        self._around.health.beat(self._called(search))
        await self._pipeline.relieve(self._account)

    async def complete(self, search: str, cursor: Cursor, read: CompleteRead | None = None) -> None:
        """See `monitor.ingest.poll.Sink`."""
        await self._pipeline.complete(self._account, cursor, read)
        self._complaint(search).over()

    async def failed(self, search: str, error: RouteeError | StoreError | InternalError) -> None:
        """See `monitor.ingest.poll.Sink`. The store's troubles are told by whoever writes to it."""
        if isinstance(error, RouteeError):
            self._complaint(search).arose(str(error))
        if isinstance(error, InternalError):
            self._around.internal_error(self._called(search), error.error)

    async def blind(self, search: str, since: Instant, reason: str) -> None:
        """See `monitor.ingest.poll.Sink`."""
        self._note_blind(search, True)
        why = f"{self._called(search)} has not been polled completely since {iso(since)}: {reason}"
        await self._pipeline.tell(self._account, builtin.MONITOR_BLIND, self._finding(search, why))

    async def sighted(self, search: str) -> None:
        """See `monitor.ingest.poll.Sink`."""
        self._note_blind(search, False)
        over = builtin.over(account=self._account, search=search)
        await self._pipeline.tell(self._account, builtin.MONITOR_BLIND, over)

    async def gap(self, search: str, start: Instant, end: Instant) -> None:
        """See `monitor.ingest.poll.Sink`."""
        why = f"{self._called(search)}: what changed from {iso(start)} to {iso(end)} cannot be fetched any more"
        await self._pipeline.tell(self._account, builtin.GAP_IN_HISTORY, self._finding(search, why))

    def _note_blind(self, search: str, blind: bool) -> None:
        if (
            search in self._pipeline.desks[self._account].evaluator.coverage.searches
        ):  # else it was taken out of the configuration
            self._around.metrics.blind(self._account, search, blind)

    def _finding(self, search: str, why: str) -> Finding:
        return builtin.finding(why, account=self._account, search=search)

    def _complaint(self, search: str) -> ThrottledLog:
        if search not in self._complaints:
            facts = {"account": self._account, "search": search}
            self._complaints[search] = ThrottledLog(log, self._called(search), self._around.clock, facts=facts)
        return self._complaints[search]

    def _called(self, search: str) -> str:
        return f"search {search} of account {self._account}"
