"""Tells of most ids at once that they are not in a set. It takes 1 MiB once there is anything in the set."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_BITS: Final = 20
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(64 - _BITS)

Halves = NDArray[np.uint64]


class IdFilter:
    """A set of ids that may seem to have more than were added: of a hundred thousand, one in ten others, and finally all."""

    def __init__(self) -> None:
        self._marks: NDArray[np.bool_] | None = None

    def add(self, high: Halves, low: Halves) -> None:
        """Adds ids, by their halves."""
        if not high.size:
            return
        if self._marks is None:
            self._marks = np.zeros(1 << _BITS, np.bool_)
        self._marks[_places(high, low)] = True

    def may_have(self, high: Halves, low: Halves) -> NDArray[np.bool_]:
        """Returns which ids may have been added. Those of which it is false were not."""
        return np.zeros(len(high), np.bool_) if self._marks is None else self._marks[_places(high, low)]


def _places(high: Halves, low: Halves) -> NDArray[np.int64]:
    mixed = high * _FACTOR
    mixed ^= low
    mixed *= _FACTOR
    mixed >>= _SHIFT
    return mixed.astype(np.int64)
