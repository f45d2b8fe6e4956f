"""Opens connections to PostgreSQL, and bounds how long they wait."""

import fcntl
import os
import socket
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import Buffer, PQGen
from psycopg.generators import send
from psycopg.types.string import StrDumper, TextBinaryLoader

from monitor.runtime.clock import MILLISECOND, MINUTE, SECOND, Duration
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreError, StoreUnreachable
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.postgresql_errors import NOT_OPENED, explained

SCHEMA: Final = "routee_monitor"
"""The schema of the database that holds this program's tables."""

_LONGEST_NAME: Final = 63
"""Characters of an application's name that PostgreSQL keeps."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PostgresqlLimits:
    """How long to wait: for a connection (at least 2 s), for a statement, for a lock, and for a silent server.

    ``answer`` counts silence: while bytes go to the server or come from it, it begins anew. ``transfer`` bounds all of a call, and
    statements that move many bytes, which take their time on a slow network.

    ``pause`` is how long every call fails at once after it was in vain to connect: otherwise calls that wait one after the other would
    make a stop of the daemon take longer than it may. ``idle`` is how long the server keeps a transaction of a worker that it hears nothing
    of: as long as it does, nobody can take the worker's accounts. ``tries_again``: the caller is the daemon, which does; errors say so.
    """

    connect: Duration = 2 * SECOND
    statement: Duration = 3 * SECOND
    lock: Duration = SECOND
    answer: Duration = 4 * SECOND
    transfer: Duration = MINUTE
    pause: Duration = 3 * SECOND
    idle: Duration = 5 * SECOND
    tries_again: bool = False


class Haste:
    """Shortens the waits of a session, also the one that is under way, once `ask` was called."""

    def __init__(self) -> None:
        self._asked: tuple[float, float] | None = None

    def ask(self, within: Duration) -> None:
        """Lets no wait take longer than ``within`` from now on. Any thread may call it."""
        self._asked = time.monotonic(), within / SECOND

    def end(self, begun: float) -> float:
        """Returns when a wait that began at ``begun`` has to end."""
        return inf if self._asked is None else max(begun, self._asked[0]) + self._asked[1]


class _Pipeline(psycopg.Pipeline):
    """A pipeline that ends with its Sync.

    The driver's sends a Flush after it. The server starts `idle_in_transaction_session_timeout` at the Sync, stops it at the next message,
    which this is, and starts it no more: a transaction of which nothing is heard then would keep its locks.
    """

    def _exit_gen(self) -> PQGen[None]:
        try:
            self._enqueue_sync()
            yield from self._communicate_gen()
            yield from send(self.pgconn)
        finally:
            yield from self._fetch_gen(flush=False)


class BoundedConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that gives a silent server up, whose host may be gone; see `PostgresqlLimits`."""

    limits: PostgresqlLimits | None = None
    haste = Haste()

    @contextmanager
    def pipeline(self) -> Iterator[psycopg.Pipeline]:
        """As the driver's, but for how it ends (`_Pipeline`)."""
        if self._pipeline is not None:
            yield self._pipeline
            return
        self._check_connection_ok()
        self._pipeline = _Pipeline(self)
        try:
            with self._pipeline:
                yield self._pipeline
        finally:
            self._pipeline = None

    def forget_prepared(self) -> None:
        """Has all statements prepared anew. To be called after a pipeline that failed.

        The server skips what follows the failure, also where it was to prepare a statement, which the driver then takes for prepared: each
        further use of it would fail.
        """
        self._prepared.clear()

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Waits for an answer. Closes the connection if none comes in time: what was asked may still be answered later."""
        try:
            bounded = gen if self.limits is None else _bounded(gen, self.pgconn.socket, self.limits, self.haste)
            return super().wait(bounded, interval, timeout)
        except psycopg.errors._WaitTimeout:
            self.close()
            raise psycopg.OperationalError("no answer in time") from None


def _bounded(gen: PQGen[T], fileno: int, limits: PostgresqlLimits, haste: Haste) -> PQGen[T]:
    """Runs the driver's steps. Raises the driver's _WaitTimeout after a silence, or after ``transfer``, or in haste."""
    begun = time.monotonic()
    silence, end = limits.answer / SECOND, begun + (limits.transfer + limits.answer) / SECOND
    quiet_until, left = begun + silence, _unsent(fileno)
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            wanted = gen.send(ready)
            now, before, left = time.monotonic(), left, _unsent(fileno)
            if ready or left < before:
                quiet_until = now + silence
            if now > min(quiet_until, end, haste.end(begun)):
                raise psycopg.errors._WaitTimeout
    except StopIteration as done:
        result: T = done.value
        return result


def _unsent(fileno: int) -> int:
    """Returns how many bytes this machine still has to send, or that were not acknowledged yet."""
    try:
        return int.from_bytes(fcntl.ioctl(fileno, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:  # the driver has closed it, and says so itself
        return 0


def connect(
    address: PostgresqlAddress, limits: PostgresqlLimits, *, read_only: bool = False, primary: bool = False
) -> BoundedConnection:
    """Opens a connection in autocommit mode. ``primary``: a standby is refused. Raises StoreError.

    A server that only just starts may have started until it is asked why it refuses: what a second try meets is final, not the first.
    """
    try:
        connection = _opened(address, limits, read_only, primary)
    except StoreUnreachable:
        raise
    except StoreError:
        connection = _opened(address, limits, read_only, primary)
    connection.limits = limits
    try:
        _require_settings(connection, address, limits)
    except BaseException:
        connection.close()
        raise
    connection.adapters.register_dumper(str, _EscapedText)
    connection.adapters.register_loader("text", _UnescapedText)
    return connection


def _opened(address: PostgresqlAddress, limits: PostgresqlLimits, read_only: bool, primary: bool) -> BoundedConnection:
    with explained(address, NOT_OPENED, tries_again=limits.tries_again):
        return BoundedConnection.connect(
            autocommit=True,
            connect_timeout=max(limits.connect // SECOND, 2),
            application_name=own_name(),
            client_encoding="UTF8",
            gssencmode="disable",
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
            tcp_user_timeout=limits.answer // MILLISECOND,
            options=_options(limits, read_only),
            target_session_attrs="primary" if primary else "any",
            **_where(address),
        )


def _require_settings(connection: BoundedConnection, address: PostgresqlAddress, limits: PostgresqlLimits) -> None:
    """Raises StoreError if the session has not the settings that it asked for: the tables would be made in another schema."""
    if connection.info.parameter_status("server_encoding") != "UTF8":
        raise StoreError(f"the store {address} has not the encoding UTF8: create the database with ENCODING 'UTF8'")
    with explained(address, tries_again=limits.tries_again):
        found = connection.execute("SELECT current_setting('search_path')").fetchone()
    if found != (SCHEMA,):
        raise StoreError(
            f"the store {address} is behind something that ignores the settings of a connection (`options`), as PgBouncer does with "
            "ignore_startup_parameters: point `store` at PostgreSQL itself"
        )


def own_name() -> str:
    """Returns the name by which this process introduces itself to the server: ``routee-monitor PROCESS HOST``."""
    return f"routee-monitor {os.getpid()} {socket.gethostname()}"[:_LONGEST_NAME]


def _where(address: PostgresqlAddress) -> dict[str, Any]:
    """Returns the parameters of libpq that the address has; libpq takes all others from the environment."""
    given: dict[str, Any] = {
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "dbname": address.database,
        "password": address.password,
    }
    return {name: value for name, value in (given | dict(address.settings)).items() if value}


def _options(limits: PostgresqlLimits, read_only: bool) -> str:
    """Returns the settings of the session. With its keepalives, and if it has something to send, the server notices within a minute that this
    machine is gone."""
    settings = {
        "search_path": SCHEMA,
        "statement_timeout": limits.statement // MILLISECOND,
        "lock_timeout": limits.lock // MILLISECOND,
        "synchronous_commit": "on",
        "default_transaction_read_only": "on" if read_only else "off",
        "default_transaction_isolation": r"read\ committed",
        "client_min_messages": "error",
        "tcp_keepalives_idle": 30,
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 3,
        "tcp_user_timeout": MINUTE // MILLISECOND,
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


_ESCAPE: Final = "\ufdd0"
"""Marks an escaped character; Unicode never assigns it."""


class _EscapedText(StrDumper):
    """Writes texts. PostgreSQL's texts cannot hold the character NUL, and senders of messages may be named with it."""

    def dump(self, obj: str) -> Buffer | None:
        if _ESCAPE in obj or "\0" in obj:
            obj = obj.replace(_ESCAPE, f"{_ESCAPE}1").replace("\0", f"{_ESCAPE}0")
        return obj.encode()


class _UnescapedText(TextBinaryLoader):
    """Reads texts that `_EscapedText` wrote."""

    def load(self, data: Buffer) -> str:
        text = str(data, "utf-8")
        return text.replace(f"{_ESCAPE}0", "\0").replace(f"{_ESCAPE}1", _ESCAPE) if _ESCAPE in text else text
