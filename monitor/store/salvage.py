"""Recovers what can still be read of a damaged file: alerts, groups, silences, acknowledgements, the outbox and the history.

Messages are not recovered, since they are fetched from Routee again. Rows are read from both ends of a table up to where it is
unreadable, and invalid rows are left out. What finds a row is written as its data says: a daemon goes by the data, and would never change
or delete a row that another key finds. An alert that is lost counts as firing for an hour, in which it is found again if it still does.
"""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import field
from pathlib import Path
from typing import Any, Final

import msgspec

from monitor.model.account_state import AccountState
from monitor.model.alert import Alert
from monitor.model.notification import decode
from monitor.routing.acknowledgements import Ack
from monitor.routing.route import AggregationGroup
from monitor.routing.silences import Silence
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.store.row_codec import cursor_rows

Record = dict[str, Any]
"""One row: its values by the names of their columns."""

TABLES: Final = (
    "secret",
    "ended_session",
    "alert",
    "transition",
    "alert_group",
    "parcel",
    "silence",
    "acknowledgement",
    "aside",
    "fact",
    "rule_state",
    "first_evaluation",
)
"""The tables to recover: those whose data cannot be fetched from Routee, and account states."""


_CACHE_KIB: Final = 16 * 1024
"""The memory for pages while the rows are written: they come in the order of their tables, and change indexes all over."""


@dataclass(slots=True)
class Salvage:
    """The recovered rows by table, and the names of the tables with missing rows."""

    found: dict[str, list[Record]] = field(default_factory=dict)
    incomplete: list[str] = field(default_factory=list)

    def count(self, table: str) -> int:
        """Returns the number of recovered rows."""
        return len(self.found.get(table, ()))


def salvage(path: Path) -> Salvage:
    """Reads what is readable without changing the file. Never fails: of a file that is not a database it returns no rows."""
    kept = Salvage()
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error:
        return Salvage(incomplete=list(TABLES))
    with closing(connection):
        connection.row_factory = sqlite3.Row
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        _skip_damage(connection)
        for table in TABLES:
            found, complete = _rows(connection, table)
            sound = [one for row in found if (one := _sound(table, row)) is not None]
            kept.found[table] = sound
            if not complete or len(sound) < len(found):
                kept.incomplete.append(table)
    return kept


def without_messages(kept: Salvage, now: Instant) -> None:
    """Notes that the messages of all accounts that were known until ``now`` are lost (`StoredState.lost`)."""
    names = ("account", "search", "data")
    kept.found["cursor"] = [dict(zip(names, row, strict=True)) for row in cursor_rows((), {"": now})]


def insert_salvaged(kept: Salvage, connection: sqlite3.Connection) -> None:
    """Writes the rows to another file, which has this version's tables. Columns that the old file lacked get their default. Rows with values
    that the tables do not take are left out, also of ``kept``."""
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("BEGIN IMMEDIATE")
    for table, found in kept.found.items():
        kept.found[table] = _inserted(connection, table, found)
        if len(kept.found[table]) < len(found) and table not in kept.incomplete:
            kept.incomplete.append(table)
    connection.execute("COMMIT")


def _inserted(connection: sqlite3.Connection, table: str, rows: list[Record]) -> list[Record]:
    """Inserts the rows of a table, which all have the same columns. Returns those that the table took."""
    known = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
    rows = [{name: value for name, value in row.items() if name in known} for row in rows]
    if not rows:
        return rows
    names, marks = ", ".join(rows[0]), ", ".join("?" * len(rows[0]))
    statement = f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - the names are those of our own tables
    try:
        connection.executemany(statement, (tuple(row.values()) for row in rows))
    except sqlite3.IntegrityError:  # those before it were inserted, and are replaced by themselves
        return [row for row in rows if _is_taken(connection, statement, row)]
    return rows


def _is_taken(connection: sqlite3.Connection, statement: str, row: Record) -> bool:
    try:
        connection.execute(statement, tuple(row.values()))
    except sqlite3.IntegrityError:
        return False
    return True


def _skip_damage(connection: sqlite3.Connection) -> None:
    """Makes SQLite open a file that is shorter than its header says."""
    try:
        connection.execute("PRAGMA writable_schema = ON")
    except sqlite3.Error:
        return


def _rows(connection: sqlite3.Connection, table: str) -> tuple[list[Record], bool]:
    """Returns the rows of a table in order, and whether they are complete."""
    place = _PLACES.get(table, "rowid")
    found: dict[Any, Record] = {}
    for order in ("ASC", "DESC"):
        try:
            for row in connection.execute(f"SELECT {place} AS place, * FROM {table} ORDER BY {place} {order}"):  # noqa: S608 - our own names
                if row["place"] in found:
                    break
                found[row["place"]] = {name: row[name] for name in row.keys() if name != "place"}  # noqa: SIM118 - of a Row
            else:
                return _in_order(found), True
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if "no such table" in str(error):
                return [], True
    return _in_order(found), False


def _in_order(found: dict[Any, Record]) -> list[Record]:
    return [found[place] for place in sorted(found)]


def _sound(table: str, row: Record) -> Record | None:
    """Returns a row as it is to be written; None if it is invalid."""
    try:
        read = _READ.get(table)
        return row if read is None else row | read(row)
    except (ValueError, TypeError, KeyError, msgspec.MsgspecError):
        return None


def _struct(kind: Any, **keys: str) -> Callable[[Record], Record]:
    """Returns what reads the data of a row, and returns the columns that find it: ``keys``, by their names in the data."""

    def read(row: Record) -> Record:
        data = msgspec.json.decode(row["data"], type=kind)
        return {name: getattr(data, own) for name, own in keys.items()}

    return read


def _secret(row: Record) -> Record:
    if not isinstance(row["value"], bytes) or len(row["value"]) != 32:
        raise ValueError("no key")
    return {}


def _ended_session(row: Record) -> Record:
    if not isinstance(row["digest"], bytes):
        raise TypeError("no digest")
    return {}


def _alert(row: Record) -> Record:
    if msgspec.json.decode(row["data"], type=Alert).fingerprint != row["fingerprint"]:
        raise ValueError("another alert")
    return {}


def _outbox_row(row: Record) -> Record:
    notification, receipt = decode(row["notification"]), row["receipt"]
    if receipt is not None and not isinstance(json.loads(receipt), dict):
        raise ValueError("no receipt")
    names = ("receiver", "key", "group_key", "episode")
    return {name: getattr(notification, name) for name in names}


_PLACES: Final = {"secret": "name", "ended_session": "digest"}
"""The keys of the tables that have no ``rowid``."""
_READ: Final[dict[str, Callable[[Record], Record]]] = {
    "secret": _secret,
    "ended_session": _ended_session,
    "alert": _alert,
    "alert_group": _struct(AggregationGroup, key="key", receiver="receiver", account="account", episode="episode"),
    "silence": _struct(Silence, id="id"),
    "acknowledgement": _struct(Ack, fingerprint="fingerprint"),
    "fact": _struct(AccountState),
    "parcel": _outbox_row,
}
