"""Text that anybody may have written, made fit for a terminal: it obeys no control character, and nothing hides or reorders what is read."""

import re
from typing import Final

REPLACEMENT: Final = "\ufffd"

UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0 (ESC among them), DEL, C1
    "\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero width, direction of writing, line separators
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"  # format characters of rare scripts, tags
    "\ud800-\udfff]"  # halves of surrogate pairs: no terminal takes them
)
"""One character that must not reach a terminal as it is."""

_BUT_LINES: Final = re.compile(f"(?![\n\t]){UNPRINTABLE.pattern}")
_BREAKS: Final = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")


def line(text: str) -> str:
    """``text`` on one line: line breaks and tabs become a space, each other character that is unfit becomes U+FFFD."""
    return text if text.isprintable() else UNPRINTABLE.sub(REPLACEMENT, _BREAKS.sub(" ", text))


def lines(text: str) -> str:
    """As `line`, but line breaks and tabs stay: for text that is ours, or that is known to have several lines."""
    return text if text.isprintable() else _BUT_LINES.sub(REPLACEMENT, text)
