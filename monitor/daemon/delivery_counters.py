"""Counts messages by account, country, operator and status for Prometheus, in a bounded number of series.

Each account has `MOST_PAIRS` places for pairs of country and operator. A pair keeps its place until the process ends, so its counters never
go down. All messages of a pair without a place count as `OTHER`, whatever their status, so that a share of failures is never made of
a part of a pair's messages.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import Counter

from monitor.model.message import FINAL, STATUSES

MOST_PAIRS: Final = 100
"""The most pairs of country and operator of an account that have series of their own."""
OTHER: Final = "other"
_LONGEST: Final = 100
"""The most characters of a country or operator that has a place."""

Pair = tuple[str, ...]


class DeliveryCounters:
    """The places of each account, and the counter that they belong to, with the labels account, country, operator, status."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._places: dict[str, set[Pair]] = {}

    def begin(self, account: str, pairs: Iterable[Pair]) -> None:
        """Gives places to these pairs, the first ones first, while there are any. Their counters start at 0."""
        for pair in pairs:
            self._place(account, pair)

    def add(self, account: str, messages: Mapping[tuple[str, str, str], int]) -> None:
        """Counts messages by (country, operator, status)."""
        for (country, operator, status), count in messages.items():
            place = self._place(account, (country, operator))
            self._counter.labels(account, *place, status if status in STATUSES else OTHER).inc(count)

    def _place(self, account: str, pair: Pair) -> Pair:
        places = self._places.setdefault(account, set())
        if pair not in places and (len(places) >= MOST_PAIRS or any(len(value) > _LONGEST for value in pair)):
            pair = OTHER, OTHER
        elif pair not in places:
            places.add(pair)
        for status in FINAL:  # so that a share of what never happened is 0 rather than missing
            self._counter.labels(account, *pair, status)
        return pair
