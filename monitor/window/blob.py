"""Rows as bytes, for the journal: each column is written as its smallest value and what each row is above it, in as few bytes as that takes.

A blob is a chain of sections; each has rows and the columns that it gives values for.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.window.columns import Columns
from monitor.window.index import Rows
from monitor.window.table import Values


class _Packed(msgspec.Struct, array_like=True):
    """How one column stands in the body: its own type, its smallest value, and the type of what is above that (empty: nothing is)."""

    name: str
    dtype: str
    lowest: int
    above: str


class _Header(msgspec.Struct, array_like=True):
    count: int
    columns: list[_Packed]


_ROWS = ""  # the name under which the rows' own numbers stand
_NARROW = ((1, ""), (1 << 8, "|u1"), (1 << 16, "<u2"), (1 << 32, "<u4"))
_header = msgspec.msgpack.Decoder(_Header)


def encode(columns: Columns, rows: Rows, names: tuple[str, ...]) -> bytes:
    """One section: the values of ``rows``, at least one, in the named columns."""
    packed, body = [], []
    for name in (_ROWS, *names):
        column = rows if name == _ROWS else columns.of(name, rows)
        lowest = column.min()
        span = int(column.max()) - int(lowest)
        above = next((dtype for limit, dtype in _NARROW if span < limit), "<u8")
        packed.append(_Packed(name, column.dtype.str, int(lowest), above))
        if above:
            body.append((_wide(column) - _wide(lowest)).astype(above).tobytes())
    header = msgspec.msgpack.encode(_Header(len(rows), packed))
    return b"".join([len(header).to_bytes(4, "little"), header, *body])


def decode(blob: bytes) -> Iterator[tuple[Rows, Values]]:
    """What `encode` made, section by section: the rows and their values. Columns that are newer than the blob are missing from it."""
    at = 0
    while at < len(blob):
        size = int.from_bytes(blob[at : at + 4], "little")
        header = _header.decode(blob[at + 4 : at + 4 + size])
        at += 4 + size
        values: Values = {}
        for one in header.columns:
            values[one.name] = _unpacked(one, blob, header.count, at)
            at += header.count * np.dtype(one.above).itemsize if one.above else 0
        yield values.pop(_ROWS), values


def _unpacked(one: _Packed, blob: bytes, count: int, at: int) -> NDArray[Any]:
    if not one.above:
        return np.full(count, one.lowest, one.dtype)
    above = np.frombuffer(blob, one.above, count, at).astype(np.uint64)
    return (above + np.uint64(one.lowest % (1 << 64))).astype(one.dtype)


def _wide(values: Any) -> NDArray[np.uint64]:
    """The values modulo 2**64: what is subtracted there and added again comes back exactly."""
    return np.asarray(values).astype(np.uint64)
