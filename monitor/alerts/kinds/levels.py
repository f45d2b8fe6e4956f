"""Compares values with a rule's levels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.config.rules import Rule

Floats = NDArray[np.float64]


def number_of(rule: Rule, level: int = 0) -> float:
    """Returns the threshold of a level; for rules whose thresholds are plain numbers."""
    limit = rule.levels_[level].limit
    assert isinstance(limit, float)
    return limit


def numbers_of(rule: Rule) -> list[float]:
    """Returns the thresholds of such a rule, the mildest first."""
    return [number_of(rule, level) for level in range(len(rule.levels_))]


def crossed(value: Floats, limits: Sequence[Floats | float], below: bool) -> tuple[NDArray[np.int64], Floats]:
    """Returns how many levels each value crosses, and the threshold of the highest level crossed, or of the lowest level if none is.

    ``limits`` has one number or array per level, the mildest first. "Above" and "below" are strict; NaN crosses nothing.
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
