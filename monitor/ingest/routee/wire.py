"""Decodes Routee's pages of messages from JSON to `Page`.

A page is first decoded at once into the needed fields. If that fails or a record is invalid, each record is decoded alone: directly,
else tolerantly. If that fails too, the record is rejected and the page is used without it.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.ingest.routee.batch import batch_of_parts
from monitor.ingest.routee.coerce import count_of
from monitor.ingest.routee.dates import instants
from monitor.ingest.routee.envelope import Envelope, Record
from monitor.ingest.routee.known_texts import KnownTexts
from monitor.ingest.routee.part_columns import PartColumns
from monitor.ingest.routee.quarantine import rejected_record
from monitor.ingest.routee.tolerant import SmsPart, UnreadableRecord, problem_text, read_part
from monitor.model.batch import Batch
from monitor.model.routee_query import PAGE_SIZE, Page, RejectedRecord
from monitor.runtime.clock import DAY, Instant, parse_iso

AHEAD: Final = DAY
"""The most that the date of a status may lie in the future. A later one is rejected: it would win over every true report until then."""

EARLIEST: Final = parse_iso("2000-01-01")
"""The earliest date that is accepted. Some programs write "none" as 0001-01-01 or 1970-01-01."""

MOST_RECORDS: Final = 10 * PAGE_SIZE
"""The most records of a page, or ten times the requested number if that is more. A page with more does not come from Routee."""

_MOST_VALUES: Final = 50 * MOST_RECORDS
"""The most commas and opening brackets of an answer outside of texts, which bound the number of its values. A record has about 30."""

_SMALL: Final = 2 * 2**20
"""Bytes up to which an answer or a record cannot contain too many values. A full page of Routee's has 1.5 million."""

_LEFT_OUT: Final = {"…": "…"}
"""Replaces a record that is far too large."""

_LONGEST_NUMBER: Final = 300
"""The most digits of a whole number. Every such number fits into a float."""

_NO_LIMIT: Final = 2**63 - 1


class Malformed(ValueError):
    """An answer does not have the expected form. The text says what is wrong and quotes nothing of the answer."""


_PART = msgspec.json.Decoder(SmsPart, strict=False)
_PARTS = msgspec.json.Decoder(list[SmsPart], strict=False)
_PAGE = msgspec.json.Decoder(Envelope[SmsPart], strict=False)
_RAW_PARTS = msgspec.json.Decoder(list[msgspec.Raw])
_RAW_PAGE = msgspec.json.Decoder(Envelope[msgspec.Raw])
_KNOWN = KnownTexts()
_UNDECODABLE = (ValueError, RecursionError)


def decode_page(body: bytes, now: Instant, number: int = 0, size: int = PAGE_SIZE) -> Page:
    """Returns the page in ``body``. ``number`` and ``size`` are the requested page and its size; ``number`` is used if the answer has none.

    Raises Malformed, also for a page with far more records than requested: taking only some of them would lose messages.
    """
    page = page_at_once(body, now, number, size)
    return page_by_record(body, now, number, size) if page is None else page


def page_at_once(body: bytes, now: Instant, number: int, size: int) -> Page | None:
    """Does what `decode_page` does if all records are valid, else returns None: `page_by_record` has to read them."""
    _check_values(body)
    try:
        return _coded_page(body, now + AHEAD, size, number) or _plain_page(body, now + AHEAD, size, number)
    except Malformed:
        raise
    except _UNDECODABLE:
        return None


def page_by_record(body: bytes, now: Instant, number: int, size: int) -> Page:
    """Does what `decode_page` does, with each record decoded alone, in 0.005 to 0.02 ms. The number of values must have been checked."""
    loose = _loose_page(body)
    _check_records(loose.content, _most_records(size))
    return _page(loose, *_one_by_one(loose.content, now + AHEAD), number)


def _coded_page(body: bytes, latest: Instant, size: int, number: int) -> Page | None:
    """Returns a page with the same values as without `KnownTexts`; None if it cannot be decoded with them. Raises as `_plain_page`."""
    found = _KNOWN.decode(body)
    if found is None:
        return None
    answer, columns = found
    _check_records(answer.content, _most_records(size))
    try:
        batch = _at_once(columns, latest)
    except TypeError:  # a status comes under its other name
        return None
    return _page(answer, batch, (), number)


def _plain_page(body: bytes, latest: Instant, size: int, number: int) -> Page:
    """Returns a page whose records are all valid. Raises Malformed, and one of _UNDECODABLE if it is not that."""
    answer = _PAGE.decode(body)
    _check_records(answer.content, _most_records(size))
    page = _page(answer, _at_once(PartColumns(answer.content), latest), (), number)
    _KNOWN.learn(body, answer.content)
    return page


def _most_records(size: int) -> int:
    return max(10 * size, MOST_RECORDS)


def decode_parts(body: bytes) -> Page:
    """Returns the parts of one message, which come as a plain list, as one page. They may have dates in the future. Raises Malformed."""
    page = parts_at_once(body)
    return parts_by_record(body) if page is None else page


def parts_at_once(body: bytes) -> Page | None:
    """Does what `decode_parts` does if all records are valid, else returns None: `parts_by_record` has to read them."""
    _check_values(body)
    try:
        parts = _PARTS.decode(body)
        _check_records(parts, MOST_RECORDS)
        return _only_page(_at_once(PartColumns(parts), _NO_LIMIT), ())
    except Malformed:
        raise
    except _UNDECODABLE:
        return None


def parts_by_record(body: bytes) -> Page:
    """Does what `decode_parts` does, with each record decoded alone. The number of values must have been checked."""
    loose = _loose_parts(body)
    _check_records(loose, MOST_RECORDS)
    return _only_page(*_one_by_one(loose, _NO_LIMIT))


def read_json(body: bytes) -> object:
    """Parses ``body`` with the standard library, which accepts NaN and halves of surrogate pairs. Invalid UTF-8 is replaced, and a whole
    number of too many digits is infinite. Raises Malformed."""
    _check_values(body)
    try:
        return json.loads(body.decode("utf-8-sig", "replace"), parse_int=_whole)
    except _UNDECODABLE as error:
        raise Malformed("it is not JSON, or was cut off") from error


def _whole(digits: str) -> float:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else math.inf


_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""Matches a text in quotes, also one that is never closed: otherwise each quote in it would be tried as a beginning, which takes too long."""
_STRUCTURE: Final = (b",", b"[", b"{")


def _check_values(body: bytes) -> None:
    """Checks, before it is decoded, that an answer has a bounded number of values. Raises Malformed.

    It counts commas and brackets, which is fast and enough for usual answers. Only if there are many does it leave out those in texts.
    """
    if len(body) <= _SMALL or sum(map(body.count, _STRUCTURE)) <= _MOST_VALUES:
        return
    found, behind = 0, 0
    for count, text in enumerate(_TEXT.finditer(body)):
        start, end = text.span()
        between, behind = body[behind:start], end
        found += sum(map(between.count, _STRUCTURE))
        if found > _MOST_VALUES or count > 2 * _MOST_VALUES:  # each value may have a name
            break
    else:
        found += sum(map(body[behind:].count, _STRUCTURE))
    if found > _MOST_VALUES:
        raise Malformed(f"it holds more than {_MOST_VALUES} values, far more than any answer of Routee's")


def _check_records(records: Sequence[object], most: int) -> None:
    if len(records) > most:
        raise Malformed(f"it holds {len(records)} records, far more than were asked for; none of them is used")


def _page(answer: Envelope[Record], batch: Batch, rejected: tuple[RejectedRecord, ...], asked: int) -> Page:
    number = count_of(answer.number)
    number = asked if number is None or number < 0 else number
    total = count_of(answer.totalElements)
    if total is None or total < 0:
        total = len(answer.content)
    return Page(batch, number, total, _is_last(answer, number), rejected)


def _is_last(answer: Envelope[Record], number: int) -> bool:
    """Returns whether no page follows: by ``last``, else by the number of pages, else if the page is empty."""
    if isinstance(answer.last, bool):
        return answer.last
    if isinstance(answer.last, str) and answer.last.lower() in ("true", "false"):
        return answer.last.lower() == "true"
    pages = count_of(answer.totalPages)
    return not answer.content if pages is None else number + 1 >= pages


def _only_page(batch: Batch, rejected: tuple[RejectedRecord, ...]) -> Page:
    return Page(batch, 0, len(batch) + len(rejected), True, rejected)


def _at_once(columns: PartColumns, latest: Instant) -> Batch:
    """Returns the batch of parts that are all valid. Raises UnreadableRecord if one is not."""
    dates = instants(columns.dates())
    if columns.have_problems() or not is_believed(dates, latest).all():
        raise UnreadableRecord("a record has an unexpected form")
    return batch_of_parts(columns, dates)


def _one_by_one(records: Sequence[object], latest: Instant) -> tuple[Batch, tuple[RejectedRecord, ...]]:
    """Returns the batch of the readable records, and the rejected others."""
    rejected, parts, sources = [], [], []
    for record in records:
        try:
            parts.append(_part(record))
            sources.append(record)
        except UnreadableRecord as error:
            rejected.append(rejected_record(str(error), _plain(record)))
    dates = instants([part.date for part in parts])
    good = is_believed(dates, latest)
    bad = np.flatnonzero(~good).tolist()
    rejected += [rejected_record(doubt_text(parts[i], int(dates[i]), latest), _plain(sources[i])) for i in bad]
    kept = np.flatnonzero(good).tolist()
    columns = PartColumns([parts[i] for i in kept])
    batch = batch_of_parts(columns, dates[good], lambda place: _plain(sources[kept[place]]))
    return batch, tuple(rejected)


def _part(record: object) -> SmsPart:
    """Returns the valid part of a record. Raises UnreadableRecord."""
    try:
        if not isinstance(record, msgspec.Raw):
            raise UnreadableRecord("it is already parsed")
        part = _PART.decode(record)
    except _UNDECODABLE:
        plain = _plain(record)
        if plain is _LEFT_OUT:
            raise UnreadableRecord("it is far larger than any record of Routee's") from None
        part = read_part(plain)
    if why := problem_text(part):
        raise UnreadableRecord(why)
    return part


def _plain(record: object) -> object:
    """Returns the record as parsed JSON; _LEFT_OUT if it is too large to parse, None if it is not JSON."""
    if not isinstance(record, msgspec.Raw):
        return record
    if memoryview(record).nbytes > _SMALL:
        return _LEFT_OUT
    try:
        return read_json(bytes(record))
    except Malformed:
        return None


def is_believed(dates: NDArray[np.int64], latest: Instant) -> NDArray[np.bool_]:
    """Returns which dates of statuses are neither too early nor after ``latest``."""
    return (dates >= EARLIEST) & (dates <= latest)


def doubt_text(part: SmsPart, date: Instant, latest: Instant) -> str:
    """Returns why the date of a part's status is not believed."""
    if not part.date:
        return "its status has no date"
    if date > latest:
        return "its status is dated more than a day ahead of this machine's clock"
    return "the date of its status is unreadable or before the year 2000"


def _loose_page(body: bytes) -> Envelope[Any]:
    """Returns the page with undecoded records, or with records parsed by `read_json` if msgspec cannot read it. Raises Malformed."""
    try:
        return _RAW_PAGE.decode(body)
    except _UNDECODABLE:
        found = read_json(body)
    if not isinstance(found, Mapping):
        raise Malformed("it is not a page of messages, but something else in JSON")
    records = found.get("content")
    if records is None and "content" in found:
        records = []  # some programs write an empty list as null
    if not isinstance(records, list):
        raise Malformed("it is not a page of messages: it has no list named content")
    return Envelope(records, *(found.get(name) for name in ("number", "totalElements", "totalPages", "last")))


def _loose_parts(body: bytes) -> Sequence[object]:
    try:
        return _RAW_PARTS.decode(body)
    except _UNDECODABLE:
        found = read_json(body)
    if not isinstance(found, list):
        raise Malformed("it is not a list of parts")
    return found
