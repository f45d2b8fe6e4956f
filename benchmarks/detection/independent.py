"""The sequential test on independent messages: how near its delay comes to the bound where nothing but chance is in the way."""

from math import log

import numpy as np

from benchmarks.detection.detectors.shift import START
from benchmarks.detection.incidents import divergence
from monitor.alerts.kinds.shift.kind import FAILURE
from monitor.alerts.kinds.shift.sequential import fold
from monitor.alerts.kinds.shift.state import ShiftState
from monitor.runtime.clock import MINUTE

USUAL = 0.03
_LEARNED, _WATCHED = 5 * 1440, 2 * 1440
_GROUPS = 60
_RATE = 4.0


def ratios(factor: float, seed: int) -> list[float]:
    """Returns the messages from a change until its alarm, in multiples of ln(N) / KL, of each group of an account.

    The probability is multiplied by ``factor``. A group that is in alarm when the change comes is left out.
    """
    rng, state = np.random.default_rng(seed), ShiftState.empty(_GROUPS)
    seen, found = np.zeros(_GROUPS), np.full(_GROUPS, np.inf)
    for minute in range(_LEARNED + _WATCHED):
        changed = minute >= _LEARNED
        n = rng.poisson(_RATE, _GROUPS)
        fold(state, START + minute * MINUTE, n, rng.binomial(n, USUAL * (factor if changed else 1)), FAILURE)
        if minute == _LEARNED - 1:
            found[state.alarm] = np.nan
        if changed:
            seen += n
            found[np.isinf(found) & state.alarm] = 0
            found = np.where(found == 0, seen, found)
            if not np.isinf(found).any():
                break
    bound = log(_RATE * 1440 * 30 * _GROUPS) / float(divergence(USUAL * factor, USUAL))
    return [float(one) / bound for one in found if not np.isnan(one)]
