"""A ring buffer of numbers by time and group: the memory of a series."""

import numpy as np
from numpy.typing import NDArray

from monitor.runtime.clock import Instant


class RingBuffer:
    """Numbers of some groups at the latest ``kept`` times: a row per time, in each ``columns`` numbers per group.

    The first column is NaN at times before a group was added.
    """

    def __init__(self, kept: int, columns: int) -> None:
        self.columns = columns
        self._kept = kept
        self._numbers = np.full((kept, columns, 0), np.nan)
        self._moments: list[Instant] = []
        self._next = 0

    @property
    def newest(self) -> Instant | None:
        """The time that was added last."""
        return self._moments[self._next - 1] if self._moments else None

    @property
    def moments(self) -> list[Instant]:
        """The times, in the order in which they were added."""
        return [self._moments[row] for row in self._order]

    @property
    def _order(self) -> list[int]:
        count = len(self._moments)
        first = self._next if count == self._kept else 0
        return [(first + number) % self._kept for number in range(count)]

    def row(self, as_of: Instant) -> NDArray[np.float64]:
        """Returns the row of ``as_of`` to be written: the newest row if it has the same time, else a new one."""
        if self.newest == as_of:
            return np.asarray(self._numbers[self._next - 1])
        row = self._next
        self._moments[row : row + 1] = [as_of]
        self._next = (row + 1) % self._kept
        return np.asarray(self._numbers[row])

    def rearrange(self, positions: list[int], fresh: int) -> None:
        """Keeps only the groups at these positions, in this order, and makes room for ``fresh`` more."""
        blank = np.full((self._kept, self.columns, fresh), np.nan)
        self._numbers = np.concatenate([self._numbers[:, :, positions], blank], axis=2)

    def of(self, position: int) -> tuple[list[Instant], NDArray[np.float64]]:
        """Returns a group's times and numbers, oldest first, from when it was added."""
        known = [row for row in self._order if not np.isnan(self._numbers[row, 0, position])]
        return [self._moments[row] for row in known], np.asarray(self._numbers[known, :, position])
