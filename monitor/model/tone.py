"""How an alert looks and how urgent it is, from its severity."""

from typing import Final, Literal

Tone = Literal["critical", "warning", "info", "resolved"]
"""The colour of an alert."""

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
"""The order in which alerts are shown."""


def tone(severity: str, status: str) -> Tone:
    """Returns the colour of an alert with that severity; an unknown severity looks like ``info``."""
    return "resolved" if status == "resolved" else _TONES.get(severity.lower(), "info")
