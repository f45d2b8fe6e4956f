"""Brings a SQLite file's tables up to date: numbered SQL files, applied in order, each in a transaction of its own.

The number of the last one applied is the file's ``user_version``; ``application_id`` says that the file is ours.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from monitor.errors import StoreError

APPLICATION_ID: Final = 0x524D4F4E
"""``RMON``: stands in the header of every file that this program made."""


@dataclass(frozen=True, slots=True, order=True)
class Migration:
    """One step of the schema: its number, from 1 without gaps, and its SQL."""

    number: int
    sql: str


def migrations() -> list[Migration]:
    """Every step that this program knows, in order."""
    folder = files("monitor.store") / "migrations"
    texts = [file for file in folder.iterdir() if file.name.endswith(".sql")]
    return sorted(Migration(int(file.name[:4]), file.read_text("utf-8")) for file in texts)


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Apply what is missing; an interrupted step is not there at all. Raises StoreError where the file is not ours or too new."""
    for step in migrations():
        if version(connection, path) < step.number:
            _apply(connection, step)
    if version(connection, path) > len(migrations()):
        raise StoreError(_TOO_NEW.format(path=path))


def require_current(connection: sqlite3.Connection, path: str) -> None:
    """For readers, who change nothing: raises StoreError where the file is not ours, too new, or not brought up to date yet."""
    found, known = version(connection, path), len(migrations())
    if found > known:
        raise StoreError(_TOO_NEW.format(path=path))
    if found < known:
        raise StoreError(
            f"the store {path} is not up to date with this program: start the daemon once, it updates the file"
        )


def version(connection: sqlite3.Connection, path: str) -> int:
    """The number of the last step applied, 0 for an empty file. Raises StoreError where another program made the file."""
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if owner != APPLICATION_ID and (owner or number or tables):
        raise StoreError(f"{path} is the database of another program: point `store` at a file of its own")
    return int(number)


_TOO_NEW = "the store {path} was written by a newer version of this program: run that version, or point `store` at another file"


def _apply(connection: sqlite3.Connection, step: Migration) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        (number,) = connection.execute("PRAGMA user_version").fetchone()
        if number < step.number:  # else another process was faster
            for statement in _statements(step.sql):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {step.number}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: ``executescript`` would commit between them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
