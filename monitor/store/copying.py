"""Copies a store into an empty one, of another kind or of the same, and compares the two row by row before the copy is committed."""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from monitor.model.alert import Alert
from monitor.routing.acknowledgements import Ack
from monitor.routing.route import AggregationGroup
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreError
from monitor.store.open import StoreLocation, open_exclusively
from monitor.store.protocol import Cursor
from monitor.store.row_codec import Row, UnreadableRow, fingerprints, silences, structs
from monitor.store.sql_store import SqlStore, Table

_USUAL: Final = 500
_LARGE: Final = 4
"""Blobs of the journal and states of rules may have megabytes."""

QUARANTINED: Final = Table("aside", ("account", "search", "at", "why", "record", "first_at", "seen"), "id", _USUAL)
NOTIFICATIONS: Final = Table(
    "parcel",
    (
        *("id", "receiver", "channel", "key", "group_key", "episode", "state", "attempts", "next_at"),
        *("created_at", "done_at", "error", "receipt", "notification", "account"),
    ),
    "id",
    _USUAL,
)
TABLES: Final = (
    Table("secret", ("name", "value"), "name", _USUAL),
    Table("ended_session", ("digest", "began"), "digest", _USUAL),
    Table("journal", ("sequence", "account", "rows"), "sequence", _LARGE),
    Table("entry", ("account", "field", "code", "value"), "account, field, code", _USUAL),
    Table("cursor", ("account", "search", "data"), "account, search", _USUAL),
    Table("alert", ("fingerprint", "resolved_at", "data"), "rowid", _USUAL),
    Table("transition", ("id", "fingerprint", "rule", "at", "what", "because", "value", "about"), "id", _USUAL),
    Table("alert_group", ("key", "receiver", "account", "episode", "data"), "rowid", _USUAL),
    NOTIFICATIONS,
    QUARANTINED,
    Table("silence", ("id", "data"), "rowid", _USUAL),
    Table("acknowledgement", ("fingerprint", "data"), "rowid", _USUAL),
    Table("fact", ("account", "data"), "account", _USUAL),
    Table("rule_state", ("account", "rule", "data"), "account, rule", _LARGE),
    Table("first_evaluation", ("account", "rule", "at"), "account, rule", _USUAL),
)
"""What is copied, in that order."""
FOLLOWING: Final = Table("notified", ("fingerprint", "parcel"), "fingerprint, parcel", _USUAL)
"""What the target makes of the notifications by itself; it is compared only."""
_STRUCTS: Final[dict[str, type[Cursor | Alert | AggregationGroup | Ack]]] = {
    "cursor": Cursor,
    "alert": Alert,
    "alert_group": AggregationGroup,
    "acknowledgement": Ack,
}
"""What the last column of a table holds; those before it find the row."""
NUMBERED: Final = ("journal", "transition", "parcel")
"""Tables whose numbers are never used again."""


def _quiet(done: int, total: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class StoreCopy:
    """What was copied: the number of rows of each table. ``left_out`` has the notifications that cannot be read, by number, and why."""

    rows: dict[str, int]
    left_out: dict[int, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.rows.values())


def copy_between(
    source: StoreLocation, target: StoreLocation, progress: Callable[[int, int], None] = _quiet
) -> StoreCopy:
    """Copies the store at ``source`` into the empty or missing one at ``target``. Raises StoreError, also if a daemon works on one of them."""
    if _same(source, target):
        raise StoreError(f"{target} is the store itself: name another one")
    with open_exclusively(source, existing=True) as kept, open_exclusively(target, existing=False) as empty:
        return copy_store(kept, empty, progress)


def _same(one: StoreLocation, other: StoreLocation) -> bool:
    if isinstance(one, Path) or isinstance(other, Path):
        paths = isinstance(one, Path) and isinstance(other, Path)
        return paths and Path(str(one)).resolve() == Path(str(other)).resolve()
    return (one.host, one.port, one.database) == (other.host, other.port, other.database)


def copy_store(source: SqlStore, target: SqlStore, progress: Callable[[int, int], None] = _quiet) -> StoreCopy:
    """Copies everything in one transaction. Raises StoreError; then the target is as empty as before.

    A notification that cannot be read is left out: nobody can send or show it. Any other row that cannot be read is an error.

    Both stores belong to the caller alone. ``progress`` gets the rows that were copied or compared, and how many there are in all.
    """
    if callbacks := source.count_forwarded():
        raise StoreError(
            f"{callbacks} callbacks of Routee's wait in the source for a daemon that takes them: start one, and stop it a minute later"
        )
    if filled := [table.name for table in TABLES if target.count_rows(table)]:
        raise StoreError(f"the target is not empty (it has rows in {', '.join(filled)}): name a new file or database")
    with source.snapshot():
        counts = {table.name: source.count_rows(table) for table in TABLES}
        counter, left_out = _Counter(progress, 2 * sum(counts.values())), dict[int, str]()
        with target.copying():
            written = [_copy(source, target, table, counter, left_out) for table in TABLES]
            for name in NUMBERED:
                target.set_last_number(name, source.last_number(name))
            target.set_ever_quarantined(source.counts()["quarantined"])
            _compare(target, written, counter)
            _compare_following(source, target, left_out)
    return StoreCopy({one.table.name: one.rows for one in written}, left_out)


@dataclass(slots=True)
class _Counter:
    report: Callable[[int, int], None]
    total: int
    done: int = 0

    def add(self, rows: int) -> None:
        self.done += rows
        self.report(self.done, self.total)


@dataclass(frozen=True, slots=True)
class _TableContent:
    """What is in a table: the number of its rows, and a digest of them in their order."""

    table: Table
    rows: int
    digest: bytes


def _copy(
    source: SqlStore, target: SqlStore, table: Table, counter: _Counter, left_out: dict[int, str]
) -> _TableContent:
    """Copies a table, except for the notifications that it adds to ``left_out``. Raises StoreDamaged."""
    digest, rows = hashlib.sha256(), 0
    for read in source.read_table(table):
        batch = _readable(read, left_out) if table is NOTIFICATIONS else read
        counter.total -= len(read) - len(batch)
        counter.done += len(read) - len(batch)
        try:
            _refuse_unreadable(table, batch)
            target.fill_table(table, batch)
        except UnreadableRow as error:
            raise source.damaged(error) from error
        _add(digest, batch)
        rows += len(batch)
        counter.add(len(batch))
    return _TableContent(table, rows, digest.digest())


def _refuse_unreadable(table: Table, batch: list[Row]) -> None:
    """Raises UnreadableRow for what one store does without, and another one takes for damage."""
    if table.name == "silence":
        silences(batch)
    elif table.name in _STRUCTS:
        structs(_STRUCTS[table.name], ((data, *keys) for *keys, data in batch))


def _readable(batch: list[Row], left_out: dict[int, str]) -> list[Row]:
    """Returns the notifications that can be read, and adds the others to ``left_out``."""
    number, data = NOTIFICATIONS.columns.index("id"), NOTIFICATIONS.columns.index("notification")
    found = []
    for row in batch:
        try:
            fingerprints(row[data])
        except UnreadableRow as error:
            left_out[row[number]] = error.why
        else:
            found.append(row)
    return found


def _content(
    store: SqlStore, table: Table, counter: _Counter | None = None, without: Collection[int] = ()
) -> _TableContent:
    """Reads a table, except for the rows about the notifications ``without``."""
    digest, rows = hashlib.sha256(), 0
    for read in store.read_table(table):
        batch = [row for row in read if row[table.columns.index("parcel")] not in without] if without else read
        _add(digest, batch)
        rows += len(batch)
        if counter:
            counter.add(len(batch))
    return _TableContent(table, rows, digest.digest())


def _add(digest: Any, batch: list[Any]) -> None:
    for row in batch:
        digest.update(repr(row).encode("utf-8", "surrogatepass"))


def _compare(target: SqlStore, written: list[_TableContent], counter: _Counter) -> None:
    """Reads back what was written. Raises StoreError if it is not the same."""
    for before in written:
        after = _content(target, before.table, counter)
        if after != before:
            raise _different(before, after)


def _compare_following(source: SqlStore, target: SqlStore, left_out: Collection[int]) -> None:
    before, after = _content(source, FOLLOWING, without=left_out), _content(target, FOLLOWING)
    if before != after:
        raise _different(before, after)


def _different(before: _TableContent, after: _TableContent) -> StoreError:
    what = f"{before.rows} rows became {after.rows}" if before.rows != after.rows else "some rows became others"
    return StoreError(
        f"the copy of the table {before.table.name} is not the same ({what}), so nothing was copied; please report it"
    )
