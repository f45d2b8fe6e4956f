"""The store in one SQLite file on one host. The commands open it for reading beside the daemon.

Alerts, groups, the outbox, receipts, silences and acknowledgements are on the disk before a call returns. A commit of only messages and
cursors may be lost in a power failure, but not in a crash of the program: those are fetched from Routee again.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import msgspec

from monitor.runtime.clock import SECOND, Duration
from monitor.runtime.errors import DecidedTooLate, StoreDamaged
from monitor.store import row_codec as rows
from monitor.store import statements
from monitor.store.migrate import lacking, migrate, require_current
from monitor.store.protocol import BEFORE_ALL_TEXTS, Commit, Entry, Texts
from monitor.store.salvage import Salvage, insert_salvaged
from monitor.store.sql_store import ENTRIES_PAGE, SqlStore, Table
from monitor.store.sqlite_file import DaemonLock, connect, explained, quick_check

_NUL: Final = "\0"
"""Ends a text for SQLite where it is in JSON."""

_texts: Final = msgspec.json.Decoder(list[str])


def open_sqlite(
    path: str | Path,
    *,
    read_only: bool = False,
    exclusive: bool = False,
    lock: DaemonLock | None = None,
    busy_timeout: Duration = 5 * SECOND,
) -> "SqliteStore":
    """Opens the store in ``path`` and brings its tables up to date. Creates a missing file (mode 0600), but not its folder.

    ``exclusive`` takes the daemon's lock and fails if another process holds it. A ``lock`` that the caller holds is released with the
    store. ``read_only`` changes nothing and works beside a daemon. ``busy_timeout`` is how long to wait for another program's lock on
    the file. Raises StoreError, and StoreDamaged if the file is damaged.
    """
    path = Path(path)
    with explained(path):
        connection = connect(path, read_only=read_only, busy_timeout=busy_timeout)
        taken = None
        try:
            taken = DaemonLock(path) if exclusive else None
            (require_current if read_only else migrate)(connection, str(path))
        except BaseException:
            connection.close()
            if taken:
                taken.release()
            raise
    return SqliteStore(path, connection, lock or taken)


class SqliteStore(SqlStore):
    """A store in a SQLite file; `monitor.store.protocol.Store` describes the methods. Any thread may call it, one at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: DaemonLock | None = None) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        self._edits = 0

    @property
    def _revision(self) -> str:
        return f"SELECT {self._edits}"

    def commit(self, commit: Commit) -> list[int]:
        if commit.edits and commit.decided_on not in (None, self._edits):
            raise DecidedTooLate
        numbers = super().commit(commit)
        self._edits += commit.edits
        return numbers

    def close(self) -> None:
        with explained(self.path):
            self._connection.close()
        if self._lock:
            self._lock.release()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with explained(self.path):
            nested = self._connection.in_transaction
            if not nested:
                self._connection.execute("BEGIN")
        if nested:  # the outer snapshot applies
            yield
            return
        try:
            yield
        finally:
            self._undo()

    def texts_page(self, account: str, after: tuple[str, int] = BEFORE_ALL_TEXTS) -> list[Texts]:
        # As JSON, which SQLite makes without the interpreter's lock: row by row it is taken and given back each time.
        found: list[Texts] = []
        field, code = after
        left = ENTRIES_PAGE
        while left:
            ((count, last, values),) = self._rows(statements.TEXTS, account, field, code, left)
            if count:
                found.append(Texts(field, last, _texts.decode(values)))
            if count < left:
                ((field,),), code = self._rows(statements.NEXT_FIELD, account, field), -1
                if field is None:
                    break
            left -= count
        return found

    def copy_to(self, target: sqlite3.Connection, pages: int, progress: Callable[[int, int], None]) -> None:
        """Copies the whole file as it is at one moment, ``pages`` at a time. ``progress`` gets the pages left and the pages in all."""
        # In one reading transaction, so that the daemon's commits do not restart the copy.
        with explained(self.path), self.snapshot():
            self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            self._connection.backup(target, pages=pages, progress=lambda _, left, total: progress(left, total), sleep=0)

    def read_table(self, table: Table) -> Iterator[list[rows.Row]]:
        with explained(self.path):
            cursor = self._connection.execute(table.select)
            while batch := cursor.fetchmany(table.batch):
                yield batch

    def last_number(self, name: str) -> int:
        return next((int(number) for (number,) in self._rows(statements.LAST_NUMBER, name)), 0)

    def set_last_number(self, name: str, number: int) -> None:
        if number and not self._run(statements.SET_LAST_NUMBER, (number, name)):
            self._run(statements.NEW_LAST_NUMBER, (number, name))

    def set_ever_quarantined(self, number: int) -> None:
        # Nothing refers to these numbers, of which the last one says how many there were.
        places = [rowid for (rowid,) in self._rows("SELECT id FROM aside ORDER BY id DESC")]
        above = number - (places[0] if places else 0)
        for rowid in places:  # the last one first, so that no two have the same number
            self._run("UPDATE aside SET id = ? WHERE id = ?", (rowid + above, rowid))
        self.set_last_number("aside", number)

    def take_over(self, kept: Salvage) -> None:
        """Writes the rows that were recovered from another file, without a write-ahead log: closing the file would say nothing of one that could not
        be written to it. Raises StoreError."""
        with explained(self.path):
            self._connection.execute("PRAGMA journal_mode = DELETE")
            insert_salvaged(kept, self._connection)

    def abandon(self) -> None:
        """Closes the file but keeps the daemon's lock, as another file replaces it."""
        with explained(self.path):
            self._connection.close()

    def examine(self, patience: Duration) -> None:
        """Checks the file with SQLite's quick check, for at most ``patience``, and by reading what is read at the start and later on.

        Raises StoreDamaged.
        """
        with explained(self.path):
            found = quick_check(self._connection, patience) or lacking(self._connection)
        if found:
            raise StoreDamaged(f"the store {self.path} is damaged: {found}")
        self.load()
        self._outbox_rows(statements.OUTBOX_ROWS_IN, "waiting", -1)
        if not all(isinstance(value, bytes) for (value,) in self._rows(statements.BLOB_KEYS)):
            raise StoreDamaged(f"the store {self.path} is damaged: one of its keys is none")
        with explained(self.path):
            for query in statements.TEXTS_OF_HISTORY:
                for _ in self._connection.execute(query):
                    pass

    def _run(self, statement: str, values: Sequence[Any]) -> int:
        return self._connection.execute(statement, values).rowcount

    def _append(self, row: tuple[str, bytes]) -> Callable[[], int]:
        number = self._connection.execute(statements.APPEND, row).lastrowid or 0
        return lambda: number

    def _put_entries(self, entries: Sequence[Entry]) -> None:
        # As JSON, for the same reason as in `texts_page`.
        for (account, field), some in groupby(entries, itemgetter(0, 1)):
            values = rows.entry_rows(list(some))
            codes, texts = [code for _, _, code, _ in values], [text for _, _, _, text in values]
            first = codes[0]
            if codes == list(range(first, first + len(codes))) and _NUL not in "".join(texts):
                self._run(statements.FOLLOWING_ENTRIES, (account, field, first, msgspec.json.encode(texts).decode()))
            else:
                self._many(statements.ENTRY, values)

    @contextmanager
    def _writing(self, durable: bool = True, repeatable: bool = True) -> Iterator[None]:
        with explained(self.path):
            self._connection.execute("PRAGMA synchronous = " + ("FULL" if durable else "NORMAL"))
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._undo()
                raise

    def _undo(self) -> None:
        """Rolls back the transaction unless SQLite already did (as on a full disk)."""
        with explained(self.path):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _many(self, statement: str, values: Sequence[rows.Row]) -> None:
        if values:
            self._connection.executemany(statement, values)

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with explained(self.path):
            return self._connection.execute(query, values).fetchall()
