"""The columns of parts whose coded fields are the codes of their texts (see `known_texts`), which are combined as numbers."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.routee.clean_text import known
from monitor.ingest.routee.part_columns import PartColumns, joined
from monitor.ingest.routee.text_codes import MISSING, TextCodes
from monitor.ingest.routee.tolerant import SmsPart
from monitor.model.batch import Combinations
from monitor.model.message import CODED_FIELDS
from monitor.model.numbering import Numbering

_MOST: Final = 1 << 40
"""The most combinations of values that are told apart by one number, so that it fits beside a part's position."""

Column = Sequence[Any]
Whole = NDArray[np.int64]


class CodedColumns(PartColumns):
    """The columns of parts of which some fields have codes: those of ``fields``, which has one item for each of CODED_FIELDS; None for a
    field that has texts."""

    missing = MISSING

    def __init__(self, parts: Sequence[SmsPart], fields: Sequence[TextCodes | None]) -> None:
        super().__init__(parts)
        self._fields = fields

    def groups(self) -> Sequence[tuple[Any, ...]]:
        """Returns the groups, as codes or as texts."""
        return [part.groups or () for part in self.parts]  # type: ignore[misc]  # they were decoded as tuples

    def combinations(self) -> Combinations:
        """See `PartColumns.combinations`. Raises TypeError if a field that has codes also has a text, as a status under its other name."""
        numbers = Numbering[tuple[Any, ...]]()
        groups = np.fromiter(map(numbers.__getitem__, self.groups()), np.int64, len(self))
        columns = [
            _numbered(column) if codes is None else (_codes(column), codes)
            for column, codes in zip(self.coded_texts(), self._fields, strict=False)  # the last ones are of the groups
        ]
        of, first = combined([*(codes for codes, _ in columns), groups])
        values = [texts.texts(codes[first]) for codes, texts in columns]
        names = [self._joined(names) for names in numbers.values_in_order]
        values.append([names[number] for number in groups[first].tolist()])
        return Combinations(dict(zip(CODED_FIELDS, values, strict=True)), of)

    def _joined(self, names: tuple[Any, ...]) -> str:
        codes = self._fields[-1]
        return joined(names if codes is None else codes.texts(np.array([one for one in names if one], np.int64)))


def _codes(column: Column) -> NDArray[np.uint8]:
    try:
        return np.frombuffer(bytes(column), np.uint8)
    except TypeError:  # there are nulls
        return np.frombuffer(bytes([code or MISSING for code in column]), np.uint8)


class _PageTexts:
    """The texts of one field of one page, by codes of their own."""

    def __init__(self, texts: Sequence[str | None]) -> None:
        self._cleaned = np.array(known(texts), object)

    def texts(self, codes: NDArray[Any]) -> list[str]:
        """Returns the texts as they are kept."""
        found: list[str] = self._cleaned[codes].tolist()
        return found


def _numbered(column: Column) -> tuple[Whole, _PageTexts]:
    """Returns codes of texts, and what has the texts."""
    numbers = Numbering[str | None]()
    codes = np.fromiter(map(numbers.__getitem__, column), np.int64, len(column))
    return codes, _PageTexts(numbers.values_in_order)


def combined(columns: Sequence[NDArray[Any]]) -> tuple[Whole, Whole]:
    """Returns the number of each row of numbers that are not negative, equal rows the same one, numbered in the order in which they first
    occur; and the position of the first row of each."""
    count, most = len(columns[0]), 1
    if not count:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    whole = np.zeros(count, np.int64)
    for column in columns:
        size = int(column.max()) + 1
        if size == 1:
            continue
        if most * size > _MOST:
            whole, most = _dense(whole)
        whole *= size
        whole += column
        most *= size
    bits = (count - 1).bit_length()
    whole <<= bits
    whole |= np.arange(count)
    whole.sort()
    positions = whole & ((1 << bits) - 1)
    whole >>= bits
    is_first = np.ones(count, np.bool_)
    is_first[1:] = whole[1:] != whole[:-1]
    first = positions[is_first]
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    of = np.empty(count, np.int64)
    of[positions] = rank[np.cumsum(is_first) - 1]
    return of, first[order]


def _dense(values: Whole) -> tuple[Whole, int]:
    """Returns the values numbered from 0 in ascending order, and how many different ones there are."""
    found, numbers = np.unique(values, return_inverse=True)
    return numbers.astype(np.int64), len(found)
