"""Profiles: stores each distinct combination of the coded fields' values once; a row has its number.

A million messages share some ten thousand profiles. So a row is narrow, and what rules ask (which messages fit, how many are in
each group) is worked out for each profile instead of each message.
"""

import numpy as np

from monitor.model.message import CODED_FIELDS
from monitor.window.index import Hashes, Index, Keys, Rows
from monitor.window.table import ColumnTable, Values

SEARCHES = "searches"
PROFILED = (*CODED_FIELDS, SEARCHES)
"""The fields that make a profile; SEARCHES is the set of searches that have returned the message."""


class Profiles(ColumnTable):
    """The codes of each profile. None is ever taken away; see `Columns.forget_profiles`."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(PROFILED, np.uint8) | {"high": np.uint64, "low": np.uint64, "key": np.int8})
        self._index = Index()
        self.reserve(1)  # rows that were never written have number 0: the code 0 in every field
        self.length = 0

    @property
    def nbytes(self) -> int:
        return super().nbytes + self._index.nbytes

    def numbers(self, codes: Values) -> Rows:
        """The number of each combination; ``codes`` has all fields. New ones get new numbers."""
        keys = _keys(codes)
        found = self._index.find(keys, self._keys)
        missing = np.flatnonzero(found < 0)
        if missing.size:
            _, first = np.unique(np.stack([keys.high[missing], keys.low[missing]]), axis=1, return_index=True)
            self._add(keys[missing[first]], {name: codes[name][missing[first]] for name in PROFILED})
            found[missing] = self._index.find(keys[missing], self._keys)
        return found

    @property
    def _keys(self) -> Keys:
        return Keys(self["high"], self["low"], self["key"])

    def _add(self, keys: Keys, codes: Values) -> None:
        rows = np.arange(self.length, self.length + len(keys))
        self.reserve(self.length + len(keys))
        self.write(rows, codes | {"high": keys.high, "low": keys.low, "key": keys.key})
        self._index.add(keys, rows, self._keys)


def _keys(codes: Values) -> Keys:
    """Returns a 128-bit hash of each combination; collisions by chance are negligible."""
    count = len(codes[SEARCHES])
    high, low = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    for name in PROFILED:
        code = codes[name].astype(np.uint64)
        high = _mixed(high ^ code, np.uint64(0x9E3779B97F4A7C15))
        low = _mixed(low ^ code, np.uint64(0xD6E8FEB86659FD93))
    return Keys(high, low, np.zeros(count, np.int8))


def _mixed(state: Hashes, factor: np.uint64) -> Hashes:
    state *= factor
    state ^= state >> np.uint64(29)
    return state
