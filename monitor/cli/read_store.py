"""Reads the daemon's store as of its last poll, whether the daemon runs or not."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from monitor.cli.left_out_accounts import warn_of
from monitor.cli.progress import progress
from monitor.config.monitor import Config
from monitor.runtime.clock import Instant, SystemClock, format_duration, iso
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreDamaged, StoreError
from monitor.store.open import open_store
from monitor.store.protocol import Store, StoredState


@contextmanager
def stored_state(config: Config) -> Iterator[tuple[Store, StoredState]]:
    """Yields a snapshot of the store, and its cursors, alerts and groups, without accounts of which a row cannot be read: warns of those.

    Raises StoreError, also if no poll has been stored yet, or if nothing of any account can be read.
    """
    with ExitStack() as opened:
        with progress("reading the store"):
            store = opened.enter_context(open_store(config.store_location, read_only=True))
            kept = store.load_readable()
        cursors = [cursor for cursor in kept.cursors if _is_configured(cursor.account, cursor.search, config)]
        if not cursors and kept.left_out:
            raise StoreDamaged(kept.left_out[0].said)
        warn_of(kept.left_out)
        if not cursors and not kept.alerts:
            raise StoreError(
                f"the store {config.store_location} holds no complete poll yet: start the daemon (`routee-monitor run`), "
                "or see why it cannot poll with `routee-monitor check --online`"
            )
        yield store, replace(kept, cursors=cursors)


def _is_configured(account: str, search: str, config: Config) -> bool:
    return any((one.account, one.name) == (account, search) for one in config.searches)


@dataclass(frozen=True, slots=True)
class DataAge:
    """The instant of the data, and its age."""

    as_of: Instant
    now: Instant

    @classmethod
    def of(cls, as_of: Instant) -> "DataAge":
        """Returns the age as of the machine's present time."""
        return cls(as_of, SystemClock().now())

    def __str__(self) -> str:
        """Returns ``2026-11-21T17:07:04Z (12s ago)``."""
        whole = self.as_of - self.as_of % 1_000_000
        return f"{iso(whole)} ({format_duration(max(self.now - self.as_of, 0))} ago)"


def is_stale(kept: StoredState, config: Config) -> str:
    """Returns a sentence if no search has been polled for three of its intervals; otherwise empty."""
    intervals = {(search.account, search.name): search.every for search in config.searches}
    now = SystemClock().now()
    latest = max((cursor.as_of for cursor in kept.cursors), default=None)
    if latest is None:
        return "no search has been polled completely yet"
    fresh = any(now - one.as_of <= 3 * intervals[one.account, one.search] for one in kept.cursors)
    return (
        ""
        if fresh
        else f"the last complete poll was {DataAge(latest, now)}: is the daemon running, and can it see Routee?"
    )
