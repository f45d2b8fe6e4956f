"""The statistics that rules use. Pure functions of numbers."""

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NORMAL = NormalDist()
MAD_TO_SIGMA = 1.4826
"""The median absolute deviation of normal data times this is its standard deviation."""


def wilson(matching: Floats, total: Floats, confidence: float) -> tuple[Floats, Floats]:
    """The one-sided lower and upper bounds of shares, each at ``confidence`` (0.95).

    Wilson 1927, score interval; (0, 1) where nothing was counted.
    """
    z = _NORMAL.inv_cdf(confidence)
    counted = np.maximum(total, 1)
    share, z2n = matching / counted, z * z / counted
    centre = (share + z2n / 2) / (1 + z2n)
    margin = z / (1 + z2n) * np.sqrt(share * (1 - share) / counted + z2n / (4 * counted))
    lower, upper = np.maximum(centre - margin, 0.0), np.minimum(centre + margin, 1.0)
    return np.where(total > 0, lower, 0.0), np.where(total > 0, upper, 1.0)


def robust_sigma(samples: Floats) -> Floats:
    """The standard deviation of normal data with the same median absolute deviation, down the first axis.

    Outliers hardly move it. NaN are left out.
    """
    middle = np.nanmedian(samples, axis=0)
    return np.asarray(MAD_TO_SIGMA * np.nanmedian(np.abs(samples - middle), axis=0))


def count_noise(expected: Floats) -> Floats:
    """The standard deviation that counts have by chance alone (Poisson), at least that of one event."""
    return np.sqrt(np.maximum(expected, 1.0))


def share_noise(share: Floats, total: Floats) -> Floats:
    """The standard deviation that shares of ``total`` have by chance alone (binomial), never zero: one event is added to either side."""
    counted = np.maximum(total, 1.0)
    smoothed = (share * counted + 1) / (counted + 2)
    return np.asarray(np.sqrt(smoothed * (1 - smoothed) / counted))
