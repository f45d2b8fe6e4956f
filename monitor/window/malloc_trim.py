"""The process's heap: memory that numpy has freed stays with the C library, a third of the process after large arrays were sorted."""

import ctypes
from functools import cache
from typing import Any


def give_back() -> None:
    """Return free memory to the system, where the C library can (glibc). Takes about a millisecond."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
