"""What may be kept of a record that could not be read: its recipient masked, its body taken out, its length bounded."""

import json
import re
from collections.abc import Mapping
from typing import Final

from monitor.ingest.routee.clean_text import clean
from monitor.model.privacy import mask
from monitor.model.routee_query import SetAside

LONGEST_RECORD: Final = 500
"""Characters of a record that are kept."""
LONGEST_VALUE: Final = 60
"""Characters of a single value that are kept."""

_BODIES: Final = frozenset({"body", "message", "text", "content"})
_IDS: Final = frozenset({"smsid", "messageid", "campaigntrackingid", "trackingid"})
_NUMBER = re.compile(r"\+?\d{8,}")
_LONGEST_START = 4 * LONGEST_RECORD
_CUT_NUMBER = re.compile(r"\+?\d+\Z")
_DEEPEST = 6
_MOST_ITEMS = 50


def set_aside(why: str, record: object) -> SetAside:
    """The record (parsed JSON) as it may be shown. What is no object could be anything, so only its kind is told."""
    if not isinstance(record, Mapping):
        return SetAside(why, json.dumps(f"({_KINDS.get(type(record), 'a number')})"))
    text = json.dumps(_shown(record, "", 0), ensure_ascii=False)
    return SetAside(why, clean(text, LONGEST_RECORD))


def shown(value: object) -> str:
    """A single value as it may be shown: as JSON, telephone numbers masked, cut."""
    return clean(_text(json.dumps(_shown(value, "", 0), ensure_ascii=False), ""), LONGEST_VALUE)


_KINDS: Final = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}


def _shown(value: object, name: str, depth: int) -> object:
    if name in _BODIES or depth > _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        items = list(value.items())[:_MOST_ITEMS]
        return {_text(_start(str(key)), ""): _shown(inner, str(key).lower(), depth + 1) for key, inner in items}
    if isinstance(value, list):
        return [_shown(inner, name, depth + 1) for inner in value[:_MOST_ITEMS]]
    if isinstance(value, str):
        return _text(_start(value), name)
    return mask(str(value)) if name == "to" else value


def _start(text: str) -> str:
    """The part of a long text that can be looked at. No number is cut in two: its rest would not be known as one, and not masked."""
    return text if len(text) <= _LONGEST_START else _CUT_NUMBER.sub("", text[:_LONGEST_START])


def _text(text: str, name: str) -> str:
    """A text with every telephone number in it masked; ids may contain long runs of digits."""
    if name == "to":
        return mask(text)
    return text if name in _IDS else _NUMBER.sub(lambda found: mask(found[0]), text)
