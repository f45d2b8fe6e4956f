"""Measures other than counts for each group of messages: money, latency, distinct values.

Each result is computed once for each reader. All are exact: money is summed in billionths, and percentiles are values that occur.
"""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.config.rules.match import Condition
from monitor.model.message import INBOUND, UNKNOWN, UNSENT
from monitor.runtime.dataclass import dataclass
from monitor.window.columns import LATENCY_UNIT, NOT_GIVEN, PRICE_UNIT, Columns
from monitor.window.index import Rows
from monitor.window.profile_index import Codes
from monitor.window.query import RECIPIENT, GroupCounts, Query, WindowReader

Floats = NDArray[np.float64]

A = TypeVar("A")
LONG_AGO: Final = -(1 << 62)
"""Before every date."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One number for each group: the groups' codes ascending, the values, and how many messages each value is computed from."""

    codes: Codes
    values: Floats
    counts: Codes

    def at(self, codes: Codes) -> Floats:
        """Returns the value of each of ``codes``; NaN if it has none."""
        if not len(self.codes):
            return np.full(len(codes), np.nan)
        positions = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[positions] == codes, self.values[positions], np.nan)

    @property
    def tally(self) -> GroupCounts:
        """Returns how many messages each value is computed from."""
        return GroupCounts(self.codes, self.counts)


@dataclass(frozen=True, slots=True)
class Spendings:
    """By group, zeros included: the sum of the prices in billionths, and how many messages have a price."""

    amounts: Codes
    priced: Codes

    def measured(self, tally: GroupCounts) -> Measured:
        """Returns the cost of the groups that have messages, of which ``tally`` has the number, in the account's currency."""
        return Measured(tally.codes, self.amounts[tally.codes] / PRICE_UNIT, self.priced[tally.codes])


def sums(reading: WindowReader, question: Query) -> Measured:
    """Returns the cost of each group's messages in the account's currency. ``counts`` are the messages that have a price."""
    return _once(reading, ("sums", question), lambda: _sums(reading, question))


def spendings(reading: WindowReader, question: Query) -> Spendings:
    """Returns what was spent by group. The query must not group by recipient, because there are too many."""
    rows, codes = reading.grouped(question) if question.by else (reading.rows(question), None)
    return spent_by_group(reading.window.columns, rows, codes, len(reading.window.facets.groups(question.by)))


def spent_by_group(columns: Columns, rows: Rows, codes: Codes | None, groups: int) -> Spendings:
    """Returns what the messages in these rows cost. ``codes`` are their groups, of which there are so many; None: all are in one group."""
    price = columns["price"][rows]
    if codes is None:
        given = int(np.count_nonzero(price != NOT_GIVEN))
        total = int(price.sum(dtype=np.int64)) - NOT_GIVEN * (len(price) - given)
        return Spendings(np.array([total]), np.array([given]))
    has_price = price != NOT_GIVEN
    codes = codes[has_price]
    return Spendings(_totals(codes, price[has_price], groups), np.bincount(codes, minlength=groups))


def charged(question: Query) -> Query:
    """Returns the query for the messages that should have a price: all but inbound and unsent ones, which cost nothing."""
    return question.narrowed(_CHARGED)


def without_price(question: Query) -> Query:
    """Returns the query for the messages that have no price although they should; see `charged`."""
    return replace(charged(question), priced=False)


def unpriced(reading: WindowReader, question: Query) -> GroupCounts:
    """Returns how many messages of each group have no price although they should."""
    return reading.tally(without_price(question))


def last_seen(reading: WindowReader, question: Query, codes: Codes) -> Codes:
    """Returns when the latest message of each of the groups ``codes`` (ascending) was first seen; LONG_AGO if it has none."""
    rows, groups = reading.grouped(question)
    latest, first_seen = np.full(len(codes), LONG_AGO), reading.window.columns["first_seen"][rows]
    position = np.searchsorted(codes, groups)
    inside = position < len(codes)
    inside[inside] = codes[position[inside]] == groups[inside]
    np.maximum.at(latest, position[inside], first_seen[inside])
    return latest


def last_seen_by_group(reading: WindowReader, question: Query) -> Codes:
    """Returns the same of each group. The query must not group by recipient, because there are too many.

    Queries that differ only in what they ask of profiles read the rows of their span once.
    """
    to = tuple(condition for condition in question.conditions if condition.field == RECIPIENT)
    all_of_span = replace(question, by=(), conditions=to, final=False, search=None, reported=False)
    latest = _once(reading, ("last seen", all_of_span), lambda: _last_seen_by_profile(reading, all_of_span))
    groups, fits = reading.window.facets.groups(question.by), reading.fits(question)
    chosen = slice(None) if fits is None else fits
    found = np.full(len(groups), LONG_AGO)
    np.maximum.at(found, groups.of[chosen], latest[chosen])
    return found


def _last_seen_by_profile(reading: WindowReader, question: Query) -> Codes:
    columns, rows = reading.window.columns, reading.rows(question)
    latest = np.full(columns.profiles.length, LONG_AGO)
    np.maximum.at(latest, columns["profile"][rows], columns["first_seen"][rows])
    return latest


def distinct(reading: WindowReader, question: Query, field: str) -> GroupCounts:
    """Returns how many different values of a field each group has. A missing value does not count."""
    return _once(reading, ("distinct", field, question), lambda: _distinct(reading, question, field))


def percentiles(reading: WindowReader, question: Query, percent: float) -> Measured:
    """Returns a percentile of each group's latencies in seconds, by nearest rank, among the messages that have a latency.

    It is the smallest latency such that at least ``percent`` percent of the messages have at most that one.
    """
    return _once(reading, ("percentile", percent, question), lambda: _percentiles(reading, question, percent))


def _once(reading: WindowReader, key: Hashable, make: Callable[[], A]) -> A:
    if key not in reading.shared:
        reading.shared[key] = make()
    found: A = reading.shared[key]
    return found


def _positioned(reading: WindowReader, question: Query, codes: Codes) -> tuple[Codes, Rows]:
    """Returns the codes of the groups that have messages, ascending, and the position among them of each row's group."""
    groups = reading.tally(question).codes
    if groups.max(initial=0) >= _COUNTABLE:
        return groups, np.searchsorted(groups, codes)
    positions = np.zeros(groups.max(initial=0) + 1, np.int64)
    positions[groups] = np.arange(len(groups))
    return groups, positions[codes]


_CHARGED: Final = (Condition("direction", "is_not", (INBOUND,)), Condition("status", "is_not", (UNSENT,)))
_COUNTABLE: Final = 1 << 22
"""The largest code of a group up to which positions are looked up in an array."""
_LATENCY_BITS: Final = 31
_EXACT: Final = 1 << 53
"""`bincount` sums floats, which are exact up to this: nine million in billionths. Larger sums are made in two halves."""
_HALF: Final = 26
"""The low bits of an amount in billionths that are summed separately."""


def _sums(reading: WindowReader, question: Query) -> Measured:
    if RECIPIENT not in question.by:
        return spendings(reading, question).measured(reading.tally(question))
    rows, codes = reading.grouped(question)
    groups, position = _positioned(reading, question, codes)
    spent = spent_by_group(reading.window.columns, rows, position, len(groups))
    return Measured(groups, spent.amounts / PRICE_UNIT, spent.priced)


def _totals(position: Codes, amounts: NDArray[np.integer[Any]], count: int) -> Codes:
    """Returns the exact sum of the amounts at each position."""
    if int(amounts.max(initial=0)) * len(amounts) < _EXACT:
        return np.bincount(position, amounts, count).astype(np.int64)
    high = np.bincount(position, amounts >> _HALF, count).astype(np.int64)
    low = np.bincount(position, amounts & ((1 << _HALF) - 1), count).astype(np.int64)
    return np.asarray((high << _HALF) + low)


def _distinct(reading: WindowReader, question: Query, field: str) -> GroupCounts:
    rows, codes = reading.grouped(question)
    digits, known = _recipients(reading, rows) if field == RECIPIENT else _values(reading, field, rows)
    size = int(digits.max(initial=0)) + 1
    groups, position = _positioned(reading, question, codes)
    pairs = np.sort(
        position[known] * size + digits[known]
    )  # faster than numpy's `unique`, whose hashing takes ten times as long
    first = np.ones(len(pairs), np.bool_)
    first[1:] = pairs[1:] != pairs[:-1]
    return GroupCounts(groups, np.bincount(pairs[first] // size, minlength=len(groups)))


def _values(reading: WindowReader, field: str, rows: Rows) -> tuple[Codes, NDArray[np.bool_]]:
    """Returns the codes of a field's values, and which rows have a value."""
    facets = reading.window.facets
    digits, unknown = facets.digits(field).astype(np.int64), facets.code(field, UNKNOWN)
    of_rows = digits[reading.window.columns["profile"][rows]]
    return of_rows, of_rows != (-1 if unknown is None else unknown)


def _recipients(reading: WindowReader, rows: Rows) -> tuple[Codes, NDArray[np.bool_]]:
    """Returns the same for recipients. Only the recipients of ``rows`` get a number, since there are too many in all."""
    hashes = reading.window.columns["to"][rows]
    digits = np.unique(hashes, return_inverse=True)[1]
    return digits, hashes != np.uint64(reading.window.privacy.hash(UNKNOWN))


def _percentiles(reading: WindowReader, question: Query, percent: float) -> Measured:
    rows, codes = reading.grouped(question)
    groups, position = _positioned(reading, question, codes)
    latency = reading.window.columns["latency"][rows]
    given = latency != NOT_GIVEN
    counts = np.bincount(position[given], minlength=len(groups))
    # A latency fits into 31 bits. One sort of integers is ten times as fast as a sort by two keys.
    ordered = np.sort((position[given] << _LATENCY_BITS) | latency[given]) & ((1 << _LATENCY_BITS) - 1)
    groups, counts = groups[counts > 0], counts[counts > 0]
    # 1e-9, so that 95 % of 100 messages is 95 also if the product is slightly larger.
    ranks = np.maximum(np.ceil(counts * percent / 100 - 1e-9).astype(np.int64), 1)
    return Measured(groups, ordered[np.cumsum(counts) - counts + ranks - 1] / LATENCY_UNIT, counts)
