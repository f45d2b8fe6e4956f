"""A table of named arrays that grow in place in small steps, each with as narrow a type as its values allow.

An array starts with its declared type. It is widened as a whole when a value needs more bits.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from monitor.window.index import Rows

Values = dict[str, NDArray[Any]]

BLOCK = 8192
"""Tables grow by whole blocks of rows."""

_SIGNED = (np.int8, np.int16, np.int32, np.int64)
_UNSIGNED = (np.uint8, np.uint16, np.uint32, np.uint64)


class ColumnTable:
    """A table with the rows from 0 to before ``length``. Its arrays are longer."""

    def __init__(self, types: Mapping[str, DTypeLike]) -> None:
        self.length = 0
        self.capacity = 0
        self._arrays: Values = {name: np.zeros(0, dtype) for name, dtype in types.items()}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name]

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self._arrays.values())

    def reserve(self, length: int) -> None:
        """Makes room for ``length`` rows; new rows are zero."""
        self.length = max(self.length, length)
        if length > self.capacity:
            self.capacity = (max(length, self.capacity + self.capacity // 64) // BLOCK + 1) * BLOCK
            for array in self._arrays.values():
                array.resize(self.capacity, refcheck=False)

    def write(self, rows: Rows, values: Values) -> None:
        """Overwrites the given columns of ``rows``, which must all be different."""
        at = _span(rows)
        for name, new in values.items():
            array = self._arrays[name]
            if not np.can_cast(new.dtype, array.dtype) and (wider := _fitting(array.dtype, new)) != array.dtype:
                array = self._arrays[name] = array.astype(wider)
            array[at] = new


def _span(rows: Rows) -> Rows | slice:
    """Returns the same rows as a slice, which is written several times as fast, if they follow each other as new rows do."""
    if not rows.size or rows[-1] - rows[0] != rows.size - 1 or not (rows[1:] > rows[:-1]).all():
        return rows
    return slice(int(rows[0]), int(rows[-1]) + 1)


def _fitting(dtype: np.dtype[Any], new: NDArray[Any]) -> np.dtype[Any]:
    """Returns the narrowest type that can hold all of ``new``, of the same sign as ``dtype`` and at least as wide. Raises ValueError if there
    is none."""
    if not new.size:
        return dtype
    low, high = int(new.min()), int(new.max())
    for wider in _UNSIGNED if dtype.kind == "u" else _SIGNED:
        limits = np.iinfo(wider)
        if np.dtype(wider).itemsize >= dtype.itemsize and limits.min <= low and high <= limits.max:
            return np.dtype(wider)
    raise ValueError(f"{low} to {high} do not fit into a column of {dtype}")
