"""How much work one rendering may do. A template is a program of somebody else's: it must end, soon, and in little memory.

Everything that a template does goes through `spend`: each pass of a loop, each call, filter, test, comparison, arithmetic and each value that
is made. A unit is about 0.1 µs, or four characters. What one operation can make is bounded too (`LONGEST_VALUE`), so that the time between
two looks at the clock is short.
"""

import time
from collections.abc import Iterator, Mapping, Set, ValuesView
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import msgspec
from jinja2.exceptions import SecurityError

MOST_UNITS: Final = 5_000_000
"""Units of one rendering: 20 million characters made, at the most."""
MOST_SECONDS: Final = 0.5
"""Seconds of processor time of one rendering. The units bound it already; this holds where one of them took longer than it should."""
LONGEST_VALUE: Final = 1024 * 1024
"""Characters and items (of 8 characters each) of one value that a template makes, whatever it holds included."""

LARGEST_NUMBER: Final = 2**61 - 2
"""Of whole numbers, in either direction. Arithmetic with larger ones takes longer and longer, and their hashes repeat."""

_SECONDS_A_UNIT: Final = 1e-7
_CHARACTERS_A_UNIT: Final = 4
_ITEM: Final = 8
_LOOK_AFTER: Final = 500
"""Units between two looks at the clock."""


class Exhausted(SecurityError):
    """A rendering needed more than it may have."""


class Budget:
    """What is left for one rendering."""

    __slots__ = ("_ends", "_left", "_look_at")

    def __init__(self, units: int = MOST_UNITS, seconds: float = MOST_SECONDS) -> None:
        self._left = units
        self._look_at = units
        self._ends = time.thread_time() + seconds

    def spend(self, units: int) -> None:
        """Take that much of it. Raises Exhausted where there is not so much left, or not so much time."""
        self._left -= units
        if self._left < 0:
            raise Exhausted("the template does more work than one message may take; make its loops and texts smaller")
        if self._left <= self._look_at:
            self._look_at = self._left - _LOOK_AFTER
            if time.thread_time() + units * _SECONDS_A_UNIT > self._ends:
                raise Exhausted(f"the template took longer than {MOST_SECONDS:g} s; make its loops and texts smaller")


_CURRENT: ContextVar[Budget | None] = ContextVar("budget of the rendering", default=None)


@contextmanager
def budgeted(budget: Budget | None = None) -> Iterator[None]:
    """Whatever a template does in here is taken from one budget, in files that it includes too."""
    token = _CURRENT.set(budget or Budget())
    try:
        yield
    finally:
        _CURRENT.reset(token)


def spend(units: int = 1) -> None:
    """Take so many units of the current rendering's budget. Raises Exhausted."""
    budget = _CURRENT.get()
    if budget is not None:
        budget.spend(units)


def spend_characters(count: int) -> None:
    """Likewise, for text of that length."""
    spend(1 + count // _CHARACTERS_A_UNIT)


def made(value: Any) -> Any:
    """``value``, which a template has just made, taken from the budget. Raises Exhausted where it is too large by itself."""
    if isinstance(value, str):
        size = len(value)
        if size > LONGEST_VALUE:
            raise Exhausted(_too_large())
        spend_characters(size)
    elif isinstance(value, (list, tuple, dict, set, frozenset)):
        spend_characters(size_of(value))
    elif isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise Exhausted(f"the template makes a whole number beyond {LARGEST_NUMBER:,}")
    else:
        spend(1)
    return value


def size_of(value: Any, *, written: bool = False) -> int:
    """The characters and items that a value holds, at every depth: what stands in it twice counts twice. Raises Exhausted beyond `LONGEST_VALUE`.

    An alert and the like count as one item, but with ``written`` as all that is in them, because that is what is written of them.
    """
    size, waiting = 0, [value]
    while waiting:
        one = waiting.pop()
        size += _ITEM
        if isinstance(one, str | bytes):
            size += len(one)
        elif isinstance(one, range):
            size += 2 * _ITEM * len(one)
        elif isinstance(one, msgspec.Struct) and written:
            waiting += [getattr(one, name) for name in one.__struct_fields__]
        elif isinstance(one, Mapping):
            size += _ITEM * len(one)
            if size <= LONGEST_VALUE:
                waiting += one.keys()
                waiting += one.values()
        elif isinstance(one, list | tuple | Set | ValuesView):
            size += _ITEM * len(one)
            if size <= LONGEST_VALUE:
                waiting += one
        if size > LONGEST_VALUE:
            raise Exhausted(_too_large())
    return size


def _too_large() -> str:
    return f"the template makes a value of more than {LONGEST_VALUE:,} characters"
