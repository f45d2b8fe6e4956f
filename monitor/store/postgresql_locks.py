"""The advisory locks of a database: one for the whole store, and one for each daemon that works on it.

Whoever needs a store alone holds the first one; each daemon ("worker") shares it. A daemon of a version that knew no others holds it alone
too, as it has the number of that version's only lock.
"""

from collections.abc import Sequence
from typing import Final

import psycopg

from monitor.runtime.clock import MILLISECOND, Duration
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreError, StoreUnreachable
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.postgresql_connection import BoundedConnection, PostgresqlLimits, connect, own_name
from monitor.store.postgresql_errors import explained
from monitor.store.postgresql_pipeline import Statement

_SPACE: Final = 0x524D4F4E
"""The first number of all of them, but for `_OF_LEASES`."""
_OF_LEASES: Final = 0x524D4F4F
"""The first number of the locks by which the connections of leases are told from others. They are shared: nobody waits for them."""
WHOLE_STORE: Final = 1
"""The second number of the lock of the whole store; that of a worker's lock is the worker's."""
_HOLDERS: Final = """
    SELECT pid, coalesce(application_name, ''), coalesce(wait_event, ''), coalesce(state, '')
    FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND classid = %s AND objid = %s AND objsubid = 2
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY pid"""
_END_STALLED: Final = """
    SELECT pg_terminate_backend(pid)
    FROM lease JOIN pg_locks ON objid = lease.worker JOIN pg_stat_activity USING (pid)
    WHERE account = ANY(%s) AND expires_at <= clock_timestamp()
    AND locktype = 'advisory' AND granted AND classid IN (%s, %s) AND objsubid = 2
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND state <> 'idle' AND wait_event IN ('ClientRead', 'ClientWrite')
    AND state_change < clock_timestamp() - %s * INTERVAL '1 millisecond'"""
_WAITS_FOR_STANDBY: Final = (
    "waits with a commit for its synchronous standby, which does not answer: bring the standby back, or take it out of "
    "synchronous_standby_names; the daemon tries again"
)


@dataclass(frozen=True, slots=True)
class LockHolder:
    """A session that holds a lock: its process on the server, how it introduced itself, what it waits for, and what it is doing."""

    process: int
    name: str
    waits_for: str
    state: str


def holders(connection: BoundedConnection, number: int) -> list[LockHolder]:
    """Returns who holds a lock. Raises psycopg's errors."""
    return [LockHolder(*row) for row in connection.execute(_HOLDERS, (_SPACE, number)).fetchall()]


def try_lock(connection: BoundedConnection, number: int, *, shared: bool = False) -> bool:
    """Waits for a lock for as long as a lock is waited for. Returns whether the session has it now. Raises psycopg's other errors."""
    take = "SELECT pg_advisory_lock_shared(%s, %s)" if shared else "SELECT pg_advisory_lock(%s, %s)"
    try:
        connection.execute(take, (_SPACE, number))
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def take_store(connection: BoundedConnection, address: PostgresqlAddress, *, shared: bool) -> None:
    """Takes the lock of the whole store. Raises StoreError if others are in the way, and psycopg's errors."""
    if try_lock(connection, WHOLE_STORE, shared=shared):
        return
    found = holders(connection, WHOLE_STORE)
    refuse_commit_in_doubt(found, address)
    raise StoreError(f"{named_holders([one.name for one in found])} works on the store {address}: stop it first")


def refuse_commit_in_doubt(found: list[LockHolder], address: PostgresqlAddress) -> None:
    """Raises StoreUnreachable if a holder of a lock waits with a commit for a synchronous standby."""
    if any(one.waits_for == "SyncRep" for one in found):
        raise StoreUnreachable(f"the store {address} {_WAITS_FOR_STANDBY}")


def end_lost_session(connection: BoundedConnection, number: int, process: int, *, commit_sent: bool) -> None:
    """Ends what the server still has of a worker's lost connection: session ``process``, which holds the worker's lock. Raises psycopg's errors.

    What the session was doing is committed or rolled back before the lock is free. If it was sent a COMMIT, which may still be on its way, it
    is left alone unless it has none to make any more: a commit that is ended while it waits for its synchronous standby looks as if it had
    not waited.
    """
    for one in holders(connection, number):
        # By its name too: after a restart of the server another program's session may have the same process.
        if (one.process, one.name) == (process, own_name()) and (not commit_sent or one.state == "idle"):
            connection.execute("SELECT pg_terminate_backend(%s)", (process,))


def mark_for_leases(connection: BoundedConnection, worker: int) -> None:
    """Lets `end_stalled_sessions` know a connection on which a worker renews its leases. Raises psycopg's errors."""
    connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", (_OF_LEASES, worker))


def end_stalled_sessions(accounts: Sequence[str], silence: Duration) -> Statement:
    """Returns the statement that ends the sessions of workers whose leases of these accounts have lapsed, where the server waits for them.

    Within a transaction the server waits for the rest of a statement, or until its answer is taken, without an end if the worker's machine
    still acknowledges what comes, as that of a process that stands still does: no limit of PostgreSQL's counts meanwhile. A COMMIT is one
    small message, sent when all before it was answered. Should a session come to one just before it is ended, its worker finds out
    (`monitor.store.postgresql_worker.enter_again`).
    """
    return Statement(_END_STALLED, (list(accounts), _SPACE, _OF_LEASES, silence // MILLISECOND))


def named_holders(names: list[str]) -> str:
    """Returns ``another daemon (process 12 on db-host)`` for people, of the names by which connections introduce themselves to the server."""
    return f"another daemon ({', '.join(_named(name) for name in names or [''])})"


def _named(name: str) -> str:
    program, _, rest = name.partition(" ")
    process, _, host = rest.partition(" ")
    known = program == "routee-monitor" and process.isdecimal()
    return f"process {process} on {host or 'an unknown host'}" if known else "process unknown"


def named_process(address: PostgresqlAddress, limits: PostgresqlLimits) -> int | None:
    """Returns the process id of a daemon that works on a database, which may be on another host; None if there is none. Raises StoreError.

    Of several it is one on this host, if there is one.
    """
    connection = connect(address, limits, read_only=True)
    try:
        with explained(address):
            words = [one.name.split() for one in holders(connection, WHOLE_STORE)]
    finally:
        connection.close()
    known = [(one[2:], int(one[1])) for one in words if len(one) > 1 and one[1].isdecimal()]
    here = own_name().split()[2:]
    return next((process for host, process in sorted(known, key=lambda one: one[0] != here)), None)
