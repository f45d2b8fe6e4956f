"""The window's journal: collects changes that are not stored yet, and knows which stored entries are still needed.

Each commit appends one entry with the rows that changed. A row's latest values are in one entry; its values in other entries are stale.
Entries that are mostly stale, or small, are dropped, and their rows that are not stale are written again with the next entry. So neither
the file nor the number of entries grows without limit, and a commit writes little more than the changes.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

import numpy as np

from monitor.runtime.dataclass import dataclass
from monitor.window.codec import decode, encode, sealed
from monitor.window.columns import COLUMNS, Columns
from monitor.window.index import Rows
from monitor.window.stable_order import distinct
from monitor.window.table import ColumnTable

MOST_ENTRIES = 256
"""The most entries, besides one for each 4,096 rows, before some are dropped: each takes time to read at the start."""
STALE_ROWS = 1 << 16
"""The most stale rows, besides as many as there are rows, before entries are dropped."""
AT_ONCE: Final = 16
"""The stored entries that are read into the columns at once: some megabytes."""

_NOTHING: Rows = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The next entry: rows with values, rows that became free, the encoded blob (None if nothing changed), and the numbers of the entries to
    drop."""

    rows: Rows
    freed: Rows
    blob: bytes | None
    cleaned: list[int]


@dataclass(slots=True)
class _Entry:
    """How many rows an entry has, and of how many of them it has the latest values."""

    rows: int
    live: int


class WindowJournal:
    """The journal of one window. It knows for each row which entry has its latest values."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._entry_of = ColumnTable({"seq": np.uint16})  # for each row; 0: none
        self._changed: list[Rows] = []
        self._entries: dict[int, _Entry] = {}
        self._stale = 0

    def __len__(self) -> int:
        """Returns how many entries the store has."""
        return len(self._entries)

    @property
    def nbytes(self) -> int:
        return self._entry_of.nbytes

    def changed(self, rows: Rows) -> None:
        """Notes that these rows, also freed ones, must be written with the next entry."""
        if rows.size:
            self._changed.append(rows)

    def next_entry(self, step: int) -> Rewritten:
        """Returns the data to commit; call `saved` or `not_saved` next. At most about ``step`` rows of old entries are written again."""
        cleaned = self._to_clean(step)
        again = self._rows_of(cleaned)
        rows = distinct(np.concatenate([_NOTHING, *self._changed, again]))
        self._changed = []
        used = self._columns["kind"][rows] > 0
        kept, freed = rows[used], rows[~used]
        sections = [encode(self._columns, kept, COLUMNS)] if kept.size else []
        sections += [encode(self._columns, freed, ("kind",))] if freed.size else []
        return Rewritten(kept, freed, sealed(sections) if sections else None, cleaned)

    def saved(self, entry: Rewritten, seq: int | None) -> None:
        """Notes that the store has the entry; ``seq`` is its number, or None if it had no blob."""
        if seq is not None:
            self._enter(seq, np.concatenate([entry.rows, entry.freed]))
        for old in entry.cleaned:
            gone = self._entries.pop(old)
            self._stale -= gone.rows - gone.live

    def not_saved(self, entry: Rewritten) -> None:
        """Notes that the entry could not be stored. Its rows are changed again."""
        self.changed(np.concatenate([entry.rows, entry.freed]))

    def restore(self, entries: Iterable[tuple[int, bytes]]) -> None:
        """Reads stored entries, with their numbers, into the columns; call it with the oldest first. Raises UnreadableBlob; then the window cannot
        be used."""
        left = iter(entries)
        while some := list(islice(left, AT_ONCE)):
            self._restore(some)

    def _restore(self, entries: Sequence[tuple[int, bytes]]) -> None:
        decoded = decode([blob for _, blob in entries], self._columns.profiles)
        self._columns.reserve(max((int(rows.max()) for sections in decoded for rows, _ in sections), default=-1) + 1)
        for (seq, _), sections in zip(entries, decoded, strict=True):
            for rows, values in sections:
                self._columns.restore(rows, values)
                self._enter(seq, rows)

    def _enter(self, seq: int, rows: Rows) -> None:
        """Notes that entry ``seq`` has the latest values of these rows."""
        self._entry_of.reserve(self._columns.length)
        counts = np.bincount(self._entry_of["seq"][rows])
        for old in counts.nonzero()[0].tolist():
            if old in self._entries:
                count = int(counts[old])
                self._entries[old].live -= count
                self._stale += count
        self._entry_of.write(rows, {"seq": np.full(len(rows), seq)})
        entry = self._entries.setdefault(seq, _Entry(0, 0))
        entry.rows += len(rows)
        entry.live += len(rows)

    def _to_clean(self, step: int) -> list[int]:
        """Returns the entries to drop if there are too many stale rows or too many entries: those with the fewest rows to write again."""
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
