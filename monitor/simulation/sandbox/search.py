"""Finds the rows that match a search, by time range, Routee's filters and operators, and sorts them for pages."""

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from monitor.model.routee_query import Filter, Operator
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.simulation.sandbox.ids import MESSAGE, SMS, Ids
from monitor.simulation.sandbox.malformed_records import LACKS
from monitor.simulation.sandbox.messages import EXACT, Ints, Messages, Rows
from monitor.simulation.sandbox.tables import Stream, Tables

SelectBy = Literal["sent", "status"]
"""Whether a time range selects by the date of sending or by that of the present status."""

Mask = NDArray[np.bool_]
Test = Callable[[str | None], bool]

_COMPARE: Final[dict[Operator, Callable[[str, str], bool]]] = {
    "is": lambda value, term: value == term,
    "contains": lambda value, term: term in value,
    "starts_with": lambda value, term: value.startswith(term),
    "ends_with": lambda value, term: value.endswith(term),
}
_STREAM_FIELDS: Final[dict[str, Callable[[Stream], str | None]]] = {
    "label": lambda stream: stream.label,
    "direction": lambda stream: stream.direction,
    "campaign": lambda stream: stream.campaign,
    "from": lambda stream: stream.sender,
    "applicationName": lambda stream: stream.application,
    "campaignName": lambda stream: stream.campaign,
    "campaignTrackingId": lambda stream: stream.tracking_id,
}
SORT_FIELDS: Final = frozenset({
    *("date", "status.date", "status.status", "smsId", "messageId", "to", "country", "operator", "price", "part", "parts"),
    *_STREAM_FIELDS,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """The request without the page. ``start`` and ``end`` are both inclusive; None means no limit (tracking of a campaign)."""

    start: Instant | None = None
    end: Instant | None = None
    filters: tuple[Filter, ...] = ()
    campaign: bool = False
    tracking_id: str | None = None
    sort: str | None = None
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Selector:
    """Finds rows in one sandbox's messages."""

    messages: Messages
    known: Tables
    ids: Ids
    select_by: SelectBy = "sent"

    def select(self, search: SearchRequest, now: Instant) -> Ints:
        """Returns the numbers of the matching rows in the order of the pages: newest first unless sorted."""
        low, high = self._span(search, now)
        rows = self.messages.rows.take(slice(low, high))
        mask = self._mask(search, rows, low, now)
        numbers = np.arange(low, high) if mask is None else np.flatnonzero(mask) + low
        return self._ordered(search, numbers, now)

    def parts_of(self, message_id: str, now: Instant) -> Ints:
        """Returns the numbers of one message's parts that are visible at ``now``; none if the message is unknown."""
        exact = [number for number, record in self.messages.exact.items() if record.get("messageId") == message_id]
        if exact:
            return np.array(exact)
        first = self.ids.number(message_id, MESSAGE)
        rows = self.messages.rows
        if first is None or first >= len(rows) or rows.created[first] > now or rows.odd[first] >= EXACT:
            return np.array([], np.int64)
        return np.arange(first, min(first + int(rows.parts[first]), len(rows)))

    def _span(self, search: SearchRequest, now: Instant) -> tuple[int, int]:
        """Returns a slice outside of which no row can match."""
        if not self.messages.ordered:
            return 0, len(self.messages)
        created = self.messages.rows.created
        end = now if search.end is None else search.end
        high = int(np.searchsorted(created, end, "right"))
        if self.select_by == "status" or search.start is None:
            return 0, high
        return int(np.searchsorted(created, search.start, "left")), high

    def _mask(self, search: SearchRequest, rows: Rows, low: int, now: Instant) -> Mask | None:
        """Returns which of the slice's rows match; None for all of them."""
        masks = [*self._timely(search, rows, now)]
        if search.campaign:
            masks.append(self.known.streams.where(lambda stream: stream.tracking_id is not None)[rows.stream])
        if search.tracking_id is not None:
            masks.append(self.known.streams.where(lambda stream: stream.tracking_id == search.tracking_id)[rows.stream])
        masks += [self._matching(each, rows, low, now) for each in search.filters]
        return np.logical_and.reduce(masks) if masks else None

    def _timely(self, search: SearchRequest, rows: Rows, now: Instant) -> list[Mask]:
        """Returns masks for the rows that are visible and within the range, where the slice does not ensure it."""
        masks = []
        if len(rows) and int(rows.created.max()) > now:
            masks.append((rows.created <= now) | (rows.odd >= EXACT))
        if (
            search.start is not None
            and search.end is not None
            and not (self.messages.ordered and self.select_by == "sent")
        ):
            dates = rows.created if self.select_by == "sent" else rows.present(now)[1]
            masks += [dates >= search.start, dates <= search.end]
        return masks

    def _matching(self, wanted: Filter, rows: Rows, low: int, now: Instant) -> Mask:
        test = _test(wanted)
        mask = self._column_matching(wanted, test, rows, low, now)
        lacking = rows.odd & LACKS.get(wanted.field, 0)
        mask = np.where(lacking != 0, test(None), mask)
        for position in np.flatnonzero(rows.odd >= EXACT).tolist() if self.messages.exact else ():
            mask[position] = test(_value(self.messages.exact[low + position], wanted.field))
        return mask

    def _column_matching(self, wanted: Filter, test: Test, rows: Rows, low: int, now: Instant) -> Mask:
        if wanted.field == "status.status":
            return self.known.outcomes.where(lambda outcome: test(outcome.status))[rows.present(now)[0]]
        if wanted.field == "smsId":
            return self._sms_matching(wanted, test, rows, low)
        if wanted.field == "to":
            return _recipients_matching(wanted, rows)
        value = _STREAM_FIELDS[wanted.field]
        return self.known.streams.where(lambda stream: test(value(stream)))[rows.stream]

    def _sms_matching(self, wanted: Filter, test: Test, rows: Rows, low: int) -> Mask:
        numbers = np.arange(low, low + len(rows))
        if wanted.operator in ("is", "is_not"):
            number = self.ids.number(wanted.term, SMS)
            found: Mask = numbers == (-1 if number is None else number)
            return found if wanted.operator == "is" else ~found
        return np.array([test(text.decode()) for text in self.ids.texts(numbers, SMS)], np.bool_)

    def _ordered(self, search: SearchRequest, numbers: Ints, now: Instant) -> Ints:
        newest_first = numbers[::-1]
        if search.sort is None and self.select_by == "sent" and self.messages.ordered:
            return newest_first
        if search.sort is None:
            rows = self.messages.rows.take(newest_first)
            dates = rows.created if self.select_by == "sent" else rows.present(now)[1]
            return newest_first[np.argsort(-dates, kind="stable")]
        order = np.argsort(self._sort_key(search.sort, numbers, now), kind="stable")
        return numbers[order[::-1] if search.descending else order]

    def _sort_key(self, name: str, numbers: Ints, now: Instant) -> NDArray[np.generic]:
        rows = self.messages.rows.take(numbers)
        routes, streams = self.known.routes, self.known.streams
        if name in _STREAM_FIELDS:
            return streams.ranks(lambda stream: _STREAM_FIELDS[name](stream) or "")[rows.stream]
        match name:
            case "smsId":
                return np.array(self.ids.texts(numbers, SMS))
            case "messageId":
                return np.array(self.ids.texts(numbers - rows.part + 1, MESSAGE))
            case "country":
                return routes.ranks(lambda route: route.country or "")[rows.route]
            case "operator":
                return routes.ranks(lambda route: route.operator or "")[rows.route]
            case "price":
                return np.array([route.price or 0.0 for route in routes.entries])[rows.route]
            case "status.status":
                return self.known.outcomes.ranks(lambda outcome: outcome.status)[rows.present(now)[0]]
            case "to":
                return rows.to
            case "part" | "parts":
                return rows.part if name == "part" else rows.parts
        return rows.present(now)[1]


def _test(wanted: Filter) -> Test:
    """Returns the filter on one value; a value that a record lacks matches only ``is_not``."""
    if wanted.operator == "is_not":
        return lambda value: value != wanted.term
    compare = _COMPARE[wanted.operator]
    return lambda value: value is not None and compare(value, wanted.term)


def _recipients_matching(wanted: Filter, rows: Rows) -> Mask:
    if wanted.operator in ("is", "is_not"):
        digits = wanted.term.removeprefix("+")
        number = int(digits) if wanted.term != digits and digits.isdecimal() and len(digits) < 19 else -1
        found: Mask = rows.to == number
        return found if wanted.operator == "is" else ~found
    texts = np.strings.add(b"+", rows.to.astype("S"))
    term = wanted.term.encode()
    if wanted.operator == "contains":
        return np.strings.find(texts, term) >= 0
    return np.strings.startswith(texts, term) if wanted.operator == "starts_with" else np.strings.endswith(texts, term)


def _value(record: dict[str, object], name: str) -> str | None:
    """Returns a field of a message that was added by hand, as filters see it."""
    value: object = record.get(name)
    if name == "status.status":
        status = record.get("status")
        value = status.get("status") if isinstance(status, dict) else None
    elif name == "campaign":
        value = record.get("campaignName", value)
    return None if value is None else str(value)
