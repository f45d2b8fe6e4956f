"""What a daemon left in its store, read as a restart would read it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.config.monitor import load_config
from monitor.daemon.validate import load
from monitor.daemon.window_restore import restored_window
from monitor.model.alert import Transition
from monitor.runtime.clock import HOUR, Duration, Instant
from monitor.store.open import open_store
from monitor.store.protocol import OutboxRow, Store
from monitor.window import Query, Window, WindowReader
from tests.fakes.postgresql import store_keys as store_keys


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    """The store beside its daemon, or after it: the file itself, or that of a configuration."""
    location = path if path.suffix == ".db" else load_config(path, {}).store_location
    with open_store(location, read_only=True) as store:
        yield store


def window(config: Path, account: str = "main") -> Window:
    """The account's window."""
    with opened(config) as store:
        return restored_window(store, account, load(config, {}).settings.config, store.secret("recipients"))


def counted(window: Window, end: Instant, length: Duration = 6 * HOUR) -> Counter[tuple[str, str]]:
    """By operator and status, the messages in the window."""
    by = ("operator", "status")
    reading = WindowReader(window)
    tally = reading.tally(Query(end - length, end, by=by))
    found = zip(tally.codes.tolist(), tally.counts.tolist(), strict=True)
    return Counter({reading.labels(by, code): count for code, count in found})


def as_of(config: Path, search: str = "all") -> Instant:
    """The end of the last complete poll."""
    with opened(config) as store:
        return next(cursor.as_of for cursor in store.load().cursors if cursor.search == search)


def transitions(config: Path) -> list[Transition]:
    """All that ever happened to alerts, oldest first."""
    with opened(config) as store:
        return store.transitions(1_000_000)[::-1]


def waiting(path: Path) -> list[OutboxRow]:
    """Notifications that are still to be sent."""
    with opened(path) as store:
        return store.outbox_rows("waiting")
