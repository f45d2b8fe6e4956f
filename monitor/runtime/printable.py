"""Makes texts from outside safe for a terminal: removes or replaces control characters and characters that hide or reorder text."""

import re
from typing import Final

REPLACEMENT: Final = "\ufffd"

UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0 (ESC among them), DEL, C1
    "\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero width, direction of writing, line separators
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"  # format characters of rare scripts, tags
    "\ud800-\udfff]"  # halves of surrogate pairs: no terminal takes them
)
"""Matches one character that must not reach a terminal unchanged."""

_BUT_LINES: Final = re.compile(f"(?![\n\t]){UNPRINTABLE.pattern}")
_BREAKS: Final = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
_SPACE: Final = re.compile(r"\s+")


def line(text: str) -> str:
    """Returns ``text`` on one line: line breaks and tabs become a space, and each other unprintable character becomes U+FFFD."""
    return text if text.isprintable() else UNPRINTABLE.sub(REPLACEMENT, _BREAKS.sub(" ", text))


def lines(text: str) -> str:
    """Like `line`, but keeps line breaks and tabs: for our own texts, or texts that may have several lines."""
    return text if text.isprintable() else _BUT_LINES.sub(REPLACEMENT, text)


def clean(text: str, longest: int = 80) -> str:
    """Returns ``text`` on one line, without unprintable characters, cut to ``longest`` characters."""
    head = text[: 4 * longest]
    return clip(UNPRINTABLE.sub("", _SPACE.sub(" ", head)).strip(), longest)


def clean_lines(text: str, longest: int) -> str:
    """Like `clean`, but keeps line breaks: for texts that the owner of a rule wrote on several lines."""
    found = text[: 4 * longest].replace("\t", " ").splitlines()
    lines = [UNPRINTABLE.sub("", line).rstrip() for line in found]
    return clip("\n".join(lines).strip(), longest)


def clip_at_word(text: str, longest: int) -> str:
    """Does what `clip` does, but cuts between two words, unless the last one is longer than half of ``longest``."""
    if len(text) <= longest:
        return text
    cut = text.rfind(" ", longest // 2, longest)
    return text[:cut].rstrip(" ,;:") + "…" if cut > 0 else clip(text, longest)


def clip(text: str, longest: int) -> str:
    """Returns ``text``, cut to ``longest`` characters with an ellipsis at the end where it is longer."""
    return text if len(text) <= longest else text[: max(longest - 1, 0)].rstrip() + "…"
