"""Slack's blocks with text, within Slack's limits. Texts are Slack's markup with their data escaped."""

import re
from typing import Any, Final

SECTION: Final = 3000
FIELD: Final = 2000
"""The most characters of a section's text, and of a field's."""

_CUT_ENTITY: Final = re.compile(r"&[a-z]{0,3}$")

Block = dict[str, Any]


def section(text: str) -> Block:
    """Returns a paragraph; ``text`` is Slack's markup with its data escaped."""
    return {"type": "section", "text": mrkdwn(fit(text, SECTION))}


def fields(texts: list[str]) -> Block:
    """Returns short texts in two columns, at most ten."""
    return {"type": "section", "fields": [mrkdwn(fit(text, FIELD)) for text in texts[:10]]}


def context(text: str) -> Block:
    """Returns a paragraph in small grey letters."""
    return {"type": "context", "elements": [mrkdwn(fit(text, FIELD))]}


def mrkdwn(text: str) -> Block:
    """Returns a text object."""
    # With verbatim, Slack does not search it for links, channels and names.
    return {"type": "mrkdwn", "text": text or "–", "verbatim": True}


def fit(text: str, longest: int) -> str:
    """Returns escaped text cut to ``longest`` characters, never within an ``&amp;``."""
    if len(text) <= longest:
        return text
    return _CUT_ENTITY.sub("", text[: longest - 1]).rstrip() + "…"
