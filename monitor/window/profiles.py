"""Stores each distinct combination of the coded fields' values once, as a *profile*. A row only has its profile's number.

A million messages share about ten thousand profiles. So rows are narrow, and conditions and groups are computed for each profile instead
of each message.
"""

import hashlib
from typing import Final

import numpy as np

from monitor.model.message import CODED_FIELDS
from monitor.window.index import Index, Keys, Rows, first_of_each
from monitor.window.table import ColumnTable, Values

SEARCHES = "searches"
PROFILED = (*CODED_FIELDS, SEARCHES)
"""The fields of a profile. SEARCHES is the set of searches that have the message, or had it (see `monitor.window.dictionary.Sets`)."""

_DIGESTS: Final = b"".join(hashlib.blake2b(name.encode(), digest_size=16).digest() for name in PROFILED)
_FACTORS: Final = np.frombuffer(_DIGESTS, "<u8").reshape(-1, 2).T.astype(np.uint64) | np.uint64(1)
"""Two odd numbers for each field, by which its codes count in the hash of a profile."""


class Profiles(ColumnTable):
    """The codes of each profile. Profiles are never removed; `Columns.forget_profiles` replaces the whole object."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(PROFILED, np.uint8) | {"high": np.uint64, "low": np.uint64, "key": np.int8})
        self._index = Index()
        self.reserve(1)  # free rows have profile 0, with the code 0 in every field
        self.length = 0

    @property
    def nbytes(self) -> int:
        return super().nbytes + self._index.nbytes

    def numbers(self, codes: Values) -> Rows:
        """Returns the profile's number for each combination of ``codes``, which has all fields. New combinations get new numbers."""
        keys = _keys(codes)
        found = self._index.find(keys, self._keys)
        missing = np.flatnonzero(found < 0)
        if missing.size:
            first = missing[first_of_each(keys[missing])]
            self._add(keys[first], {name: codes[name][first] for name in PROFILED})
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
    numbers = np.array([codes[name] for name in PROFILED], np.uint64)
    high, low = _FACTORS @ numbers  # modulo 2**64
    return Keys(high, low, np.zeros(len(high), np.int8))
