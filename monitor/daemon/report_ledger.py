"""Keeps which morning report was sent last, in one transaction with the notification."""

from collections.abc import Sequence

from monitor.daemon.pipeline import Pipeline
from monitor.dispatch.notification_builder import to_all
from monitor.dispatch.scheduled_report import KEY, DueReport, first_group, joined, settled
from monitor.model.notification import Notification
from monitor.routing.route import AggregationGroup
from monitor.store.protocol import Commit


class ReportLedger:
    """The reports to ``receiver`` that a pipeline sends, while it is the one that does (`Dispatcher.leads`)."""

    def __init__(self, pipeline: Pipeline, receiver: str) -> None:
        self._pipeline = pipeline
        self._receiver = receiver

    async def last(self) -> AggregationGroup | None:
        """Returns the group that says which report was sent last; stores one if there is none yet. None: another daemon sends the reports.

        Raises StoreError.
        """
        dispatcher = self._pipeline.dispatcher
        if dispatcher.leads and dispatcher.reported is None:
            stored = await self._pipeline.groups_of(KEY)
            await self._pipeline.commit(lambda: self._first(stored), self._remember)
            dispatcher = self._pipeline.dispatcher
        return dispatcher.reported if dispatcher.leads else None

    async def settle(self, due: DueReport, notification: Notification | None) -> bool:
        """Hands the report that is due over to the outbox (None: leaves it out), and notes that in the same transaction.

        Returns false, and does nothing, if another daemon sends the reports now. Raises StoreError.
        """
        return await self._pipeline.commit(lambda: self._settled(due, notification), self._remember)

    def _first(self, stored: Sequence[AggregationGroup]) -> Commit | None:
        dispatcher = self._pipeline.dispatcher
        if not dispatcher.leads or dispatcher.reported is not None:
            return None
        now = self._pipeline.services.clock.now()
        return Commit(groups=[joined(stored, self._receiver, now, dispatcher.leading)])

    def _settled(self, due: DueReport, notification: Notification | None) -> Commit | None:
        dispatcher = self._pipeline.dispatcher
        if not dispatcher.leads:
            return None
        before = dispatcher.reported
        group = settled(before or first_group(self._receiver, due.at, dispatcher.leading), self._receiver, due)
        outbox = [] if notification is None else to_all(notification, dispatcher.channels, group.account)
        moved = [(before.key, before.receiver, before.account)] if before and before.receiver != group.receiver else []
        return Commit(outbox=outbox, groups=[group], dropped_groups=moved)

    def _remember(self, commit: Commit) -> None:
        [self._pipeline.dispatcher.reported] = commit.groups
