"""The columns: one row a part of a message (and one more for a message of several parts), overwritten in place.

Every column is as narrow as the values that it holds allow: it starts at its narrowest type and is widened, once and for all
of its rows, when a value needs it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.message import CODED_FIELDS
from monitor.window.index import Keys, Rows

AS_PART = 1
AS_MESSAGE = 2
NOT_GIVEN = -1
PRICE_UNIT = 1e9
LATENCY_UNIT = 1e3

Values = dict[str, NDArray[Any]]

_FIXED: dict[str, type[np.generic]] = {
    "high": np.uint64,  # the message's id
    "low": np.uint64,
    "key": np.int8,  # which part; HEAD for the row that stands for a message of several parts
    "parts": np.uint8,
    "date": np.int64,  # instant at which the present status was reported
    "first_seen": np.int64,  # the earliest status date that was seen
    "latency": np.int32,  # milliseconds, NOT_GIVEN
    "price": np.int32,  # in billionths, so that sums do not depend on their order, NOT_GIVEN
    "to": np.uint64,  # keyed hash of the recipient
    "link": np.int32,  # the next row of the same message, -1 at the end
    "kind": np.uint8,  # AS_PART | AS_MESSAGE: what the row counts as; 0: free
}
CODED = (*CODED_FIELDS, "recipient", "searches")
"""Columns of codes. ``recipient`` is the text that may be shown."""

BLOCK = 8192
_SIGNED = (np.int8, np.int16, np.int32, np.int64)
_UNSIGNED = (np.uint8, np.uint16, np.uint32, np.uint64)
_LIMITS = np.iinfo(np.int64)


class Columns:
    """Arrays of one length, grown in place in small steps so that no step stalls the program."""

    def __init__(self) -> None:
        self.length = 0
        self._arrays: Values = {name: np.zeros(0, dtype) for name, dtype in _FIXED.items()}
        self._arrays |= {name: np.zeros(0, np.uint8) for name in CODED}
        self.seq = np.zeros(0, np.uint32)  # which journal entry holds the row's latest values
        self.latest = np.zeros(0, np.int64)  # the largest and the smallest date of each block of rows, as bounds
        self.earliest = np.zeros(0, np.int64)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._arrays)

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self._arrays.values()) + self.seq.nbytes

    @property
    def keys(self) -> Keys:
        return Keys(self._arrays["high"], self._arrays["low"], self._arrays["key"])

    def reserve(self, length: int) -> None:
        """Make room for ``length`` rows; what is new is free."""
        self.length = max(self.length, length)
        capacity = len(self.seq)
        if length <= capacity:
            return
        capacity = (max(length, capacity + capacity // 32) // BLOCK + 1) * BLOCK
        for array in (*self._arrays.values(), self.seq):
            array.resize(capacity, refcheck=False)
        blocks = capacity // BLOCK - len(self.latest)
        self.latest = np.concatenate([self.latest, np.full(blocks, _LIMITS.min)])
        self.earliest = np.concatenate([self.earliest, np.full(blocks, _LIMITS.max)])

    def write(self, rows: Rows, values: Values) -> None:
        """Overwrite the given columns of ``rows``, which are all different."""
        for name, new in values.items():
            array = self._arrays[name]
            if not np.can_cast(new.dtype, array.dtype) and (wider := _fitting(array.dtype, new)) != array.dtype:
                array = self._arrays[name] = array.astype(wider)
            array[rows] = new
        if "date" in values:
            self._bound(rows, values["date"])

    def _bound(self, rows: Rows, dates: NDArray[np.int64]) -> None:
        blocks = rows // BLOCK
        np.maximum.at(self.latest, blocks, dates)
        np.minimum.at(self.earliest, blocks, dates)

    def free(self, rows: Rows) -> None:
        """These rows, ascending, hold nothing any more."""
        self._arrays["kind"][rows] = 0
        blocks = np.unique(rows // BLOCK)
        used = self._arrays["kind"].reshape(-1, BLOCK)[blocks] > 0
        dates = self._arrays["date"].reshape(-1, BLOCK)[blocks]
        self.latest[blocks] = np.max(dates, axis=1, initial=_LIMITS.min, where=used)
        self.earliest[blocks] = np.min(dates, axis=1, initial=_LIMITS.max, where=used)

    def between(self, start: int, end: int, kind: int) -> Rows:
        """The rows of a kind whose date lies in (start, end], ascending."""
        return self._within(np.flatnonzero((self.latest > start) & (self.earliest <= end)), start, end, kind)

    def oldest(self, end: int, kind: int, most: int) -> Rows:
        """Rows of a kind whose date is not after ``end``, ascending; of very many only the first, ``most`` or up to a block more."""
        found = [np.zeros(0, np.int64)]
        for block in np.flatnonzero(self.earliest <= end).tolist():
            found.append(self._scan(block, block + 1, _LIMITS.min, end, kind))
            most -= len(found[-1])
            if most <= 0:
                break
        return np.concatenate(found)

    def _within(self, blocks: NDArray[np.int64], start: int, end: int, kind: int) -> Rows:
        if not blocks.size:
            return np.zeros(0, np.int64)
        runs = np.split(blocks, np.flatnonzero(np.diff(blocks) > 1) + 1)
        return np.concatenate([self._scan(int(run[0]), int(run[-1]) + 1, start, end, kind) for run in runs])

    def _scan(self, first: int, last: int, start: int, end: int, kind: int) -> Rows:
        low, high = first * BLOCK, min(last * BLOCK, self.length)
        fits = (self._arrays["kind"][low:high] & kind).astype(np.bool_)
        dates = self._arrays["date"][low:high]
        if (self.earliest[first:last] <= start).any():
            fits &= dates > start
        if (self.latest[first:last] > end).any():
            fits &= dates <= end
        return np.flatnonzero(fits) + low


def _fitting(dtype: np.dtype[Any], new: NDArray[Any]) -> np.dtype[Any]:
    """The narrowest type of the same sign as ``dtype``, and not narrower, that holds all of ``new``."""
    if not new.size:
        return dtype
    low, high = int(new.min()), int(new.max())
    for wider in _UNSIGNED if dtype.kind == "u" else _SIGNED:
        limits = np.iinfo(wider)
        if np.dtype(wider).itemsize >= dtype.itemsize and limits.min <= low and high <= limits.max:
            return np.dtype(wider)
    raise ValueError(f"{low} to {high} do not fit into a column of {dtype}")
