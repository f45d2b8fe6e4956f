"""Represents a message of several parts by one more row, which is rebuilt from the rows of its parts whenever one changes.

The row has the values of the worst part. A value that it lacks is taken from other parts of the same status and date, so that a known
value stays known. The rows of one message form a chain by ``link``: the message's own row, whose ``key`` is HEAD, then its parts in any
order.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.model.message import CODED_FIELDS, DELIVERED, FAILED, QUEUED, SENT, UNDELIVERED, UNKNOWN, UNSENT
from monitor.runtime.dataclass import dataclass
from monitor.window.columns import AS_MESSAGE, NOT_GIVEN, Columns
from monitor.window.dictionary import Dictionary, Sets
from monitor.window.index import Rows
from monitor.window.table import Values

HEAD = -1
"""The ``key`` of the row of a message of several parts."""

_BADNESS = {DELIVERED: 0, UNKNOWN: 1, SENT: 2, QUEUED: 4, UNDELIVERED: 5, FAILED: 6, UNSENT: 7}
_BADNESS_OF_OTHERS = 3

_TEXTS = tuple(name for name in CODED_FIELDS if name != "status")
_TAKEN_FROM_WORST = (*_TEXTS, "recipient", "to", "date")


def badness(status: str) -> int:
    """Returns how bad a part's status is. A message has the status of its worst part: Delivered is lowest, failures are highest."""
    return _BADNESS.get(status, _BADNESS_OF_OTHERS)


@dataclass(slots=True)
class _Fold:
    """The totals of each message over the parts that were read so far, and its worst part."""

    worst: Rows
    badness: NDArray[np.int64]
    seen: NDArray[np.int64]
    parts: NDArray[np.int64]
    first_seen: NDArray[np.int64]
    latency: NDArray[np.int64]
    price: NDArray[np.int64]
    searches: NDArray[np.int64]


def combine(
    columns: Columns, heads: Rows, dictionaries: Mapping[str, Dictionary], searches: Sets, no_recipient: int
) -> Values:
    """Returns the values of the rows ``heads``, computed from their parts: the worst status, the latest date of that status, the sum of
    the prices and the largest latency. A message whose known parts are all delivered counts as sent while parts are missing.

    ``no_recipient`` is the value of the column ``to`` for a missing recipient.
    """
    statuses = dictionaries["status"]
    ranks = np.array([badness(text) for text in statuses.texts], np.int64)
    fold = _fold(columns, heads, ranks, searches)
    values: Values = {name: columns.of(name, fold.worst) for name in _TAKEN_FROM_WORST}
    _fill_in(values, fold, columns, heads, dictionaries, no_recipient)
    sent = statuses.encode([SENT])[0]
    waiting = (fold.seen < fold.parts) & (fold.badness == 0)
    values["status"] = np.where(waiting, sent, columns.of("status", fold.worst))
    values["parts"] = fold.parts
    values["first_seen"] = fold.first_seen
    values["latency"] = fold.latency
    values["price"] = fold.price
    values["searches"] = fold.searches
    values["kind"] = np.full(len(heads), AS_MESSAGE, np.uint8)
    return values


def _fold(columns: Columns, heads: Rows, ranks: NDArray[np.int64], searches: Sets) -> _Fold:
    first = columns["link"][heads].astype(np.int64)
    fold = _Fold(
        worst=first.copy(),
        badness=ranks[columns.of("status", first)],
        seen=np.ones(len(heads), np.int64),
        parts=columns["parts"][first].astype(np.int64),
        first_seen=columns["first_seen"][first],
        latency=columns["latency"][first].astype(np.int64),
        price=columns["price"][first].astype(np.int64),
        searches=columns.of("searches", first).astype(np.int64),
    )
    for at, part in _chains(columns, first):
        _take_in(fold, columns, at, part, ranks, searches)
    return fold


def _chains(columns: Columns, rows: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Follows the chains from ``rows``, one link of each at a time. Yields positions among ``rows``, and the next part of each."""
    at, part = np.arange(len(rows)), columns["link"][rows].astype(np.int64)
    while (going := part >= 0).any():
        at, part = at[going], part[going]
        yield at, part
        part = columns["link"][part].astype(np.int64)


def _take_in(
    fold: _Fold, columns: Columns, at: NDArray[Any], part: Rows, ranks: NDArray[np.int64], searches: Sets
) -> None:
    bad, best = ranks[columns.of("status", part)], fold.worst[at]
    date, best_date = columns["date"][part], columns["date"][best]
    tie = columns["key"][part] < columns["key"][best]
    worse = bad > fold.badness[at]
    worse |= (bad == fold.badness[at]) & ((date > best_date) | ((date == best_date) & tie))
    fold.worst[at[worse]] = part[worse]
    fold.badness[at[worse]] = bad[worse]
    fold.seen[at] += 1
    fold.parts[at] = np.maximum(fold.parts[at], columns["parts"][part])
    fold.first_seen[at] = np.minimum(fold.first_seen[at], columns["first_seen"][part])
    fold.latency[at] = np.maximum(fold.latency[at], columns["latency"][part])
    fold.price[at] = _sum(fold.price[at], columns["price"][part].astype(np.int64))
    fold.searches[at] = searches.union(fold.searches[at], columns.of("searches", part).astype(np.int64))


def _sum(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    given = np.maximum(left, 0) + np.maximum(right, 0)
    return np.where((left == NOT_GIVEN) & (right == NOT_GIVEN), NOT_GIVEN, given)


def _fill_in(
    values: Values,
    fold: _Fold,
    columns: Columns,
    heads: Rows,
    dictionaries: Mapping[str, Dictionary],
    no_recipient: int,
) -> None:
    """Takes values that the worst part lacks from the first part with the same status and date that has them."""
    at, part = _equals(fold, columns, heads)
    if not at.size:
        return
    for name in _TEXTS:
        unknown = dictionaries[name].code(UNKNOWN)
        if unknown is not None and (lacks := values[name][at] == unknown).any():
            given = columns.of(name, part)
            positions, lenders = _first(at, lacks & (given != unknown))
            values[name][positions] = given[lenders]
    to, missing = columns["to"][part], np.uint64(no_recipient)
    lacks = values["to"][at] == missing
    if lacks.any():
        positions, lenders = _first(at, lacks & (to != missing))
        values["to"][positions] = to[lenders]
        values["recipient"][positions] = columns["recipient"][part[lenders]]


def _equals(fold: _Fold, columns: Columns, heads: Rows) -> tuple[Rows, Rows]:
    """Returns the parts with the status and date of their message's worst part but other values: the positions of the messages, and the
    rows."""
    found = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    for at, part in _chains(columns, heads):
        worst = fold.worst[at]
        other = (columns["profile"][part] != columns["profile"][worst]) | (columns["to"][part] != columns["to"][worst])
        other &= columns["date"][part] == columns["date"][worst]
        at, part, worst = at[other], part[other], worst[other]
        equal = columns.of("status", part) == columns.of("status", worst)
        found.append((at[equal], part[equal]))
    at, part = (np.concatenate(rows) for rows in zip(*found, strict=True))
    by_key = np.argsort(columns["key"][part], kind="stable")
    return at[by_key], part[by_key]


def _first(at: Rows, fits: NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """Returns the different values of ``at`` where ``fits`` is true, and the index at which each first occurs there."""
    where = np.flatnonzero(fits)
    positions, first = np.unique(at[where], return_index=True)
    return positions, where[first]
