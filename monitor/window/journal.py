"""The window's journal: collects changes that are not stored yet, and knows which stored entries are still needed.

Each commit appends one entry with the rows that changed. A row's latest values are in one entry; its values in other entries are stale.
Entries that are mostly stale, or small, are dropped, and their rows that are not stale are written again with the next entry. So neither
the file nor the number of entries grows without limit, and a commit writes little more than the changes.

A sum of all entries is stored beside them (`JournalSum`), so that one that is missing is noticed. Not every commit stores one, and it says something
as long as its newest entry is the newest one. So entries are only dropped together with a new one.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

import numpy as np

from monitor.model.journal_sum import JournalSum
from monitor.runtime.dataclass import dataclass
from monitor.window.codec import OpenedBlob, UnreadableBlob, decode, encode, opened, seal_of, sealed
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
    """The next entry: rows with values, rows that became free, the encoded blob (None if nothing changed), the numbers of the entries to drop,
    and the journal's sum afterwards."""

    rows: Rows
    freed: Rows
    blob: bytes | None
    cleaned: list[int]
    sum: JournalSum


@dataclass(slots=True)
class _Entry:
    """A stored entry: its place among those that the store has now, its checksum, how many rows it has, and of how many of them it has the latest
    values.

    The place is what is kept for each row. An entry's own number is no measure of anything: the store counts all entries of all accounts that
    ever were.
    """

    place: int
    seal: int
    rows: int = 0
    live: int = 0


class WindowJournal:
    """The journal of one window. It knows for each row which entry has its latest values."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._entry_of = ColumnTable({"place": np.uint16})  # for each row, of the entry with its latest values; 0: none
        self._changed: list[Rows] = []
        self._entries: dict[int, _Entry] = {}  # by their numbers
        self._at_place: list[_Entry | None] = [None]
        self._free_places: list[int] = []
        self._stale = 0
        self._sum = JournalSum()

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
        if not sections:
            return Rewritten(kept, freed, None, [], self._sum._replace(last=self._last))
        blob = self._told_apart(sections)
        return Rewritten(kept, freed, blob, cleaned, self._sum_with(seal_of(blob), cleaned))

    def saved(self, entry: Rewritten, seq: int | None) -> None:
        """Notes that the store has the entry; ``seq`` is its number, or None if it had no blob."""
        if seq is not None:
            self._enter(seq, np.concatenate([entry.rows, entry.freed]), entry.sum.newest)
        self._sum = entry.sum
        for old in entry.cleaned:
            gone = self._entries.pop(old)
            self._stale -= gone.rows - gone.live
            self._at_place[gone.place] = None  # no row refers to it: all were written again
            self._free_places.append(gone.place)

    def not_saved(self, entry: Rewritten) -> None:
        """Notes that the entry could not be stored. Its rows are changed again."""
        self.changed(np.concatenate([entry.rows, entry.freed]))

    def restore(self, entries: Iterable[tuple[int, bytes]]) -> None:
        """Reads stored entries, with their numbers, into the columns; call it with the oldest first. Raises UnreadableBlob; then the window cannot
        be used."""
        self.restore_opened((number, opened(blob)) for number, blob in entries)

    def restore_opened(self, entries: Iterable[tuple[int, OpenedBlob]]) -> None:
        """Does what `restore` does with entries whose checksums fit."""
        left = iter(entries)
        while some := list(islice(left, AT_ONCE)):
            self._restore(some)

    def _restore(self, entries: Sequence[tuple[int, OpenedBlob]]) -> None:
        decoded = decode([blob for _, blob in entries], self._columns.profiles)
        self._columns.reserve(max((int(rows.max()) for sections in decoded for rows, _ in sections), default=-1) + 1)
        for (seq, blob), sections in zip(entries, decoded, strict=True):
            for rows, values in sections:
                self._columns.restore(rows, values)
                self._enter(seq, rows, blob.seal)
            self._sum = self._sum_with(blob.seal)

    def check(self, stored: Iterable[JournalSum]) -> None:
        """Raises UnreadableBlob if entries are missing of those that were restored, or others are among them. ``stored`` are sums, of which the
        latest commits may have made no new one."""
        count, newest, together, _ = self._sum
        for one in stored:
            is_of_now = one.newest == newest
            if (is_of_now and one[:3] != (count, newest, together)) or (not is_of_now and self._last <= one.last):
                few = " instead of" if count != one.entries else ", and some are missing of"
                raise UnreadableBlob(f"entries are missing: its journal has {count} entries{few} {one.entries}")

    def _told_apart(self, sections: list[bytes]) -> bytes:
        """Returns a blob of the sections that is no entry's yet: the same reports may be pushed again, and `check` knows an entry by its checksum."""
        copies, seals = 1, {entry.seal for entry in self._entries.values()}
        while seal_of(blob := sealed(sections * copies)) in seals:
            copies += 1
        return blob

    def _sum_with(self, seal: int, cleaned: Iterable[int] = ()) -> JournalSum:
        """Returns the sum of the entries once one with that checksum is added and those are dropped."""
        count, together = self._sum.entries + 1, self._sum.all
        for seq in cleaned:
            count, together = count - 1, together ^ self._entries[seq].seal
        return JournalSum(count, seal, together ^ seal, self._last)

    @property
    def _last(self) -> int:
        """The largest number of an entry; 0 without any. They come in the order of their numbers."""
        return next(reversed(self._entries), 0)

    def _enter(self, seq: int, rows: Rows, seal: int) -> None:
        """Notes that entry ``seq``, with that checksum, has the latest values of these rows."""
        self._entry_of.reserve(self._columns.length)
        counts = np.bincount(self._entry_of["place"][rows])
        for place in counts.nonzero()[0].tolist():
            if (old := self._at_place[place]) is not None:
                old.live -= (count := int(counts[place]))
                self._stale += count
        entry = self._entries.get(seq) or self._new_entry(seq, seal)
        self._entry_of.write(rows, {"place": np.full(len(rows), entry.place)})
        entry.rows += len(rows)
        entry.live += len(rows)

    def _new_entry(self, seq: int, seal: int) -> _Entry:
        """Returns an entry that has no rows yet, at a place that is free."""
        if not self._free_places:
            self._free_places.append(len(self._at_place))
            self._at_place.append(None)
        place = self._free_places.pop()
        entry = self._entries[seq] = self._at_place[place] = _Entry(place, seal)
        return entry

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
        places = self._entry_of["place"][: self._entry_of.length]
        wanted = np.zeros(len(self._at_place), np.bool_)
        wanted[[self._entries[seq].place for seq in entries]] = True
        return np.flatnonzero(wanted[places])
