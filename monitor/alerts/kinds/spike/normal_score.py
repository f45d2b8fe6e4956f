"""Computes how far out in its tail a number of events is, as a normal score. Pure functions of numbers.

The score of a probability ``p`` is the ``z`` with Phi(z) = p. The approximations are those of Peizer and Pratt 1968 (binomial) and of Ling
and Pratt 1984 (hypergeometric). They stay within a few hundredths of a sigma of the exact score, even far out and for a handful of events.
All arguments may be fractions, so that a threshold can lie between two whole numbers.
"""

import numpy as np

from monitor.alerts.kinds.statistics import Floats


@np.errstate(all="ignore")
def binomial_score(events: Floats, trials: Floats, share: Floats) -> Floats:
    """Returns the score of the probability of ``events`` or fewer among ``trials``, each with the probability ``share``.

    It is infinite if that is certain.
    """
    rest = 1 - share
    yes, no = events + 0.5, trials - events - 0.5
    away = yes + 1 / 6 - (trials + 1 / 3) * share
    away += 0.02 * (rest / (yes + 0.5) - share / (no + 0.5) + (rest - 0.5) / (trials + 1))
    deviance = 2 * (_log_ratio(yes, trials * share) + _log_ratio(no, trials * rest))
    scale = _scale(deviance, np.abs(yes - trials * share), trials * share * rest)
    score = away * scale / np.sqrt(1 + 1 / (6 * trials))
    return np.asarray(np.where(no < 0, np.inf, np.where(yes < 0, -np.inf, score)))


@np.errstate(all="ignore")
def hypergeometric_score(yes: Floats, no: Floats, other_yes: Floats, other_no: Floats) -> Floats:
    """Returns the score of the probability of ``yes`` or fewer events in the first row of a 2x2 table with fixed margins.

    It is infinite if that is certain.
    """
    a, b, c, d = yes + 0.5, no - 0.5, other_yes - 0.5, other_no + 0.5
    first, second, events, others = a + b, c + d, a + c, b + d
    total = first + second
    fine = [0.01 / (line + 1) for line in (first, second, events, others)]
    away = (a + 1 / 6 + 0.02 / (a + 0.5) + fine[0] + fine[2]) * (d + 1 / 6 + 0.02 / (d + 0.5) + fine[1] + fine[3])
    away -= (b + 1 / 6 + 0.02 / (b + 0.5) + fine[0] + fine[3]) * (c + 1 / 6 + 0.02 / (c + 0.5) + fine[1] + fine[2])
    deviance = 2 * (
        _log_ratio(a, first * events / total)
        + _log_ratio(b, first * others / total)
        + _log_ratio(c, second * events / total)
        + _log_ratio(d, second * others / total)
    )
    scale = _scale(deviance, np.abs(a * d - b * c), first * second * events * others / total)
    small = np.sqrt((1 - 1 / (6 * total)) / _grown(first) / _grown(second) / _grown(events) / _grown(others))
    score = away * scale * small
    return np.asarray(np.where((b < 0) | (c < 0), np.inf, np.where((a < 0) | (d < 0), -np.inf, score)))


def _scale(deviance: Floats, distance: Floats, variance: Floats) -> Floats:
    """Returns the factor that turns the distance from the middle into a score.

    Near the middle rounding spoils the deviance; the limit is used there.
    """
    near = distance <= 1e-4 * np.sqrt(variance)
    return np.asarray(np.where(near, 1 / np.sqrt(variance), np.sqrt(np.maximum(deviance, 0)) / distance))


def _log_ratio(observed: Floats, expected: Floats) -> Floats:
    safe = np.where(observed > 0, observed, 1.0)
    return np.asarray(np.where(observed > 0, observed * np.log(safe / expected), 0.0))


def _grown(line: Floats) -> Floats:
    return np.asarray(1 + 1 / (6 * line))
