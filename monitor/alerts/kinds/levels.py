"""Comparing values with a rule's levels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.config.rules import Rule

Floats = NDArray[np.float64]


def number_of(rule: Rule, level: int = 0) -> float:
    """The threshold of a level of a rule whose thresholds are plain numbers."""
    limit = rule.levels_[level].limit
    assert isinstance(limit, float)
    return limit


def numbers_of(rule: Rule) -> list[float]:
    """The thresholds of such a rule, from the mildest on."""
    return [number_of(rule, level) for level in range(len(rule.levels_))]


def crossed(value: Floats, limits: Sequence[Floats | float], below: bool) -> tuple[NDArray[np.int64], Floats]:
    """How many levels each value crosses, and the threshold that goes with it: of the highest level crossed, else the lowest.

    ``limits`` has one number, or one array, a level, from the mildest on. Above is strictly above, below strictly below; NaN
    crosses nothing.
    """
    count = np.zeros(len(value), np.int64)
    threshold = np.full(len(value), limits[0])
    for number, limit in enumerate(limits, 1):
        over = value < limit if below else value > limit
        over &= count == number - 1
        if over.any():
            count[over] = number
            threshold[over] = np.full(len(value), limit)[over]
    return count, threshold
