"""Keeps the rows whose present status came late. Few do, they may lie anywhere, and only what was written is looked at again."""

import numpy as np
from numpy.typing import NDArray

from monitor.runtime.clock import MILLISECOND, Duration
from monitor.window.columns import NOT_GIVEN, Columns
from monitor.window.index import Rows
from monitor.window.table import ColumnTable
from monitor.window.written_rows import WrittenRows


class LateRows:
    """The rows of one window whose status came more than ``after`` after sending. It is kept from the beginning of this object on."""

    def __init__(self, columns: Columns, after: Duration) -> None:
        self._columns = columns
        self._after = after
        self._written = WrittenRows(columns)
        self._is_late = ColumnTable({"is_late": np.bool_})

    @property
    def nbytes(self) -> int:
        return self._is_late.nbytes

    def rows(self) -> Rows:
        """Returns the rows, ascending. Some may be free by now."""
        rows = self._written.take()
        self._is_late.reserve(self._columns.length)
        self._is_late.write(rows, {"is_late": delays(self._columns, rows) > self._after})
        return np.flatnonzero(self._is_late["is_late"])


def delays(columns: Columns, rows: Rows) -> NDArray[np.int64]:
    """Returns the microseconds from sending to the present status: the latency, or the time since the first sight if it is not given."""
    latency = columns["latency"][rows]
    delays: NDArray[np.int64] = latency.astype(np.int64)
    delays *= MILLISECOND
    missing = np.flatnonzero(latency == NOT_GIVEN)
    some = rows[missing]
    delays[missing] = columns["date"][some] - columns["first_seen"][some]
    return delays
