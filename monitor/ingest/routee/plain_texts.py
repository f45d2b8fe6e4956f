"""Finds at once that none of a page's texts has anything to clean (see `clean_text`), as is so on nearly all pages."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from monitor.ingest.routee.clean_text import LONGEST

_FIRST, _LAST = 0x20, 0x7E  # of the printable characters of ASCII
_MARK: Final = "\n"


def are_plain(values: Sequence[str | None], beginning: str = "") -> bool:
    """Returns whether there are values, none is missing, empty or too long, all characters are printable ASCII, and each value begins with
    the character ``beginning``. All of them are looked at together, each followed by a mark."""
    try:
        joined = f"{_MARK.join(values)}{_MARK}"  # type: ignore[arg-type]  # None among them is a TypeError, as is meant
    except TypeError:
        return False
    if not joined.isascii():
        return False
    characters = np.frombuffer(joined.encode(), np.uint8)
    ends = np.flatnonzero(characters < _FIRST)
    if len(ends) != len(values) or characters.max() > _LAST:
        return False  # some have other characters, the mark perhaps
    lengths = np.diff(ends, prepend=-1) - 1
    if lengths.min() < 1 or lengths.max() > LONGEST:
        return False
    return not beginning or bool((characters[ends - lengths] == ord(beginning)).all())
