"""Counts, by country, operator and status, the messages that a window learns to have another status.

A message is counted once for each status that it takes, however often and by whichever searches that status is reported.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from monitor.model.message import UNKNOWN
from monitor.runtime.clock import Instant
from monitor.window.columns import AS_MESSAGE, Columns
from monitor.window.dictionary import Dictionary
from monitor.window.fitting import fitting
from monitor.window.index import Rows
from monitor.window.table import ColumnTable

COUNTED_BY: Final = ("country", "operator", "status")
_DISTANT_PAST: Final[Instant] = -(1 << 62)
_NONE: Final = 0
_AT_ONCE: Final = 1 << 15
"""The most rows that are looked at together at the start."""
_MOST_STATUSES: Final = 62
"""How many statuses are told apart; all further ones, which Routee does not document, are one."""


class StatusChanges:
    """Compares the status of changed rows with those that were seen there before. What the window holds at the start is not counted.

    ``since``: by search, only reports with a later date count, so that the past that a new search reads first is no traffic of now.
    """

    def __init__(self, columns: Columns, dictionaries: Mapping[str, Dictionary]) -> None:
        self.since: dict[str, Instant] = {}
        self._columns, self._dictionaries = columns, dictionaries
        self._taken = ColumnTable({"statuses": np.uint8})
        """The statuses that each row's message has taken, as bits."""
        self._counts: Counter[tuple[int, ...]] = Counter()
        self._put_back: Counter[tuple[str, str, str]] = Counter()
        self._begin()

    def _begin(self) -> None:
        """Takes the present status of all rows, by way of their profiles: without counting, that takes a tenth of the time of `note`."""
        columns = self._columns
        status = columns.profiles["status"][: columns.profiles.length]
        bits = np.where(status == self._unknown, _NONE, self._bits(status))
        bits = bits.astype(fitting(np.dtype(np.uint8), bits))
        self._taken.reserve(columns.length)
        for first in range(0, columns.length, _AT_ONCE):  # so that it takes little memory for a moment
            some = slice(first, min(first + _AT_ONCE, columns.length))
            taken = bits[columns["profile"][some]]
            taken[columns["kind"][some] & AS_MESSAGE == 0] = _NONE
            self._taken.write(np.arange(some.start, some.stop), {"statuses": taken})

    @property
    def _unknown(self) -> int:
        """The code of the status of a message that has left every search. It is not counted again if it comes back as it was."""
        code = self._dictionaries["status"].code(UNKNOWN)
        return -1 if code is None else code

    @staticmethod
    def _bits(status: NDArray[Any]) -> NDArray[np.int64]:
        return np.asarray(np.left_shift(1, np.minimum(status.astype(np.int64), _MOST_STATUSES)))

    def note(self, rows: Rows, search: str | None = None) -> None:
        """Takes the present status of changed rows, each given once. ``search`` has returned them."""
        columns = self._columns
        self._taken.reserve(columns.length)
        taken = self._taken["statuses"]
        rows = rows[columns["kind"][rows] & AS_MESSAGE > 0]
        status = columns.of("status", rows)
        bits = self._bits(status)
        had = taken[rows].astype(np.int64)
        new = (bits & had == 0) & (status != self._unknown)
        rows = rows[new]
        self._taken.write(rows, {"statuses": (had | bits)[new]})
        if search is not None:
            rows = rows[columns["date"][rows] > self.since.get(search, _DISTANT_PAST)]
        if rows.size:
            self._count(columns["profile"][rows])

    def _count(self, profiles: NDArray[Any]) -> None:
        """Counts messages of these profiles, many of which have the same key."""
        sizes = [len(self._dictionaries[name]) for name in COUNTED_BY]
        codes = [self._columns.profiles[name][profiles] for name in COUNTED_BY]
        keys, counts = np.unique(np.ravel_multi_index(codes, sizes), return_counts=True)
        for key, count in zip(np.transpose(np.unravel_index(keys, sizes)).tolist(), counts.tolist(), strict=True):
            self._counts[tuple(key)] += count

    def forget(self, rows: Rows) -> None:
        """Forgets rows that other messages may take."""
        self._taken.reserve(self._columns.length)
        self._taken["statuses"][rows] = _NONE

    def take(self) -> dict[tuple[str, str, str], int]:
        """Returns how many messages have taken each (country, operator, status) since the last call."""
        texts = [self._dictionaries[name].texts for name in COUNTED_BY]
        taken = {
            (texts[0][country], texts[1][operator], texts[2][status]): count
            for (country, operator, status), count in self._counts.items()
        }
        self._counts.clear()
        if self._put_back:
            taken = dict(self._put_back + Counter(taken))
            self._put_back.clear()
        return taken

    def put_back(self, taken: Mapping[tuple[str, str, str], int]) -> None:
        """Takes back what `take` returned and could not be used: the next call returns it again."""
        self._put_back.update(taken)
