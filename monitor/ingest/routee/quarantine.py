"""Redacts unreadable records and values before they are stored: masks phone numbers, removes bodies, and limits the length."""

import json
import re
from collections.abc import Mapping
from typing import Final

from monitor.ingest.routee.clean_text import clean
from monitor.model.privacy import mask
from monitor.model.routee_query import RejectedRecord

LONGEST_RECORD: Final = 500
"""The most characters that are kept of a record."""
LONGEST_VALUE: Final = 60
"""The most characters that are kept of a single value."""

_BODIES: Final = frozenset({"body", "message", "text", "content"})
_IDS: Final = frozenset({"smsid", "messageid", "campaigntrackingid", "trackingid"})
_NUMBER = re.compile(r"\+?\d{8,}")
_LONGEST_START = 4 * LONGEST_RECORD
_CUT_NUMBER = re.compile(r"\+?\d+\Z")
_DEEPEST = 6
_MOST_ITEMS = 50


def rejected_record(why: str, record: object) -> RejectedRecord:
    """Returns the record (parsed JSON) in a form that may be shown. Of anything but an object only the type is named."""
    if not isinstance(record, Mapping):
        return RejectedRecord(why, json.dumps(f"({_KINDS.get(type(record), 'a number')})"))
    text = json.dumps(_shown(record, "", 0), ensure_ascii=False)
    return RejectedRecord(why, clean(text, LONGEST_RECORD))


def shown(value: object) -> str:
    """Returns a value in a form that may be shown: as JSON, cut, with phone numbers masked."""
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
    """Returns the beginning of a long text. It never ends within a number: a part of a number would not be recognised and masked."""
    return text if len(text) <= _LONGEST_START else _CUT_NUMBER.sub("", text[:_LONGEST_START])


def _text(text: str, name: str) -> str:
    """Returns a text with every phone number in it masked, except in ids, which may contain long runs of digits."""
    if name == "to":
        return mask(text)
    return text if name in _IDS else _NUMBER.sub(lambda found: mask(found[0]), text)
