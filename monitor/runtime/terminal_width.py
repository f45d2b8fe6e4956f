"""Measures, pads, cuts and wraps text by terminal columns: East Asian wide characters and emoji take two."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

_EMOJI_FORM: Final = "\ufe0f"
"""After another character: that one is shown as an emoji, two columns wide."""
_WORD: Final = re.compile(r"\S+|\s+")


def cells(text: str) -> int:
    """Returns how many columns of a terminal ``text`` takes."""
    return len(text) if text.isascii() else _cells(text)


@lru_cache(4096)
def _cells(text: str) -> int:
    total, last = 0, 0
    for character in text:
        if character == _EMOJI_FORM:
            total, last = total + (last == 1), 2
            continue
        last = _cell(character)
        total += last
    return total


def _cell(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, width: int) -> str:
    """Returns ``text`` with spaces behind it, ``width`` columns in all."""
    return text + " " * (width - cells(text))


def clipped(text: str, width: int) -> tuple[str, str]:
    """Splits ``text`` into as much as fits into ``width`` columns (at least one character) and the rest."""
    used = 0
    for number, character in enumerate(text):
        used += _cell(character)
        if used > width and number:
            return text[:number], text[number:]
    return text, ""


def wrapped(text: str, width: int, hang: str = "", *, cut: bool = True) -> list[str]:
    """Returns ``text`` in rows of at most ``width`` columns, broken between words. Each row but the first begins with ``hang``.

    A word that is longer than a row is cut. Without ``cut`` it stays whole for the terminal to break, so that a path can be copied.
    """
    rows, row = [], ""
    for word in _WORD.findall(text):
        if cells(row) + cells(word) <= width:
            row += word
            continue
        if word.isspace():
            continue
        if row.strip():
            rows.append(row.rstrip())
            row = hang
        while cut and cells(row) + cells(word) > width:
            part, word = clipped(word, width - cells(row))
            rows.append(row + part)
            row = hang
        row += word
    return [*rows, row.rstrip()] if row.strip() or not rows else rows
