"""Opens and locks a SQLite file, and explains its errors to people."""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from monitor.runtime.clock import SECOND, Duration
from monitor.runtime.errors import StoreDamaged, StoreError
from monitor.store.migrate import version

CACHE_KIB: Final = 256
"""The memory for pages of the store, which the system has in memory too. SQLite would take 2 MB, for rows that are written once and read at
the next start."""

CHECKPOINT_PAGES: Final = 2_000
"""SQLite's pages in the write-ahead log (8 MB) after which they are written to the file. That takes about 10 ms."""

_STEPS_BETWEEN: Final = 2_000
"""The number of SQLite's steps between two checks of the time: 0.2 ms or more. Each check waits for the interpreter's lock, which others have."""

_MEANING: Final = {
    sqlite3.SQLITE_BUSY: "is locked by another program; the daemon tries again; if it lasts, stop the program that holds the file",
    sqlite3.SQLITE_LOCKED: "is locked by another program; the daemon tries again; if it lasts, stop the program that holds the file",
    sqlite3.SQLITE_FULL: "cannot grow because its disk is full; free some space; nothing stored is lost",
    sqlite3.SQLITE_IOERR: "cannot be read or written because its disk reports an error ({name}); check the disk",
    sqlite3.SQLITE_NOTADB: "is not a SQLite database; move the file away or point `store` at another one",
    sqlite3.SQLITE_CORRUPT: "is damaged; restart the daemon, which moves the file aside and goes on, or restore a backup",
    sqlite3.SQLITE_READONLY: "cannot be written; check the owner and the permissions of the file and its folder",
    sqlite3.SQLITE_PERM: "may not be opened; check the owner and the permissions of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check the owner and the permissions of the file and its folder",
}


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into StoreError with a sentence for people, or StoreDamaged if the file itself is damaged."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        damaged = _code(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
        raise (StoreDamaged if damaged else StoreError)(_sentence(path, error)) from error


_OF_DAMAGE: Final = (
    "Could not decode to UTF-8",
    "no such column",
    "no such table",
    "no column named",
    "malformed database schema",
)
"""What the driver says of a text that is none, and SQLite of tables that are not as we made them: neither looks at these texts before."""


def _code(error: sqlite3.Error | UnicodeDecodeError) -> int:
    if isinstance(error, UnicodeDecodeError) or any(words in str(error) for words in _OF_DAMAGE):
        return sqlite3.SQLITE_CORRUPT
    # Errors of the driver itself (a closed connection) have no code.
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _sentence(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> str:
    meaning = _MEANING.get(_code(error), "cannot be used: {error}")
    return f"the store {path} " + meaning.format(name=getattr(error, "sqlite_errorname", "?"), error=error)


def connect(path: Path, *, read_only: bool, busy_timeout: Duration) -> sqlite3.Connection:
    """Opens a connection in autocommit mode and applies the settings. Raises StoreError, also for another program's file, which stays as it is, and
    StoreDamaged."""
    refuse_place(path, read_only=read_only)
    if not read_only and not path.exists():
        _create(path)
    address = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    connection = sqlite3.connect(
        address, uri=True, isolation_level=None, check_same_thread=False, timeout=busy_timeout / SECOND
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        if not read_only:
            version(connection, str(path))  # before anything of another program's file is changed
            _set_up(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def refuse_place(path: Path, *, read_only: bool = False) -> None:
    """Raises StoreError if there can be no store at ``path``. SQLite would only say "unable to open database file"."""
    if not path.parent.is_dir():
        raise StoreError(f"there is no folder {path.parent} for the store {path}: create it, or change `store`")
    if path.is_dir():
        raise StoreError(f"the store {path} is a folder: point `store` at a file")
    if read_only and not path.exists():
        raise StoreError(f"there is no store {path} yet: the daemon makes it when it starts")


def _create(path: Path) -> None:
    """Creates an empty file that only its owner can read. SQLite gives the files beside it the same permissions."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return  # another process has created it
    except OSError as error:
        raise StoreError(f"the store {path} cannot be created: {error.strerror}; check the folder's owner") from error


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(f"the store {path} cannot keep a write-ahead log; is it on a network drive? Use a local disk")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute("PRAGMA journal_size_limit = 67108864")


def beside(store: Path, suffix: str) -> Path:
    """Returns the path of the file beside the store whose name ends with the suffix."""
    return store.with_name(store.name + suffix)


def quick_check(connection: sqlite3.Connection, patience: Duration) -> str:
    """Returns the first fault that SQLite finds in the file's pages, in its words; empty if it finds none within ``patience``."""
    until = time.monotonic() + patience / SECOND
    connection.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS_BETWEEN)
    try:
        [(found,), *_] = connection.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.OperationalError as error:
        if _code(error) != sqlite3.SQLITE_INTERRUPT:
            raise
        return ""
    finally:
        connection.set_progress_handler(None, 0)
    return "" if found == "ok" else " ".join(str(found).split())


def lock_holder(store: Path) -> int | None:
    """Returns the process id of the daemon that works on a store; None if there is none, or if the kernel does not tell.

    It reads the kernel's list instead of trying the lock, since holding the lock even briefly could keep a daemon from starting.
    """
    path = beside(store, ".lock")
    try:
        status = path.stat()
        return holder_of(Path("/proc/locks").read_text("ascii"), status, path.read_text("ascii", "replace").strip())
    except OSError:
        return None


def holder_of(locks: str, file: os.stat_result, written: str) -> int | None:
    """Returns the process id that holds the lock of ``file``, by the text of /proc/locks; None if there is none.

    Some file systems (btrfs) have another device there than in a file's status. Then an entry with the same inode counts if its process is
    the one that is ``written`` in the file.
    """
    device, inode = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}", str(file.st_ino)
    for words in map(str.split, locks.splitlines()):
        if words[1:2] != ["FLOCK"]:
            continue
        on, _, number = words[5].rpartition(":")
        if number == inode and (on == device or words[4] == written):
            return int(words[4])
    return None


class DaemonLock:
    """The lock of the one daemon that works on a store. The kernel releases it when the process ends in any way."""

    def __init__(self, store: Path) -> None:
        # It is not on the database itself: closing a second descriptor of that would drop SQLite's own locks in this process.
        path = self.path = beside(store, ".lock")
        try:
            self._descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"the lock {path} cannot be opened: {error.strerror}; check the folder's owner") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            self.release()
            raise StoreError(f"another daemon (process {holder}) works on the store {store}: stop it first") from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self, *, forget: bool = False) -> None:
        """Releases the lock for another daemon; safe to call twice. ``forget`` also deletes the file that shows that a daemon was here."""
        if self._descriptor >= 0:
            if forget:
                self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1
