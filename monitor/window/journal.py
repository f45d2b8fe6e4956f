"""The journal: the changes of the window that are not stored yet, and which stored entries are still needed.

Each commit appends one entry with the rows that changed. The latest values of a row stand in one entry, its other entries
have only stale ones of it. Entries that are mostly stale, or small, are dropped, and what still matters of them is written again with the
next entry: so neither the file nor the number of entries grows without end, and no commit writes much more than was changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.window.codec import decode, encode, sealed
from monitor.window.columns import COLUMNS, Columns
from monitor.window.index import Rows
from monitor.window.table import ColumnTable

MOST_ENTRIES = 256
"""The number of entries that there may be in any case, besides one for each 4,096 rows: each takes time to read back."""
STALE_ROWS = 1 << 16
"""The number of stale rows that the journal may have in any case, besides as many as there are rows."""

_NOTHING: Rows = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What goes into the next entry: rows with their values, rows that are free; and the entries that are dropped for it."""

    rows: Rows
    freed: Rows
    blob: bytes | None
    cleaned: list[int]


@dataclass(slots=True)
class _Entry:
    """How many rows an entry has, and of how many it has the latest."""

    rows: int
    live: int


class WindowJournal:
    """Knows for each row of the columns which entry has its latest values."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._entry_of = ColumnTable({"seq": np.uint16})  # for each row; 0: none
        self._changed: list[Rows] = []
        self._entries: dict[int, _Entry] = {}
        self._stale = 0

    def __len__(self) -> int:
        """How many entries the store has."""
        return len(self._entries)

    @property
    def nbytes(self) -> int:
        return self._entry_of.nbytes

    def changed(self, rows: Rows) -> None:
        """These rows are not in the store as they are now. A row that was freed needs to be known there as free."""
        if rows.size:
            self._changed.append(rows)

    def next_entry(self, step: int) -> Rewritten:
        """Returns the data to commit; call `saved` or `not_saved` next. At most about ``step`` rows of old entries are written again."""
        cleaned = self._to_clean(step)
        again = self._rows_of(cleaned)
        rows = np.unique(np.concatenate([_NOTHING, *self._changed, again]))
        self._changed = []
        used = self._columns["kind"][rows] > 0
        kept, freed = rows[used], rows[~used]
        sections = [encode(self._columns, kept, COLUMNS)] if kept.size else []
        sections += [encode(self._columns, freed, ("kind",))] if freed.size else []
        return Rewritten(kept, freed, sealed(sections) if sections else None, cleaned)

    def saved(self, entry: Rewritten, seq: int | None) -> None:
        """The store has it; ``seq`` is the entry's number."""
        if seq is not None:
            self._enter(seq, np.concatenate([entry.rows, entry.freed]))
        for old in entry.cleaned:
            gone = self._entries.pop(old)
            self._stale -= gone.rows - gone.live

    def not_saved(self, entry: Rewritten) -> None:
        """The store did not take it."""
        self.changed(np.concatenate([entry.rows, entry.freed]))

    def restore(self, seq: int, blob: bytes) -> None:
        """Take an entry over from the store; oldest first. Raises Unreadable, and then the window is worth nothing."""
        for rows, values in decode(blob, self._columns.profiles):
            self._columns.reserve(int(rows.max()) + 1)
            self._columns.write(rows, values)
            self._enter(seq, rows)

    def _enter(self, seq: int, rows: Rows) -> None:
        """Entry ``seq`` has the latest of these rows from now on."""
        self._entry_of.reserve(self._columns.length)
        before, counts = np.unique(self._entry_of["seq"][rows], return_counts=True)
        for old, count in zip(before.tolist(), counts.tolist(), strict=True):
            if old in self._entries:
                self._entries[old].live -= count
                self._stale += count
        self._entry_of.write(rows, {"seq": np.full(len(rows), seq)})
        entry = self._entries.setdefault(seq, _Entry(0, 0))
        entry.rows += len(rows)
        entry.live += len(rows)

    def _to_clean(self, step: int) -> list[int]:
        """The entries that cost least to drop, where the journal has too many stale rows or too many entries."""
        entries, length = self._entries, self._columns.length
        if self._stale > length + STALE_ROWS:
            order = [seq for seq, entry in entries.items() if entry.live * 4 <= entry.rows * 3]
            order.sort(key=lambda seq: entries[seq].live / entries[seq].rows)
        elif len(entries) > MOST_ENTRIES + length // 4096:
            order = sorted(entries, key=lambda seq: entries[seq].live)[: MOST_ENTRIES // 2]
        else:
            return []
        costs = np.cumsum([entries[seq].live for seq in order])
        return order[: max(int(np.searchsorted(costs, step, "right")), 1)]

    def _rows_of(self, entries: Sequence[int]) -> Rows:
        if not entries:
            return _NOTHING
        seq = self._entry_of["seq"][: self._entry_of.length]
        wanted = np.zeros(max(self._entries) + 1, np.bool_)
        wanted[entries] = True
        return np.flatnonzero(wanted[seq])
