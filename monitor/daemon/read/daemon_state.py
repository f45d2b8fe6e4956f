"""What the readers of a running daemon share: its memory as it is now, what is kept until the next poll, and the store."""

from collections.abc import Callable, Hashable, Iterator
from typing import Final

import trio

from monitor.alerts.evaluator import RuleEvaluator
from monitor.config.monitor import Config
from monitor.config.rules import Rule
from monitor.config.settings import Settings
from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.read.poll_cache import PollCache
from monitor.daemon.read.store_reads import StoreReads
from monitor.dispatch.status import StatusSnapshot
from monitor.model.builtin_alerts import MONITOR_BLIND
from monitor.runtime.clock import SECOND, Duration, Instant
from monitor.store.async_store import AsyncStore
from monitor.window import Window

PUSHED_LASTS: Final[Duration] = 5 * SECOND
"""How long what was counted from messages holds although reports were pushed since: Routee pushes all the time."""
SNAPSHOT_LASTS: Final[Duration] = 5 * SECOND
"""How long a snapshot of all alerts is used if nothing changes."""


class DaemonState:
    """One daemon's. ``settings`` returns the configuration in force. All reads of the store go through `reads`, and what is counted from the
    messages is kept in `cache` until the next poll.
    """

    def __init__(self, pipeline: Pipeline, store: AsyncStore, settings: Callable[[], Settings]) -> None:
        self.pipeline, self.settings = pipeline, settings
        self.reads = StoreReads(store)
        self.actions = AlertActions(pipeline)
        self.cache = PollCache(self.stamp)
        self._latest: tuple[tuple[trio.Event, int], StatusSnapshot] | None = None
        self._pushes: tuple[Instant, tuple[int, ...]] = (0, ())

    @property
    def now(self) -> Instant:
        """The present time."""
        return self.pipeline.services.clock.now()

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.settings().config

    @property
    def as_of(self) -> Instant:
        """The end of the latest complete poll of any search, or the date of the latest pushed report where that is later; the present time
        before the first poll."""
        polled = max((cursor.as_of for cursor in self.pipeline.cursors()), default=None)
        if polled is None:
            return self.now
        return max(polled, *(one.coverage.pushed_to or 0 for one in self.evaluators()))

    @property
    def accounts(self) -> tuple[str, ...]:
        """The names of the accounts."""
        return tuple(self.pipeline.accounts)

    def stamp(self) -> Hashable:
        """Returns something that is different after each poll and reload, and every few seconds while reports are pushed."""
        cursors = tuple((one.account, one.search, one.as_of) for one in self.pipeline.cursors())
        blind = [(name, *about.items()) for name, about in self.pipeline.firing(MONITOR_BLIND)]
        return cursors, tuple(blind), id(self.settings()), self._pushed()

    def _pushed(self) -> tuple[int, ...]:
        """Returns how often each account's rules were evaluated on pushed reports, or how often that was up to `PUSHED_LASTS` ago."""
        now, pushes = self.now, tuple(one.coverage.pushes for one in self.evaluators())
        taken_at, taken = self._pushes
        if pushes != taken and not 0 <= now - taken_at < PUSHED_LASTS:
            self._pushes = now, pushes
        return self._pushes[1]

    def evaluators(self) -> Iterator[RuleEvaluator]:
        """Returns the evaluator of each account."""
        return (account.evaluator for account in self.pipeline.accounts.values())

    def windows(self, account: str | None = None) -> list[Window]:
        """Returns the messages of one account, or of each."""
        return [one.window for one in self.evaluators() if account in (None, one.account)]

    async def snapshot(self) -> StatusSnapshot:
        """Returns the alerts as of the latest change, which is made anew every few seconds, because it takes long if there are many alerts."""
        stamp = self.pipeline.news, self.now // SNAPSHOT_LASTS
        if self._latest is None or self._latest[0] != stamp:
            self._latest = stamp, await self.actions.status()
        return self._latest[1]

    def accounts_of_alerts(self) -> dict[str, str]:
        """Returns the account of each alert by its own fingerprint."""
        return {alert.fingerprint: alert.account for alert in self.pipeline.known_alerts()}

    def rules_by_name(self) -> dict[str, Rule]:
        """Returns the rules in force by their names."""
        return {rule.name: rule for rule in self.settings().rules}
