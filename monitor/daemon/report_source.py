"""Reads from the store what a report is made from. Blocking: for a command, or a thread beside the daemon's tasks."""

import logging
from collections.abc import Sequence
from typing import Final

from monitor.alerts.report import AccountSource, DeliveryReport, ReportSource, build
from monitor.alerts.report.build import Progress
from monitor.config.monitor import Config
from monitor.config.rules import Rule
from monitor.daemon.window_restore import readable_window
from monitor.model.account_state import NOTHING_KNOWN
from monitor.runtime.clock import Instant
from monitor.store.open import open_store
from monitor.store.protocol import HISTORY_KEPT, LeftOut, Store, StoredState

log = logging.getLogger("monitor")

MOST_TRANSITIONS: Final = 50_000
MOST_NOTIFICATIONS: Final = 20_000
"""The most changes of alerts, and the most notifications, that are read: the latest ones."""


def report_of(
    config: Config,
    rules: Sequence[Rule],
    since: Instant,
    until: Instant,
    now: Instant,
    time_zone: str = "UTC",
    progress: Progress = lambda done, total: None,
) -> DeliveryReport:
    """Returns the report of (since, until] from the configured store, which a daemon may be writing to. Raises StoreError.

    It lacks accounts of which something cannot be read; the log says so.
    """
    with open_store(config.store_location, read_only=True) as store:
        source, left_out = source_of(store, store.load_readable(), config, rules, since, now)
    for one in left_out:
        log.error("the report lacks %s: %s", f"account {one.account}" if one.account else "something", one.said)
    return build(source, since, until, now, time_zone, progress)


def source_of(
    store: Store, loaded: StoredState, config: Config, rules: Sequence[Rule], since: Instant, now: Instant
) -> tuple[ReportSource, list[LeftOut]]:
    """Returns what the store knows, and what cannot be read, whose accounts are left out. Raises StoreError."""
    key, left_out = store.secret("recipients"), list(loaded.left_out)
    names = [account.name for account in config.accounts if account.name not in loaded.accounts_left_out]
    accounts = [_account(store, name, config, key, loaded, left_out) for name in names]
    transitions = store.transitions(MOST_TRANSITIONS)
    notifications = store.history(MOST_NOTIFICATIONS, since)
    told_since = now - HISTORY_KEPT
    if len(transitions) == MOST_TRANSITIONS:
        told_since = max(told_since, transitions[-1].at)
    if len(notifications) == MOST_NOTIFICATIONS:
        told_since = max(told_since, notifications[-1].at)
    source = ReportSource(
        accounts=[account for account in accounts if account is not None],
        rules=rules,
        transitions=transitions[::-1],
        notifications=notifications,
        waiting=store.backlog(),
        told_since=told_since,
        first_evaluations=loaded.first_evaluations,
    )
    return source, left_out


def _account(
    store: Store, account: str, config: Config, key: bytes, loaded: StoredState, left_out: list[LeftOut]
) -> AccountSource | None:
    searches = {search.name: search for search in config.searches if search.account == account}
    own = {
        cursor.search: cursor for cursor in loaded.cursors if cursor.account == account and cursor.search in searches
    }
    every = max((search.every for search in searches.values()), default=0)
    window = readable_window(store, account, config, key, left_out)
    if window is None:
        return None
    known = {name: own[name].covered_since if name in own else None for name in searches}
    as_of = min((cursor.as_of for cursor in own.values()), default=None) if len(own) == len(searches) else None
    currency = loaded.account_states.get(account, NOTHING_KNOWN).currency
    return AccountSource(window, as_of, known, every, currency)
