"""Opens the store: `open_store` for commands, `open_for_daemon` for the daemon. Only this module names a kind of store.

If the daemon's file is damaged, it is renamed, and what can be read of it is copied to a new file. A file that was never ours (a
picture, a configuration, another program's database) is refused and left unchanged.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from monitor.model.fleet import Fleet
from monitor.runtime.clock import SECOND, Duration, Instant
from monitor.runtime.errors import StoreDamaged, StoreError
from monitor.runtime.installation import how_to_add
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.migrate import APPLICATION_ID
from monitor.store.protocol import Store
from monitor.store.recovery import DamageReport, finish_recovery, recover
from monitor.store.sql_store import SqlStore
from monitor.store.sqlite import SqliteStore, open_sqlite
from monitor.store.sqlite_file import DaemonLock, beside, refuse_place
from monitor.store.sqlite_file import lock_holder as file_lock_holder

StoreLocation = Path | PostgresqlAddress
"""Where a store is: the path of a SQLite file, or the address of a PostgreSQL database."""

__all__ = [
    "DamageReport",
    "StoreLocation",
    "fleet_of",
    "import_driver",
    "lock_holder",
    "missing_for",
    "open_daemon_store",
    "open_exclusively",
    "open_for_daemon",
    "open_store",
    "why_no_access",
]

LOCK_PATIENCE: Final[Duration] = SECOND
"""How long one call of the daemon waits for another program's lock on the store. Other calls and a stop of the daemon wait as well."""

PATIENCE: Final[Duration] = 5 * SECOND
"""The longest that a file is examined before the daemon starts; 76 MB take a tenth of a second (docs/decisions/0013)."""

_OURS: Final = b"CREATE TABLE alert_group ("
"""Text in every file of this program, as SQLite stores it on a page near the beginning."""
_NOT_OURS: Final = (
    "nothing shows that it is a store of this program, so it is left as it is: "
    "move the file away, restore a backup, or point `store` at another one"
)
_MAGIC: Final = b"SQLite format 3\0"
_APPLICATION_ID_AT: Final = 68
"""Where the id of a file's program begins, 4 bytes with the largest first (sqlite.org/fileformat.html)."""
_CHUNK: Final = 1 << 20


@contextmanager
def open_store(location: StoreLocation, *, read_only: bool = False, exclusive: bool = False) -> Iterator[Store]:
    """Opens the store and closes it at the end. Creates it if it does not exist, unless ``read_only``. Raises StoreError.

    ``read_only`` changes nothing, works beside the daemon, and shows the store as it is at one moment. ``exclusive`` takes the daemon's
    lock: it fails if a daemon has the store, and no daemon can start meanwhile.
    """
    with closing(_opened_for_command(location, read_only=read_only, exclusive=exclusive)) as store:
        if read_only:
            with store.snapshot():
                yield store
        else:
            yield store


@contextmanager
def open_exclusively(location: StoreLocation, *, existing: bool) -> Iterator[SqlStore]:
    """Opens a whole store for a copy, and closes it at the end. No daemon has it, and none can start meanwhile. Raises StoreError.

    ``existing``: it has to be there already.
    """
    if existing:
        if isinstance(location, Path) and location.parent.is_dir() and not location.exists():
            raise StoreError(f"there is no store {location}: check its name")
        with open_store(location, read_only=True):
            pass
    with closing(_opened_for_command(location, read_only=False, exclusive=True)) as store:
        yield store


def _opened_for_command(location: StoreLocation, *, read_only: bool, exclusive: bool) -> SqlStore:
    if isinstance(location, Path):
        return open_sqlite(location, read_only=read_only, exclusive=exclusive)
    import_driver(location)
    from monitor.store.postgresql import FOR_COMMANDS, open_postgresql

    return open_postgresql(location, read_only=read_only, exclusive=exclusive, limits=FOR_COMMANDS)


def import_driver(location: StoreLocation) -> None:
    """Imports what a store in PostgreSQL needs, which is an extra. Raises StoreError if it is not installed."""
    if isinstance(location, Path):
        return
    try:
        import monitor.store.postgresql  # noqa: F401 - only tried
    except ImportError:
        raise StoreError(
            f"the store {location} needs psycopg, which is not installed: {how_to_add('postgresql')}"
        ) from None


def missing_for(location: StoreLocation) -> str:
    """Returns what this machine lacks for the store, without opening it; empty if nothing."""
    if isinstance(location, Path):
        return "" if location.parent.is_dir() else f"there is no folder {location.parent} for the store"
    try:
        import_driver(location)
    except StoreError as error:
        return str(error)
    return ""


def why_no_access(address: PostgresqlAddress) -> str:
    """Returns why the server does not let this program in; empty if it does."""
    try:
        import_driver(address)
        from monitor.store.postgresql import log_in

        log_in(address)
    except StoreError as error:
        return str(error)
    return ""


def lock_holder(location: StoreLocation) -> int | None:
    """Returns the process id of the daemon that works on a store, for PostgreSQL maybe on another host; None if there is none or it is unknown."""
    if isinstance(location, Path):
        return file_lock_holder(location)
    try:
        import_driver(location)
        from monitor.store.postgresql import holder_of

        return holder_of(location)
    except StoreError:
        return None


def fleet_of(location: StoreLocation) -> Fleet:
    """Returns the daemons that share a store, and what each one holds; nothing if its daemon shares it with nobody. Raises StoreError."""
    if isinstance(location, Path):
        return Fleet()
    import_driver(location)
    from monitor.store.postgresql_leases import read_fleet

    return read_fleet(location)


def open_for_daemon(
    location: StoreLocation, now: Instant, url: str = "", port: int = 0
) -> tuple[Store, DamageReport | None]:
    """Opens the daemon's store, wherever it is. ``url`` is where its page is, ``port`` where it listens, for daemons that share the store.

    Returns the store, and a report if its file was damaged. Raises StoreError, StoreUnreachable if trying again may help.
    """
    if isinstance(location, Path):
        return open_daemon_store(location, now, busy_timeout=LOCK_PATIENCE)
    import_driver(location)
    from monitor.store.postgresql import open_worker

    return open_worker(location, url=url, port=port), None


def open_daemon_store(
    path: Path, now: Instant, busy_timeout: Duration = 5 * SECOND
) -> tuple[SqliteStore, DamageReport | None]:
    """Opens the daemon's store and checks it. Replaces a damaged file with what could be read of it.

    Returns the store, and a report if its file was damaged. Raises StoreError.
    """
    refuse_place(path)
    used = beside(path, ".lock").exists()
    lock = DaemonLock(path)
    try:
        return _opened(path, now, lock, used, busy_timeout)
    except BaseException:
        lock.release(forget=not used)
        raise


def _opened(
    path: Path, now: Instant, lock: DaemonLock, used: bool, busy_timeout: Duration
) -> tuple[SqliteStore, DamageReport | None]:
    report = finish_recovery(path)
    try:
        if used and path.exists() and not path.stat().st_size:
            raise StoreDamaged(f"the store {path} is empty, although a daemon has worked on it")
        return _examined(path, lock, busy_timeout), report
    except StoreDamaged as damage:
        if not (used or _was_ours(path)):
            raise StoreDamaged(f"{str(damage).partition(';')[0]}; {_NOT_OURS}") from damage
        report = recover(path, now, str(damage))
    return open_sqlite(path, lock=lock, busy_timeout=busy_timeout), report


def _examined(path: Path, lock: DaemonLock, busy_timeout: Duration) -> SqliteStore:
    store = open_sqlite(path, lock=lock, busy_timeout=busy_timeout)
    try:
        store.examine(PATIENCE)
    except BaseException:
        store.abandon()
        raise
    return store


def _was_ours(path: Path) -> bool:
    """Returns whether the file says that this program made it, or mentions its tables, wherever the damage is."""
    rest = b""
    with path.open("rb") as file:
        begin = file.read(_APPLICATION_ID_AT + 4)
        if begin.startswith(_MAGIC) and begin[_APPLICATION_ID_AT:] == APPLICATION_ID.to_bytes(4):
            return True
        file.seek(0)
        while chunk := file.read(_CHUNK):
            if _OURS in rest + chunk:
                return True
            rest = chunk[-len(_OURS) :]
    return False
