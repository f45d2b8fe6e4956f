"""Measures how often `3 sigma` fires on steady traffic, compared with what it promises: sizes, shares, sides and measures. It checks correctness,
not speed.
"""

from statistics import NormalDist

import numpy as np

from benchmarks.figure import Figure
from monitor.alerts.kinds.spike.sigma import distance, past_of
from monitor.alerts.kinds.statistics import Floats

SIZES = (20, 200, 2_000, 20_000)
SHARES = (0.002, 0.02, 0.2, 0.5)
SIGMA = 3.0
MOST = 1.2
"""The largest accepted ratio of observed to nominal alarms."""


def run(quick: bool) -> list[Figure]:
    """Returns observed over nominal alarms; 1 is exact. Whole numbers lower the ratio if few events are expected."""
    draws, random = 10_000 if quick else 100_000, np.random.default_rng(7)
    nominal = NormalDist().cdf(-SIGMA)
    found = []
    for measure in ("count", "rate"):
        for size in SIZES:
            for share in SHARES:
                for side in ("above", "below"):
                    fired = alarms(random, measure, size, share, side, SIGMA, 12, draws) / draws / nominal
                    what = f"{measure} {side}: {size:,} messages, {share:.1%}, {SIGMA:g} sigma"
                    found.append(Figure(what, fired, "of nominal", at_most=MOST))
    return found


def alarms(
    random: np.random.Generator,
    measure: str,
    size: int,
    share: float,
    side: str,
    sigma: float,
    windows: int,
    draws: int,
    days: bool = False,
) -> int:
    """Returns how many of ``draws`` windows without any change fire, each with a baseline of ``windows`` such windows.

    ``days`` treats the baseline's windows as those of other days, otherwise as one span.
    """
    is_share = measure == "rate"
    if is_share:
        events: Floats = random.binomial(size, share, (windows + 1, draws)).astype(float)
        events, each = events / size, float(size)
    else:
        events, each = random.poisson(size * share, (windows + 1, draws)).astype(float), 1.0
    sizes = np.full((windows, draws), each)
    whole = events[1:].mean(axis=0, keepdims=True), sizes.sum(axis=0, keepdims=True)
    past = past_of((events[1:], sizes) if days else whole, (events[1:], sizes), is_share)
    return int(np.count_nonzero(distance(events[0], sizes[0], past, is_share, side == "below") > sigma))
