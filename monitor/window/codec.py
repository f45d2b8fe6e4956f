"""Rows as bytes, for the journal: each column is written as its smallest value and what each row is above it, in as few bytes as that takes.

A blob begins with its format's number and a checksum, and goes on as a chain of sections. A section with profiles
comes before the one with the rows that have them: numbers of profiles mean nothing outside of memory, so within a blob they
are counted from 0.

Format 1, the first, had no beginning of that kind: it began with the length of its first section's header, which is never as large
as the mark of the later ones. Formats 1 and 2 have the same sections, so that both can be read.
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
    """The encoding of one column: its own type, its smallest value, and the type of the offsets from that (empty: none)."""

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

_ROWS = ""  # the name under which the rows' own numbers stand
_PROFILE = "profile"
_NARROW = ((1, ""), (1 << 8, "|u1"), (1 << 16, "<u2"), (1 << 32, "<u4"))
_header = msgspec.msgpack.Decoder(_Header)


class UnreadableBlob(ValueError):
    """A blob that this program did not make, or that is not as it was made."""


def sealed(sections: Iterable[bytes]) -> bytes:
    """A blob of what `encode` gave."""
    body = b"".join(sections)
    return _MARK + bytes([FORMAT]) + zlib.crc32(body).to_bytes(4, "little") + body


def opened(blob: bytes) -> bytes:
    """The sections of a blob. Raises Unreadable where they are damaged, or of a format that is not known."""
    if not blob.startswith(_MARK):
        return blob  # format 1
    body = blob[_START:]
    if blob[len(_MARK)] != FORMAT:
        raise UnreadableBlob(f"its format is {blob[len(_MARK)]}, and {FORMAT} is the newest that is known")
    if blob[len(_MARK) + 1 : _START] != zlib.crc32(body).to_bytes(4, "little"):
        raise UnreadableBlob("its checksum does not fit")
    return body


def encode(columns: Columns, rows: Rows, names: tuple[str, ...]) -> bytes:
    """The values of ``rows``, at least one, in the named columns."""
    values = {name: columns[name][rows] for name in names}
    if _PROFILE not in values:
        return _section({_ROWS: rows, **values})
    profiles, values[_PROFILE] = np.unique(values[_PROFILE], return_inverse=True)
    return _section({name: columns.profiles[name][profiles] for name in PROFILED}) + _section({_ROWS: rows, **values})


def decode(blob: bytes, profiles: Profiles) -> Iterator[tuple[Rows, Values]]:
    """What `encode` made and `sealed`: rows and their values, with the numbers that their profiles have among ``profiles``.

    Columns that are newer than the blob are missing from it. Raises Unreadable.
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
    """Where the next section begins, and the columns of the one at ``at``."""
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
    """The values modulo 2**64: what is subtracted there and added again comes back exactly."""
    return np.asarray(values).astype(np.uint64)
