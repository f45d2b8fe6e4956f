"""A table of named columns that grow in place in small steps, each as narrow as its values allow.

A column is an array, which starts with its declared type and is widened as a whole when a value needs more bits, or a `CompactColumn`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.window.compact_columns import Columnlike, CompactColumn
from monitor.window.fitting import fitting
from monitor.window.growing import as_type, resized
from monitor.window.index import Rows

Values = dict[str, NDArray[Any]]

BLOCK = 8192
"""Tables grow by whole blocks of rows."""


class ColumnTable:
    """A table with the rows from 0 to before ``length``. Its columns are longer."""

    def __init__(self, types: Mapping[str, Columnlike]) -> None:
        self.length = 0
        self.capacity = 0
        self._columns: dict[str, NDArray[Any] | CompactColumn] = {name: _empty(made) for name, made in types.items()}

    def __getitem__(self, name: str) -> Any:
        """Returns a column, which is read by rows; any but a `CompactColumn` is an array."""
        return self._columns[name]

    @property
    def nbytes(self) -> int:
        return sum(column.nbytes for column in self._columns.values())

    def reserve(self, length: int) -> None:
        """Makes room for ``length`` rows; new rows are zero."""
        self.length = max(self.length, length)
        if length > self.capacity:
            self.capacity = (max(length, self.capacity + self.capacity // 64) // BLOCK + 1) * BLOCK
            for name, column in self._columns.items():
                if isinstance(column, CompactColumn):
                    column.resize(self.capacity)
                else:
                    self._columns[name] = resized(column, self.capacity)

    def write(self, rows: Rows, values: Values) -> None:
        """Overwrites the given columns of ``rows``, which must all be different."""
        at = _span(rows)
        for name, new in values.items():
            column = self._columns[name]
            if not isinstance(column, CompactColumn) and (wider := fitting(column.dtype, new)) != column.dtype:
                column = self._columns[name] = as_type(column, wider)
            column[at] = new


def _empty(made: Columnlike) -> NDArray[Any] | CompactColumn:
    if isinstance(made, type) and not issubclass(made, CompactColumn):
        return np.zeros(0, made)
    return made() if callable(made) else np.zeros(0, made)


def _span(rows: Rows) -> Rows | slice:
    """Returns the same rows as a slice, which is written several times as fast, if they follow each other as new rows do."""
    if not rows.size or rows[-1] - rows[0] != rows.size - 1 or not (rows[1:] > rows[:-1]).all():
        return rows
    return slice(int(rows[0]), int(rows[-1]) + 1)
