"""A message of several parts: one more row stands for it, made anew from the rows of its parts whenever one of them changes.

The rows of one message form a chain by ``link``: the message's own row (its ``key`` is HEAD), then its parts in any order.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.message import CODED_FIELDS, DELIVERED, FAILED, QUEUED, SENT, UNDELIVERED, UNKNOWN, UNSENT
from monitor.window.columns import AS_MESSAGE, NOT_GIVEN, Columns
from monitor.window.dictionary import Dictionary, Sets
from monitor.window.index import Rows
from monitor.window.table import Values

HEAD = -1

_BADNESS = {DELIVERED: 0, UNKNOWN: 1, SENT: 2, QUEUED: 4, UNDELIVERED: 5, FAILED: 6, UNSENT: 7}
_BADNESS_OF_OTHERS = 3

_TAKEN_FROM_WORST = (*(name for name in CODED_FIELDS if name != "status"), "recipient", "to", "date", "parts")


def badness(status: str) -> int:
    """Which status is a message's among those of its parts: the highest. Delivered is lowest, failures are highest."""
    return _BADNESS.get(status, _BADNESS_OF_OTHERS)


@dataclass(slots=True)
class _Fold:
    """What was seen of each message so far: its worst part and the totals."""

    worst: Rows
    badness: NDArray[np.int64]
    seen: NDArray[np.int64]
    first_seen: NDArray[np.int64]
    latency: NDArray[np.int64]
    price: NDArray[np.int64]
    searches: NDArray[np.int64]


def combine(columns: Columns, heads: Rows, statuses: Dictionary, searches: Sets) -> Values:
    """The values of the rows ``heads``, from their parts: the status of the worst, the latest date of that status, the sum of
    the prices and the largest latency. While parts are missing and none has failed, the message counts as sent."""
    ranks = np.array([badness(text) for text in statuses.texts], np.int64)
    fold = _fold(columns, heads, ranks, searches)
    values: Values = {name: columns.of(name, fold.worst) for name in _TAKEN_FROM_WORST}
    sent = statuses.encode([SENT])[0]
    waiting = (fold.seen < values["parts"]) & (fold.badness == 0)
    values["status"] = np.where(waiting, sent, columns.of("status", fold.worst))
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
        first_seen=columns["first_seen"][first],
        latency=columns["latency"][first].astype(np.int64),
        price=columns["price"][first].astype(np.int64),
        searches=columns.of("searches", first).astype(np.int64),
    )
    at, part = np.arange(len(heads)), columns["link"][first].astype(np.int64)
    while True:
        going = part >= 0
        if not going.any():
            return fold
        at, part = at[going], part[going]
        _take_in(fold, columns, at, part, ranks, searches)
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
    fold.first_seen[at] = np.minimum(fold.first_seen[at], columns["first_seen"][part])
    fold.latency[at] = np.maximum(fold.latency[at], columns["latency"][part])
    fold.price[at] = _sum(fold.price[at], columns["price"][part].astype(np.int64))
    fold.searches[at] = searches.union(fold.searches[at], columns.of("searches", part).astype(np.int64))


def _sum(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    given = np.maximum(left, 0) + np.maximum(right, 0)
    return np.where((left == NOT_GIVEN) & (right == NOT_GIVEN), NOT_GIVEN, given)
