"""A session with PostgreSQL that comes back when it is lost, and a daemon's place among those that work on a database.

A daemon ("worker") has a row and a lock of its own. The lock belongs to the connection on which the daemon writes: where the lock is lost,
no commit is possible. Each commit leaves a mark in the worker's row. A daemon that connects again compares it with the mark that it left
last. So it knows whether a commit was made whose answer it did not get, and whether a standby took over that lacks the last commits. A
standby is not the store as long as it is one. What other workers do is found out by the leases (`monitor.store.leases`).
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from monitor.runtime.clock import MILLISECOND, SECOND
from monitor.runtime.errors import LeaseLost, StoreError, StoreOutdated
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.postgresql_connection import BoundedConnection, Haste, PostgresqlLimits, connect
from monitor.store.postgresql_errors import explained
from monitor.store.postgresql_locks import take_store
from monitor.store.postgresql_migrate import migrate, require_current
from monitor.store.postgresql_pipeline import (
    BEGIN,
    BEGIN_READING,
    COMMIT,
    Answer,
    Statement,
    pipelined,
    run_at_once,
    transfer_time,
)
from monitor.store.postgresql_worker import NewWorker, Worker, enter, enter_again, lost_of

T = TypeVar("T")
IDLE: Final = TransactionStatus.IDLE


class PostgresqlSession:
    """One connection. If it is lost, the next call connects again."""

    def __init__(
        self,
        address: PostgresqlAddress,
        limits: PostgresqlLimits,
        *,
        read_only: bool = False,
        exclusive: bool = False,
        worker: NewWorker | None = None,
    ) -> None:
        """Connects. ``exclusive`` takes the lock of the whole store; a ``worker`` shares it. Raises StoreError, and StoreOutdated never."""
        self.address = address
        self.in_transaction = False
        self.worker: Worker | None = None
        self._limits, self._read_only, self._exclusive = limits, read_only, exclusive
        self._mark = self._unknown = ""
        self._outdated: StoreOutdated | None = None
        self._is_closed = self._commit_sent = False
        self._failure, self._failing_until = StoreError(), 0.0
        self._writes = exclusive or worker is not None
        self.haste = Haste()
        self._connection = self._connected()
        self._process = self._connection.info.backend_pid
        try:
            with self._explained():
                if self._writes:  # first, so that no tables are changed below a program that cannot know of it
                    take_store(self._connection, address, shared=worker is not None)
                (require_current if read_only else migrate)(self._connection, address)
                if worker is not None:
                    self._mark = secrets.token_hex(16)
                    self.worker = enter(self._connection, worker, self._mark)
        except BaseException:
            self._connection.close()
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

    def read_at_once(self, queries: Sequence[Statement]) -> list[list[tuple[Any, ...]]]:
        """Returns the rows of each query, as of one moment and in one round trip; there may be megabytes of them. Raises StoreError."""
        if self.in_transaction:
            with self._explained():
                return [one.fetchall() for one in run_at_once(self._connection, queries)]
        found = self._at_once([BEGIN_READING, self._more_time, *queries, COMMIT])
        return [one.fetchall() for one in found[2:-1]]

    def write_at_once(self, statements: Sequence[Statement]) -> None:
        """Runs statements as one transaction, in one round trip; once more if the connection was lost, maybe after they were committed.

        Raises StoreError.
        """
        if self.in_transaction:
            raise StoreError(f"the store {self.address} cannot be written within a snapshot")
        self._at_once(statements)

    def write_much(self, connection: BoundedConnection) -> None:
        """Lets the present transaction write megabytes in one statement."""
        more = self._more_time
        connection.execute(more.text.encode(), more.values)

    def stream(self, query: str, batch: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yields the rows of a query, ``batch`` at a time, within a transaction. Raises StoreError."""
        with self._explained(), self._connection.cursor("stream", binary=True) as cursor:
            cursor.execute(query.encode())
            while found := cursor.fetchmany(batch):
                yield found

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Begins a transaction that sees one moment and cannot write. Raises StoreError."""
        self._begin([BEGIN_READING, self._more_time])
        try:
            yield
        finally:
            self._roll_back()

    @contextmanager
    def transaction(
        self, *, marked: bool, leases: Mapping[str, int] | None = None, at_once: bool = False
    ) -> Iterator[BoundedConnection]:
        """Commits at the end of the block. Raises StoreError; then nothing was written, if the transaction is ``marked``.

        A worker's ``marked`` transaction leaves its mark. If the connection is cut while it is committed, it is found out at once whether
        it was; if that is impossible, the caller has to take it as not committed, and `StoreOutdated` follows if it was. It is made
        only if the worker has ``leases`` (account to token) until its end; otherwise raises LeaseLost. ``at_once``: what is executed in the
        block is sent without waiting, so that what it gives is there only after the block.
        """
        if self.in_transaction:
            raise StoreError(f"the store {self.address} cannot be written within a snapshot")
        self._begin_writing(leases or {})
        mark = secrets.token_hex(16) if marked and self.worker is not None else ""
        written = None
        try:
            with self._explained(), pipelined(self._connection) if at_once else nullcontext():
                yield self._connection
                if mark and self.worker is not None:
                    written = self.worker.write_mark(self._connection, mark)
            if written is not None and written.rowcount != 1:
                raise self._end(f"the store {self.address} no longer knows this daemon")
        except BaseException:
            self._roll_back()
            raise
        self._commit(mark)

    def _begin_writing(self, leases: Mapping[str, int]) -> None:
        """Begins a transaction. Sees to it that nobody takes the leases before it ends. Raises LeaseLost, and other StoreErrors.

        A worker that stands still in it, or that nothing is heard of, does not keep the accounts' leases from others.
        """
        if self.worker is None:
            self._begin([BEGIN])
            return
        idle = f"SET LOCAL idle_in_transaction_session_timeout = {self._limits.idle // MILLISECOND}"
        kept = self._begin([BEGIN, Statement(idle, prepare=False), self.worker.keep(leases)])
        if lost := lost_of(leases, kept[-1]):
            self._roll_back()
            raise LeaseLost(lost)

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self.address, tries_again=self._limits.tries_again)

    @property
    def _more_time(self) -> Statement:
        return transfer_time(self._limits)

    def _at_once(self, statements: Sequence[Statement]) -> list[Answer]:
        """Runs statements in one round trip. Leaves no transaction open that they began and that failed. Raises StoreError."""
        try:
            return self._twice(lambda connection: run_at_once(connection, statements))
        except StoreError:
            if not self._is_lost() and self._connection.info.transaction_status != IDLE:
                self._roll_back()
            raise

    def _begin(self, statements: Sequence[Statement]) -> list[Answer]:
        found = self._at_once(statements)
        self.in_transaction = True
        return found

    def _roll_back(self) -> None:
        self.in_transaction = False
        try:
            self._connection.execute("ROLLBACK", prepare=False)
        except psycopg.Error:
            self._connection.close()  # the server rolls back; the next call connects again

    def _commit(self, mark: str) -> None:
        self.in_transaction = False
        self._unknown, self._commit_sent = mark, True
        try:
            with self._explained():
                done = self._connection.execute("COMMIT", prepare=False)
            if done.statusmessage != "COMMIT":  # the server's word for a transaction that it had given up before
                raise StoreError(f"the store {self.address} did not make the commit; the daemon tries again")
        except StoreError:
            if self._is_lost() and mark:
                self._resolve(mark)
                return
            self._unknown, self._commit_sent = "", self._is_lost()
            self._roll_back()
            raise
        self._mark, self._unknown, self._commit_sent = mark or self._mark, "", False

    def _resolve(self, mark: str) -> None:
        """Finds out whether the transaction that left ``mark`` was committed. Raises StoreError if it was not, or if nobody knows yet."""
        try:
            found = self._connect_again()
        except StoreOutdated:
            raise
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
            raise type(self._failure)(str(self._failure))
        self._check_mark(self._connect_again())

    def _connect_again(self) -> str:
        """Makes a new connection the present one. Returns the mark in the database, empty for who leaves none. Raises StoreError."""
        try:
            connection = self._connected()
            try:
                with self._explained():
                    found = self._entered_again(connection)
            except BaseException:
                connection.close()
                raise
        except StoreOutdated as error:
            raise self._end(str(error)) from None
        except StoreError as error:
            self._failure, self._failing_until = error, time.monotonic() + self._limits.pause / SECOND
            raise
        self._connection, self._process = connection, connection.info.backend_pid
        self._commit_sent = False
        return found

    def _connected(self) -> BoundedConnection:
        connection = connect(self.address, self._limits, read_only=self._read_only, primary=self._writes)
        connection.haste = self.haste
        return connection

    def _entered_again(self, connection: BoundedConnection) -> str:
        if self.worker is not None:
            return enter_again(
                connection, self.address, self.worker, process=self._process, commit_sent=self._commit_sent
            )
        if self._exclusive:
            take_store(connection, self.address, shared=False)
        return ""

    def _is_lost(self) -> bool:
        return self._connection.closed

    def _check_mark(self, found: str) -> None:
        """Raises StoreOutdated if the database is not as this daemon left it, or has a commit that the daemon took for failed."""
        self._unknown = self._unknown if found == self._unknown else ""
        if found == self._mark:
            return
        if found and found == self._unknown:
            why = "a commit was made whose answer got lost together with the connection"
        else:
            why = "another server took over that lacks the last commits"
        raise self._end(f"the store {self.address} is not as this daemon left it: {why}")

    def _end(self, why: str) -> StoreOutdated:
        """Returns the error that every call raises from now on."""
        self._outdated = StoreOutdated(f"{why}; the daemon ends, and reads the store when it starts again")
        self._connection.close()
        return self._outdated
