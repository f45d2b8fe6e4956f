"""Decodes pages on which the fields with few values come as small numbers, the *codes* of their texts, instead of as texts.

msgspec looks up each text of such a field in a table and gives what stands there: here the text's code. So it makes no new text, and parts
that are alike are found by comparing numbers. A text that is not in the table is given the next code.

What a page says does not depend on it: a page with anything else is not decoded here.
"""

from collections.abc import Sequence
from enum import Enum
from threading import Lock
from typing import Any, Final, cast

import msgspec

from monitor.ingest.routee.coded_columns import CodedColumns
from monitor.ingest.routee.envelope import Envelope
from monitor.ingest.routee.part_columns import PartColumns
from monitor.ingest.routee.text_codes import MISSING, TextCodes
from monitor.ingest.routee.tolerant import SmsPart, Status, StatusReason

RARELY: Final = 16
"""Coded pages are given up once more than one of so many pages could not be decoded so."""
LEAST: Final = 64 * 1024
"""The least bytes of a page that is worth it."""
LOOKED_UP: Final = 500
"""So many texts that the table has not are looked up, in 1 µs each, before a new one is made, in 2 ms."""

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
"""The fields with few values, in the order of CODED_FIELDS."""
_FIRST_MISSES: Final = 8

Decoder = tuple[msgspec.json.Decoder[Envelope[SmsPart]], Sequence[TextCodes | None]]


class KnownTexts:
    """The texts that pages had so far. Threads may use it at the same time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._codes = {name: TextCodes() for name in _FIELDS}
        self._decoder: Decoder | None = None
        self._pages = self._misses = 0

    def decode(self, body: bytes) -> tuple[Envelope[SmsPart], CodedColumns] | None:
        """Returns the page and its columns, which read nothing of coded fields from the parts but codes; None if the page is small, or has
        anything that cannot be coded."""
        if self._decoder is None or len(body) < LEAST or self._is_given_up():
            return None
        decoder, fields = self._renewed() or self._decoder
        self._pages += 1
        try:
            page = decoder.decode(body)
        except (ValueError, RecursionError):
            self._misses += not self._any_full()
            return None
        return page, CodedColumns(page.content, fields)

    def learn(self, body: bytes, parts: Sequence[SmsPart]) -> None:
        """Begins with the texts of this page, if it is the first one that is worth it."""
        if self._decoder is not None or len(body) < LEAST:
            return
        columns = PartColumns(parts)
        groups: set[str | None] = {name for names in set(columns.groups()) for name in names}
        found: list[set[str | None]] = [*map(set, columns.coded_texts()), groups]
        for codes, texts in zip(self._codes.values(), found, strict=True):
            for text in texts:
                codes.code(text or "")
        with self._lock:
            self._decoder = self._made()

    def _is_given_up(self) -> bool:
        return (self._misses - _FIRST_MISSES) * RARELY > self._pages

    def _any_full(self) -> bool:
        return any(codes.is_full for codes in self._codes.values())

    def _renewed(self) -> Decoder | None:
        """Returns a new decoder if the present one has to look up too many texts, or cannot decode some; else None."""
        if sum(codes.unlisted for codes in self._codes.values()) < LOOKED_UP and not self._any_full():
            return None
        with self._lock:
            self._decoder = self._made()
            return self._decoder

    def _made(self) -> Decoder:
        self._codes = {name: codes for name, codes in self._codes.items() if not codes.is_full}
        fields = [self._codes.get(name) for name in _FIELDS]
        # A class of its own, because ``Envelope[…]`` would be remembered by `typing` with all that belongs to it.
        page = msgspec.defstruct("CodedPage", [("content", list[self._part()])], bases=(Envelope,), gc=False)  # type: ignore[misc]  # the type is known only when this runs
        return msgspec.json.Decoder(page), fields

    def _part(self) -> type[SmsPart]:
        types = {name: _coded(self._codes[name]) if name in self._codes else str for name in _FIELDS}
        missing = {name: MISSING if name in self._codes else None for name in _FIELDS}

        group = types["groups"]

        def field(name: str, of: str) -> tuple[str, Any, Any]:
            return name, types[of] | None, missing[of]

        detailed = [field("detailedStatus", "detailedStatus")]
        reason = msgspec.defstruct("CodedReason", detailed, bases=(StatusReason,), gc=False)
        fields = [field("status", "status"), ("reason", reason | None, None)]
        status = msgspec.defstruct("CodedStatus", fields, bases=(Status,), gc=False)
        coded: list[Any] = [field(name, name) for name in _FIELDS[2:-1]]
        coded += [field("campaign", "campaignName"), ("groups", tuple[group, ...] | None, ())]  # type: ignore[valid-type]  # as above
        part = msgspec.defstruct(
            "CodedPart",
            [*coded, ("status", status)],
            bases=(SmsPart,),
            gc=False,
            rename={"from_": "from"},
            kw_only=True,
        )
        return cast(type[SmsPart], part)


def _coded(codes: TextCodes) -> Any:
    """Returns the type of texts that msgspec decodes to their codes.

    It is an enumeration whose table from values to members, which msgspec reads, has the codes instead of members; and which is asked for
    what the table has not.
    """
    kind = cast(Any, Enum)("Text", {"NONE": ""})
    kind._value2member_map_ = codes.listed()
    kind._missing_ = codes.code
    return kind
