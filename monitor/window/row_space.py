"""Which rows of a window's columns are in use, and which part of a message each of them has."""

import numpy as np

from monitor.runtime.pieces import Work
from monitor.window.columns import Columns
from monitor.window.index import Index, Keys, Rows


class RowSpace:
    """The rows of ``columns``. Rows that were released are used again before the columns grow."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._index = Index()
        self._free: Rows = np.zeros(0, np.int64)
        self._used = 0

    def __len__(self) -> int:
        """Returns how many rows are in use."""
        return self._used

    @property
    def nbytes(self) -> int:
        """Returns the memory of the index in bytes."""
        return self._index.nbytes

    def find(self, keys: Keys) -> Rows:
        """Returns the row of each part, -1 where there is none."""
        return self._index.find(keys, self._columns.keys)

    def same_id(self, rows: Rows, key: int) -> Rows:
        """Returns the rows with the ids of ``rows`` and this key, -1 where there is none."""
        columns = self._columns
        return self.find(Keys(columns["high"][rows], columns["low"][rows], np.full(len(rows), key, np.int8)))

    def allocate(self, count: int) -> Rows:
        """Returns rows to write to; call `add` next."""
        reused, self._free = self._free[:count], self._free[count:]
        first = self._columns.length
        self._columns.reserve(first + count - len(reused))
        self._used += count
        return np.concatenate([reused, np.arange(first, first + count - len(reused))])

    def add(self, keys: Keys, rows: Rows) -> None:
        """Notes the parts that were written to these rows."""
        self._index.add(keys, rows, self._columns.keys)

    def release(self, rows: Rows) -> None:
        """Takes rows out of use."""
        columns = self._columns
        self._index.remove(columns.keys[rows], columns.keys)
        columns.write(rows, {"kind": np.zeros(len(rows), np.uint8)})
        self._free = np.sort(np.concatenate([self._free, rows]), kind="stable")
        self._used -= len(rows)

    def restored(self) -> Rows:
        """Counts the rows of columns that were restored, and returns those in use. `indexing` has to follow."""
        used = self._columns["kind"][: self._columns.length] > 0
        rows = np.flatnonzero(used)
        self._free = np.flatnonzero(~used)
        self._used = len(rows)
        return rows

    def indexing(self, rows: Rows) -> Work[None]:
        """Notes the parts of the rows in use, in pieces."""
        return self._index.rebuilding(rows, self._columns.keys)
