"""Encodes rows for the journal: each column as its smallest value and the offsets from it, in as few bytes as they need.

A blob begins with a mark, its format's number and a checksum, followed by sections. A section with profiles precedes the section with
the rows that have them. The numbers of profiles are only valid in memory, so a blob numbers its own profiles from 0.

Format 1 has no mark: it begins with the length of its first section's header, which is never as large as the mark. Formats 1 and 2 have
the same sections, so that both can be read.
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.window.columns import Columns
from monitor.window.index import Rows
from monitor.window.profiles import PROFILED, Profiles
from monitor.window.table import Values


class _Packed(msgspec.Struct, array_like=True):
    """The encoding of one column: its type, its smallest value, and the type of the offsets from it; empty if all values are equal."""

    name: str
    dtype: str
    lowest: int
    above: str


class _Header(msgspec.Struct, array_like=True):
    count: int
    columns: list[_Packed]


FORMAT = 2
_MARK = b"\xffRW"
_START = len(_MARK) + 1 + 4  # mark, format, checksum

_ROWS = ""  # the name of the column with the rows' own numbers
_PROFILE = "profile"
_NARROW = ((1, ""), (1 << 8, "|u1"), (1 << 16, "<u2"), (1 << 32, "<u4"))
_header = msgspec.msgpack.Decoder(_Header)


class UnreadableBlob(ValueError):
    """A blob is damaged, or this program did not make it."""


def sealed(sections: Iterable[bytes]) -> bytes:
    """Returns the blob of sections that `encode` made."""
    body = b"".join(sections)
    return _MARK + bytes([FORMAT]) + zlib.crc32(body).to_bytes(4, "little") + body


def opened(blob: bytes) -> bytes:
    """Returns the sections of a blob. Raises UnreadableBlob if they are damaged or have an unknown format."""
    if not blob.startswith(_MARK):
        return blob  # format 1
    body = blob[_START:]
    if blob[len(_MARK)] != FORMAT:
        raise UnreadableBlob(f"its format is {blob[len(_MARK)]}, and {FORMAT} is the newest that is known")
    if blob[len(_MARK) + 1 : _START] != zlib.crc32(body).to_bytes(4, "little"):
        raise UnreadableBlob("its checksum does not fit")
    return body


def encode(columns: Columns, rows: Rows, names: tuple[str, ...]) -> bytes:
    """Returns the sections with the values of ``rows`` (at least one) in the named columns."""
    values = {name: columns[name][rows] for name in names}
    if _PROFILE not in values:
        return _section({_ROWS: rows, **values})
    profiles, values[_PROFILE] = np.unique(values[_PROFILE], return_inverse=True)
    return _section({name: columns.profiles[name][profiles] for name in PROFILED}) + _section({_ROWS: rows, **values})


def decode(blob: bytes, profiles: Profiles) -> Iterator[tuple[Rows, Values]]:
    """Yields the rows of a blob and their values. Adds their profiles to ``profiles``, whose numbers the values have.

    Columns that are newer than the blob are missing. Raises UnreadableBlob.
    """
    sections = opened(blob)
    try:
        yield from _decoded(sections, profiles)
    except (ValueError, IndexError, KeyError, TypeError, StopIteration, msgspec.MsgspecError) as error:
        raise UnreadableBlob(f"it is no journal entry ({type(error).__name__})") from error


def _decoded(blob: bytes, profiles: Profiles) -> Iterator[tuple[Rows, Values]]:
    at, numbers = 0, np.zeros(0, np.int64)
    while at < len(blob):
        at, values = _read(blob, at)
        if _ROWS not in values:
            absent = np.zeros(len(next(iter(values.values()))), np.uint8)
            numbers = profiles.numbers({name: values.get(name, absent) for name in PROFILED})
            continue
        if _PROFILE in values:
            values[_PROFILE] = numbers[values[_PROFILE]]
        yield values.pop(_ROWS), values


def _section(values: Values) -> bytes:
    packed, body = [], []
    for name, column in values.items():
        lowest = column.min()
        span = int(column.max()) - int(lowest)
        above = next((dtype for limit, dtype in _NARROW if span < limit), "<u8")
        packed.append(_Packed(name, column.dtype.str, int(lowest), above))
        if above:
            body.append((_wide(column) - _wide(lowest)).astype(above).tobytes())
    count = len(next(iter(values.values())))
    header = msgspec.msgpack.encode(_Header(count, packed))
    return b"".join([len(header).to_bytes(4, "little"), header, *body])


def _read(blob: bytes, at: int) -> tuple[int, Values]:
    """Returns where the next section begins, and the columns of the section at ``at``."""
    size = int.from_bytes(blob[at : at + 4], "little")
    header = _header.decode(blob[at + 4 : at + 4 + size])
    at += 4 + size
    values: Values = {}
    for one in header.columns:
        values[one.name] = _unpacked(one, blob, header.count, at)
        at += header.count * np.dtype(one.above).itemsize if one.above else 0
    return at, values


def _unpacked(one: _Packed, blob: bytes, count: int, at: int) -> NDArray[Any]:
    if not one.above:
        return np.full(count, one.lowest, one.dtype)
    above = np.frombuffer(blob, one.above, count, at).astype(np.uint64)
    return (above + np.uint64(one.lowest % (1 << 64))).astype(one.dtype)


def _wide(values: Any) -> NDArray[np.uint64]:
    """Returns the values modulo 2**64, where subtracting a value and adding it again is exact."""
    return np.asarray(values).astype(np.uint64)
