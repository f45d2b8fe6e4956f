"""A hash index from (message id, part) to a row, in numpy: open addressing with linear probing, a whole page at a time."""

import numpy as np
from numpy.typing import NDArray

EMPTY = -1
GONE = -2

Rows = NDArray[np.int64]


class Keys:
    """The three columns that a row is found by; ``high`` and ``low`` are the message's id, ``key`` tells its parts apart."""

    __slots__ = ("high", "key", "low")

    def __init__(self, high: NDArray[np.uint64], low: NDArray[np.uint64], key: NDArray[np.int32]) -> None:
        self.high = high
        self.low = low
        self.key = key

    def __getitem__(self, at: Rows | NDArray[np.bool_]) -> "Keys":
        return Keys(self.high[at], self.low[at], self.key[at])

    def __len__(self) -> int:
        return len(self.high)

    def hashed(self) -> NDArray[np.uint64]:
        """64 well-mixed bits of each key (the finaliser of splitmix64)."""
        mixed = self.low ^ (self.high * np.uint64(0x9E3779B97F4A7C15))
        mixed ^= self.key.astype(np.uint64) * np.uint64(0xD6E8FEB86659FD93)
        mixed ^= mixed >> np.uint64(30)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(27)
        return mixed * np.uint64(0x94D049BB133111EB)


class Index:
    """Where each key's row is. The keys themselves stay in the columns, which every call is handed."""

    def __init__(self) -> None:
        self._reset(1 << 12)

    def _reset(self, size: int) -> None:
        self._table = np.full(size, EMPTY, np.int32)
        self._mask = size - 1
        self._shift = np.uint64(64 - size.bit_length() + 1)
        self._used = 0

    @property
    def nbytes(self) -> int:
        return self._table.nbytes

    def find(self, keys: Keys, columns: Keys) -> Rows:
        """The row of each of ``keys``, -1 where there is none."""
        rows, _ = self._probe(keys, columns)
        return rows

    def _probe(self, keys: Keys, columns: Keys) -> tuple[Rows, Rows]:
        count = len(keys)
        found, places = np.full(count, EMPTY, np.int64), np.full(count, EMPTY, np.int64)
        at = (keys.hashed() >> self._shift).astype(np.int64)
        left = np.arange(count)
        while left.size:
            rows = self._table[at]
            there = np.flatnonzero(rows >= 0)
            candidates, asked = rows[there], left[there]
            same = columns.low[candidates] == keys.low[asked]
            same &= columns.high[candidates] == keys.high[asked]
            same &= columns.key[candidates] == keys.key[asked]
            hits = there[same]
            found[left[hits]] = rows[hits]
            places[left[hits]] = at[hits]
            going = rows != EMPTY
            going[hits] = False
            left, at = left[going], (at[going] + 1) & self._mask
        return found, places

    def add(self, keys: Keys, rows: Rows, live: Rows | None, columns: Keys) -> None:
        """Enter keys that are not there yet, each once. ``live`` are all rows in use, or None to work them out when it grows."""
        if (self._used + len(rows)) * 2 > len(self._table):
            present = self._table[self._table >= 0].astype(np.int64) if live is None else live
            self.rebuild(np.concatenate([present, rows]), columns)
        else:
            self._insert(keys, rows)

    def rebuild(self, rows: Rows, columns: Keys) -> None:
        """Index exactly ``rows``, with room to grow; entries that are gone cost nothing any more."""
        size = 1 << 12
        while size < len(rows) * 5 // 2:
            size *= 2
        self._reset(size)
        step = 1 << 18
        for first in range(0, len(rows), step):
            some = rows[first : first + step]
            self._insert(columns[some], some)

    def _insert(self, keys: Keys, rows: Rows) -> None:
        at = (keys.hashed() >> self._shift).astype(np.int64)
        self._used += len(rows)
        while rows.size:
            free = self._table[at] == EMPTY
            self._table[at[free]] = rows[free]
            lost = self._table[at] != rows
            rows, at = rows[lost], (at[lost] + 1) & self._mask

    def remove(self, keys: Keys, columns: Keys) -> None:
        """Take keys out that are there."""
        _, places = self._probe(keys, columns)
        self._table[places[places >= 0]] = GONE
