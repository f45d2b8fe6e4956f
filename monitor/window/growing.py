"""Arrays that grow without being copied: a column of a million rows is never copied in one piece, which would hold the event loop for milliseconds.

An array of more than MAPPED bytes gets memory of its own from the C library, apart from the heap. That is moved by the kernel when it grows,
in its page tables alone (mremap). In the heap there is mostly something behind it, so that it is copied to a new place, whose pages the kernel has
to give first: 3 ms for 4 MB.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from monitor.runtime.heap import LARGE

MAPPED: Final = 1 << 18
"""The fewest bytes of an array that has memory of its own. Smaller ones are many where there are many accounts, and soon copied."""
_ROOM: Final = LARGE
"""Bytes that the C library takes apart from its heap. They are not touched, and what is not needed is given back at once.

For larger arrays NumPy asks for large pages in the middle of them. An area with two kinds of pages is one that the kernel does not make longer.
"""


def zeros(length: int, dtype: DTypeLike) -> NDArray[Any]:
    """Returns an array of zeros that `resized` makes longer without copying it."""
    size = np.dtype(dtype).itemsize
    if length * size < MAPPED:
        return np.zeros(length, dtype)
    array = np.zeros(_ROOM // size, dtype)
    array.resize(length, refcheck=False)
    return array


def resized(array: NDArray[Any], length: int) -> NDArray[Any]:
    """Returns the array with another length; new elements are zero. Neither it nor a part of it may be used any more."""
    if array.nbytes < MAPPED <= length * array.itemsize:
        larger = zeros(length, array.dtype)
        larger[: len(array)] = array
        return larger
    array.resize(length, refcheck=False)
    return array


def as_type(array: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """Returns the array's values in another type, as an array that `resized` makes longer without copying it."""
    converted = zeros(len(array), dtype)
    converted[:] = array
    return converted
