"""Recovers what can still be read of a damaged file: alerts, groups, silences, acknowledgements, the outbox and the history.

Messages are not recovered, since they are fetched from Routee again. Rows are read from both ends of a table up to where it is
unreadable, and invalid rows are left out. If an alert is lost, it is also removed from its groups, so that no end of an unknown alert is
notified. If such an alert still fires, it is notified again.
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
            sound = [row for row in found if _is_valid(table, row)]
            kept.found[table] = sound
            if not complete or len(sound) < len(found):
                kept.incomplete.append(table)
    return kept


def without_messages(kept: Salvage, now: Instant) -> None:
    """Notes that the messages of all accounts that were known until ``now`` are lost (`StoredState.lost`)."""
    names = ("account", "search", "data")
    kept.found["cursor"] = [dict(zip(names, row, strict=True)) for row in cursor_rows((), {"": now})]


def insert_salvaged(kept: Salvage, connection: sqlite3.Connection) -> None:
    """Writes the rows to another file, which has this version's tables. Columns that the old file lacked get their default."""
    connection.execute("BEGIN IMMEDIATE")
    for table, found in kept.found.items():
        for row in found:
            names, marks = ", ".join(row), ", ".join("?" * len(row))
            connection.execute(  # the names are those of our own tables' columns
                f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})",  # noqa: S608 - the names are those of our own tables
                tuple(row.values()),
            )
    connection.execute("COMMIT")


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
        except sqlite3.Error as error:
            if "no such table" in str(error):
                return [], True
    return _in_order(found), False


def _in_order(found: dict[Any, Record]) -> list[Record]:
    return [found[place] for place in sorted(found)]


def _is_valid(table: str, row: Record) -> bool:
    try:
        check = _CHECKS.get(table)
        return check is None or bool(check(row))
    except (ValueError, TypeError, KeyError, msgspec.MsgspecError):
        return False


def _struct(kind: Any) -> Callable[[Record], bool]:
    return lambda row: msgspec.json.decode(row["data"], type=kind) is not None


def _outbox_row(row: Record) -> bool:
    receipt = row["receipt"]
    return decode(row["notification"]) is not None and (receipt is None or isinstance(json.loads(receipt), dict))


_PLACES: Final = {"secret": "name", "ended_session": "digest"}
"""The keys of the tables that have no ``rowid``."""
_CHECKS: Final[dict[str, Callable[[Record], bool]]] = {
    "secret": lambda row: isinstance(row["value"], bytes) and len(row["value"]) == 32,
    "alert": lambda row: msgspec.json.decode(row["data"], type=Alert).fingerprint == row["fingerprint"],
    "alert_group": _struct(AggregationGroup),
    "silence": _struct(Silence),
    "acknowledgement": _struct(Ack),
    "fact": _struct(AccountState),
    "parcel": _outbox_row,
}
