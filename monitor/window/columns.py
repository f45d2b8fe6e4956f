"""The columns: one row a part of a message (and one more for a message of several parts), overwritten in place."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from monitor.window.index import Keys, Rows
from monitor.window.profiles import PROFILED, Profiles
from monitor.window.table import BLOCK, Table, Values

AS_PART = 1
AS_MESSAGE = 2
NOT_GIVEN = -1
PRICE_UNIT = 1e9
LATENCY_UNIT = 1e3

_TYPES: dict[str, DTypeLike] = {
    "high": np.uint64,  # the message's id
    "low": np.uint64,
    "key": np.int8,  # which part; HEAD for the row that stands for a message of several parts
    "parts": np.uint8,
    "date": np.int64,  # instant at which the present status was reported
    "first_seen": np.int64,  # the earliest status date that was seen
    "latency": np.int32,  # milliseconds, NOT_GIVEN
    "price": np.int32,  # in billionths, so that sums do not depend on their order, NOT_GIVEN
    "to": np.uint64,  # keyed hash of the recipient
    "recipient": np.uint8,  # code of the text that may be shown
    "link": np.int32,  # the next row of the same message, -1 at the end
    "kind": np.uint8,  # AS_PART | AS_MESSAGE: what the row counts as; 0: free
    "profile": np.uint8,  # the number of its profile: the values of all other fields
}
KEPT = (*(name for name in _TYPES if name != "profile"), *PROFILED)
"""What the journal keeps of a row: the fields in place of the profile, whose number means nothing outside of memory."""

SPARE_PROFILES = 1 << 15
_LIMITS = np.iinfo(np.int64)


class Columns(Table):
    """The rows. Fields that make a profile are written and read by their names like all others: see `of`."""

    def __init__(self) -> None:
        super().__init__(_TYPES)
        self.profiles = Profiles()
        self.latest = np.zeros(0, np.int64)  # the largest and the smallest date of each block of rows, as bounds
        self.earliest = np.zeros(0, np.int64)

    @property
    def nbytes(self) -> int:
        return super().nbytes + self.profiles.nbytes

    @property
    def keys(self) -> Keys:
        return Keys(self["high"], self["low"], self["key"])

    def of(self, name: str, rows: Rows) -> NDArray[Any]:
        """The values of ``rows`` in a column, also in one that is part of the profile."""
        return self.profiles[name][self["profile"][rows]] if name in PROFILED else self[name][rows]

    def reserve(self, length: int) -> None:
        """Make room for ``length`` rows; what is new is free."""
        super().reserve(length)
        blocks = self.capacity // BLOCK - len(self.latest)
        if blocks:
            self.latest = np.concatenate([self.latest, np.full(blocks, _LIMITS.min)])
            self.earliest = np.concatenate([self.earliest, np.full(blocks, _LIMITS.max)])

    def write(self, rows: Rows, values: Values) -> None:
        """Overwrite the given columns of ``rows``, which are all different."""
        own = {name: new for name, new in values.items() if name not in PROFILED}
        if len(own) < len(values):
            codes = {name: values[name] if name in values else self.of(name, rows) for name in PROFILED}
            own["profile"] = self.profiles.numbers(codes)
        super().write(rows, own)
        if "date" in own:
            self._bound(rows, own["date"])

    def _bound(self, rows: Rows, dates: NDArray[np.int64]) -> None:
        blocks = rows // BLOCK
        np.maximum.at(self.latest, blocks, dates)
        np.minimum.at(self.earliest, blocks, dates)

    def free(self, rows: Rows) -> None:
        """These rows, ascending, hold nothing any more."""
        self["kind"][rows] = 0
        blocks = np.unique(rows // BLOCK)
        used = self["kind"].reshape(-1, BLOCK)[blocks] > 0
        dates = self["date"].reshape(-1, BLOCK)[blocks]
        self.latest[blocks] = np.max(dates, axis=1, initial=_LIMITS.min, where=used)
        self.earliest[blocks] = np.min(dates, axis=1, initial=_LIMITS.max, where=used)

    def forget_profiles(self) -> None:
        """Number the profiles anew, without those that no row has any more, where these are most of them."""
        used = np.flatnonzero(np.bincount(self["profile"], minlength=self.profiles.length))
        if self.profiles.length < 2 * len(used) + SPARE_PROFILES:
            return
        profiles, number = Profiles(), np.zeros(self.profiles.length, np.uint32)
        number[used] = profiles.numbers({name: self.profiles[name][used] for name in PROFILED})
        self._arrays["profile"] = number[self["profile"]].astype(np.min_scalar_type(profiles.length))
        self.profiles = profiles

    def between(self, start: int, end: int, kind: int) -> Rows:
        """The rows of a kind whose date lies in (start, end], ascending."""
        found = [np.flatnonzero(fits) + low for low, fits in self._runs(start, end, kind)]
        return np.concatenate([np.zeros(0, np.int64), *found])

    def profiles_between(self, start: int, end: int, kind: int) -> NDArray[np.int64]:
        """How many of these rows have each profile."""
        counts = np.zeros(self.profiles.length, np.int64)
        for low, fits in self._runs(start, end, kind):
            numbers = self["profile"][low : low + len(fits)]
            counts += np.bincount(numbers[fits], minlength=len(counts))
        return counts

    def _runs(self, start: int, end: int, kind: int) -> list[tuple[int, NDArray[np.bool_]]]:
        """Where runs of blocks begin that can have such rows, and which of their rows they are."""
        blocks = np.flatnonzero((self.latest > start) & (self.earliest <= end))
        runs = np.split(blocks, np.flatnonzero(np.diff(blocks) > 1) + 1) if blocks.size else []
        return [(int(run[0]) * BLOCK, self._fitting(int(run[0]), int(run[-1]) + 1, start, end, kind)) for run in runs]

    def oldest(self, end: int, kind: int, most: int) -> Rows:
        """Rows of a kind whose date is not after ``end``, ascending; of very many only the first, ``most`` or up to a block more."""
        found = [np.zeros(0, np.int64)]
        for block in np.flatnonzero(self.earliest <= end).tolist():
            found.append(np.flatnonzero(self._fitting(block, block + 1, _LIMITS.min, end, kind)) + block * BLOCK)
            most -= len(found[-1])
            if most <= 0:
                break
        return np.concatenate(found)

    def _fitting(self, first: int, last: int, start: int, end: int, kind: int) -> NDArray[np.bool_]:
        """Which rows of the blocks are of that kind and dated in (start, end]."""
        low, high = first * BLOCK, min(last * BLOCK, self.length)
        fits = (self["kind"][low:high] & kind).astype(np.bool_)
        dates = self["date"][low:high]
        if (self.earliest[first:last] <= start).any():
            fits &= dates > start
        if (self.latest[first:last] > end).any():
            fits &= dates <= end
        return fits
