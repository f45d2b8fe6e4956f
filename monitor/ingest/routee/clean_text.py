"""Cleans texts from outside before they are stored: replaces control characters, cuts long values, and marks missing ones."""

import re
from collections.abc import Collection, Sequence
from typing import Final

from monitor.model.message import UNKNOWN

LONGEST: Final = 256
"""The most characters of a value that are stored."""

REPLACEMENT: Final = "\ufffd"

_PRINTABLE: Final = bytes(range(0x20, 0x7F))

_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # line separators and marks of the direction of writing
    "\ud800-\udfff]"  # halves of surrogate pairs: no file or database takes them
)


def clean(text: str, longest: int = LONGEST) -> str:
    """Returns ``text`` cut to ``longest`` characters, with control characters replaced."""
    if len(text) <= longest and text.isprintable():
        return text
    return _CONTROLS.sub(REPLACEMENT, text[:longest])


def cleaned(values: Sequence[str]) -> Sequence[str]:
    """Returns `clean` of each value."""
    if all_clean(values):
        return values
    return [clean(value) for value in values]


def known(values: Sequence[str | None]) -> Sequence[str]:
    """Returns the values cleaned, with UNKNOWN for missing or empty ones. It is fast for fields with few different values on a page."""
    found = [value or UNKNOWN for value in values]
    return found if all_clean(set(found)) else cleaned(found)


def all_clean(values: Collection[str]) -> bool:
    """Returns whether `clean` would change none of them. It checks the lengths first, so that huge values are not copied."""
    return max(map(len, values), default=0) <= LONGEST and _is_printable("".join(values))


def _is_printable(text: str) -> bool:
    """Returns `str.isprintable`, which takes ten times as long for text of ASCII."""
    return not text.encode().translate(None, _PRINTABLE) if text.isascii() else text.isprintable()
