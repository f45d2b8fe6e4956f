"""What reaches a terminal: nothing that steers it, hides or reorders text."""

import unicodedata

import pytest

from monitor.runtime.printable import REPLACEMENT, line, lines
from monitor.runtime.terminal_width import cells, padded, wrapped

VISIBLE_FORMATS = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
"""Signs that stand before a number: seen, though Unicode calls them format characters."""


def test_every_control_and_format_character_is_replaced() -> None:
    unfit = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert {char for char in unfit if char not in VISIBLE_FORMATS and line(char) not in (REPLACEMENT, " ")} == set()


def test_what_people_write_stays() -> None:
    text = "Δίκτυο 中国移动 📱 naïve\u00a0x\u3000→ “ok”"
    assert (line(text), lines(text)) == (text, text)


def test_no_line_is_forged() -> None:
    assert line("a\r\nb\tc\u2028d") == "a b c d"
    assert lines("a\nb\rc") == f"a\nb{REPLACEMENT}c"


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("中国", 4), ("📱", 2), ("❤\ufe0f", 2), ("e\u0301", 1), ("", 0)]
)
def test_columns(text: str, width: int) -> None:
    assert cells(text) == width
    assert cells(padded(text, 9)) == 9


def test_wrapping_is_at_words_and_by_columns() -> None:
    assert wrapped("中国移动 通信 ab", 9) == ["中国移动", "通信 ab"]
    assert wrapped("a-long-word-here b", 6) == ["a-long", "-word-", "here b"]
    assert wrapped("see a-long-word-here b", 6, "  ", cut=False) == ["see", "  a-long-word-here", "  b"]
    assert wrapped("  x  one two", 8, "    ") == ["  x  one", "    two"]
