"""Sorts whole numbers, dates mostly, several times as fast as NumPy's stable sort does, and finds the different ones of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.window.index import Rows

_BITS = 63
"""Of a number that is not negative."""


def stable_order(values: NDArray[Any]) -> Rows:
    """Returns the positions of ``values`` in ascending order; equal ones keep their order.

    Each value and its position become one number where both fit, so that the numbers alone are sorted.
    """
    count = len(values)
    if not count:
        return np.zeros(0, np.int64)
    low, bits = int(values.min()), (count - 1).bit_length()
    if (int(values.max()) - low).bit_length() + bits > _BITS:
        return np.argsort(values, kind="stable")
    packed = values.astype(np.int64)
    packed -= low
    packed <<= bits
    packed |= np.arange(count)
    packed.sort()
    packed &= (1 << bits) - 1
    return packed


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Returns the different values, ascending. `numpy.unique` takes several times as long, as it hashes them before it sorts."""
    ordered = np.sort(values)
    is_first = np.ones(len(ordered), np.bool_)
    is_first[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_first]
