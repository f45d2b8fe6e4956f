"""Finds the narrowest type of numbers that holds given ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIGNED = (np.int8, np.int16, np.int32, np.int64)
_UNSIGNED = (np.uint8, np.uint16, np.uint32, np.uint64)


def fitting(dtype: np.dtype[Any], new: NDArray[Any]) -> np.dtype[Any]:
    """Returns the narrowest type that can hold all of ``new``, of the same sign as ``dtype`` and at least as wide. Raises ValueError if there
    is none."""
    if not new.size or np.can_cast(new.dtype, dtype):
        return dtype
    low, high = int(new.min()), int(new.max())
    for wider in _UNSIGNED if dtype.kind == "u" else _SIGNED:
        limits = np.iinfo(wider)
        if np.dtype(wider).itemsize >= dtype.itemsize and limits.min <= low and high <= limits.max:
            return np.dtype(wider)
    raise ValueError(f"{low} to {high} do not fit into a column of {dtype}")
