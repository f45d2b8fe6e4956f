"""The daemon's pipeline from polls to the outbox, on a store that can fail; a test can restart it any number of times."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from monitor.alerts.view import Views
from monitor.config.settings import Settings
from monitor.daemon.account_pipeline import AccountPipeline
from monitor.daemon.account_sink import AccountSink
from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.first_evaluations import FirstEvaluations
from monitor.daemon.health import Health
from monitor.daemon.metrics import Metrics
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.pipeline_commits import PipelineConfig
from monitor.daemon.restore import (
    accounts_to_restore,
    reloaded_accounts,
    reloaded_dispatcher,
    restored_dispatcher,
    restored_evaluator,
    state_for_reload,
)
from monitor.daemon.services import Services
from monitor.daemon.window_restore import restored_window
from monitor.model.batch import batch_of
from monitor.model.notification import Notification
from monitor.notify.render import Templates
from monitor.routing.storm import MOST
from monitor.runtime.checkpoints import Pieces
from monitor.runtime.clock import Clock, Instant
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import Cursor, Store
from tests.fakes.inline_store import InlineStoreFront
from tests.fakes.memory_store import MemoryStore


class PipelineHarness:
    """A pipeline over ``store``.

    Other tasks run wherever work can be interrupted. ``woken`` counts how often delivery was woken. More than ``most_groups`` new groups
    count as a storm. ``fronted`` makes the async store.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        store: Store | MemoryStore | None = None,
        *,
        most_groups: int = MOST,
        fronted: Callable[[Store], AsyncStore] = InlineStoreFront,
    ) -> None:
        self.store = store or MemoryStore()
        self.front = fronted(self.store)
        self.most_groups = most_groups
        self.clock = clock
        self.woken = 0
        self.metrics = Metrics(clock)
        self.health = Health(lambda: 0.0)
        self._message = 0
        self._start(settings)

    def _start(self, settings: Settings) -> None:
        self.settings = settings
        config, loaded = settings.config, self.store.load()
        key = self.store.secret("recipients")
        accounts = []
        for account in accounts_to_restore(config, loaded):
            window = restored_window(self.store, account, config, key)
            evaluator = restored_evaluator(window, config, settings.rules, loaded)
            several, zone = len(config.accounts) > 1, config.time_zone_of(account)
            views = Views(evaluator, Templates(), distinguish=several, time_zone=zone)
            first = FirstEvaluations.of(account, loaded.first_evaluations)
            accounts.append(AccountPipeline(evaluator, views, first_evaluations=first))
        self.services = Services(self.clock, self.metrics, self.health, self._wake, pieces=Pieces(0.0))
        dispatcher = restored_dispatcher(config, loaded)
        dispatcher.most_groups = self.most_groups
        self.pipeline = Pipeline(self.front, accounts, dispatcher, config.retention, self.services)
        self.actions = AlertActions(self.pipeline)
        self.sinks = {account.name: AccountSink(self.pipeline, account) for account in accounts}

    def _wake(self) -> None:
        self.woken += 1

    async def restart(self, settings: Settings) -> None:
        """Restarts as after kill -9: only what was committed is left."""
        self._start(settings)
        await self.pipeline.begin()

    async def reload(self, settings: Settings) -> None:
        """Reloads as the daemon does: the windows and everything else in memory stay."""
        config, before = settings.config, self.settings.config
        key = await self.front.secret("recipients")
        found = await state_for_reload(self.front, before, config, key, self.clock.now())
        anew = {(one.account, one.name) for one in config.searches if one not in before.searches}

        def renewed() -> PipelineConfig:
            accounts = reloaded_accounts(self.pipeline.accounts, config, settings.rules, Templates(), found, anew)
            return PipelineConfig(accounts, reloaded_dispatcher(config, self.pipeline.dispatcher), config.retention)

        await self.pipeline.reload(renewed)
        self.settings = settings
        for name, account in self.pipeline.accounts.items():
            self.sinks.setdefault(name, AccountSink(self.pipeline, account))
        await self.pipeline.begin()

    async def poll(
        self,
        rows: Iterable[dict[str, Any]] = (),
        search: str = "all",
        account: str = "main",
        as_of: Instant | None = None,
    ) -> None:
        """Completes a poll that brings these messages. A message without an id or a date gets a new id and the date ``as_of``."""
        as_of = self.clock.now() if as_of is None else as_of
        await self.page(rows, search, account, as_of)
        await self.sinks[account].complete(search, Cursor(account, search, as_of, 0))

    async def page(self, rows: Iterable[dict[str, Any]], search: str, account: str, as_of: Instant) -> None:
        """Takes messages without ending the poll."""
        found = [self._row(row, as_of) for row in rows]
        await self.sinks[account].page(search, batch_of(found), ())

    def _row(self, row: dict[str, Any], as_of: Instant) -> dict[str, Any]:
        self._message += 1
        return {"messageId": f"m{self._message}", "date": as_of, "status": "Delivered"} | row

    @property
    def told(self) -> list[Notification]:
        """Returns the notifications in the outbox, oldest first."""
        return [pending.notification for pending in self.store.outbox]

    def reasons(self, receiver: str = "ops") -> list[str]:
        """Returns the reasons of the notifications to the receiver, oldest first."""
        return [one.reason for one in self.told if one.receiver == receiver]


def traffic(failing: int, of: int = 10, **fields: Any) -> Sequence[dict[str, Any]]:
    """Returns ``of`` messages, of which the first ``failing`` are undelivered."""
    return [{"status": "Undelivered" if i < failing else "Delivered"} | fields for i in range(of)]
