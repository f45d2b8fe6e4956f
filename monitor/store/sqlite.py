"""The store in one SQLite file: for one host. Readers (the commands) open it beside the daemon.

What tells people something (alerts, groups, outbox, receipts) is on the disk before a call returns. A commit that carries only
messages and cursors may be undone by a power failure (never by a crash of the program): those are asked of Routee again.
"""

import json
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from monitor.model.alert import Alert, Transition
from monitor.routing.acknowledgements import Ack
from monitor.routing.route import AggregationGroup
from monitor.runtime.clock import SECOND, Duration, Instant
from monitor.runtime.errors import StoreDamaged
from monitor.store import row_codec as rows
from monitor.store import statements
from monitor.store.migrate import migrate, require_current
from monitor.store.protocol import (
    ASIDES_KEPT,
    BEGUN_KEPT,
    PRUNED_AT_ONCE,
    SUPERSEDED,
    Commit,
    Cursor,
    Entry,
    NotificationRecord,
    OutboxRow,
    OutboxState,
    QuarantinedRecord,
    StoredState,
)
from monitor.store.salvage import Salvage, pour
from monitor.store.sqlite_file import DaemonLock, connect, explained, quick_check

_JOURNAL_PAGE: Final = 4
_NOT_SENT: Final = json.dumps({SUPERSEDED: ""})[:-2] + "%"


def open_sqlite(
    path: str | Path,
    *,
    read_only: bool = False,
    exclusive: bool = False,
    lock: DaemonLock | None = None,
    busy_timeout: Duration = 5 * SECOND,
) -> "SqliteStore":
    """Open the store in ``path`` and bring its tables up to date; made (mode 0600) where it is not there, unlike its folder.

    ``exclusive`` is for the daemon: a second one is refused; a ``lock`` that is held already is let go with the store.
    ``read_only`` changes nothing and works beside it. Another program's lock is waited for during ``busy_timeout``. Raises
    StoreError, and StoreDamaged where the file is none of ours any more.
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


class SqliteStore:
    """See `monitor.store.protocol.Store`. Any thread may call it, one at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: DaemonLock | None = None) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock

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

    def secret(self, name: str) -> bytes:
        found = self._rows(statements.KEY, name)
        if not found:
            with self._writing():
                self._connection.execute(statements.NEW_KEY, (name, secrets.token_bytes(32)))
            found = self._rows(statements.KEY, name)
        return bytes(found[0][0])

    def load(self) -> StoredState:
        with self.snapshot():
            silences, unusable = rows.silences(self._rows(statements.SILENCES))
            return StoredState(
                cursors=rows.structs(Cursor, self._rows(statements.CURSORS)),
                alerts=rows.structs(Alert, self._rows(statements.ALERTS)),
                groups=rows.structs(AggregationGroup, self._rows(statements.GROUPS)),
                silences=silences,
                unusable=unusable,
                acks=rows.structs(Ack, self._rows(statements.ACKS)),
                begun=self._rows(statements.BEGUN, BEGUN_KEPT),
                facts=rows.facts(self._rows(statements.FACTS)),
            )

    def entries(self, account: str) -> list[Entry]:
        return [Entry(*row) for row in self._rows(statements.ENTRIES, account)]

    def journal(self, account: str) -> Iterator[tuple[int, bytes]]:
        # Page by page, so that no statement stays open in which a commit or a checkpoint would get stuck.
        after = 0
        while blobs := self._rows(statements.JOURNAL, account, after, _JOURNAL_PAGE):
            yield from blobs
            after = blobs[-1][0]

    def commit(self, commit: Commit) -> list[int]:
        with self._writing(durable=rows.tells(commit)):
            sequences = self._write_window(commit)
            self._write_alerts(commit)
            self._write_edits(commit)
            self._many(statements.ENQUEUE, rows.outbox_values(commit.outbox))
            self._set_aside(commit.asides)
        return sequences

    def _write_window(self, commit: Commit) -> list[int]:
        for statement in statements.FORGET_WINDOW:
            self._many(statement, [(account,) for account in commit.forgotten])
        sequences = [self._connection.execute(statements.APPEND, row).lastrowid or 0 for row in commit.journal]
        self._many(statements.CLEAN, commit.cleaned)
        self._many(statements.DROP_ENTRY, commit.dropped_entries)
        self._many(statements.ENTRY, rows.entry_rows(commit.entries))
        self._many(statements.CURSOR, rows.cursor_rows(commit.cursors))
        self._many(statements.FACT, rows.account_state_values(commit.facts))
        return sequences

    def _write_alerts(self, commit: Commit) -> None:
        self._many(statements.DROP_ALERT, [(fingerprint,) for fingerprint in commit.dropped_alerts])
        self._many(statements.ALERT, rows.alert_rows(commit.alerts))
        self._many(statements.TRANSITION, rows.transition_rows(commit.transitions))
        self._many(statements.DROP_GROUP, commit.dropped_groups)
        self._many(statements.GROUP, rows.group_rows(commit.groups))

    def _write_edits(self, commit: Commit) -> None:
        self._many(statements.DROP_SILENCE, [(one,) for one in commit.dropped_silences])
        self._many(statements.SILENCE, rows.silence_rows(commit.silences))
        self._many(statements.DROP_ACK, [(one,) for one in commit.dropped_acks])
        self._many(statements.ACK, rows.ack_rows(commit.acks))

    def _set_aside(self, asides: list[QuarantinedRecord]) -> None:
        for row in rows.quarantine_values(asides):
            if not self._connection.execute(statements.ASIDE_AGAIN, row).rowcount:
                self._connection.execute(statements.ASIDE, (*row, row[0]))
        if asides:
            self._connection.execute(statements.DROP_OLD_ASIDES, (ASIDES_KEPT,))

    def waiting(self, receiver: str, channel: str, limit: int) -> list[OutboxRow]:
        return self._outbox_rows(statements.WAITING, receiver, channel, limit)

    def heads(self, receiver: str, channel: str, limit: int) -> list[OutboxRow]:
        return self._outbox_rows(statements.HEADS, receiver, channel, limit)

    def successor(self, outbox_row: int) -> str | None:
        newer = self._rows(statements.SUCCESSOR, outbox_row)
        return str(newer[0][0]) if newer else None

    def sent(self, outbox_row: int, receipt: dict[str, str], at: Instant) -> None:
        self._write(statements.SENT, json.dumps(receipt), at, outbox_row)

    def postponed(self, outbox_row: int, error: str, next_at: Instant) -> None:
        self._write(statements.POSTPONED, rows.writable(error), next_at, outbox_row)

    def rejected(self, outbox_row: int, error: str, at: Instant) -> None:
        self._write(statements.REJECTED, rows.writable(error), at, outbox_row)

    def receipt(self, receiver: str, channel: str, episode: str) -> dict[str, str] | None:
        first = self._rows(statements.RECEIPT, receiver, channel, episode, _NOT_SENT)
        return dict(json.loads(first[0][0])) if first else None

    def outbox_rows(self, state: OutboxState | None = None, limit: int = 100) -> list[OutboxRow]:
        if state is None:
            return self._outbox_rows(statements.PARCELS, limit)
        return self._outbox_rows(statements.PARCELS_IN, state, limit)

    def history(self, limit: int = 100, since: Instant = 0) -> list[NotificationRecord]:
        return [rows.notification_record(row) for row in self._rows(statements.HISTORY, since, limit)]

    def backlog(self) -> dict[tuple[str, str], tuple[int, Instant]]:
        found = self._rows(statements.BACKLOG)
        return {(receiver, channel): (count, oldest) for receiver, channel, count, oldest in found}

    def transitions(self, limit: int = 100) -> list[Transition]:
        return [rows.transition(row) for row in self._rows(statements.TRANSITIONS, limit)]

    def asides(self, limit: int = 100) -> list[QuarantinedRecord]:
        return [QuarantinedRecord(*row) for row in self._rows(statements.ASIDES, limit)]

    def counts(self) -> dict[str, int]:
        return {"waiting": 0, "sent": 0, "dead": 0} | dict(self._rows(statements.COUNTS))

    def prune(self, before: Instant, told_before: Instant, most: int = PRUNED_AT_ONCE) -> int:
        with self._writing(durable=False):
            gone = self._gone(statements.PRUNE_PARCELS, told_before, _NOT_SENT, _NOT_SENT, most)
            gone += self._gone(statements.PRUNE_TRANSITIONS, told_before, most)
            return gone + sum(self._gone(statement, before, most) for statement in statements.PRUNE_OLD)

    def copy_to(self, target: sqlite3.Connection, pages: int, progress: Callable[[int, int], None]) -> None:
        """Copy the whole file as it is at one moment, ``pages`` at a time; ``progress`` hears how many are left, and of how many."""
        # Within one reading transaction, so that what the daemon writes meanwhile does not make the copy begin anew.
        with explained(self.path), self.snapshot():
            self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            self._connection.backup(target, pages=pages, progress=lambda _, left, total: progress(left, total), sleep=0)

    def take_over(self, kept: Salvage) -> None:
        """Writes what was recovered from another file."""
        with explained(self.path):
            pour(kept, self._connection)

    def abandon(self) -> None:
        """Closes the file but keeps the daemon's lock, as another file replaces it."""
        with explained(self.path):
            self._connection.close()

    def examine(self, patience: Duration) -> None:
        """Look whether it is whole: SQLite's own quick check, for so long at most, and whether the latest values can be read.

        Raises StoreDamaged.
        """
        with explained(self.path):
            found = quick_check(self._connection, patience)
        if found:
            raise StoreDamaged(f"the store {self.path} is damaged: {found}")
        self.load()
        self._outbox_rows(statements.PARCELS_IN, "waiting", -1)

    def _gone(self, statement: str, *values: str | int) -> int:
        return self._connection.execute(statement, values).rowcount

    @contextmanager
    def _writing(self, durable: bool = True) -> Iterator[None]:
        """Runs one transaction. ``durable``: the data is on the disk before it ends."""
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

    def _write(self, statement: str, *values: str | int) -> None:
        with self._writing():
            self._connection.execute(statement, values)

    def _many(self, statement: str, values: Sequence[rows.Row]) -> None:
        if values:
            self._connection.executemany(statement, values)

    def _rows(self, query: str, *values: str | int) -> list[Any]:
        with explained(self.path):
            return self._connection.execute(query, values).fetchall()

    def _outbox_rows(self, query: str, *values: str | int) -> list[OutboxRow]:
        return [rows.outbox_row(row) for row in self._rows(query, *values)]
