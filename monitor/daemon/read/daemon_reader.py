"""Reads the running daemon for pages and APIs: what is in memory, what the store keeps of the past, and what is counted from the messages.

Nothing here changes anything, and nothing holds the event loop for long: long work is done in small pieces, and what is counted from the
messages is kept until the next poll. Methods that read the store raise StoreError.
"""

from collections.abc import Callable

from monitor.config.monitor import Config
from monitor.config.settings import Settings
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.read.alert_reader import AlertReader
from monitor.daemon.read.campaign_reader import CampaignReader
from monitor.daemon.read.daemon_state import DaemonState
from monitor.daemon.read.delivery_reader import DeliveryReader
from monitor.daemon.read.incident_reader import IncidentReader
from monitor.daemon.read.notification_reader import NotificationReader
from monitor.daemon.read.rule_reader import RuleReader
from monitor.daemon.read.search_reader import SearchReader
from monitor.notify.outbox import Outbox
from monitor.runtime.clock import Instant
from monitor.store.async_store import AsyncStore


class DaemonReader:
    """Reads one daemon: a reader for each thing that pages are about. ``settings`` returns the configuration in force.

    All reads of the store go through `reads`.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        store: AsyncStore,
        settings: Callable[[], Settings],
        outbox: Outbox | None = None,
    ) -> None:
        self._state = state = DaemonState(pipeline, store, settings)
        self.reads = state.reads
        self.rules = RuleReader(state)
        self.alerts = AlertReader(state)
        self.incidents = IncidentReader(state)
        self.searches = SearchReader(state)
        self.notifications = NotificationReader(state, outbox or Outbox())
        self.campaigns = CampaignReader(state)
        self.delivery = DeliveryReader(state)

    @property
    def now(self) -> Instant:
        """The present time."""
        return self._state.now

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._state.config

    @property
    def as_of(self) -> Instant:
        """See `DaemonState.as_of`."""
        return self._state.as_of

    def currency_of(self, account: str) -> str:
        """Returns the account's currency; empty if Routee has not said it, or the account is not held here."""
        own = next((one for one in self._state.evaluators() if one.account == account), None)
        return "" if own is None else own.account_state.currency

    @property
    def accounts(self) -> tuple[str, ...]:
        """The names of the accounts."""
        return self._state.accounts
