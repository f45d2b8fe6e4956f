"""Copies the store with SQLite's backup while the daemon uses it. The copy is checked before it gets its final name."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from monitor.runtime.clock import MINUTE, Duration
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreError
from monitor.store.sqlite import open_sqlite
from monitor.store.sqlite_file import beside, explained, quick_check

PAGES: Final = 2_000
"""The number of pages (8 MB) that one step copies."""
PATIENCE: Final[Duration] = 10 * MINUTE
"""The longest that the check of a copy may take."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished copy."""

    path: Path
    size: int
    """Size of the copy in bytes."""


def _quiet(left: int, total: int) -> None:
    pass


def back_up(store: Path, target: Path, *, force: bool = False, progress: Callable[[int, int], None] = _quiet) -> Backup:
    """Copies the store as it is at one moment to ``target``, readable by its owner only. Raises StoreError; then there is no copy.

    The daemon keeps running. An existing file is replaced only with ``force``, and only by an intact copy. ``progress`` gets the pages
    that are left and the pages in all.
    """
    _refuse(store, target, force=force)
    with closing(open_sqlite(store, read_only=True)) as source, _writing(target) as partial:
        _copy(source.copy_to, partial, progress)
        _check(partial)
        partial.chmod(0o600)
        partial.replace(target)
    return Backup(target, target.stat().st_size)


@contextmanager
def _writing(target: Path) -> Iterator[Path]:
    """Yields the path of an unfinished copy, which is deleted at the end. Raises StoreError if it cannot be written."""
    partial = beside(target, f".partial-{os.getpid()}")
    try:
        yield partial
    except OSError as error:
        raise StoreError(f"the backup {target} cannot be written: {error.strerror}") from error
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            beside(partial, suffix).unlink(missing_ok=True)


def _refuse(store: Path, target: Path, *, force: bool) -> None:
    if not target.parent.is_dir():
        raise StoreError(f"there is no folder {target.parent} for the backup: create it, or name another file")
    if target.is_dir():
        raise StoreError(f"{target} is a folder: name the file that the backup is written to")
    if target.exists() and store.exists() and target.samefile(store):
        raise StoreError(f"{target} is the store itself: name another file")
    if target.exists() and not force:
        raise StoreError(f"{target} is there already: name another file, or replace it with --force")


def _copy(copy_to: Callable[..., None], partial: Path, progress: Callable[[int, int], None]) -> None:
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with explained(partial), closing(sqlite3.connect(partial, isolation_level=None)) as target:
        copy_to(target, PAGES, progress)
        target.execute("PRAGMA journal_mode = DELETE")  # a single file without a write-ahead log


def _check(partial: Path) -> None:
    with explained(partial), closing(sqlite3.connect(f"{partial.as_uri()}?mode=ro", uri=True)) as copy:
        found = quick_check(copy, PATIENCE)
    if found:
        raise StoreError(f"the copy is not whole ({found}), so there is no backup: is the store damaged, or the disk?")
    with partial.open("rb") as file:
        os.fsync(file.fileno())
