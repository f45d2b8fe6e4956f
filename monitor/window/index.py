"""A hash index from (message id, part) to a row, with open addressing. Its calls work on arrays of keys.

It grows in steps: a table that has become too small is kept beside the new one, and each call that adds rows moves some of its rows. So
no call takes long, however many rows there are.
"""

import numpy as np
from numpy.typing import NDArray

from monitor.runtime.pieces import Work

EMPTY = -1
GONE = -2

SMALLEST = 1 << 12
FULL = 0.7
"""The share of occupied slots above which a table grows."""
STEP = 1 << 15
"""The least number of slots of an old table that each call that adds rows moves, and the number of rows that are indexed at a time."""
_FEW = 512
"""Up to so many keys are looked for in `_WIDE` slots each at once: that takes hardly longer than in one."""
_WIDE = 8

Rows = NDArray[np.int64]
Hashes = NDArray[np.uint64]


class Keys:
    """The three columns by which a row is found. ``high`` and ``low`` are the message's id; ``key`` distinguishes its parts.

    ``ends`` are slots of a table before which these keys were looked for in vain, if they were.
    """

    __slots__ = ("_hashed", "ends", "high", "key", "low")

    def __init__(self, high: NDArray[np.uint64], low: NDArray[np.uint64], key: NDArray[np.signedinteger]) -> None:
        self.high = high
        self.low = low
        self.key = key
        self._hashed: Hashes | None = None
        self.ends: tuple[_Table, Rows] | None = None

    def __getitem__(self, at: Rows | NDArray[np.bool_]) -> "Keys":
        some = Keys(self.high[at], self.low[at], self.key[at])
        some._hashed = None if self._hashed is None else self._hashed[at]
        some.ends = None if self.ends is None else (self.ends[0], self.ends[1][at])
        return some

    def __len__(self) -> int:
        return len(self.high)

    def hashed(self) -> Hashes:
        """Returns a well-mixed 64-bit hash of each key (the finaliser of splitmix64)."""
        if self._hashed is None:
            mixed = self.low ^ (self.high * np.uint64(0x9E3779B97F4A7C15))
            mixed ^= self.key.astype(np.uint64) * np.uint64(0xD6E8FEB86659FD93)
            mixed ^= mixed >> np.uint64(30)
            mixed *= np.uint64(0xBF58476D1CE4E5B9)
            mixed ^= mixed >> np.uint64(27)
            self._hashed = mixed * np.uint64(0x94D049BB133111EB)
        return self._hashed


def first_of_each(keys: Keys) -> Rows:
    """Returns the position of the first one of each message among ``keys``."""
    return each_message(keys)[0]


def each_message(keys: Keys) -> tuple[Rows, Rows]:
    """Returns the position of the first one of each message among ``keys``, and for each of ``keys`` the position of its message's among
    these."""
    order: Rows = np.lexsort((keys.low, keys.high))
    high, low = keys.high[order], keys.low[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    of = np.empty_like(order)
    of[order] = np.cumsum(is_first) - 1
    return order[is_first], of


def _equal(columns: Keys, rows: NDArray[np.int32], keys: Keys, asked: Rows) -> Rows:
    """Returns where the keys of ``rows`` are those at the positions ``asked``. Few rows have more in common with them than nothing."""
    same: Rows = np.flatnonzero(columns.low[rows] == keys.low[asked])
    rows, asked = rows[same], asked[same]
    are_equal: NDArray[np.bool_] = (columns.high[rows] == keys.high[asked]) & (columns.key[rows] == keys.key[asked])
    return same[are_equal]


class _Table:
    """A hash table with a power of two of slots. The step between the slots that are tried depends on the key (double hashing)."""

    def __init__(self, size: int) -> None:
        self.positions = np.full(size, EMPTY, np.int32)
        self.used = 0
        self._mask = np.uint64(size - 1)
        self._shift = np.uint64(64 - size.bit_length() + 1)

    def _first(self, hashes: Hashes) -> tuple[Rows, Rows]:
        """Returns the first slot of each key, and the step to the next ones, which is odd so that all slots are reached."""
        return (hashes >> self._shift).astype(np.int64), ((hashes & self._mask) | np.uint64(1)).astype(np.int64)

    def probe(self, keys: Keys, columns: Keys) -> tuple[Rows, Rows]:
        """Returns the row and the slot of each key; `EMPTY` for both if the key does not exist. Notes in ``keys`` where it ended."""
        count, mask = len(keys), len(self.positions) - 1
        found, positions = np.full(count, EMPTY, np.int64), np.full(count, EMPTY, np.int64)
        at, step = self._first(keys.hashed())
        ends, left = at.copy(), np.arange(count)
        while left.size:
            width = 1 if left.size > _FEW else _WIDE
            slots, rows, going = self._tried(at, step, width)
            there = np.flatnonzero(rows >= 0)
            tried = there // width
            hits = _equal(columns, rows[there], keys, left[tried])
            there, hit = there[hits], tried[hits]
            found[left[hit]], positions[left[hit]] = rows[there], slots[there]
            ends[left] = at
            going[hit] = False
            left, step = left[going], step[going]
            at = (at[going] + step * width) & mask
        keys.ends = self, ends
        return found, positions

    def _tried(self, at: Rows, step: Rows, width: int) -> tuple[Rows, NDArray[np.int32], NDArray[np.bool_]]:
        """Returns the next ``width`` slots of each key, what is in them up to the first empty one, and whether none is empty."""
        if width == 1:
            rows = self.positions[at]
            return at, rows, rows != EMPTY
        slots = (at[:, None] + step[:, None] * np.arange(width)) & (len(self.positions) - 1)
        rows = self.positions[slots]
        is_ahead = np.logical_and.accumulate(rows != EMPTY, axis=1)
        rows[~is_ahead] = EMPTY
        return slots.ravel(), rows.ravel(), is_ahead[:, -1]

    def insert(self, keys: Keys, rows: Rows) -> None:
        """Adds rows whose keys are not in the table yet."""
        positions, mask = self.positions, len(self.positions) - 1
        at, step = self._first(keys.hashed())
        if keys.ends is not None and keys.ends[0] is self:
            at = keys.ends[1]  # no slot before has become empty since
        self.used += len(rows)
        left = rows.astype(np.int32)
        while left.size:  # `take` of positions is nearly twice as fast as a mask
            free = np.flatnonzero(positions.take(at) == EMPTY)
            positions[at.take(free)] = left.take(free)
            lost = np.flatnonzero(positions.take(at) != left)
            left, step = left.take(lost), step.take(lost)
            at = (at.take(lost) + step) & mask


class Index:
    """Maps keys to rows. The keys themselves are in the columns, which every call gets as an argument."""

    def __init__(self) -> None:
        self._table = _Table(SMALLEST)
        self._old: _Table | None = None
        self._moved = 0  # slots of the old table that were moved
        self._count = 0

    @property
    def nbytes(self) -> int:
        return self._table.positions.nbytes + (0 if self._old is None else self._old.positions.nbytes)

    def find(self, keys: Keys, columns: Keys) -> Rows:
        """Returns the row of each of ``keys``; -1 if it does not exist."""
        rows, _ = self._table.probe(keys, columns)
        if self._old is not None:
            missing = np.flatnonzero(rows < 0)
            rows[missing], _ = self._old.probe(keys[missing], columns)
        return rows

    def add(self, keys: Keys, rows: Rows, columns: Keys) -> None:
        """Adds keys that are not in the index yet, each once."""
        if self._old is not None:
            self._move(max(STEP, 16 * len(rows)), columns)
        if self._table.used + len(rows) > FULL * len(self._table.positions):
            self._grow(len(rows), columns)
        self._table.insert(keys, rows)
        self._count += len(rows)

    def _grow(self, more: int, columns: Keys) -> None:
        if self._old is not None:
            self._move(len(self._old.positions), columns)
        self._old, self._moved = self._table, 0
        self._table = _Table(_size(self._count + more))

    def _move(self, positions: int, columns: Keys) -> None:
        assert self._old is not None
        some = self._old.positions[self._moved : self._moved + positions]
        rows: Rows = some[some >= 0].astype(np.int64)
        self._table.insert(columns[rows], rows)
        self._moved += positions
        if self._moved >= len(self._old.positions):
            self._old = None

    def rebuilding(self, rows: Rows, columns: Keys) -> Work[None]:
        """Replaces the index by one of exactly ``rows``, with room to grow, in pieces; it finds nothing reliably before the end."""
        self._table, self._old, self._count = _Table(_size(len(rows))), None, len(rows)
        for first in range(0, len(rows), STEP):
            some = rows[first : first + STEP]
            self._table.insert(columns[some], some)
            yield

    def remove(self, keys: Keys, columns: Keys) -> None:
        """Removes keys that are in the index."""
        for table in (self._table, self._old):
            if table is not None:
                _, positions = table.probe(keys, columns)
                table.positions[positions[positions >= 0]] = GONE
        self._count -= len(keys)


def _size(rows: int) -> int:
    """Returns the number of slots for ``rows`` rows and an eighth more, so that there is room until the old table is empty."""
    size = SMALLEST
    while size * FULL < rows * 9 // 8:
        size *= 2
    return size
