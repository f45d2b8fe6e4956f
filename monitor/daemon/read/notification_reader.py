"""Reads the notifications and the receivers to which they go."""

from monitor.daemon.read.daemon_state import DaemonState
from monitor.daemon.read.notifications import NotificationSummary, notification_of
from monitor.daemon.read.receivers import ReceiverSummary, receivers_of
from monitor.daemon.read.result_page import MOST, ResultPage
from monitor.notify.outbox import Outbox
from monitor.store.protocol import EVERY_NOTIFICATION, NotificationFilter, NotificationRecord, Store


class NotificationReader:
    """Reads the notifications. ``outbox`` knows which channels fail."""

    def __init__(self, state: DaemonState, outbox: Outbox) -> None:
        self._state, self._outbox = state, outbox

    async def receivers(self) -> tuple[ReceiverSummary, ...]:
        """Returns the receivers with their channels."""
        last_sent, waiting, dead = await self._state.reads.run(
            lambda store: (store.last_sent(), store.backlog(), store.dead_letters())
        )
        return receivers_of(self._state.config, last_sent, waiting, dead, self._outbox.failing)

    async def page(
        self, wanted: NotificationFilter = EVERY_NOTIFICATION, offset: int = 0, limit: int = MOST
    ) -> ResultPage[NotificationSummary]:
        """Returns the notifications that the filter selects, the newest first. Dead letters are those with the outcome ``dead``."""

        def read(store: Store) -> tuple[int, list[NotificationRecord]]:
            return store.count_notifications(wanted), store.notifications(wanted, limit, offset)

        total, records = await self._state.reads.run(read)
        return ResultPage(tuple(map(notification_of, records)), total, offset, limit)
