"""Makes what people enter beside a matcher safe to keep and to show: their names and their comments."""

from typing import Final

from monitor.runtime.printable import clean, clean_lines

LONGEST: Final = 1_000
"""The most characters of a name or a comment."""


def entered_name(text: str, what: str) -> str:
    """Returns a person's name on one line, without characters that control a terminal or hide or reorder text. Raises ValueError if too long."""
    return clean(_short(text, what), LONGEST)


def entered_comment(text: str, what: str) -> str:
    """Returns a comment like `entered_name`, but with its line breaks. Raises ValueError if it is too long."""
    return clean_lines(_short(text, what), LONGEST)


def _short(text: str, what: str) -> str:
    if len(text) > LONGEST:
        raise ValueError(f"{what} is longer than {LONGEST:,} characters")
    return text
