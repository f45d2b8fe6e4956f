"""Decodes pages on which the fields with few values have values that occurred before.

msgspec looks up each text of such a field among the known ones, and makes no new one. That saves little of the decoding, but half of what
follows: the texts of a page are counted by their hashes, which known texts already have.

What a page says does not depend on it: a page with anything else is not decoded here.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Any, Final, Literal, cast

import msgspec

from monitor.ingest.routee.clean_text import LONGEST
from monitor.ingest.routee.envelope import Envelope
from monitor.ingest.routee.part_columns import PartColumns
from monitor.ingest.routee.tolerant import SmsPart, Status, StatusReason

MOST_TEXTS: Final = 256
"""The most known texts of a field. A field with more may have any text."""
RARELY: Final = 16
"""A field may have any text once it brought new ones in more than one of so many pages."""
LEAST: Final = 64 * 1024
"""The least bytes of a page that is worth it."""

_FIELDS: Final = (
    "status",
    "detailedStatus",
    "operator",
    "country",
    "campaignName",
    "campaignTrackingId",
    "label",
    "from_",
    "direction",
    "applicationName",
    "originatingService",
    "groups",
)
"""The fields with few values, in the order of `PartColumns.coded_texts`, then the groups."""
_WHOLE: Final = "whole"
"""Stands among the fields for a page that could not be decoded for another reason."""
_FIRST_MISSES: Final = 8


class KnownTexts:
    """The texts that pages had so far. Threads may use it at the same time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._decoder: msgspec.json.Decoder[Envelope[SmsPart]] | None = None
        self._texts: dict[str, set[str]] = {name: set() for name in _FIELDS}
        self._open: set[str] = set()
        self._pages = 0
        self._misses = dict.fromkeys((*_FIELDS, _WHOLE), 0)

    def decode(self, body: bytes) -> Envelope[SmsPart] | None:
        """Returns the page; None if it is small, or has anything that is not known."""
        decoder = self._decoder
        if decoder is None or len(body) < LEAST or _WHOLE in self._open:
            return None
        try:
            page = decoder.decode(body)
        except (ValueError, RecursionError):
            self._missed(_WHOLE)  # unless it is learned from
            return None
        self._pages += 1
        return page

    def learn(self, body: bytes, parts: Sequence[SmsPart]) -> None:
        """Notes the texts of a page that could not be decoded by `decode`, unless such pages are too many."""
        if len(body) < LEAST or _WHOLE in self._open:
            return
        columns = PartColumns(parts)
        found = dict(zip(_FIELDS[:-1], map(set, columns.coded_texts()), strict=True))
        found["groups"] = {name for names in set(columns.groups()) for name in names}
        # The campaign may come under another name, which is always decoded as any text.
        found["campaignName"] = {part.campaignName for part in parts}
        found["status"] = {part.status.status for part in parts}
        with self._lock:
            self._note({name: {text for text in texts if text is not None} for name, texts in found.items()})

    def _note(self, found: dict[str, set[str]]) -> None:
        is_first = self._decoder is None
        news = [name for name, texts in found.items() if name not in self._open and not texts <= self._texts[name]]
        for name in news:
            self._texts[name] |= found[name]
            if len(self._texts[name]) > MOST_TEXTS or max(map(len, found[name])) > LONGEST:
                self._leave_open(name)
            elif not is_first:
                self._missed(name)
        if news and not is_first:
            self._misses[_WHOLE] -= 1
        if is_first or news:
            self._decoder = msgspec.json.Decoder(Envelope[self._part()])  # type: ignore[misc]  # the type is known only when this runs

    def _missed(self, name: str) -> None:
        self._misses[name] += 1
        if (self._misses[name] - _FIRST_MISSES) * RARELY > self._pages:
            self._leave_open(name)

    def _leave_open(self, name: str) -> None:
        self._open.add(name)
        self._texts.pop(name, None)

    def _part(self) -> type[SmsPart]:
        reason = msgspec.defstruct(
            "KnownReason", [("detailedStatus", self._one("detailedStatus"), None)], bases=(StatusReason,), gc=False
        )
        status = msgspec.defstruct(
            "KnownStatus",
            [("status", self._one("status"), None), ("reason", reason | None, None)],
            bases=(Status,),
            gc=False,
        )
        coded = [(name, self._one(name), None) for name in _FIELDS[2:-1]]
        groups = str if "groups" in self._open else self._literal("groups")
        fields: list[Any] = [("groups", tuple[groups, ...] | None, None), *coded, ("status", status)]  # type: ignore[valid-type]  # the type is known only when this runs
        renamed = {"from_": "from"}
        part = msgspec.defstruct("KnownPart", fields, bases=(SmsPart,), gc=False, rename=renamed, kw_only=True)
        return cast(type[SmsPart], part)

    def _one(self, name: str) -> Any:
        return str | None if name in self._open else self._literal(name) | None

    def _literal(self, name: str) -> Any:
        """Returns the type of the known texts. A field of which none is known has none that a page could have."""
        return Literal[tuple(sorted(self._texts[name] or {_NOTHING}))]


_NOTHING: Final = "\0"
