"""A step beside its floor, as figures."""

import statistics
from collections.abc import Sequence

from benchmarks.figure import Figure, median_of


def compared(what: str, floor: str, here: Sequence[float], least: Sequence[float], unit: str) -> list[Figure]:
    """Returns what a step takes, what its floor takes, and how many times the floor that is.

    ``here`` and ``least`` have the rounds of one run. Where they alternate, there are as many of the one as of the other, and the spread of the
    ratio is that of the pairs; a ratio of others has none.
    """
    ratio = statistics.median(here) / statistics.median(least)
    against = Figure(f"{what}, against the floor", ratio, "times")
    if len(here) == len(least):
        against = median_of(against.what, [one / other for one, other in zip(here, least, strict=True)], "times")
    return [median_of(what, here, unit), median_of(f"{what}, the floor: {floor}", least, unit), against]
