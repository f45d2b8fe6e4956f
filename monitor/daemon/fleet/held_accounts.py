"""What a daemon does for the accounts that it holds: reads them from the store, polls them, and gives them up again."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import trio

from monitor.daemon.fleet.adoption import Adoptions
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.daemon.startup import adopt_accounts
from monitor.runtime.errors import StoreError
from monitor.store.async_store import AsyncStore

END_LIMIT: Final = 3.0
"""Seconds that polls under way get to end when an account is given away."""

_SUSPENDED: Final = (
    "This daemon cannot renew the leases of its accounts, and does nothing for them; it goes on by itself once it can"
)

log = logging.getLogger("monitor")


class AccountTasks(Protocol):
    """The tasks of all accounts."""

    def halt(self, account: str) -> None:
        """Cancels the account's tasks."""

    async def ended(self, account: str) -> None:
        """Waits until none of the account's tasks runs."""


class HeldAccounts:
    """The duties that `monitor.daemon.fleet.lease_keeper` calls.

    ``present`` returns the configuration in force. ``changed`` is called whenever other accounts are held, or worked for; it has the tasks
    follow `works`. ``leading`` returns the account to which what concerns none belongs (`Fleet.leading`),
    or an empty name while it is not known. ``why_not`` returns why the leases cannot be renewed while they cannot.
    """

    def __init__(
        self,
        store: AsyncStore,
        pipeline: Pipeline,
        tasks: AccountTasks,
        present: Callable[[], RuntimeConfig],
        key: bytes,
        changed: Callable[[], None],
        leading: Callable[[], str],
        why_not: Callable[[], str] = str,
    ) -> None:
        self._store, self._pipeline, self._tasks = store, pipeline, tasks
        self._present, self._key, self._changed = present, key, changed
        self._leading, self._why_not = leading, why_not
        self._leaving: set[str] = set()
        self._is_suspended = False
        self._adoptions = Adoptions(store.journal_sizes, self._adopt_together, self._adopt_alone)

    def works(self, account: str) -> bool:
        """Returns whether the account, which the pipeline has, is to be polled now."""
        return not self._is_suspended and account not in self._leaving

    async def adopt(self, account: str) -> None:
        """See `AccountDuties`."""
        await self._pipeline.led_by(self._leading())
        await self._adoptions.adopt(account)
        self._changed()

    async def hand_over(self, account: str) -> None:
        """See `AccountDuties`. What was not committed when the polls had to be cut off is left out: the next holder reads it again."""
        with self._leave(account):
            with trio.move_on_after(END_LIMIT) as limit:
                await self._tasks.ended(account)
            if limit.cancelled_caught:
                await self._forget(account)
                return
            try:
                await self._pipeline.hand_over(account)
            except StoreError as error:
                log.warning(
                    "what was last read of account %s could not be stored, and is read again: %s", account, error
                )
                await self._forget(account)

    async def drop(self, account: str) -> None:
        """See `AccountDuties`."""
        if account in self._pipeline.accounts:
            with self._leave(account):
                await self._forget(account)

    def suspend(self) -> None:
        """See `AccountDuties`."""
        self._is_suspended = True
        self._pipeline.services.health.fleet(_SUSPENDED, self._why_not)
        self._changed()
        for account in self._pipeline.accounts:
            self._tasks.halt(account)

    def resume(self) -> None:
        """See `AccountDuties`."""
        self._is_suspended = False
        self._pipeline.services.health.fleet()
        self._changed()

    def unreadable(self, accounts: Mapping[str, str], elsewhere: Mapping[str, str]) -> None:
        """See `AccountDuties`."""
        self._pipeline.services.health.unreadable(accounts, elsewhere)

    async def _adopt_together(self, accounts: Sequence[str], size: int | None) -> None:
        await adopt_accounts(accounts, self._store, self._pipeline, self._present, self._key, size)

    async def _adopt_alone(self, account: str, size: int | None) -> None:
        await self._adopt_together([account], size)

    async def _forget(self, account: str) -> None:
        self._tasks.halt(account)
        await self._tasks.ended(account)
        await self._pipeline.release(account)

    @contextmanager
    def _leave(self, account: str) -> Iterator[None]:
        """Asks the account's tasks to end. After the block the account is forgotten; if that failed, nothing more is done for it."""
        self._leaving.add(account)
        self._changed()
        try:
            yield
        finally:
            if account not in self._pipeline.accounts:
                self._leaving.discard(account)
            self._pipeline.services.metrics.forget(account)
            self._changed()
