"""Columns that hold whole numbers exactly, but in fewer bytes than an array of them.

Each is read and written by rows like an array. It takes a wider form as a whole when a value needs one, so any values can be held.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from monitor.runtime.clock import MILLISECOND, SECOND
from monitor.window.fitting import fitting
from monitor.window.growing import as_type, resized, zeros
from monitor.window.stable_order import distinct

MOST_VALUES: Final = 1 << 16
"""The most different numbers that are held by codes."""

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FEWEST_SLOTS: Final = 1 << 8
_SLOTS_EACH: Final = 4
"""The slots of a hash table for each value at least, so that few values share one."""

Numbers = NDArray[np.int64]
At = Any
"""Rows: an array of their numbers, a single one, or a slice."""


class CompactColumn(ABC):
    """A column of a `ColumnTable`. Rows that were not written yet have the value 0, or what the class says."""

    @abstractmethod
    def resize(self, capacity: int) -> None:
        """Makes room for so many rows."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Returns the memory that it takes."""

    @abstractmethod
    def __getitem__(self, at: At) -> Any:
        """Returns the values of rows."""

    @abstractmethod
    def __setitem__(self, at: At, values: NDArray[Any]) -> None:
        """Overwrites the values of rows. Raises ValueError if they are no 64-bit numbers."""


Columnlike = DTypeLike | Callable[[], CompactColumn]
"""How a column is held: the type of an array, or what makes a column."""


class CodedColumn(CompactColumn):
    """Numbers of which few are different: a code of one or two bytes each. An array of them once more than MOST_VALUES were different.

    Codes are looked up in a hash table whose slots have one value each, the one that came last. What is not there is looked up among the
    sorted values, which takes several times as long.
    """

    def __init__(self, dtype: DTypeLike) -> None:
        self._rows: NDArray[Any] = np.zeros(0, np.uint8)  # codes, or the values themselves
        self._values: NDArray[Any] | None = np.zeros(1, dtype)  # by code; None if there are no codes
        self._slots: NDArray[np.uint16] = np.zeros(_FEWEST_SLOTS, np.uint16)  # codes; 0 where none was put
        self._sorted: Numbers = np.zeros(1, np.int64)
        self._codes_sorted: NDArray[np.uint16] = np.zeros(1, np.uint16)

    def resize(self, capacity: int) -> None:
        self._rows = resized(self._rows, capacity)

    @property
    def nbytes(self) -> int:
        values = 0 if self._values is None else self._values.nbytes
        return self._rows.nbytes + values + self._slots.nbytes + self._sorted.nbytes + self._codes_sorted.nbytes

    def __getitem__(self, at: At) -> Any:
        return self._rows[at] if self._values is None else self._values.take(self._rows[at])

    def __setitem__(self, at: At, values: NDArray[Any]) -> None:
        held = self._codes(values)
        self._rows = _wide_enough(self._rows, held)
        self._rows[at] = held

    def _codes(self, values: NDArray[Any]) -> NDArray[Any]:
        """Returns the code of each value, or the values if there are no codes any more."""
        if self._values is None:
            return values
        codes = self._slots[self._slot(values)]
        missed = np.flatnonzero(self._values[codes] != values)
        if missed.size:
            searched = values[missed]
            positions, is_new = self._find(searched)
            if is_new.any():
                if not self._add(distinct(searched[is_new])):
                    return values
                positions, _ = self._find(searched)
            codes[missed] = self._codes_sorted[positions]
        return codes

    def _slot(self, values: NDArray[Any]) -> NDArray[np.uint64]:
        """Returns the slot of each value (Fibonacci hashing)."""
        return (values.astype(np.uint64) * _GOLDEN) >> np.uint64(65 - len(self._slots).bit_length())

    def _find(self, values: NDArray[Any]) -> tuple[Numbers, NDArray[np.bool_]]:
        """Returns where each value is among the sorted ones, and which are not there."""
        positions = np.minimum(np.searchsorted(self._sorted, values), len(self._sorted) - 1)
        return positions, self._sorted[positions] != values

    def _add(self, new: NDArray[Any]) -> bool:
        """Gives values their codes. Returns False if there are too many, and gives up the codes."""
        assert self._values is not None
        count, values = len(self._values), _wide_enough(self._values, new)
        if count + len(new) > MOST_VALUES:
            self._rows, self._values = as_type(values[self._rows], values.dtype), None
            self._sorted, self._codes_sorted, self._slots = self._sorted[:0], self._codes_sorted[:0], self._slots[:0]
            return False
        self._values = np.append(values, new.astype(values.dtype))
        at = np.searchsorted(self._sorted, new)
        self._sorted = np.insert(self._sorted, at, new)
        self._codes_sorted = np.insert(self._codes_sorted, at, np.arange(count, count + len(new), dtype=np.uint16))
        self._put(count)
        return True

    def _put(self, first: int) -> None:
        """Puts the codes from ``first`` on into their slots, of which there are at least _SLOTS_EACH for each value."""
        assert self._values is not None
        if len(self._slots) < len(self._values) * _SLOTS_EACH:
            self._slots = np.zeros(1 << (len(self._values) * _SLOTS_EACH - 1).bit_length(), np.uint16)
            first = 0
        self._slots[self._slot(self._values[first:])] = np.arange(first, len(self._values), dtype=np.uint16)


class InstantColumn(CompactColumn):
    """Instants: whole seconds in four bytes, and their fractions in none, two or four more, as the finest of them needs."""

    def __init__(self) -> None:
        self._seconds: NDArray[Any] = np.zeros(0, np.uint32)  # or int64
        self._unit = SECOND  # of the fractions; SECOND if there are none
        self._fractions: NDArray[Any] = np.zeros(0, np.uint16)

    def resize(self, capacity: int) -> None:
        self._seconds = resized(self._seconds, capacity)
        if self._unit != SECOND:
            self._fractions = resized(self._fractions, capacity)

    @property
    def nbytes(self) -> int:
        return self._seconds.nbytes + self._fractions.nbytes

    def __getitem__(self, at: At) -> Any:
        instants = self._seconds[at].astype(np.int64)
        instants *= SECOND
        if self._unit != SECOND:
            instants += self._fractions[at] * np.int64(self._unit)
        return instants

    def __setitem__(self, at: At, values: NDArray[Any]) -> None:
        seconds = values // SECOND
        micros = values - seconds * SECOND
        if micros.any():
            self._divide(1 if (micros % MILLISECOND).any() else MILLISECOND)
        if self._unit != SECOND:
            self._fractions[at] = micros // self._unit
        if self._seconds.dtype != np.int64 and seconds.size and (seconds.min() < 0 or seconds.max() >> 32):
            self._seconds = as_type(self._seconds, np.int64)
        self._seconds[at] = seconds

    def _divide(self, unit: int) -> None:
        """Makes the unit of the fractions at most ``unit``."""
        if self._unit == SECOND:
            self._fractions = zeros(len(self._seconds), np.uint16 if unit == MILLISECOND else np.uint32)
        elif unit < self._unit:
            self._fractions = as_type(self._fractions, np.uint32)
            self._fractions *= np.uint32(self._unit // unit)
        self._unit = min(unit, self._unit)


class LinkColumn(CompactColumn):
    """Numbers of other rows, -1 for none, each as its distance from its own row. Mostly they are near, and take two bytes."""

    def __init__(self) -> None:
        self._distances: NDArray[Any] = np.zeros(0, np.int16)  # 0: none

    def resize(self, capacity: int) -> None:
        self._distances = resized(self._distances, capacity)

    @property
    def nbytes(self) -> int:
        return self._distances.nbytes

    def __getitem__(self, at: At) -> Any:
        distances = self._distances[at]
        return np.where(distances == 0, -1, self._numbers(at) + distances)

    def __setitem__(self, at: At, values: NDArray[Any]) -> None:
        distances = np.where(np.less(values, 0), 0, values - self._numbers(at))
        self._distances = _wide_enough(self._distances, distances)
        self._distances[at] = distances

    def _numbers(self, at: At) -> Numbers:
        """Returns the rows' own numbers."""
        return np.arange(*at.indices(len(self._distances))) if isinstance(at, slice) else np.asarray(at, np.int64)


def _wide_enough(array: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    """Returns the array in a type that also holds ``new``."""
    wider = fitting(array.dtype, new)
    return array if wider == array.dtype else as_type(array, wider)
