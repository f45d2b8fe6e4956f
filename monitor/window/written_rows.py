"""Collects the rows that were written since somebody looked, so that what is derived from rows is kept without reading all of them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.window.columns import Columns
from monitor.window.index import Rows
from monitor.window.stable_order import distinct

MANY: Final = 1_000
"""So many lists of rows are made one."""
FEW: Final = 64
"""One row in so many is few: they are sorted. More are marked among all rows."""


class WrittenRows:
    """The rows of a table whose kind, profile, dates or latency were written since the last `take`; at first all rows."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._lists: list[NDArray[np.int32]] = [np.arange(columns.length, dtype=np.int32)]
        columns.written.append(self._note)

    def _note(self, rows: Rows) -> None:
        self._lists.append(rows.astype(np.int32))
        if len(self._lists) > MANY:
            self._lists = [self.take().astype(np.int32)]

    def take(self, *, everything: bool = False) -> Rows:
        """Returns the rows, or all that there are, each once and ascending, and forgets them."""
        lists, self._lists = self._lists, []
        if everything:
            return np.arange(self._columns.length)
        if sum(map(len, lists)) < self._columns.length // FEW:
            return distinct(np.concatenate([np.zeros(0, np.int64), *lists]))
        found = np.zeros(self._columns.length, np.bool_)
        for rows in lists:
            found[rows] = True
        return np.flatnonzero(found)
