"""Asks Routee for one message of the last minute: now and then for the accounts that this worker left to others because it could not poll them,
and at once for what it holds while it is not known whether all fail.

Such a question takes the same way as a poll, with the same credentials, so that what is answered can be polled.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import trio

from monitor.config.monitor import Account, Config, Search
from monitor.daemon.account_client import routee_client
from monitor.daemon.fleet.unpolled_accounts import UNCONFIGURED, UnpolledAccounts
from monitor.daemon.services import Services
from monitor.ingest.routee.retry import RetryPolicy
from monitor.runtime.clock import MINUTE, SECOND
from monitor.runtime.errors import RouteeError

LOOK_EVERY: Final = 1.0
"""Seconds between two looks whether a probe is due."""
AT_ONCE: Final = 4
"""How many accounts are asked for at a time."""
_ONCE: Final = RetryPolicy(attempts=1, within=10 * SECOND, timeout=10 * SECOND)

log = logging.getLogger("monitor")


class Probes:
    """The task. ``config`` returns the configuration in force; ``changed`` is called after an account could be polled again."""

    def __init__(
        self,
        config: Callable[[], Config],
        unpolled: UnpolledAccounts,
        services: Services,
        changed: Callable[[], None],
    ) -> None:
        self._config, self._unpolled, self._services, self._changed = config, unpolled, services, changed

    async def run(self) -> None:
        """Asks until it is cancelled."""
        while True:
            due = self._unpolled.to_probe(trio.current_time())
            if due:
                await self._ask(due)
            await trio.sleep(LOOK_EVERY)

    async def _ask(self, names: Sequence[str]) -> None:
        config, limiter = self._config(), trio.CapacityLimiter(AT_ONCE)
        accounts = {account.name: account for account in config.accounts}
        searches = {search.account: search for search in reversed(config.searches)}
        async with trio.open_nursery() as nursery:
            for name in names:
                if name in accounts and name in searches:
                    nursery.start_soon(self._probe, accounts[name], searches[name], limiter, name=f"probe of {name}")
                else:
                    self._unpolled.probed(name, trio.current_time(), UNCONFIGURED)

    async def _probe(self, account: Account, search: Search, limiter: trio.CapacityLimiter) -> None:
        async with limiter:
            outcome = await self._outcome(account, search)
        if self._unpolled.probed(account.name, trio.current_time(), outcome):
            log.info("account %s can be polled from here again", account.name)
            self._changed()

    async def _outcome(self, account: Account, search: Search) -> str:
        """Returns how the question failed; empty if it was answered."""
        clock, observe = self._services.clock, partial(self._services.metrics.request, account.name)
        now = clock.now()
        async with routee_client(account, clock, observe, _ONCE) as client:
            try:
                await client.search(search.question, now - MINUTE, now, size=1)
            except RouteeError as error:
                return error.outcome
        return ""
