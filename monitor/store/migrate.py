"""Brings a SQLite file's tables up to date with numbered SQL files, which are applied in order, each in its own transaction.

The file's ``user_version`` is the number of the last applied step. Its ``application_id`` says that this program made it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from importlib.resources import files
from typing import Final

from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreDamaged, StoreError

APPLICATION_ID: Final = 0x524D4F4E
"""``RMON``: the application id in the header of every file that this program made."""


_COLUMNS: Final = 'SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?)'


@dataclass(frozen=True, slots=True, order=True)
class Migration:
    """One step of the schema: its number, from 1 without gaps, and its SQL."""

    number: int
    sql: str


def migrations(folder_name: str = "migrations") -> list[Migration]:
    """Returns every step that this program knows, in order: those of SQLite's tables, or those in another folder."""
    folder = files("monitor.store") / folder_name
    texts = [file for file in folder.iterdir() if file.name.endswith(".sql")]
    return sorted(Migration(int(file.name[:4]), file.read_text("utf-8")) for file in texts)


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Applies the missing steps; an interrupted step leaves no trace. Raises StoreError if the file is foreign or too new."""
    _refuse_newer(connection, path)
    for step in migrations():
        if version(connection, path) < step.number:
            _apply(connection, step)
    _sign(connection)


def require_current(connection: sqlite3.Connection, path: str) -> None:
    """Checks the version for readers. Raises StoreError if the file is foreign, too new or not yet migrated."""
    _refuse_newer(connection, path)
    if version(connection, path) < len(migrations()):
        raise StoreError(
            f"the store {path} is not up to date with this program: start the daemon once; it updates the file"
        )


def version(connection: sqlite3.Connection, path: str) -> int:
    """Returns the number of the last applied step, 0 for an empty file. Raises StoreError if another program made the file, and
    StoreDamaged if its header does not fit our tables."""
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if owner != APPLICATION_ID and _has_our_tables(connection):
        raise StoreDamaged(f"the store {path} is damaged: its header names another program, its tables are ours")
    if owner != APPLICATION_ID and (owner or number or tables):
        raise StoreError(f"{path} is the database of another program: point `store` at a file of its own")
    return int(number)


def _has_our_tables(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name IN ('alert_group', 'parcel', 'journal')")
    return bool(found.fetchone() == (3,))


def _refuse_newer(connection: sqlite3.Connection, path: str) -> None:
    """Raises StoreError if a newer version of this program wrote the file, as its tables may have another meaning."""
    found, known = version(connection, path), len(migrations())
    if found <= known:
        return
    from importlib.metadata import version as version_of

    writer = "a newer version of this program"
    with suppress(sqlite3.Error):
        [(name,)] = connection.execute("SELECT version FROM written_by").fetchall()
        writer += f", {name}"
    raise StoreError(
        f"the store {path} was written by {writer} (tables of step {found}; {version_of('routee-monitor')} knows "
        f"{known}): run that version, restore a backup made before the upgrade, or point `store` at another file"
    )


def _sign(connection: sqlite3.Connection) -> None:
    """Stores the version of the program that writes here, so that older versions can name it."""
    from importlib.metadata import version as version_of

    name = version_of("routee-monitor")
    if connection.execute("SELECT version FROM written_by").fetchall() != [(name,)]:
        connection.execute("INSERT OR REPLACE INTO written_by (only, version) VALUES (1, ?)", (name,))


def lacking(connection: sqlite3.Connection) -> str:
    """Returns which table, index or trigger the file lacks or has otherwise than this version makes it, in words; empty if there is none.

    SQLite checks none of these texts, and a column by another name lets each commit fail.
    """
    expected, found = _expected(), _schema(connection)
    other = next((name for name, made in expected.items() if found.get(name) != made), None)
    return "" if other is None else f"{other} is not as this program makes it"


def _expected() -> dict[str, object]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as new:
        for step in migrations():
            _apply(new, step)
        return _schema(new)


def _schema(connection: sqlite3.Connection) -> dict[str, object]:
    """Returns the columns of each table, and the texts of what else there is, by name. The text of a table is SQLite's own where a step added a
    column, and need not be the same in all its versions."""
    found: dict[str, object] = {}
    query = "SELECT type, name, tbl_name, CAST(sql AS BLOB) FROM sqlite_schema WHERE sql IS NOT NULL"
    for kind, name, table, sql in connection.execute(query).fetchall():
        columns = connection.execute(_COLUMNS, (name,)).fetchall()
        found[name] = (table, set(columns) if kind == "table" and not name.startswith("sqlite_") else sql)
    return found


def _apply(connection: sqlite3.Connection, step: Migration) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        (number,) = connection.execute("PRAGMA user_version").fetchone()
        if number < step.number:  # otherwise another process has applied it
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
    """Yields the statements of a script one by one: ``executescript`` would commit between them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
