"""The statistics that rules use. Pure functions of numbers."""

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NORMAL = NormalDist()
MAD_TO_SIGMA = 1.4826
"""Factor from the median absolute deviation of normal data to its standard deviation."""


def wilson(matching: Floats, total: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Returns the one-sided lower and upper bounds of shares, each at ``confidence`` (0.95).

    Score interval of Wilson 1927; (0, 1) if nothing was counted.
    """
    z = _NORMAL.inv_cdf(confidence)
    counted = np.maximum(total, 1)
    share, z2n = matching / counted, z * z / counted
    centre = (share + z2n / 2) / (1 + z2n)
    margin = z / (1 + z2n) * np.sqrt(share * (1 - share) / counted + z2n / (4 * counted))
    lower, upper = np.maximum(centre - margin, 0.0), np.minimum(centre + margin, 1.0)
    # Rounding must not put a bound above "none" or below "all", where it is exact.
    return np.where(matching > 0, lower, 0.0), np.where(matching < total, upper, 1.0)


def median(samples: Floats) -> Floats:
    """Returns the median along the first axis without NaN; NaN if there is nothing else."""
    ordered = np.sort(samples, axis=0)  # NaN last
    counted = np.count_nonzero(~np.isnan(samples), axis=0)
    middle = [
        np.take_along_axis(ordered, at[None], axis=0)[0] for at in (np.maximum(counted - 1, 0) // 2, counted // 2)
    ]
    return np.asarray(np.where(counted > 0, (middle[0] + middle[1]) / 2, np.nan))


def robust_sigma(samples: Floats) -> Floats:
    """Returns the standard deviation of normal data with the same median absolute deviation, along the first axis without NaN.

    Outliers have little effect on it.
    """
    return np.asarray(MAD_TO_SIGMA * median(np.abs(samples - median(samples))))
