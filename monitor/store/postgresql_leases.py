"""The leases in a PostgreSQL database, over a connection of their own, so that a long commit does not keep them from being renewed.

A renewal changes no column that a commit's lock on the row protects (`FOR KEY SHARE`), so neither waits for the other. Taking locks the whole
row, and leaves out rows that are locked. All times are the server's.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from monitor.model.fleet import Fleet, FleetView, LeaseView, WorkerView
from monitor.runtime.clock import HOUR, MILLISECOND, MINUTE, SECOND
from monitor.runtime.errors import StoreError, StoreOutdated
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.runtime.printable import clip_at_word
from monitor.store.leases import LEASE_TTL, NONE_LEFT
from monitor.store.postgresql_columns import microseconds, names, since
from monitor.store.postgresql_connection import BoundedConnection, PostgresqlLimits, connect
from monitor.store.postgresql_errors import explained
from monitor.store.postgresql_locks import end_stalled_sessions, mark_for_leases
from monitor.store.postgresql_pipeline import Answer, Statement, run_at_once
from monitor.store.postgresql_worker import Worker
from monitor.store.row_codec import writable

FOR_LEASES: Final = PostgresqlLimits(
    statement=1_500 * MILLISECOND, answer=2 * SECOND, transfer=2 * SECOND, pause=0, idle=3 * SECOND, tries_again=True
)
"""Shorter than the time that a worker has between two beats and its deadline."""
DEAD_KEPT: Final = HOUR
"""How long a dead worker is shown."""
UNANNOUNCED_KEPT: Final = 5 * MINUTE
"""How long one is shown that died before it had announced its rules, which it does in its first seconds: it never worked for an account."""

_LONGEST_WHY: Final = 500
"""Characters of what is stored of why an account is left to others."""

_EXPIRY: Final = f"clock_timestamp() + {LEASE_TTL // MILLISECOND} * INTERVAL '1 millisecond'"
_SINCE: Final = since("since")
_LEFT: Final = f"CASE WHEN isfinite(expires_at) THEN {microseconds('expires_at - clock_timestamp()')} ELSE 0 END"

_BEAT: Final = f"""
    WITH renewed AS (
        UPDATE lease SET expires_at = {_EXPIRY} FROM unnest(CAST(%(accounts)s AS TEXT[]), CAST(%(tokens)s AS BIGINT[])) AS own (name, number)
        WHERE lease.account = own.name AND lease.token = own.number AND lease.worker = %(worker)s
        AND EXISTS (SELECT 1 FROM worker WHERE id = %(worker)s AND name = %(name)s)),
    made AS (
        INSERT INTO lease (account) SELECT name FROM unnest(CAST(%(known)s AS TEXT[])) AS name
        WHERE NOT EXISTS (SELECT 1 FROM lease WHERE account = name) ON CONFLICT DO NOTHING),
    forgotten AS (
        DELETE FROM worker WHERE id IN (
            SELECT id FROM worker WHERE id <> %(worker)s AND expires_at < clock_timestamp() - CASE
                WHEN EXISTS (SELECT 1 FROM rule_set WHERE rule_set.worker = worker.id) THEN {DEAD_KEPT // SECOND}
                ELSE {UNANNOUNCED_KEPT // SECOND} END * INTERVAL '1 second'
            FOR UPDATE SKIP LOCKED))
    UPDATE worker SET expires_at = {_EXPIRY}, wanted = CAST(%(wanted)s AS TEXT[]), left_alone = CAST(%(left_alone)s AS TEXT[]),
        left_why = CAST(%(left_why)s AS TEXT[])
    WHERE id = %(worker)s AND name = %(name)s"""  # noqa: S608 - constants of ours, as below
_WORKERS: Final = f"""
    SELECT id, name, version, url, {_SINCE}, {_LEFT}, {names("wanted")}, {names("left_alone")}, {names("left_why")}
    FROM worker ORDER BY id"""  # noqa: S608 - constants of ours
_LEASES: Final = f"SELECT account, token, worker, {_SINCE}, {_LEFT} FROM lease ORDER BY account"  # noqa: S608 - constants of ours
_STATE: Final = f"""
    SELECT {microseconds("clock_timestamp()")}, suppressions,
        EXISTS (SELECT 1 FROM forwarded_callback WHERE account = ANY(%s)) FROM store_state"""  # noqa: S608 - constants of ours
_LAST_TOKEN: Final = (1 << 63) - 1
_TAKE: Final = f"""
    WITH free AS MATERIALIZED (
        SELECT account FROM lease WHERE account = ANY(%(wanted)s)
            AND (worker IS NULL OR expires_at IS NULL OR NOT isfinite(expires_at) OR expires_at <= clock_timestamp())
        ORDER BY account FOR UPDATE SKIP LOCKED)
    UPDATE lease SET token = token %% {_LAST_TOKEN} + 1, worker = %(worker)s, since = clock_timestamp(), expires_at = {_EXPIRY}
    FROM free WHERE lease.account = free.account AND EXISTS (SELECT 1 FROM worker WHERE id = %(worker)s AND name = %(name)s)
    RETURNING lease.account, lease.token"""  # noqa: S608 - constants of ours
_FREE: Final = "UPDATE lease SET worker = NULL, since = NULL, expires_at = NULL WHERE worker = %s"
_FREE_ONE: Final = f"{_FREE} AND account = %s AND token = %s"
_FORGET: Final = "DELETE FROM worker WHERE id = %s AND name = %s"


class PostgresqlLeases:
    """The leases as one worker sees them; `monitor.store.leases.LeaseStore` describes the methods. It connects at the first call."""

    def __init__(self, address: PostgresqlAddress, worker: Worker, limits: PostgresqlLimits = FOR_LEASES) -> None:
        self.address, self.worker = address, worker.id
        self.name, self._limits = worker.name, limits
        self._connection: BoundedConnection | None = None
        self._is_closed = False

    def close(self) -> None:
        self._is_closed = True
        if self._connection is not None:
            self._connection.close()

    def beat(
        self,
        wanted: Sequence[str],
        held: Mapping[str, int],
        orphans: Sequence[str] = (),
        left_alone: Mapping[str, str] = NONE_LEFT,
    ) -> FleetView:
        accounts = {"accounts": list(held), "wanted": list(wanted), "known": [*wanted, *orphans]}
        accounts["left_alone"] = sorted(left_alone)
        accounts["left_why"] = [
            clip_at_word(writable(left_alone[one].replace("\0", "")), _LONGEST_WHY) for one in sorted(left_alone)
        ]
        renewal = accounts | {"tokens": list(held.values())} | self._own()
        renewed, workers, leases, state = self._run(
            Statement(_BEAT, renewal), Statement(_WORKERS), Statement(_LEASES), Statement(_STATE, (list(held),))
        )
        if renewed.rowcount != 1:
            raise StoreOutdated(
                f"the store {self.address} no longer knows this daemon, which was not heard of for long; the daemon ends, and reads the "
                "store when it starts again"
            )
        [(now, edits, waiting)] = state.fetchall()
        return FleetView(_fleet(workers, leases), now, edits, waiting)

    def take(self, wanted: Sequence[str]) -> dict[str, int]:
        request = {"wanted": list(wanted), **self._own()}
        _, found = self._run(end_stalled_sessions(wanted, self._limits.idle), Statement(_TAKE, request))
        taken: dict[str, int] = dict(found.fetchall())
        return {account: taken[account] for account in wanted if account in taken}

    def release(self, account: str, token: int) -> None:
        self._run(Statement(_FREE_ONE, (self.worker, account, token)))

    def leave(self) -> None:
        self._run(Statement(_FREE, (self.worker,)), Statement(_FORGET, (self.worker, self.name)))

    def _own(self) -> dict[str, Any]:
        return {"worker": self.worker, "name": self.name}

    def _run(self, *statements: Statement) -> list[Answer]:
        """Runs statements in one transaction and one round trip, on a new connection if the present one is lost. Raises StoreError.

        The server ends the transaction by itself once it has all of them, so no row is locked while anything is under way. If the connection
        is cut in the middle of them, `end_stalled_sessions` ends it, like that of a commit.
        """
        if self._is_closed:
            raise StoreError(f"the store {self.address} is closed")
        if self._connection is None or self._connection.closed:
            self._connection = self._connected()
        with self._explained():
            return run_at_once(self._connection, statements)

    def _connected(self) -> BoundedConnection:
        connection = connect(self.address, self._limits, primary=True)
        with self._explained():
            mark_for_leases(connection, self.worker)
        return connection

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self.address, tries_again=self._limits.tries_again)


def read_fleet(address: PostgresqlAddress) -> Fleet:
    """Returns the workers and the leases of a database. Changes nothing. Raises StoreError."""
    connection = connect(address, PostgresqlLimits(), read_only=True)
    try:
        with explained(address):
            return _fleet(*run_at_once(connection, [Statement(_WORKERS), Statement(_LEASES)]))
    finally:
        connection.close()


def _fleet(workers: Answer, leases: Answer) -> Fleet:
    found = tuple(WorkerView(*row[:-3], *map(tuple, row[-3:])) for row in workers.fetchall())
    return Fleet(found, tuple(LeaseView(*row) for row in leases.fetchall()))
