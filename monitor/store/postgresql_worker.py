"""A daemon's row and lock among the workers of a database, and its leases as a commit sees them."""

import os
import socket
from collections.abc import Collection, Mapping
from importlib.metadata import version as version_of
from typing import Final

from monitor.runtime.clock import MILLISECOND
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreError, StoreOutdated, StoreUnreachable
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.leases import LEASE_TTL
from monitor.store.postgresql_connection import BoundedConnection, own_name
from monitor.store.postgresql_locks import end_lost_session, holders, refuse_commit_in_doubt, take_store, try_lock
from monitor.store.postgresql_pipeline import Answer, Statement

_NEW: Final = """
    INSERT INTO worker (name, version, url, expires_at, last_commit)
    VALUES (%s, %s, %s, clock_timestamp() + %s * INTERVAL '1 millisecond', %s) RETURNING id"""
_LIVING: Final = "SELECT id FROM worker WHERE expires_at > clock_timestamp()"
_WRITE_MARK: Final = "UPDATE worker SET last_commit = %s WHERE id = %s AND name = %s"
_READ_MARK: Final = "SELECT last_commit FROM worker WHERE id = %s AND name = %s"
_CONFIRM_MARK: Final = "UPDATE worker SET last_commit = last_commit WHERE id = %s AND name = %s RETURNING last_commit"
"""Writes, so that the answer comes only when a synchronous standby has all that was committed before. A session that was ended while it
waited for the standby leaves a commit that can be read, but that a standby which takes over may lack."""
_LEASES: Final = (
    "SELECT account, token FROM lease WHERE account = ANY(%s) AND worker = %s ORDER BY account FOR KEY SHARE"
)
"""The lock keeps others from taking a lease (`monitor.store.postgresql_leases`), but not its holder from renewing it."""


@dataclass(frozen=True, slots=True)
class NewWorker:
    """What a daemon says of itself: where its page is, on which port of its host it listens (0: not known), and which version it is."""

    url: str = ""
    port: int = 0
    version: str = ""


@dataclass(frozen=True, slots=True)
class Worker:
    """A daemon that works on the database: its number, which no other one ever had, and its name, ``HOST:PROCESS``.

    Two may have the same name, in containers. ``beside`` are the numbers of those that seemed to live when it started. ``port``: see
    `NewWorker`.
    """

    id: int
    name: str
    beside: tuple[int, ...] = ()
    port: int = 0

    @property
    def host(self) -> str:
        """Returns the name of its host."""
        return self.name.rpartition(":")[0]

    @property
    def place(self) -> str:
        """Returns what tells this daemon from others of its host, also from one process to the next."""
        return f"{self.host} (port {self.port})" if self.port else self.host

    def write_mark(self, connection: BoundedConnection, mark: str) -> Answer:
        """Leaves a mark in the present transaction. It changes one row if the database still knows this worker. Raises psycopg's errors."""
        return connection.execute(_WRITE_MARK, (mark, self.id, self.name))

    def keep(self, leases: Collection[str]) -> Statement:
        """Returns the statement that keeps this worker's leases of these accounts until the present transaction ends; for `lost_of`."""
        return Statement(_LEASES, (list(leases), self.id))


def lost_of(leases: Mapping[str, int], kept: Answer) -> tuple[str, ...]:
    """Returns which leases (account to token) a worker has not, by what `Worker.keep` gave."""
    found = {(str(account), int(token)) for account, token in kept.fetchall()}
    return tuple(sorted(dict(leases.items() - found)))


def enter(connection: BoundedConnection, new: NewWorker, mark: str) -> Worker:
    """Makes this process a worker. Raises StoreError, and psycopg's errors."""
    name = f"{socket.gethostname()}:{os.getpid()}"
    version = new.version or version_of("routee-monitor")
    beside = tuple(int(number) for (number,) in connection.execute(_LIVING).fetchall())
    row = connection.execute(_NEW, (name, version, new.url, LEASE_TTL // MILLISECOND, mark)).fetchone()
    assert row is not None
    worker = Worker(int(row[0]), name, beside, new.port)
    if not try_lock(connection, worker.id):
        raise StoreError(f"the lock {worker.id} of a new worker is taken; try again")
    return worker


def enter_again(
    connection: BoundedConnection, address: PostgresqlAddress, worker: Worker, *, process: int, commit_sent: bool
) -> str:
    """Takes the worker's locks on a new connection, ending what the server still has of the lost one. Returns the mark in the database.

    Raises StoreError, StoreOutdated if the worker is no longer known, and psycopg's errors. A standby in recovery gives the locks too, and
    may have this worker's last mark, but a later commit may still arrive there.
    """
    end_lost_session(connection, worker.id, process, commit_sent=commit_sent)
    take_store(connection, address, shared=True)
    if not try_lock(connection, worker.id):
        found = holders(connection, worker.id)
        refuse_commit_in_doubt(found, address)
        if any(one.name != own_name() for one in found):
            raise StoreOutdated(f"the store {address} knows another daemon by this one's number")
        # The old session, which may have ended since the lock was waited for: then nobody has it.
        raise StoreError(f"the store {address} is still busy with the last commit; the daemon tries again")
    if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
        raise StoreUnreachable(f"the store {address} is on a standby: point `store` at the primary")
    row = connection.execute(_CONFIRM_MARK if commit_sent else _READ_MARK, (worker.id, worker.name)).fetchone()
    if row is None:
        raise StoreOutdated(f"the store {address} no longer knows this daemon")
    return str(row[0])
