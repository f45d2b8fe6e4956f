"""Turns decoded parts into a batch: one list or array for each field, with cleaned values within bounds."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.routee.clean_text import LONGEST, clean, cleaned, known
from monitor.ingest.routee.quarantine import shown
from monitor.ingest.routee.tolerant import SMALLEST_HASH, SmsPart
from monitor.model.batch import Batch
from monitor.model.message import GROUPS_SEPARATOR, UNKNOWN, Unread

_LONGEST_GROUPS = 4 * LONGEST
LARGEST_AMOUNT = 1e9
"""The largest price, or latency in seconds, that is believed. A larger one counts as unreadable, as it would outweigh all others."""
_MOST_UNREAD = 20
"""The most different unreadable values that are reported of a page."""

Source = Callable[[int], object]
"""Returns the parsed record of a part by its position; None if it is not available."""


def batch_of_parts(parts: Sequence[SmsPart], dates: NDArray[np.int64], source: Source = lambda place: None) -> Batch:
    """Returns the batch of valid parts (see `tolerant.problem_text`). ``dates`` are the instants of their status reports."""
    latencies, prices = [part.latency for part in parts], [part.price for part in parts]
    latency, price = _amounts(latencies), _amounts(prices)
    return Batch(
        message_id=cleaned([part.messageId or part.smsId or UNKNOWN for part in parts]),
        key=_keys(parts),
        parts=np.array([part.parts or 1 for part in parts], np.int64).clip(1),
        date=dates,
        latency=latency,
        price=price,
        recipient=_recipients(parts),
        fields=_fields(parts),
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


def _fields(parts: Sequence[SmsPart]) -> dict[str, Sequence[str]]:
    return {
        "status": known([part.status.status or part.status.name for part in parts]),
        "detailedStatus": known([reason.detailedStatus if (reason := part.status.reason) else None for part in parts]),
        "operator": known([part.operator for part in parts]),
        "country": known([part.country for part in parts]),
        "campaign": known([part.campaignName or part.campaign for part in parts]),
        "campaignTrackingId": known([part.campaignTrackingId for part in parts]),
        "label": known([part.label for part in parts]),
        "from": known([part.from_ for part in parts]),
        "direction": known([part.direction for part in parts]),
        "applicationName": known([part.applicationName for part in parts]),
        "originatingService": known([part.originatingService for part in parts]),
        "groups": _groups(parts),
    }


def _keys(parts: Sequence[SmsPart]) -> NDArray[np.int64]:
    numbers = [part.part for part in parts]
    if None not in numbers:  # the documented form, which needs no check of each part
        keys = np.array(numbers, np.int64)
        if ((keys >= 0) & (keys < SMALLEST_HASH)).all():
            return keys
    return np.array([_key(part) for part in parts], np.int64)


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


def _recipients(parts: Sequence[SmsPart]) -> Sequence[str]:
    return cleaned([to if (to := part.to) and to[0] == "+" else _with_plus(to) for part in parts])


def _with_plus(number: str | None) -> str:
    return f"+{number}" if number and number.isascii() and number.isdigit() else number or UNKNOWN


def _groups(parts: Sequence[SmsPart]) -> Sequence[str]:
    groups = [part.groups for part in parts]
    if max((sum(map(len, names)) + len(names) for names in groups if names), default=0) <= LONGEST:
        joined = [GROUPS_SEPARATOR.join(filter(None, names)) or UNKNOWN if names else UNKNOWN for names in groups]
        if "".join([name for names in groups if names for name in names]).isprintable():
            return joined
    return [_joined(names) if names else UNKNOWN for names in groups]


def _joined(names: Sequence[str]) -> str:
    """Returns the groups joined to one text. Leaves out groups beyond its longest length as a whole."""
    text = ""
    for name in filter(None, names):
        longer = f"{text}{GROUPS_SEPARATOR}{clean(name)}" if text else clean(name)
        if len(longer) > _LONGEST_GROUPS:
            break
        text = longer
    return text or UNKNOWN
