"""Cleans texts from outside before they are stored: no control characters, no overlong values, nothing empty."""

import re
from collections.abc import Collection, Sequence
from typing import Final

from monitor.model.message import UNKNOWN

LONGEST: Final = 256
"""The most characters of a value that are kept."""

REPLACEMENT: Final = "\ufffd"

_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # line separators and what turns the direction of writing
    "\ud800-\udfff]"  # halves of surrogate pairs: no file or database takes them
)


def clean(text: str, longest: int = LONGEST) -> str:
    """``text`` with control characters replaced, cut to ``longest`` characters."""
    if len(text) <= longest and text.isprintable():
        return text
    return _CONTROLS.sub(REPLACEMENT, text[:longest])


def cleaned(values: Sequence[str]) -> Sequence[str]:
    """`clean` of each value."""
    if all_clean(values):
        return values
    return [clean(value) for value in values]


def known(values: Sequence[str | None]) -> Sequence[str]:
    """The values cleaned, with UNKNOWN where one is missing or empty. Made for fields that repeat few values over a page."""
    found = [value or UNKNOWN for value in values]
    return found if all_clean(set(found)) else cleaned(found)


def all_clean(values: Collection[str]) -> bool:
    """Whether `clean` would change none of them: two passes in C. Nothing is made of values that are too long: they may be huge."""
    return max(map(len, values), default=0) <= LONGEST and "".join(values).isprintable()
