"""Encodes rows for the journal: each column as its smallest value and the offsets from it, in as few bytes as they need.

A blob begins with a mark, its format's number and a checksum, followed by sections. A section with profiles precedes the section with
the rows that have them. The numbers of profiles are only valid in memory, so a blob numbers its own profiles from 0.

Format 1 has no mark: it begins with the length of its first section's header, which is never as large as the mark. Formats 1 and 2 have
the same sections, so that both can be read.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.runtime.dataclass import dataclass
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
    pieces, checksum = list(sections), 0
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
    return b"".join([_MARK, bytes([FORMAT]), checksum.to_bytes(4, "little"), *pieces])


def seal_of(blob: bytes) -> int:
    """Returns the checksum of a blob."""
    return int.from_bytes(blob[len(_MARK) + 1 : _START], "little") if blob.startswith(_MARK) else zlib.crc32(blob)


@dataclass(frozen=True, slots=True)
class OpenedBlob:
    """The sections of a blob whose checksum fits, and that checksum."""

    body: memoryview
    seal: int


def opened(blob: bytes) -> OpenedBlob:
    """Returns the sections of a blob. Raises UnreadableBlob if they are damaged or have an unknown format.

    Most of its time it does not hold the interpreter's lock.
    """
    if not blob.startswith(_MARK):
        return OpenedBlob(memoryview(blob), seal_of(blob))  # format 1
    body, seal = memoryview(blob)[_START:], seal_of(blob)
    if blob[len(_MARK)] != FORMAT:
        raise UnreadableBlob(f"its format is {blob[len(_MARK)]}, and {FORMAT} is the newest that is known")
    if seal != zlib.crc32(body):
        raise UnreadableBlob("its checksum does not fit")
    return OpenedBlob(body, seal)


def encode(columns: Columns, rows: Rows, names: tuple[str, ...]) -> bytes:
    """Returns the sections with the values of ``rows`` (at least one) in the named columns."""
    values = {name: columns[name][rows] for name in names}
    if _PROFILE not in values:
        return _section({_ROWS: rows, **values})
    profiles, values[_PROFILE] = _renumbered(values[_PROFILE])
    return _section({name: columns.profiles[name][profiles] for name in PROFILED}) + _section({_ROWS: rows, **values})


def _renumbered(numbers: NDArray[Any]) -> tuple[Rows, Rows]:
    """Returns the different ones of numbers that are not negative, ascending, and for each number its position among them. It takes a tenth of
    the time of `numpy.unique`."""
    found = np.flatnonzero(np.bincount(numbers))
    position = np.zeros(int(found[-1]) + 1, np.int64)
    position[found] = np.arange(len(found))
    return found, position[numbers]


def decode(blobs: Sequence[OpenedBlob], profiles: Profiles) -> list[list[tuple[Rows, Values]]]:
    """Returns of each blob its rows and their values, in sections. Adds the profiles to ``profiles``, whose numbers the values have.

    Columns that are newer than a blob are missing. Raises UnreadableBlob. Several blobs at once take less time, because a blob has some
    hundreds of profiles.
    """
    try:
        read = [list(_sections(blob.body)) for blob in blobs]
        tables = [values for sections in read for values in sections if _ROWS not in values]
        numbers = iter(_numbers(tables, profiles))
        return [list(_numbered(sections, numbers)) for sections in read]
    except (ValueError, IndexError, KeyError, TypeError, RuntimeError, StopIteration, msgspec.MsgspecError) as error:
        raise UnreadableBlob(f"it is no journal entry ({type(error).__name__})") from error


def _numbers(tables: Sequence[Values], profiles: Profiles) -> list[Rows]:
    """Returns the numbers of the profiles of each table, which has the codes of some of their fields."""
    if not tables:
        return []
    counts = [len(next(iter(table.values()))) for table in tables]
    absent = [np.zeros(count, np.uint8) for count in counts]
    columns = {
        name: np.concatenate([table.get(name, zeros) for table, zeros in zip(tables, absent, strict=True)])
        for name in PROFILED
    }
    return np.split(profiles.numbers(columns), np.cumsum(counts[:-1]))


def _numbered(sections: Sequence[Values], numbers: Iterator[Rows]) -> Iterator[tuple[Rows, Values]]:
    """Yields the sections of one blob that have rows. ``numbers`` yields those of the next section with profiles."""
    known = np.zeros(0, np.int64)
    for values in sections:
        if _ROWS not in values:
            known = next(numbers)
            continue
        if _PROFILE in values:
            values[_PROFILE] = known[values[_PROFILE]]
        yield values.pop(_ROWS), values


def _section(values: Values) -> bytes:
    packed, body = [], []
    for name, column in values.items():
        lowest = column.min()
        span = int(column.max()) - int(lowest)
        above = next((dtype for limit, dtype in _NARROW if span < limit), "<u8")
        packed.append(_Packed(name, column.dtype.str, int(lowest), above))
        if above:
            body.append(_offsets(column, int(lowest), above).tobytes())
    count = len(next(iter(values.values())))
    header = msgspec.msgpack.encode(_Header(count, packed))
    return b"".join([len(header).to_bytes(4, "little"), header, *body])


def _sections(body: memoryview) -> Iterator[Values]:
    """Yields the columns of each section."""
    at = 0
    while at < len(body):
        size = int.from_bytes(body[at : at + 4], "little")
        header = _header.decode(body[at + 4 : at + 4 + size])
        at += 4 + size
        values: Values = {}
        for one in header.columns:
            values[one.name] = _unpacked(one, body, header.count, at)
            at += header.count * np.dtype(one.above).itemsize if one.above else 0
        yield values


def _unpacked(one: _Packed, body: memoryview, count: int, at: int) -> NDArray[Any]:
    if not one.above:
        return np.full(count, one.lowest, one.dtype)
    dtype = np.dtype(one.dtype)
    if dtype.kind not in "iu":
        raise ValueError(f"{one.name} has the type {one.dtype}")
    # As in `_offsets`.
    unsigned = np.dtype(f"<u{dtype.itemsize}")
    values = np.frombuffer(body, one.above, count, at).astype(unsigned)
    values += unsigned.type(one.lowest % (1 << 8 * dtype.itemsize))
    return values.view(f"<{dtype.kind}{dtype.itemsize}")


def _offsets(column: NDArray[Any], lowest: int, dtype: str) -> NDArray[Any]:
    """Returns how much larger than the lowest one each value is. Modulo a power of two, so that it is exact in the column's own width."""
    unsigned = np.dtype(f"=u{column.dtype.itemsize}")
    above = column.view(unsigned) - unsigned.type(lowest % (1 << 8 * unsigned.itemsize))
    return np.asarray(above.astype(dtype, copy=False))
