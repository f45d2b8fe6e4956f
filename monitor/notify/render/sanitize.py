"""Text that came with messages, made fit to be shown: one line, no control characters, a bounded length."""

import re
from typing import Final, Literal

from monitor.runtime.printable import UNPRINTABLE

Tone = Literal["critical", "warning", "info", "resolved"]
"""The colour that an alert is shown in."""

_TONES: Final[dict[str, Tone]] = {
    "critical": "critical",
    "emergency": "critical",
    "fatal": "critical",
    "page": "critical",
    "error": "critical",
    "high": "critical",
    "warning": "warning",
    "warn": "warning",
    "medium": "warning",
    "minor": "warning",
}
URGENCY: Final[dict[Tone, int]] = {"critical": 0, "warning": 1, "info": 2, "resolved": 3}
"""What comes first where several alerts are shown."""

_SPACE = re.compile(r"\s+")


def clean(text: str, longest: int = 80) -> str:
    """``text`` on one line, without characters that steer a terminal or reorder what is read, cut to ``longest``."""
    head = text[: 4 * longest]
    return clip(UNPRINTABLE.sub("", _SPACE.sub(" ", head)).strip(), longest)


def clean_lines(text: str, longest: int) -> str:
    """As `clean`, but line breaks stay: for what the owner of a rule wrote on several lines."""
    lines = [UNPRINTABLE.sub("", line).rstrip() for line in text[: 4 * longest].splitlines()]
    return clip("\n".join(lines).strip(), longest)


def clip(text: str, longest: int) -> str:
    """``text``, or as much of it as fits with an ellipsis behind it."""
    return text if len(text) <= longest else text[: max(longest - 1, 0)].rstrip() + "…"


def tone(severity: str, status: str) -> Tone:
    """How an alert of that severity looks; a severity that is not known here looks like ``info``."""
    return "resolved" if status == "resolved" else _TONES.get(severity.lower(), "info")
