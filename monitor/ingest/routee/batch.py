"""Turns decoded parts into a batch: one list or array for each field, with cleaned values within bounds."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.routee.clean_text import cleaned
from monitor.ingest.routee.part_columns import PartColumns, small
from monitor.ingest.routee.plain_texts import are_plain
from monitor.ingest.routee.quarantine import shown
from monitor.ingest.routee.tolerant import SMALLEST_HASH, SmsPart
from monitor.model.batch import Batch
from monitor.model.message import UNKNOWN, Unread
from monitor.model.uuids import Uuids

LARGEST_AMOUNT = 1e9
"""The largest price, or latency in seconds, that is believed. A larger one counts as unreadable, as it would outweigh all others."""
_MOST_UNREAD = 20
"""The most different unreadable values that are reported of a page."""

Source = Callable[[int], object]
"""Returns the parsed record of a part by its position; None if it is not available."""


def batch_of_parts(columns: PartColumns, dates: NDArray[np.int64], source: Source = lambda place: None) -> Batch:
    """Returns the batch of valid parts (see `tolerant.problem_text`). ``dates`` are the instants of their status reports."""
    latencies, prices = columns.latencies(), columns.prices()
    latency, price = _amounts(latencies), _amounts(prices)
    return Batch(
        message_id=_ids(columns.ids),
        key=_keys(columns),
        parts=_counts(columns),
        date=dates,
        latency=latency,
        price=price,
        recipient=_recipients(columns.recipients()),
        coded=columns.combinations(),
        unread=(*_unread("latency", latencies, latency, source), *_unread("price", prices, price, source)),
    )


def _unread(name: str, given: Sequence[float | None], read: NDArray[np.float64], source: Source) -> Sequence[Unread]:
    missing = np.isnan(read)
    if np.count_nonzero(missing) == given.count(None):
        return ()
    found = Counter(
        _written(name, given[i], source(i)) for i in np.flatnonzero(missing).tolist() if given[i] is not None
    )
    return [Unread(name, value, count) for value, count in found.most_common(_MOST_UNREAD)]


def _written(name: str, given: float | None, record: object) -> str:
    """Returns a masked text of an unreadable value, as it was written if the record is known."""
    return shown(record[name] if isinstance(record, Mapping) and name in record else given)


def _ids(ids: Sequence[str | None]) -> Sequence[str]:
    usual = Uuids.of(ids)  # which are plain too
    if usual is not None:
        return usual
    return cast(Sequence[str], ids) if are_plain(ids) else cleaned([one or UNKNOWN for one in ids])


def _keys(columns: PartColumns) -> NDArray[np.int64]:
    numbers = columns.numbers
    if columns.small_numbers is not None:  # the usual form
        return columns.small_numbers
    if None not in numbers:  # the documented form, which needs no check of each part
        keys = np.array(numbers, np.int64)
        if ((keys >= 0) & (keys < SMALLEST_HASH)).all():
            return keys
    return np.array([_key(part) for part in columns.parts], np.int64)


def _counts(columns: PartColumns) -> NDArray[np.int64]:
    """Returns of how many parts each message is, 1 if it is not known."""
    counts = columns.counts()
    found = small(counts)
    return (np.array([count or 1 for count in counts], np.int64) if found is None else found).clip(1)


def _key(part: SmsPart) -> int:
    number = part.number
    if number is not None:
        return number
    digest = hashlib.blake2b((part.smsId or "").encode(errors="replace"), digest_size=4).digest()
    return SMALLEST_HASH + int.from_bytes(digest, "little") % (2**31 - SMALLEST_HASH)


def _amounts(values: Sequence[float | None]) -> NDArray[np.float64]:
    """Returns the numbers, with NaN for those that are missing, negative, not finite or too large."""
    amounts = np.array(values, np.float64)
    amounts[~((amounts >= 0) & (amounts <= LARGEST_AMOUNT))] = np.nan
    return amounts


def _recipients(numbers: Sequence[str | None]) -> Sequence[str]:
    if are_plain(numbers, "+"):
        return cast(Sequence[str], numbers)
    return cleaned([to if to and to[0] == "+" else _with_plus(to) for to in numbers])


def _with_plus(number: str | None) -> str:
    return f"+{number}" if number and number.isascii() and number.isdigit() else number or UNKNOWN
