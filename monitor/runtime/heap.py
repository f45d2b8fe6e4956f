"""Sets how the C library gives out memory to this process."""

import ctypes
from typing import Final

_M_ARENA_MAX: Final = -8
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
"""The names of the settings, as in malloc.h of glibc."""

KEPT: Final = 8 * 2**20
"""The most bytes that stay with the process when they are freed at the end of the heap."""
LARGE: Final = 4 * 2**20 - 2**16
"""Blocks of so many bytes have memory of their own, which is given back as soon as they are freed. Those of a page are smaller.

A little less than where NumPy begins to ask for large pages (`window.growing`)."""


def share_heap() -> bool:
    """Makes all threads that start later take their memory from one heap. Returns whether the C library can do so (glibc).

    Otherwise each thread has one of its own, in which freed memory stays beside the others': some 3 MB of a million messages, 8 at the
    peak. Threads seldom wait for each other there, since Python's code runs in one of them at a time.
    """
    return _set(_M_ARENA_MAX, 1)


def keep_heap() -> bool:
    """Makes what one page of messages has freed serve the next one. Returns whether the C library can do so (glibc).

    Otherwise the system takes it back after each page and gives it again piece by piece, 550 times for a compressed page: an eighth of the
    time that fetching and decoding it takes. `window.malloc_trim` gives it back when pages have come to an end.
    """
    return _set(_M_TRIM_THRESHOLD, KEPT) and _set(_M_MMAP_THRESHOLD, LARGE)


def _set(name: int, value: int) -> bool:
    setting = getattr(ctypes.CDLL(None), "mallopt", None)
    return setting is not None and bool(setting(name, value))
