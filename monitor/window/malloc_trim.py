"""Returns freed memory to the system. After large arrays were sorted, the C library keeps up to a third of the process's memory."""

import ctypes
from functools import cache
from typing import Any


def trim_heap() -> None:
    """Returns free memory to the system if the C library can do so (glibc). Takes about a millisecond."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
