"""A session with PostgreSQL that comes back when it is lost, and the lock of the one daemon that works on a database.

The lock belongs to the connection on which the daemon writes: where the lock is lost, no commit is possible. Each commit leaves a mark
in the database. A daemon that connects again compares it with the mark that it left last. So it knows whether a commit was made whose
answer it did not get, and whether anything else happened meanwhile: another daemon, or a standby that lacks the last commits. A standby is
not the store as long as it is one.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, TypeVar

import psycopg

from monitor.runtime.clock import SECOND
from monitor.runtime.errors import StoreError, StoreOutdated, StoreUnreachable
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.postgresql_connection import (
    BoundedConnection,
    PostgresqlLimits,
    allow_transfer,
    connect,
    own_name,
)
from monitor.store.postgresql_errors import explained
from monitor.store.postgresql_migrate import migrate, require_current

_LOCK: Final = (0x524D4F4E, 1)
"""The two numbers of the daemon's advisory lock, which is one in each database."""
_HOLDER: Final = """
    SELECT pid, coalesce(application_name, ''), coalesce(wait_event, ''), coalesce(state = 'active' AND query = 'COMMIT', FALSE)
    FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND classid = %s AND objid = %s AND objsubid = 2
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
_WAITS_FOR_STANDBY: Final = (
    "waits with a commit for its synchronous standby, which does not answer: bring the standby back, or take it out of "
    "synchronous_standby_names; the daemon tries again"
)

T = TypeVar("T")


class PostgresqlSession:
    """One connection. If it is lost, the next call connects again."""

    def __init__(
        self, address: PostgresqlAddress, limits: PostgresqlLimits, *, read_only: bool, exclusive: bool
    ) -> None:
        """Connects. ``exclusive`` takes the daemon's lock. Raises StoreError, and StoreOutdated never."""
        self.address = address
        self.in_transaction = False
        self._limits, self._read_only, self._exclusive = limits, read_only, exclusive
        self._mark = self._unknown = ""
        self._outdated: StoreOutdated | None = None
        self._is_closed = False
        self._failure, self._failing_until = "", 0.0
        connection = connect(address, limits, read_only=read_only, primary=exclusive)
        self._connection, self._process = connection, connection.info.backend_pid
        try:
            with self._explained():
                if exclusive:  # first, so that no tables are changed below a running daemon
                    self._take_lock(connection)
                (require_current if read_only else migrate)(connection, address)
                if exclusive:
                    self._mark = secrets.token_hex(16)
                    self._write_mark(connection, self._mark)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Closes the connection, which releases the lock; safe to call twice."""
        self._is_closed = True
        self._connection.close()

    def read(self, call: Callable[[BoundedConnection], T]) -> T:
        """Runs ``call``, which only reads; outside a transaction once more if the connection was lost. Raises StoreError."""
        if self.in_transaction:
            with self._explained():
                return call(self._connection)
        return self._twice(call)

    def read_much(self, call: Callable[[BoundedConnection], T]) -> T:
        """As `read`, for a call that may read megabytes."""

        def within_transaction(connection: BoundedConnection) -> T:
            with connection.transaction():
                allow_transfer(connection, self._limits)
                return call(connection)

        return self.read(within_transaction)

    def write_much(self, connection: BoundedConnection) -> None:
        """Lets the present transaction write megabytes in one statement."""
        allow_transfer(connection, self._limits)

    def stream(self, query: str, batch: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yields the rows of a query, ``batch`` at a time, within a transaction. Raises StoreError."""
        with self._explained(), self._connection.cursor("stream", binary=True) as cursor:
            cursor.execute(query.encode())
            while found := cursor.fetchmany(batch):
                yield found

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Begins a transaction that sees one moment and cannot write. Raises StoreError."""
        self._begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            with self._explained():
                allow_transfer(self._connection, self._limits)
            yield
        finally:
            self._roll_back()

    @contextmanager
    def transaction(self, *, marked: bool) -> Iterator[BoundedConnection]:
        """Commits at the end of the block. Raises StoreError; then nothing was written, if the transaction is ``marked``.

        A daemon's ``marked`` transaction leaves its mark. If the connection is cut while it is committed, it is found out at once whether
        it was; if that is impossible, the caller has to take it as not committed, and `StoreOutdated` follows if it was.
        """
        if self.in_transaction:
            raise StoreError(f"the store {self.address} cannot be written within a snapshot")
        self._begin("BEGIN")
        mark = secrets.token_hex(16) if marked and self._exclusive else ""
        try:
            with self._explained():
                yield self._connection
                if mark:
                    self._write_mark(self._connection, mark)
        except BaseException:
            self._roll_back()
            raise
        self._commit(mark)

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self.address, tries_again=self._limits.tries_again)

    def _begin(self, statement: str) -> None:
        self._twice(lambda connection: connection.execute(statement, prepare=False))
        self.in_transaction = True

    def _roll_back(self) -> None:
        self.in_transaction = False
        try:
            self._connection.execute("ROLLBACK", prepare=False)
        except psycopg.Error:
            self._connection.close()  # the server rolls back; the next call connects again

    def _commit(self, mark: str) -> None:
        self.in_transaction = False
        self._unknown = mark
        try:
            with self._explained():
                done = self._connection.execute("COMMIT", prepare=False)
            if done.statusmessage != "COMMIT":  # the server's word for a transaction that it had given up before
                raise StoreError(f"the store {self.address} did not make the commit; the daemon tries again")
        except StoreError:
            if self._is_lost() and mark:
                self._resolve(mark)
                return
            self._unknown = ""
            self._roll_back()
            raise
        self._mark, self._unknown = mark or self._mark, ""

    def _resolve(self, mark: str) -> None:
        """Finds out whether the transaction that left ``mark`` was committed. Raises StoreError if it was not, or if nobody knows yet."""
        try:
            found = self._connect_again()
        except StoreError as error:
            raise StoreError(f"{error}; whether the last commit was made is not known yet") from None
        if found == mark:
            self._mark, self._unknown = mark, ""
            return
        self._check_mark(found)
        raise StoreError(
            f"the store {self.address} lost the connection before the commit was made; the daemon tries again"
        )

    def _twice(self, call: Callable[[BoundedConnection], T]) -> T:
        """Runs ``call``, and once more on a new connection if the present one turns out to be lost. Raises StoreError."""
        self._ready()
        try:
            with self._explained():
                return call(self._connection)
        except StoreError:
            if not self._is_lost():
                raise
        self._ready()
        with self._explained():
            return call(self._connection)

    def _ready(self) -> None:
        """Connects again if the connection is lost. Raises StoreError, or StoreOutdated for ever from the first time on."""
        if self._is_closed:
            raise StoreError(f"the store {self.address} is closed")
        if self._outdated is not None:
            raise self._outdated
        if not self._is_lost():
            return
        if time.monotonic() < self._failing_until:
            raise StoreError(self._failure)
        self._check_mark(self._connect_again())

    def _connect_again(self) -> str:
        """Makes a new connection the present one. Returns the mark in the database, empty for who has no lock. Raises StoreError."""
        try:
            connection = connect(self.address, self._limits, read_only=self._read_only, primary=self._exclusive)
            with self._explained():
                found = self._locked(connection) if self._exclusive else ""
        except StoreError as error:
            self._failure, self._failing_until = str(error), time.monotonic() + self._limits.pause / SECOND
            raise
        self._connection, self._process = connection, connection.info.backend_pid
        return found

    def _is_lost(self) -> bool:
        return self._connection.closed

    def _locked(self, connection: BoundedConnection) -> str:
        """Takes the lock again, ending what the server still has of the lost connection. Returns the mark in the database.

        A standby in recovery gives the lock too, and may have this daemon's last mark, but a later commit may still arrive there.
        """
        try:
            # By its name too: after a restart of the server another daemon's session may have the same number.
            ours = (self._process, own_name())
            for *holder, _, is_committing in connection.execute(_HOLDER, _LOCK).fetchall():
                # What it was doing is committed or rolled back before the lock is free. A commit is left alone: it would no longer wait
                # for its synchronous standby, and look as if it had.
                if tuple(holder) == ours and not is_committing:
                    connection.execute("SELECT pg_terminate_backend(%s)", ours[:1])
            self._take_lock(connection)
            row = connection.execute("SELECT last_commit, pg_is_in_recovery() FROM store_state").fetchone()
            if row and row[1]:
                raise StoreUnreachable(f"the store {self.address} is on a standby: point `store` at the primary")
        except BaseException:
            connection.close()
            raise
        return str(row[0]) if row else ""

    def _check_mark(self, found: str) -> None:
        """Raises StoreOutdated if the database is not as this daemon left it, or has a commit that the daemon took for failed."""
        self._unknown = self._unknown if found == self._unknown else ""
        if found == self._mark:
            return
        if found and found == self._unknown:
            why = "a commit was made whose answer got lost together with the connection"
        else:
            why = "another daemon worked on it, or another server took over that lacks the last commits"
        self._outdated = StoreOutdated(
            f"the store {self.address} is not as this daemon left it: {why}; the daemon ends, and reads the store when it starts again"
        )
        self._connection.close()
        raise self._outdated

    def _take_lock(self, connection: BoundedConnection) -> None:
        """Waits for the lock for as long as a lock is waited for. Raises StoreError if another process holds it."""
        try:
            connection.execute("SELECT pg_advisory_lock(%s, %s)", _LOCK)
        except psycopg.errors.LockNotAvailable:
            found = connection.execute(_HOLDER, _LOCK).fetchall()
            if any(event == "SyncRep" for _, _, event, _ in found):
                raise StoreUnreachable(f"the store {self.address} {_WAITS_FOR_STANDBY}") from None
            if any(tuple(holder) == (self._process, own_name()) for *holder, _, _ in found):
                raise StoreError(
                    f"the store {self.address} is still busy with the last commit; the daemon tries again"
                ) from None
            holders = [name for _, name, _, _ in found]
            raise StoreError(
                f"another daemon ({named_holder(holders)}) works on the store {self.address}: stop it first"
            ) from None

    def _write_mark(self, connection: BoundedConnection, mark: str) -> None:
        connection.execute("UPDATE store_state SET last_commit = %s", (mark,))


def named_holder(holders: list[str]) -> str:
    """Returns ``process 12 on db-host`` for people, of the names by which connections introduce themselves to the server."""
    name, _, rest = (holders or [""])[0].partition(" ")
    process, _, host = rest.partition(" ")
    known = name == "routee-monitor" and process.isdecimal()
    return f"process {process} on {host or 'an unknown host'}" if known else "process unknown"


def named_process(address: PostgresqlAddress, limits: PostgresqlLimits) -> int | None:
    """Returns the process id of the daemon that works on a database, which may be on another host; None if there is none. Raises StoreError."""
    connection = connect(address, limits, read_only=True)
    try:
        with explained(address):
            holders = [str(name).split() for _, name, _, _ in connection.execute(_HOLDER, _LOCK).fetchall()]
    finally:
        connection.close()
    return next((int(one[1]) for one in holders if len(one) > 1 and one[1].isdecimal()), None)
