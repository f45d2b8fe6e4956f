"""Changes what is to be sent, for the HTTP listener: sends dead letters again."""

from monitor.daemon.services import Services
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import NothingThere
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import EVERY_NOTIFICATION, NotificationFilter, Retried


@dataclass(frozen=True, slots=True)
class DeliveryActions:
    """One daemon's outbox. Methods raise StoreError and then change nothing."""

    store: AsyncStore
    services: Services

    async def retry_dead_letters(
        self, wanted: NotificationFilter = EVERY_NOTIFICATION, notification: int | None = None
    ) -> Retried:
        """Sends dead letters again: those that ``wanted`` selects, or only the ``notification`` with that id; at most 1,000 in one call.

        Raises NothingThere if ``notification`` is not a dead letter. See `monitor.store.protocol.Store.retry_dead`.
        """
        retried = await self.store.retry_dead(wanted, notification)
        if notification is not None and not (retried.waiting or retried.superseded or retried.unreadable):
            raise NothingThere(f"notification {notification} is not a dead letter")
        self.services.wake()
        self.services.metrics.dead_letters(await self.store.dead_letters())
        return retried
