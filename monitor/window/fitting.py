"""Finds the narrowest type of numbers that holds given ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LIMITS = {
    kind: [(np.dtype(name), int(np.iinfo(name).min), int(np.iinfo(name).max)) for name in names]
    for kind, names in (
        ("i", (np.int8, np.int16, np.int32, np.int64)),
        ("u", (np.uint8, np.uint16, np.uint32, np.uint64)),
    )
}
"""The types of each sign with their least and largest values, the narrowest first."""


def fitting(dtype: np.dtype[Any], new: NDArray[Any]) -> np.dtype[Any]:
    """Returns the narrowest type that can hold all of ``new``, of the same sign as ``dtype`` and at least as wide. Raises ValueError if there
    is none."""
    if not new.size or np.can_cast(new.dtype, dtype):
        return dtype
    low, high = int(new.min()), int(new.max())
    for wider, least, most in _LIMITS["u" if dtype.kind == "u" else "i"]:
        if wider.itemsize >= dtype.itemsize and least <= low and high <= most:
            return wider
    raise ValueError(f"{low} to {high} do not fit into a column of {dtype}")
