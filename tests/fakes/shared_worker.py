"""A daemon's pipeline on a store that it shares with others. It holds the accounts that a test lets it adopt, as if it had their leases."""

import io
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

import trio

from monitor.config.settings import Settings
from monitor.daemon.account_sink import AccountSink
from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.health import Health
from monitor.daemon.metrics import Metrics
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.daemon.services import Services
from monitor.daemon.startup import adopt_accounts, restored_pipeline
from monitor.model.alert import Alert
from monitor.model.announced_rules import AnnouncedRules
from monitor.model.batch import batch_of
from monitor.notify.channels import ChannelContext
from monitor.notify.receivers import Notifiers
from monitor.notify.render import Templates
from monitor.routing.storm import MOST
from monitor.runtime.checkpoints import Pieces
from monitor.runtime.clock import Clock, Instant
from monitor.store.protocol import Cursor, StoredSuppressions
from tests.fakes.inline_store import InlineStoreFront
from tests.fakes.memory_store import MemoryStore

SHARED = "store: postgresql://monitor@127.0.0.1/monitor"
"""The line of a configuration that lets several daemons share the accounts. Nothing connects to it here."""
THREE_ACCOUNTS = """accounts:
  - {name: a, application_id: id, application_secret: secret}
  - {name: b, application_id: id, application_secret: secret}
  - {name: c, application_id: id, application_secret: secret}
searches:
  - {name: all, account: a, every: 1d}
  - {name: all, account: b, every: 1d}
  - {name: all, account: c, every: 1d}
"""
"""The lines of three accounts with a search each."""


def present_of(settings: Settings, clock: Clock) -> RuntimeConfig:
    """Returns the settings as a daemon has them in force."""
    context = ChannelContext(clock, Templates(), io.StringIO())
    return RuntimeConfig(settings, Templates(), Notifiers.of(settings.config, context))


class _Front(InlineStoreFront):
    """The store as one worker has it. ``meanwhile`` is called after silences and acknowledgements were read, so often as it says True."""

    meanwhile: Callable[[], Awaitable[bool]] | None = None

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)  # type: ignore[arg-type]  # the part that a pipeline uses
        self._memory, self.worker = store, len(store.announced)
        store.announced[self.worker] = {}

    async def suppressions(self) -> StoredSuppressions:
        found = await super().suppressions()
        if self.meanwhile is not None and not await self.meanwhile():
            self.meanwhile = None
        return found

    async def announce_rules(self, rules: Mapping[str, str]) -> None:
        await trio.lowlevel.checkpoint()
        self._memory.announce_rules(rules, self.worker)

    async def rules_of_others(self) -> list[AnnouncedRules]:
        await trio.lowlevel.checkpoint()
        return self._memory.rules_of_others(self.worker)


class SharedWorker:
    """One worker. Other tasks run wherever its work can be interrupted. More than ``most_groups`` new groups count as a storm."""

    pipeline: Pipeline

    def __init__(self, settings: Settings, clock: Clock, store: MemoryStore, *, most_groups: int = MOST) -> None:
        self.clock, self.store, self._most_groups = clock, store, most_groups
        self.front = _Front(store)
        self.present = present_of(settings, clock)
        self.services = Services(clock, Metrics(clock), Health(lambda: 0.0), lambda: None, pieces=Pieces(0.0))
        self.sinks: dict[str, AccountSink] = {}

    async def start(self, accounts: Collection[str] = ()) -> None:
        """Starts with these accounts."""
        self.pipeline = await restored_pipeline(
            self.front, self.present, self.services, self.store.secret("recipients"), accounts
        )
        self.pipeline.dispatcher.most_groups = self._most_groups
        self.actions = AlertActions(self.pipeline)
        self.sinks = {name: AccountSink(self.pipeline, one) for name, one in self.pipeline.accounts.items()}

    async def adopt(self, name: str) -> None:
        """Adopts an account as the store has it."""
        await adopt_accounts([name], self.front, self.pipeline, lambda: self.present, self.store.secret("recipients"))
        self.sinks[name] = AccountSink(self.pipeline, self.pipeline.accounts[name])

    async def page(self, account: str, rows: Iterable[dict[str, Any]], search: str = "all") -> None:
        """Takes messages without ending the poll."""
        await self.sinks[account].page(search, batch_of(list(rows)), ())

    async def poll(
        self, account: str, rows: Iterable[dict[str, Any]], as_of: Instant, searches: Iterable[str] = ("all",)
    ) -> None:
        """Completes polls of the account's searches that bring these messages."""
        found = list(rows)
        for search in searches:
            await self.page(account, found, search)
            await self.sinks[account].complete(search, Cursor(account, search, as_of, 0))

    def firing(self, account: str) -> list[Alert]:
        """Returns the account's firing alerts."""
        held = self.pipeline.accounts.get(account)
        alerts = [] if held is None else [alert for _, alert in held.evaluator.every_alert()]
        return [alert for alert in alerts if alert.state == "firing"]
