"""The columns: one row a part of a message (and one more for a message of several parts), overwritten in place."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.message import CODED_FIELDS
from monitor.window.index import Keys, Rows

AS_PART = 1
AS_MESSAGE = 2
NO_PRICE = -1
PRICE_UNIT = 1e9

Values = dict[str, NDArray[Any]]

_FIXED: dict[str, type[np.generic]] = {
    "high": np.uint64,  # the message's id
    "low": np.uint64,
    "key": np.int32,  # which part; HEAD for the row that stands for a message of several parts
    "parts": np.int32,
    "date": np.int64,  # instant at which the present status was reported
    "first_seen": np.int64,  # the earliest status date that was seen
    "latency": np.float64,  # seconds, NaN: not given
    "price": np.int64,  # in billionths, so that sums do not depend on their order; NO_PRICE: not given
    "to": np.uint64,  # keyed hash of the recipient
    "link": np.int32,  # the next row of the same message, -1 at the end
    "kind": np.uint8,  # AS_PART | AS_MESSAGE: what the row counts as; 0: free
}
CODED = (*CODED_FIELDS, "recipient", "searches")
"""Columns of codes. ``recipient`` is the text that may be shown."""

BLOCK = 8192
_NARROW = 1 << 16


class Columns:
    """Arrays of one length, grown in place in small steps so that no step stalls the program."""

    def __init__(self) -> None:
        self.length = 0
        self._arrays: Values = {name: np.zeros(0, dtype) for name, dtype in _FIXED.items()}
        self._arrays |= {name: np.zeros(0, np.uint16) for name in CODED}
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
        capacity = (max(length, capacity + capacity // 16) // BLOCK + 1) * BLOCK
        for array in (*self._arrays.values(), self.seq):
            array.resize(capacity, refcheck=False)
        blocks = capacity // BLOCK - len(self.latest)
        self.latest = np.concatenate([self.latest, np.full(blocks, np.iinfo(np.int64).min)])
        self.earliest = np.concatenate([self.earliest, np.full(blocks, np.iinfo(np.int64).max)])

    def write(self, rows: Rows, values: Values) -> None:
        """Overwrite the given columns of ``rows``; columns of codes are widened where a code needs it."""
        for name, new in values.items():
            array = self._arrays[name]
            if array.dtype == np.uint16 and new.dtype != np.uint16 and new.max(initial=0) >= _NARROW:
                array = self._arrays[name] = array.astype(np.uint32)
            array[rows] = new
        if "date" in values:
            self._bound(rows, values["date"])

    def _bound(self, rows: Rows, dates: NDArray[np.int64]) -> None:
        blocks = rows // BLOCK
        np.maximum.at(self.latest, blocks, dates)
        np.minimum.at(self.earliest, blocks, dates)

    def tighten(self) -> None:
        """Work the bounds of every block out anew, after rows were freed."""
        capacity = len(self.seq)
        used = (self._arrays["kind"] > 0).reshape(capacity // BLOCK, BLOCK)
        dates = self._arrays["date"].reshape(capacity // BLOCK, BLOCK)
        limits = np.iinfo(np.int64)
        self.latest = np.max(dates, axis=1, initial=limits.min, where=used)
        self.earliest = np.min(dates, axis=1, initial=limits.max, where=used)

    def between(self, start: int, end: int, kind: int) -> Rows:
        """The rows of a kind whose date lies in (start, end], ascending."""
        blocks = np.flatnonzero((self.latest > start) & (self.earliest <= end))
        if not blocks.size:
            return np.zeros(0, np.int64)
        runs = np.split(blocks, np.flatnonzero(np.diff(blocks) > 1) + 1)
        return np.concatenate([self._scan(int(run[0]), int(run[-1]) + 1, start, end, kind) for run in runs])

    def _scan(self, first: int, last: int, start: int, end: int, kind: int) -> Rows:
        low, high = first * BLOCK, min(last * BLOCK, self.length)
        dates = self._arrays["date"][low:high]
        fits = dates > start
        if (self.latest[first:last] > end).any():
            fits &= dates <= end
        fits &= (self._arrays["kind"][low:high] & kind).astype(np.bool_)
        return np.flatnonzero(fits) + low


def encode(columns: Columns, rows: Rows) -> bytes:
    """The values of ``rows`` in every column, as one blob for the journal."""
    arrays = [(name, columns[name][rows]) for name in columns.names]
    header = msgspec.msgpack.encode((len(rows), [(name, array.dtype.str) for name, array in arrays]))
    body = [rows.astype(np.int32).tobytes(), *(array.tobytes() for _, array in arrays)]
    return b"".join([len(header).to_bytes(4, "little"), header, *body])


def decode(blob: bytes) -> tuple[Rows, Values]:
    """What `encode` made: the rows and their values. Columns that are new since then are missing from it."""
    size = int.from_bytes(blob[:4], "little")
    count, layout = msgspec.msgpack.decode(blob[4 : 4 + size], type=tuple[int, list[tuple[str, str]]])
    at = 4 + size
    rows = np.frombuffer(blob, np.int32, count, at).astype(np.int64)
    at += 4 * count
    values: Values = {}
    for name, dtype in layout:
        values[name] = np.frombuffer(blob, np.dtype(dtype), count, at)
        at += values[name].nbytes
    return rows, values
