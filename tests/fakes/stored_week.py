"""A store with days of the local Routee's traffic, as a daemon leaves it: for commands that look at an account's own past."""

from collections.abc import Sequence
from pathlib import Path

from monitor.model.alert import Transition
from monitor.runtime.clock import DAY, HOUR, MINUTE, Instant, parse_iso
from monitor.store.protocol import Commit, Cursor, Entry
from monitor.store.sqlite import open_sqlite
from monitor.window import Window
from tests.fakes.simulated import Account

START: Instant = parse_iso("2026-11-09T00:00:00Z")
"""A Monday."""
CONFIG = """\
accounts: [{name: main, application_id: a, application_secret: b}]
searches: [{name: all, every: 1m}]
rules: [rules]
store: sqlite:monitor.db
"""


def week(days: float = 7, rate: float = 10.0, seed: int = 3) -> Account:
    """An account after some days: an operator fails for an hour on the second and for 25 minutes on the third day, and is slow for two hours on the
    fourth."""
    account = Account([], START, seed=seed, rate=rate)
    account.incident("operator_outage", DAY + 10 * HOUR, HOUR, share=0.8)
    account.incident("operator_outage", 2 * DAY + 15 * HOUR, 25 * MINUTE, share=0.5)
    account.incident("slow_delivery", 3 * DAY + 12 * HOUR, 2 * HOUR)
    account.learn(round(days * DAY))
    return account


def stored(window: Window, as_of: Instant, path: Path, transitions: Sequence[Transition] = ()) -> None:
    """Writes a window's messages into a new store, as polled up to ``as_of``."""
    store = open_sqlite(path)
    store.secret("recipients")
    unsaved = window.unsaved()
    cursor = Cursor(window.account, "all", as_of, START)
    entries = [Entry(window.account, *entry) for entry in unsaved.entries]
    journal = [] if unsaved.blob is None else [(window.account, unsaved.blob)]
    store.commit(Commit(journal=journal, entries=entries, cursors=[cursor], transitions=list(transitions)))
    store.close()
