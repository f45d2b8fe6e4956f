"""Routee's pages of messages: JSON bytes → `Page`.

A page is first decoded in one go into the fields that are needed. Where that fails, or a record lacks what is needed, each
record is read on its own: in one go, else tolerantly, else it is set aside and the page goes on without it.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.ingest.routee.batch import batch_of_parts
from monitor.ingest.routee.coerce import count_of
from monitor.ingest.routee.dates import instants
from monitor.ingest.routee.quarantine import set_aside
from monitor.ingest.routee.tolerant import SmsPart, UnreadableRecord, problem_text, read_part
from monitor.model.message import Batch
from monitor.model.routee_query import PAGE_SIZE, Page, SetAside
from monitor.runtime.clock import DAY, Instant, parse_iso

AHEAD: Final = DAY
"""A status dated further ahead than this is not believed: it would outdate every true report until then."""

EARLIEST: Final = parse_iso("2000-01-01")
"""Earlier dates (0001-01-01, 1970-01-01) are how some programs write "none"."""

MOST_RECORDS: Final = 10 * PAGE_SIZE
"""Records of a page that are taken, or ten times as many as were asked for. A page with more is none of Routee's."""

_MOST_VALUES: Final = 50 * MOST_RECORDS
"""Commas and opening brackets of an answer, texts left out: more than it has values. A record of Routee's has about 30."""

_SMALL: Final = 2 * 2**20
"""Bytes of an answer, or of one record, that cannot hold too many values; a full page of Routee's has 1.5 million."""

_LEFT_OUT: Final = {"…": "…"}
"""Stands for a record that is far too large."""

_LONGEST_NUMBER: Final = 300
"""Digits of a whole number; every such number fits into a float."""

_NO_LIMIT: Final = 2**63 - 1


class Malformed(ValueError):
    """An answer is not what was asked for. The text says what is wrong with it and quotes nothing of it."""


Record = TypeVar("Record")


class _Answer(msgspec.Struct, Generic[Record], gc=False):
    """A page as it comes: the records, and around them values of which nothing is assumed."""

    content: list[Record]
    number: object = None
    totalElements: object = None  # noqa: N815 - Routee's name, as below
    totalPages: object = None  # noqa: N815
    last: object = None


_PART = msgspec.json.Decoder(SmsPart, strict=False)
_PARTS = msgspec.json.Decoder(list[SmsPart], strict=False)
_PAGE = msgspec.json.Decoder(_Answer[SmsPart], strict=False)
_RAW_PARTS = msgspec.json.Decoder(list[msgspec.Raw])
_RAW_PAGE = msgspec.json.Decoder(_Answer[msgspec.Raw])
_UNDECODABLE = (ValueError, RecursionError)


def decode_page(body: bytes, now: Instant, number: int = 0, size: int = PAGE_SIZE) -> Page:
    """The page in ``body``; ``number`` is the one asked for, used where the answer does not say, ``size`` how many records were.

    Raises Malformed, also for a page of far more records than were asked for: to take only some would lose messages.
    """
    _check_values(body)
    most = max(10 * size, MOST_RECORDS)
    try:
        answer = _PAGE.decode(body)
        _check_records(answer.content, most)
        return _page(answer, _at_once(answer.content, now + AHEAD), (), number)
    except Malformed:
        raise
    except _UNDECODABLE:
        loose = _loose_page(body)
        _check_records(loose.content, most)
        return _page(loose, *_one_by_one(loose.content, now + AHEAD), number)


def decode_parts(body: bytes) -> Page:
    """The parts of one message, which come as a plain list, as one page; meant to be looked at, so any date will do. Raises Malformed."""
    _check_values(body)
    try:
        parts = _PARTS.decode(body)
        _check_records(parts, MOST_RECORDS)
        return _only_page(_at_once(parts, _NO_LIMIT), ())
    except Malformed:
        raise
    except _UNDECODABLE:
        loose = _loose_parts(body)
        _check_records(loose, MOST_RECORDS)
        return _only_page(*_one_by_one(loose, _NO_LIMIT))


def read_json(body: bytes) -> object:
    """``body`` as the standard library reads it: NaN, stray bytes and halves of surrogate pairs included. A whole number that is too large
    for any use is infinite. Raises Malformed."""
    _check_values(body)
    try:
        return json.loads(body.decode("utf-8-sig", "replace"), parse_int=_whole)
    except _UNDECODABLE as error:
        raise Malformed("it is not JSON, or was cut off") from error


def _whole(digits: str) -> float:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else math.inf


_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""Also one that is never closed: to look for its end again from each of its quotes would take time without end."""
_STRUCTURE: Final = (b",", b"[", b"{")


def _check_values(body: bytes) -> None:
    """Make sure, before anything is made of it, that an answer holds a bounded number of values. Raises Malformed.

    To count is fast, and right for every answer that is as it should be. Only where there are many commas and brackets are those within
    texts told from the others.
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


def _page(answer: _Answer[Record], batch: Batch, asides: tuple[SetAside, ...], asked: int) -> Page:
    number = count_of(answer.number)
    number = asked if number is None or number < 0 else number
    total = count_of(answer.totalElements)
    if total is None or total < 0:
        total = len(answer.content)
    return Page(batch, number, total, _is_last(answer, number), asides)


def _is_last(answer: _Answer[Record], number: int) -> bool:
    """What ``last`` says; without it the number of pages; without that another page is asked for until one is empty."""
    if isinstance(answer.last, bool):
        return answer.last
    if isinstance(answer.last, str) and answer.last.lower() in ("true", "false"):
        return answer.last.lower() == "true"
    pages = count_of(answer.totalPages)
    return not answer.content if pages is None else number + 1 >= pages


def _only_page(batch: Batch, asides: tuple[SetAside, ...]) -> Page:
    return Page(batch, 0, len(batch) + len(asides), True, asides)


def _at_once(parts: Sequence[SmsPart], latest: Instant) -> Batch:
    """The batch of parts that are all good. Raises Unreadable where one is not."""
    dates = instants([part.date for part in parts])
    if any(map(problem_text, parts)) or not _believed(dates, latest).all():
        raise UnreadableRecord("a record has an unexpected form")
    return batch_of_parts(parts, dates)


def _one_by_one(records: Sequence[object], latest: Instant) -> tuple[Batch, tuple[SetAside, ...]]:
    """The batch of those records that can be read; the others are set aside."""
    asides, parts, sources = [], [], []
    for record in records:
        try:
            parts.append(_part(record))
            sources.append(record)
        except UnreadableRecord as error:
            asides.append(set_aside(str(error), _plain(record)))
    dates = instants([part.date for part in parts])
    good = _believed(dates, latest)
    bad = np.flatnonzero(~good).tolist()
    asides += [set_aside(_doubt(parts[i], int(dates[i]), latest), _plain(sources[i])) for i in bad]
    kept = np.flatnonzero(good).tolist()
    batch = batch_of_parts([parts[i] for i in kept], dates[good], lambda place: _plain(sources[kept[place]]))
    return batch, tuple(asides)


def _part(record: object) -> SmsPart:
    """The part that a record means, with id and status. Raises Unreadable."""
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
    """The record as parsed JSON, so far as it is not so large that this would take much memory; None where it is none."""
    if not isinstance(record, msgspec.Raw):
        return record
    if memoryview(record).nbytes > _SMALL:
        return _LEFT_OUT
    try:
        return read_json(bytes(record))
    except Malformed:
        return None


def _believed(dates: NDArray[np.int64], latest: Instant) -> NDArray[np.bool_]:
    return (dates >= EARLIEST) & (dates <= latest)


def _doubt(part: SmsPart, date: Instant, latest: Instant) -> str:
    if not part.date:
        return "its status has no date"
    if date > latest:
        return "its status is dated more than a day ahead of this machine's clock"
    return "the date of its status is unreadable or before the year 2000"


def _loose_page(body: bytes) -> _Answer[Any]:
    """The page with its records undecoded, or parsed by the tolerant reader where even that fails. Raises Malformed."""
    try:
        return _RAW_PAGE.decode(body)
    except _UNDECODABLE:
        found = read_json(body)
    if not isinstance(found, Mapping):
        raise Malformed("it is not a page of messages, but something else in JSON")
    records = found.get("content")
    if records is None and "content" in found:
        records = []  # how an empty page is written by programs that leave out what is empty
    if not isinstance(records, list):
        raise Malformed("it is not a page of messages: it has no list named content")
    return _Answer(records, *(found.get(name) for name in ("number", "totalElements", "totalPages", "last")))


def _loose_parts(body: bytes) -> Sequence[object]:
    try:
        return _RAW_PARTS.decode(body)
    except _UNDECODABLE:
        found = read_json(body)
    if not isinstance(found, list):
        raise Malformed("it is not a list of parts")
    return found
