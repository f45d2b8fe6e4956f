"""Asks Routee, PostgreSQL and the receivers for ``check --online``: a token, a page of each search, credentials."""

import sys
from collections.abc import Callable
from typing import Final

import trio

from monitor.config.monitor import Account
from monitor.daemon.account_client import routee_client
from monitor.daemon.validate import SettingsWithTemplates
from monitor.ingest.routee.retry import RetryPolicy
from monitor.model.plurals import plural
from monitor.notify.receivers import checked, notifiers
from monitor.runtime.clock import SECOND, SystemClock
from monitor.runtime.errors import RouteeError
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.open import why_no_access

Note = Callable[[str, str, str], None]
"""Gets, after each question, what was asked, why it failed (empty if it did not), and what a success showed."""

_PATIENCE: Final = RetryPolicy(attempts=2, within=15 * SECOND, timeout=10 * SECOND)
"""Tries less than the daemon, because a person waits."""


async def asked(loaded: SettingsWithTemplates, note: Note) -> None:
    """Asks Routee, the store if it is in PostgreSQL, and all receivers, one after the other."""
    for account in loaded.settings.config.accounts:
        await _ask_routee(account, loaded, note)
    store = loaded.settings.config.store_location
    if isinstance(store, PostgresqlAddress):
        note("store", await trio.to_thread.run_sync(why_no_access, store), "PostgreSQL accepts the credentials")
    channels = notifiers(loaded.settings.config, loaded.templates, SystemClock(), sys.stdout)
    for (receiver, channel), notifier in channels.items():
        note(f"receiver {receiver} {channel}", await notifier.check(), checked(notifier))


async def _ask_routee(account: Account, loaded: SettingsWithTemplates, note: Note) -> None:
    clock = SystemClock()
    try:
        async with routee_client(account, clock, retry_policy=_PATIENCE) as routee:
            await routee.check()
            note(f"account {account.name}", "", "Routee accepts the credentials")
            for search in loaded.settings.config.searches:
                if search.account != account.name:
                    continue
                what = f"search {search.name} of account {account.name}"
                try:
                    now = clock.now()
                    page = await routee.search(search.question, now - search.every, now, size=10)
                except RouteeError as error:
                    note(what, _why(error, account), "")
                else:
                    note(what, "", f"{plural(page.total, 'message')} in its last interval")
    except RouteeError as error:
        note(f"account {account.name}", _why(error, account), "")


def _why(error: RouteeError, account: Account) -> str:
    """Returns the reason without the account, which is named beside it."""
    return str(error).removeprefix(f"account {account.name}: ")
