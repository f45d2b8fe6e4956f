"""Numbers of some groups at the latest moments: the memory of a track."""

import numpy as np
from numpy.typing import NDArray

from monitor.runtime.clock import Instant


class RingBuffer:
    """A row a moment (the latest ``kept`` of them, around and around), a place a group, with some columns of numbers.

    The first column is NaN for the moments before a group came in.
    """

    def __init__(self, kept: int, columns: int) -> None:
        self.columns = columns
        self._kept = kept
        self._numbers = np.full((kept, columns, 0), np.nan)
        self._moments: list[Instant] = []
        self._next = 0

    @property
    def newest(self) -> Instant | None:
        """The moment that was put in last."""
        return self._moments[self._next - 1] if self._moments else None

    @property
    def moments(self) -> list[Instant]:
        """The moments, in the order in which they came."""
        return [self._moments[row] for row in self._order]

    @property
    def _order(self) -> list[int]:
        count = len(self._moments)
        first = self._next if count == self._kept else 0
        return [(first + number) % self._kept for number in range(count)]

    def row(self, as_of: Instant) -> NDArray[np.float64]:
        """The row of a moment, to be written: a new one, or again that of the moment before where it is the same."""
        if self.newest == as_of:
            return np.asarray(self._numbers[self._next - 1])
        row = self._next
        self._moments[row : row + 1] = [as_of]
        self._next = (row + 1) % self._kept
        return np.asarray(self._numbers[row])

    def rearrange(self, positions: list[int], fresh: int) -> None:
        """Keep only the groups at those places, in that order, and make room for so many more."""
        blank = np.full((self._kept, self.columns, fresh), np.nan)
        self._numbers = np.concatenate([self._numbers[:, :, positions], blank], axis=2)

    def of(self, position: int) -> tuple[list[Instant], NDArray[np.float64]]:
        """What is kept of a group, oldest first, from when it came in."""
        known = [row for row in self._order if not np.isnan(self._numbers[row, 0, position])]
        return [self._moments[row] for row in known], np.asarray(self._numbers[known, :, position])
