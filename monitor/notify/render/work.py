"""Estimates what one operation of a template costs, in units of its budget, before it runs, from the size of its arguments.

A single call of C code cannot be interrupted, so it has to be refused in advance. ``text.strip(chars)`` compares each character of the text with
each of ``chars``, a sort compares its items again and again, and ``range(…)`` has a length before it is made.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from jinja2 import Environment
from jinja2.exceptions import SecurityError
from jinja2.filters import make_attrgetter
from jinja2.runtime import LoopContext
from markupsafe import Markup

from monitor.notify.render.budget import made, selected, size_of, spend, spend_on_reading

LONGEST_ATTRIBUTE: Final = 200
"""The most characters of ``attribute='labels.operator'``: each of its parts is looked up for each item."""

_COMPARISONS_A_UNIT: Final = 32
_CHARACTERS_A_UNIT: Final = 4
_ITEM_UNITS: Final = 5
_SORTED_A_UNIT: Final = 16
_MARKUP: Final = 40
"""The weight of operations on Markup, which makes each piece of a text a new object, in slow code."""

_CONSTANT: Final = frozenset(
    {
        *("abs", "count", "d", "datetime", "default", "duration", "first", "last", "length", "number", "percent"),
        *("round", "sentence"),
        *("boolean", "callable", "defined", "divisibleby", "escaped", "even", "false", "float", "integer", "iterable"),
        *("mapping", "none", "number", "odd", "sameas", "sequence", "string", "true", "undefined"),
    }
)
"""Filters and tests whose cost does not depend on the contents of their argument. (``float`` and ``int`` parse text, see `_WEIGHTS`.)"""
_CONSTANT_UNITS: Final = 5
_SENTENCE_UNITS: Final = 300

_WEIGHTS: Final[Mapping[str, int]] = {"clip": 10, "html": 5, "markdown": 40, "notes": 8, "title": 12, "tojson": 2}
"""How much longer than usual (25 ns) a filter takes for each character, as a factor."""

_PER_ITEM: Final = frozenset({"items", "list", "map", "reject", "rejectattr", "reverse", "select", "selectattr", "sum"})
"""Filters that do the same with each item. Where they call another filter or a test for each, these calls are counted separately."""

_WRITING: Final = frozenset({"lower", "upper"})
"""Tests that write their argument as text first, whatever it is."""
_WRITTEN_VALUE: Final = 4
"""How much longer than usual it takes to write a character of a value that is not a text, as a factor."""

_COMPARING: Final = frozenset({"dictsort", "groupby", "max", "min", "sort", "unique"})
_SELECTING: Final = (_PER_ITEM | _COMPARING | {"d", "default", "first", "last"}) - {"sum"}
"""Filters whose results hold only what existed before, or was counted when it was made."""
_ATTRIBUTE_AT: Final = {
    "groupby": 0,
    "join": 1,
    "map": None,
    "max": 1,
    "min": 1,
    "rejectattr": 0,
    "selectattr": 0,
    "sort": 2,
    "sum": 0,
    "unique": 1,
}
"""The position of the argument that names the attribute of each item, by filter."""

_PRODUCT: Final = frozenset({"lstrip", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "strip"})
"""Methods of texts whose cost is the product of two lengths. (CPython searches forward in time bounded by their sum, but not backward.)"""


def spend_on_filter(
    environment: Environment, name: str, value: Any, args: tuple[Any, ...], named: dict[str, Any]
) -> None:
    """Takes what the filter will cost. Raises Exhausted, and SecurityError if it must not be used like this."""
    if name in _CONSTANT and not isinstance(value, str):
        spend(_SENTENCE_UNITS if name == "sentence" else _CONSTANT_UNITS)
        return
    path = _attribute(name, args, named)
    if name in _PER_ITEM:
        spend(length(value) * (_ITEM_UNITS + len(path)))
    elif name in _COMPARING:
        _spend_on_comparing(environment, name, value, path, by_value="value" in (*args, named.get("by")))
    else:
        spend_on_text([_looked_at(environment, value, path), *args, *named.values()], _WEIGHTS.get(name, 1))
    if name == "trim":
        _spend_on_product(str(value), *args, *named.values())


def filtered(name: str, result: Any) -> Any:
    """Counts the result of a filter, and returns it. Raises Exhausted and OversizedValue."""
    return selected(result) if name in _SELECTING else made(result)


def spend_on_test(name: str, value: Any, args: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Takes what a test (``x is in y``) will cost. Raises Exhausted."""
    if name in _CONSTANT and not isinstance(value, str):
        spend(1)
        return
    if name in _WRITING:
        spend_on_text([value], _WRITTEN_VALUE)
        return
    for read in (value, *args, *named.values()):
        spend_on_reading(read)


def spend_on_call(called: Any, args: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Takes what a call of a method or a function will cost; macros count their own work. Raises as `spend_on_filter` does."""
    owner, name = getattr(called, "__self__", None), getattr(called, "__name__", "")
    spend(1 + len(args) + len(named))
    if called is dict or getattr(called, "__name__", "") == "Variables":
        _only_simple_keys(args)
    elif isinstance(owner, str):
        _spend_on_method(owner, name, args)
    elif isinstance(owner, list | tuple | range):
        for read in (owner, *args):
            spend_on_reading(read)
    elif isinstance(owner, LoopContext):
        spend_on_reading(args)


def _spend_on_method(text: str, name: str, args: tuple[Any, ...]) -> None:
    spend_on_text([text, *args], _MARKUP if isinstance(text, Markup) else 4 if "split" in name else 1)
    if name in _PRODUCT:
        _spend_on_product(text, *args[:1])


def spend_on_text(values: Iterable[Any], weight: int = 1) -> None:
    """Takes the cost of reading every character that ``values`` are written with once. Raises Exhausted."""
    size = sum(len(value) if isinstance(value, str) else size_of(value, written=True) for value in values)
    spend(1 + size * weight // _CHARACTERS_A_UNIT)


def _spend_on_product(text: str, *others: Any) -> None:
    for other in others:
        if isinstance(other, str):
            spend(len(text) * len(other) // _COMPARISONS_A_UNIT)


def length(value: Any) -> int:
    """Returns the number of items; 0 for a value without items, or for an iterator, whose items are counted separately."""
    return len(value) if isinstance(value, Collection) else 0


def _spend_on_comparing(environment: Environment, name: str, value: Any, path: str, *, by_value: bool) -> None:
    keys = _looked_at(environment, value, path)
    if name == "dictsort" and isinstance(value, Mapping):
        keys = list(value.values() if by_value else value.keys())
    if name == "unique" and isinstance(keys, Collection):
        for key in keys:
            only_simple(key)
    size = spend_on_reading(keys)
    spend(length(value) * _ITEM_UNITS)
    if name in ("dictsort", "groupby", "sort"):
        spend(size * length(value).bit_length() // _SORTED_A_UNIT)


def _attribute(name: str, args: tuple[Any, ...], named: dict[str, Any]) -> str:
    """Returns the attribute path that a filter follows in each item; empty if it follows none. Raises SecurityError."""
    if name not in _ATTRIBUTE_AT:
        return ""
    index = _ATTRIBUTE_AT[name]
    path = named.get("attribute", args[index] if index is not None and index < len(args) else None)
    text = "" if path is None else str(path) if isinstance(path, str | int) else ""
    if len(text) > LONGEST_ATTRIBUTE:
        raise SecurityError(f"an attribute can have {LONGEST_ATTRIBUTE} characters at most")
    return text


def _looked_at(environment: Environment, value: Any, path: str) -> Any:
    """Returns what a filter reads of each item of ``value``."""
    if not path or not isinstance(value, Collection):
        return value
    spend(length(value) * (_ITEM_UNITS + len(path)))
    getters = [make_attrgetter(environment, part) for part in path.split(",")]
    return [getter(item) for item in value for getter in getters]


def only_simple(key: Any) -> Any:
    """Returns ``key`` if it is a text or a number. Keys of other types could be made to collide in a dictionary. Raises SecurityError."""
    if not isinstance(key, str | int | float | None):
        raise SecurityError("a key, and what unique compares, can only be text or a number")
    return key


def _only_simple_keys(args: tuple[Any, ...]) -> None:
    for pairs in args:
        if isinstance(pairs, Mapping) or not isinstance(pairs, Collection):
            continue
        spend(length(pairs) * _ITEM_UNITS)
        for pair in pairs:
            if isinstance(pair, list | tuple | str) and len(pair) == 2:
                only_simple(pair[0])


def gathered(result: Any) -> Any:
    """Returns an iterator's items as a list, each counted, so that their number is known; returns anything else unchanged."""
    if isinstance(result, Iterator) and not isinstance(result, LoopContext):
        return list(_counted(result))
    return result


def _counted(items: Iterator[Any]) -> Iterator[Any]:
    for item in items:
        spend(1)
        yield item
