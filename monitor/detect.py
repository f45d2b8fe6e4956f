"""The statistics that rules use. Pure functions of numbers."""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist, median

_NORMAL = NormalDist()
MAD_TO_SIGMA = 1.4826
"""The median absolute deviation of normal data times this is its standard deviation."""


def wilson(matching: int, total: int, confidence: float) -> tuple[float, float]:
    """The one-sided lower and upper bounds of a share, each at ``confidence`` (0.95).

    Wilson 1927, score interval; (0, 1) where nothing was counted.
    """
    if total == 0:
        return 0.0, 1.0
    z = _NORMAL.inv_cdf(confidence)
    share, z2n = matching / total, z * z / total
    centre = (share + z2n / 2) / (1 + z2n)
    margin = z / (1 + z2n) * sqrt(share * (1 - share) / total + z2n / (4 * total))
    return max(centre - margin, 0.0), min(centre + margin, 1.0)


def robust_sigma(values: Sequence[float]) -> float:
    """The standard deviation of normal data with the same median absolute deviation; outliers hardly move it."""
    if not values:
        return 0.0
    middle = median(values)
    return MAD_TO_SIGMA * median(abs(value - middle) for value in values)


def count_noise(expected: float) -> float:
    """The standard deviation that a count has by chance alone (Poisson), at least that of one event."""
    return sqrt(max(expected, 1.0))


def share_noise(share: float, total: float) -> float:
    """The standard deviation that a share of ``total`` has by chance alone (binomial); never zero."""
    if total <= 0:
        return 1.0
    smoothed = (share * total + 1) / (total + 2)
    return sqrt(smoothed * (1 - smoothed) / total)
