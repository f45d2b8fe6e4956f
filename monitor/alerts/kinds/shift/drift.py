"""Where the probability of each group has drifted to by itself: a Kalman filter (Kalman 1960) of the logit's distance from the baseline.

The baseline is what is usual over days. Most of what would be told for nothing is a probability that is higher than that for hours.
"""

from math import exp

import numpy as np

from monitor.alerts.kinds.shift.hypotheses import LEAST, MOST_USUAL, Floats, with_odds
from monitor.alerts.kinds.shift.settings import ShiftSettings
from monitor.alerts.kinds.shift.state import BLOCK, Ints, ShiftState


def drifted(learned: Floats, drift: Floats) -> Floats:
    """The probability, where it has drifted so far from what was learned."""
    return np.clip(with_odds(learned, np.exp(drift)), LEAST, MOST_USUAL)


def fade(state: ShiftState, settings: ShiftSettings) -> None:
    """A block passes: what was known of the drift says less of it."""
    kept = exp(-BLOCK / settings.drift_time)
    state.drift, state.drift_known = state.drift * kept, state.drift_known * kept**2


def follow(
    state: ShiftState, at: Ints, messages: Floats, share: Floats, learned: Floats, settings: ShiftSettings
) -> None:
    """What a block shows of these groups is weighed against what was known. ``messages``: so many independent ones would say as much."""
    variance = learned * (1 - learned)
    before, chance = settings.drift**2 * (1 - state.drift_known[at]), 1 / (messages * variance)
    most = settings.winsor * np.sqrt(before + chance)
    surprise = np.clip((share - learned) / variance - state.drift[at], -most, most)
    gain = before / (before + chance)
    state.drift[at] += gain * surprise
    state.drift_known[at] = 1 - (1 - state.drift_known[at]) * (1 - gain)
