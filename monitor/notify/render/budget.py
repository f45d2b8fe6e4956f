"""Limits the work of one rendering. Templates are programs that users write: each must end soon and use little memory.

All work of a template goes through `spend`: each pass of a loop, each call, filter, test, comparison and calculation, and each value that it
makes. A unit is about 0.1 µs, or four characters. What one operation can make is bounded too (`LONGEST_VALUE`), so that the time between two
checks of the clock is short.
"""

import time
from collections.abc import Iterator, Mapping, Set, ValuesView
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import msgspec
from jinja2.environment import TemplateModule
from jinja2.exceptions import SecurityError

MOST_UNITS: Final = 5_000_000
"""The most units of one rendering, enough for 20 million characters."""
MOST_SECONDS: Final = 0.5
"""The most seconds of processor time of one rendering. Units bound the time already; this applies if an operation takes longer than estimated."""
LONGEST_VALUE: Final = 1024 * 1024
"""The most characters and items (counted as 8 characters each) of one value that a template makes, including everything in it."""

LARGEST_NUMBER: Final = 2**61 - 2
"""The largest whole number, in either direction. Arithmetic with larger ones becomes slow, and their hashes repeat."""

_SECONDS_A_UNIT: Final = 1e-7
_CHARACTERS_A_UNIT: Final = 4
_ITEM: Final = 8
_LOOK_AFTER: Final = 500
"""Units between two checks of the clock."""


class Exhausted(SecurityError):
    """A rendering exceeded its budget of work or time."""


class OversizedValue(SecurityError):
    """A template would make a text, a list or a number that is too large. This is found before it costs much time."""


class Budget:
    """The remaining budget of one rendering."""

    __slots__ = ("_ends", "_left", "_look_at")

    def __init__(self, units: int = MOST_UNITS, seconds: float = MOST_SECONDS) -> None:
        self._left = units
        self._look_at = units
        self._ends = time.thread_time() + seconds

    def spend(self, units: int) -> None:
        """Takes units from the budget. Raises Exhausted if too few are left, or if the time is over."""
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
    """Runs its body with one budget for everything that a template does, including the files that it includes."""
    token = _CURRENT.set(budget or Budget())
    try:
        yield
    finally:
        _CURRENT.reset(token)


def spend(units: int = 1) -> None:
    """Takes units from the current rendering's budget. Raises Exhausted."""
    budget = _CURRENT.get()
    if budget is not None:
        budget.spend(units)


def spend_characters(count: int) -> None:
    """Takes the units for text of that length. Raises Exhausted."""
    spend(1 + count // _CHARACTERS_A_UNIT)


def made(value: Any) -> Any:
    """Takes the size of ``value``, which a template has just made, from the budget, and returns it. Raises Exhausted or OversizedValue."""
    if isinstance(value, str):
        size = len(value)
        if size > LONGEST_VALUE:
            raise OversizedValue(_too_large())
        spend_characters(size)
    elif isinstance(value, (list, tuple, dict, set, frozenset)):
        spend_characters(size_of(value))
    elif isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise OversizedValue(f"the template makes a whole number beyond {LARGEST_NUMBER:,}")
    else:
        spend(1)
    return value


def selected(value: Any) -> Any:
    """Counts the items of ``value``, which existed before: a template selected or ordered them and made only the list. Raises as `made` does."""
    if isinstance(value, list | tuple):
        spend(1 + len(value))
        return value
    return made(value)


def spend_on_reading(value: Any) -> int:
    """Takes the cost of comparing ``value``, with everything in it, and returns its size. Nothing is made, so only the budget bounds it.
    Raises Exhausted."""
    size = len(value) if isinstance(value, str) else _measured(value, MOST_UNITS * _CHARACTERS_A_UNIT)
    spend_characters(size)
    return size


def size_of(value: Any, *, written: bool = False) -> int:
    """Returns the characters and items that a value holds, at every depth; an object that appears twice counts twice. Raises OversizedValue beyond
    `LONGEST_VALUE`.

    An alert and similar objects count as one item, but with ``written`` as everything in them, because all of that is written.
    """
    size = _measured(value, LONGEST_VALUE, written=written)
    if size > LONGEST_VALUE:
        raise OversizedValue(_too_large())
    return size


def _measured(value: Any, most: int, *, written: bool = False) -> int:
    """Returns the size as `size_of` does. If it is more than ``most``, the rest is not counted."""
    size, waiting = 0, [value]
    while waiting and size <= most:
        one = waiting.pop()
        size += _ITEM
        if isinstance(one, str | bytes):
            size += len(one)
        elif isinstance(one, TemplateModule):
            size += len(str(one))
        elif isinstance(one, range):
            size += 2 * _ITEM * len(one)
        elif isinstance(one, msgspec.Struct) and written:
            waiting += [getattr(one, name) for name in one.__struct_fields__]
        elif isinstance(one, Mapping):
            size += _ITEM * len(one)
            if size <= most:
                waiting += one.keys()
                waiting += one.values()
        elif isinstance(one, list | tuple | Set | ValuesView):
            size += _ITEM * len(one)
            if size <= most:
                waiting += one
    return size


def _too_large() -> str:
    return f"the template makes a value of more than {LONGEST_VALUE:,} characters"
