"""Tells of most ids at once that they are not in a set. It takes 128 KiB once there is anything in the set."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_BITS: Final = 20
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(64 - _BITS)
_MARKS: Final = np.left_shift(1, np.arange(8)).astype(np.uint8)

Halves = NDArray[np.uint64]


class IdFilter:
    """A set of ids that may seem to have more than were added: of a hundred thousand, one in ten others, and finally all."""

    def __init__(self) -> None:
        self._marks: NDArray[np.uint8] | None = None  # eight in a byte

    def add(self, high: Halves, low: Halves) -> None:
        """Adds ids, by their halves."""
        if not high.size:
            return
        if self._marks is None:
            self._marks = np.zeros(1 << _BITS - 3, np.uint8)
        places = _places(high, low)
        np.bitwise_or.at(self._marks, places >> 3, _MARKS[places & 7])

    def may_have(self, high: Halves, low: Halves) -> NDArray[np.bool_]:
        """Returns which ids may have been added. Those of which it is false were not."""
        if self._marks is None:
            return np.zeros(len(high), np.bool_)
        places = _places(high, low)
        return np.asarray(self._marks[places >> 3] & _MARKS[places & 7] > 0)


def _places(high: Halves, low: Halves) -> NDArray[np.int64]:
    mixed = high * _FACTOR
    mixed ^= low
    mixed *= _FACTOR
    mixed >>= _SHIFT
    return mixed.astype(np.int64)
