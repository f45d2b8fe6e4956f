"""The store in one SQLite file on one host. The commands open it for reading beside the daemon.

Alerts, groups, the outbox, receipts, silences and acknowledgements are on the disk before a call returns. A commit of only messages and
cursors may be lost in a power failure, but not in a crash of the program: those are fetched from Routee again.
"""

import json
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from monitor.model.alert import Alert, Transition
from monitor.model.notification import AlertView
from monitor.routing.acknowledgements import Ack
from monitor.routing.route import AggregationGroup
from monitor.runtime.clock import SECOND, Duration, Instant
from monitor.runtime.errors import StoreDamaged
from monitor.store import row_codec as rows
from monitor.store import statements
from monitor.store.migrate import migrate, require_current
from monitor.store.protocol import (
    BEGUN_KEPT,
    EVERY_NOTIFICATION,
    PRUNED_AT_ONCE,
    QUARANTINED_KEPT,
    SUPERSEDED,
    Commit,
    Cursor,
    Entry,
    NotificationFilter,
    NotificationRecord,
    OutboxRow,
    OutboxState,
    PastIncident,
    QuarantinedRecord,
    Retried,
    StoredState,
)
from monitor.store.salvage import Salvage, insert_salvaged
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


class SqliteStore:
    """A store in a SQLite file; `monitor.store.protocol.Store` describes the methods. Any thread may call it, one at a time."""

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
                account_states=rows.account_states(self._rows(statements.ACCOUNT_STATES)),
                rule_states=rows.rule_states(self._rows(statements.RULE_STATES)),
            )

    def entries(self, account: str) -> list[Entry]:
        return [Entry(*row) for row in self._rows(statements.ENTRIES, account)]

    def journal(self, account: str) -> Iterator[tuple[int, bytes]]:
        # A few blobs at a time, so that no open statement blocks a commit or a checkpoint.
        after = 0
        while blobs := self._rows(statements.JOURNAL, account, after, _JOURNAL_PAGE):
            yield from blobs
            after = blobs[-1][0]

    def commit(self, commit: Commit) -> list[int]:
        with self._writing(durable=rows.is_irreplaceable(commit)):
            sequences = self._write_window(commit)
            self._write_alerts(commit)
            self._write_edits(commit)
            self._many(statements.ENQUEUE, rows.outbox_values(commit.outbox))
            self._quarantine(commit.quarantined)
        return sequences

    def _write_window(self, commit: Commit) -> list[int]:
        for statement in statements.FORGET_WINDOW:
            self._many(statement, [(account,) for account in commit.forgotten])
        sequences = [self._connection.execute(statements.APPEND, row).lastrowid or 0 for row in commit.journal]
        self._many(statements.CLEAN, commit.cleaned)
        self._many(statements.DROP_ENTRY, commit.dropped_entries)
        self._many(statements.ENTRY, rows.entry_rows(commit.entries))
        self._many(statements.CURSOR, rows.cursor_rows(commit.cursors))
        self._many(statements.ACCOUNT_STATE, rows.account_state_values(commit.account_states))
        self._many(statements.DROP_RULE_STATE, commit.dropped_rule_states)
        self._many(statements.RULE_STATE, rows.rule_state_values(commit.rule_states))
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

    def _quarantine(self, quarantined: list[QuarantinedRecord]) -> None:
        for row in rows.quarantine_values(quarantined):
            if not self._connection.execute(statements.QUARANTINE_AGAIN, row).rowcount:
                self._connection.execute(statements.QUARANTINE, (*row, row[0]))
        if quarantined:
            self._connection.execute(statements.DROP_OLD_QUARANTINED, (QUARANTINED_KEPT,))

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
            return self._outbox_rows(statements.OUTBOX_ROWS, limit)
        return self._outbox_rows(statements.OUTBOX_ROWS_IN, state, limit)

    def history(self, limit: int = 100, since: Instant = 0) -> list[NotificationRecord]:
        return self.notifications(NotificationFilter(since=since), limit)

    def notifications(
        self, wanted: NotificationFilter = EVERY_NOTIFICATION, limit: int = 100, offset: int = 0
    ) -> list[NotificationRecord]:
        where, values = _conditions(wanted)
        found = self._rows(statements.HISTORY.format(where), *values, limit, offset)
        return [rows.notification_record(row) for row in found]

    def count_notifications(self, wanted: NotificationFilter = EVERY_NOTIFICATION) -> int:
        where, values = _conditions(wanted)
        return int(self._rows(statements.HISTORY_COUNT.format(where), *values)[0][0])

    def last_view(self, fingerprint: str) -> AlertView | None:
        found = self._rows(statements.VIEW_OF, fingerprint)
        return rows.alert_view(found[0][0], fingerprint) if found else None

    def head_view(self, fingerprint: str, incident: str) -> AlertView | None:
        found = self._rows(statements.HEAD_VIEW, fingerprint, incident)
        return rows.head_view(found[0][0]) if found else None

    def last_sent(self) -> dict[tuple[str, str], Instant]:
        found = {}
        for here in self._rows(statements.CHANNELS):
            for (at,) in self._rows(statements.LAST_SENT, *here, _NOT_SENT):
                found[here] = at
        return found

    def dead_letters(self) -> dict[tuple[str, str], int]:
        return {(receiver, channel): count for receiver, channel, count in self._rows(statements.DEAD)}

    def retry_dead(
        self, wanted: NotificationFilter = EVERY_NOTIFICATION, outbox_row: int | None = None, most: int = 1000
    ) -> Retried:
        where, values = _conditions(replace(wanted, outcome="dead"))
        if outbox_row is not None:
            where, values = f"{where} AND id = ?", [*values, outbox_row]
        with self._writing():
            superseded = self._gone(statements.SUPERSEDE_DEAD.format(where), SUPERSEDED, *values, most)
            waiting = self._gone(statements.RETRY_DEAD.format(where), *values, most - superseded)
        return Retried(waiting, superseded)

    def backlog(self) -> dict[tuple[str, str], tuple[int, Instant]]:
        found = self._rows(statements.BACKLOG)
        return {(receiver, channel): (count, oldest) for receiver, channel, count, oldest in found}

    def transitions(self, limit: int = 100) -> list[Transition]:
        return [rows.transition(row) for row in self._rows(statements.TRANSITIONS, limit)]

    def transitions_of(self, fingerprint: str, limit: int = 100) -> list[Transition]:
        return [rows.transition(row) for row in self._rows(statements.TRANSITIONS_OF, fingerprint, limit)]

    def begun_in(self, incident: str, limit: int = 100) -> list[Transition]:
        return [rows.transition(row) for row in self._rows(statements.BEGUN_IN, incident, limit)]

    def incidents(self, limit: int = 100, offset: int = 0) -> list[PastIncident]:
        return [PastIncident(*row) for row in self._rows(statements.INCIDENTS, limit, offset)]

    def incident(self, incident: str) -> PastIncident | None:
        return next((PastIncident(*row) for row in self._rows(statements.INCIDENT, incident)), None)

    def count_incidents(self) -> int:
        return int(self._rows(statements.INCIDENT_COUNT)[0][0])

    def quarantined(self, limit: int = 100) -> list[QuarantinedRecord]:
        return [QuarantinedRecord(*row) for row in self._rows(statements.QUARANTINED, limit)]

    def counts(self) -> dict[str, int]:
        return {"waiting": 0, "sent": 0, "dead": 0} | dict(self._rows(statements.COUNTS))

    def prune(self, before: Instant, history_before: Instant, most: int = PRUNED_AT_ONCE) -> int:
        with self._writing(durable=False):
            gone = self._gone(statements.PRUNE_OUTBOX, history_before, _NOT_SENT, _NOT_SENT, most)
            gone += self._gone(statements.PRUNE_TRANSITIONS, history_before, most)
            return gone + sum(self._gone(statement, before, most) for statement in statements.PRUNE_OLD)

    def copy_to(self, target: sqlite3.Connection, pages: int, progress: Callable[[int, int], None]) -> None:
        """Copies the whole file as it is at one moment, ``pages`` at a time. ``progress`` gets the pages left and the pages in all."""
        # In one reading transaction, so that the daemon's commits do not restart the copy.
        with explained(self.path), self.snapshot():
            self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            self._connection.backup(target, pages=pages, progress=lambda _, left, total: progress(left, total), sleep=0)

    def take_over(self, kept: Salvage) -> None:
        """Writes the rows that were recovered from another file."""
        with explained(self.path):
            insert_salvaged(kept, self._connection)

    def abandon(self) -> None:
        """Closes the file but keeps the daemon's lock, as another file replaces it."""
        with explained(self.path):
            self._connection.close()

    def examine(self, patience: Duration) -> None:
        """Checks the file with SQLite's quick check, for at most ``patience``, and by reading the stored values and waiting notifications.

        Raises StoreDamaged.
        """
        with explained(self.path):
            found = quick_check(self._connection, patience)
        if found:
            raise StoreDamaged(f"the store {self.path} is damaged: {found}")
        self.load()
        self._outbox_rows(statements.OUTBOX_ROWS_IN, "waiting", -1)

    def _gone(self, statement: str, *values: str | int) -> int:
        return self._connection.execute(statement, values).rowcount

    @contextmanager
    def _writing(self, durable: bool = True) -> Iterator[None]:
        """Runs one transaction. With ``durable`` the data is on the disk before it ends."""
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


def _conditions(wanted: NotificationFilter) -> tuple[str, list[str | int]]:
    """Returns the SQL of a filter and the values of its parameters."""
    given = {name: value for name, value in asdict(wanted).items() if value is not None}
    outcome = given.pop("outcome", None)
    found = [statements.CONDITIONS[name] for name in given]
    values = [value for name, value in given.items() for _ in range(statements.CONDITIONS[name].count("?"))]
    if outcome is not None:
        found.append(statements.OUTCOMES[outcome])
        values += [_NOT_SENT] if outcome in ("sent", "superseded") else []
    return " AND ".join(found) or "TRUE", values
