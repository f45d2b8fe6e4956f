"""Asks Routee and the receivers for ``check --online``: a token, a page of each search, the receivers' credentials."""

import sys
from collections.abc import Callable
from typing import Final

from monitor.config.monitor import Account
from monitor.daemon.account_client import routee_client
from monitor.daemon.validate import SettingsWithTemplates
from monitor.ingest.routee.retry import RetryPolicy
from monitor.model.plurals import plural
from monitor.notify.receivers import checked, notifiers
from monitor.runtime.clock import SECOND, SystemClock
from monitor.runtime.errors import RouteeError

Note = Callable[[str, str, str], None]
"""Gets, after each question, what was asked, why it failed (empty if it did not), and what a success showed."""

_PATIENCE: Final = RetryPolicy(attempts=2, within=15 * SECOND, timeout=10 * SECOND)
"""Tries less than the daemon, because a person waits."""


async def asked(loaded: SettingsWithTemplates, note: Note) -> None:
    """Asks Routee and all receivers, one after the other."""
    for account in loaded.settings.config.accounts:
        await _ask_routee(account, loaded, note)
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
                    note(what, str(error), "")
                else:
                    note(what, "", f"{plural(page.total, 'message')} in its last interval")
    except RouteeError as error:
        note(f"account {account.name}", str(error), "")
