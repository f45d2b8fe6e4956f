"""Brings a database's tables up to date with numbered SQL files, which are applied in order, each in its own transaction.

The tables are in a schema of their own. Its table ``applied_step`` says which steps were applied, and by which version of this program.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.metadata import version as version_of
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from monitor.runtime.errors import StoreError
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.migrate import Migration, migrations
from monitor.store.postgresql_connection import SCHEMA, BoundedConnection, PostgresqlLimits
from monitor.store.postgresql_pipeline import transfer_time

FOLDER: Final = "postgresql_migrations"

MIGRATING: Final = 0x524D4F4E
"""The key of the lock that a program holds while it changes the tables. Others that start meanwhile wait for it (`StoreUnreachable`)."""
_STEP_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS applied_step (
        number INTEGER PRIMARY KEY, version TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())"""


def migrate(connection: BoundedConnection, address: PostgresqlAddress) -> None:
    """Applies the missing steps; an interrupted step leaves no trace. Raises StoreError if the tables are too new, and psycopg's errors."""
    known = migrations(FOLDER)
    if step_of(connection) is None:
        with _changing(connection):
            if _is_missing(connection, "to_regnamespace", SCHEMA):
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
            connection.execute(_STEP_TABLE)
    applied = step_of(connection) or 0
    _refuse_newer(connection, address, known, applied)
    for step in known[applied:]:
        _apply(connection, step)


def require_current(connection: BoundedConnection, address: PostgresqlAddress) -> None:
    """Checks the tables for readers. Raises StoreError if there are none, or if they are too new or not yet up to date."""
    step, known = step_of(connection), migrations(FOLDER)
    if not step:
        raise StoreError(f"there is no store {address} yet: the daemon makes it when it starts")
    _refuse_newer(connection, address, known, step)
    if step < len(known):
        raise StoreError(
            f"the store {address} is not up to date with this program: start the daemon once; it updates the tables"
        )


def step_of(connection: BoundedConnection) -> int | None:
    """Returns the number of the last applied step; None if the schema is not this program's."""
    if _is_missing(connection, "to_regclass", f"{SCHEMA}.applied_step"):
        return None
    found = connection.execute("SELECT coalesce(max(number), 0) FROM applied_step").fetchone()
    return int(found[0]) if found else None


def _is_missing(connection: BoundedConnection, look_up: LiteralString, name: str) -> bool:
    return connection.execute(sql.SQL("SELECT {}(%s)").format(sql.Identifier(look_up)), (name,)).fetchone() == (None,)


def _refuse_newer(connection: BoundedConnection, address: PostgresqlAddress, known: list[Migration], step: int) -> None:
    """Raises StoreError if a newer version of this program made the tables, up to ``step``, as they may have another meaning."""
    if step <= len(known):
        return
    writer = "a newer version of this program"
    with suppress(psycopg.Error):
        row = connection.execute("SELECT version FROM applied_step ORDER BY number DESC LIMIT 1").fetchone()
        writer += f", {row[0]}" if row else ""
    raise StoreError(
        f"the store {address} was written by {writer} (tables of step {step}; {version_of('routee-monitor')} knows "
        f"{len(known)}): run that version, restore a backup made before the upgrade, or point `store` at another database"
    )


@contextmanager
def _changing(connection: BoundedConnection) -> Iterator[None]:
    """Runs a transaction that changes the tables, in one program at a time. Its statements may take as long as a transfer of many bytes, and
    nothing is heard of the server meanwhile."""
    usual = connection.limits or PostgresqlLimits()
    longer = transfer_time(usual)
    connection.limits = replace(usual, answer=max(usual.answer, usual.transfer))
    try:
        with connection.transaction():
            connection.execute(longer.text.encode(), longer.values)
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATING,))
            yield
    finally:
        connection.limits = usual


def _apply(connection: BoundedConnection, step: Migration) -> None:
    if (step_of(connection) or 0) >= step.number:
        return
    with _changing(connection):
        if (step_of(connection) or 0) < step.number:  # otherwise another process has applied it
            connection.execute(step.sql.encode())
            connection.execute(
                "INSERT INTO applied_step (number, version) VALUES (%s, %s)",
                (step.number, version_of("routee-monitor")),
            )
