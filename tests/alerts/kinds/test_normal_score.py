"""Scores of tails against exact sums."""

from itertools import accumulate
from math import exp, inf, lgamma, log
from statistics import NormalDist

import numpy as np
import pytest

from monitor.alerts.kinds.spike.normal_score import binomial_score, hypergeometric_score

NORMAL = NormalDist()


def choose(among: int, some: int) -> float:
    return lgamma(among + 1) - lgamma(some + 1) - lgamma(among - some + 1)


def exact_scores(chances: list[float]) -> dict[int, float]:
    """By place: the score of so many or fewer, from whichever tail is the smaller; between 6 sigma below and above."""
    lower, upper = list(accumulate(chances)), list(accumulate(chances[::-1]))[::-1]
    found = {}
    for at in range(len(chances) - 1):
        tail = min(lower[at], upper[at + 1])
        if tail > 1e-9:
            found[at] = NORMAL.inv_cdf(tail) * (1 if lower[at] < upper[at + 1] else -1)
    return found


@pytest.mark.parametrize(
    ("trials", "share"),
    [(5, 0.1), (20, 0.02), (20, 0.5), (60, 0.07), (300, 0.01), (2_000, 0.3), (2_000, 0.95), (20_000, 0.002)],
)
def test_the_binomial_score_is_that_of_the_exact_sum(trials: int, share: float) -> None:
    chances = [exp(choose(trials, k) + k * log(share) + (trials - k) * log(1 - share)) for k in range(trials + 1)]
    exact = exact_scores(chances)
    assert len(exact) > 4
    events = np.array(list(exact), float)
    found = binomial_score(events, np.full(len(events), float(trials)), np.full(len(events), share))
    assert found.tolist() == pytest.approx(list(exact.values()), abs=0.02)


@pytest.mark.parametrize(
    ("now", "before", "events"),
    [(20, 240, 5), (20, 20, 10), (200, 2_000, 40), (5, 50, 20), (20, 260, 200), (1_000, 12_000, 30), (20, 240, 255)],
)
def test_the_hypergeometric_score_is_that_of_the_exact_sum(now: int, before: int, events: int) -> None:
    least, most = max(0, events - before), min(now, events)
    whole = choose(now + before, now)
    chances = [exp(choose(events, k) + choose(now + before - events, now - k) - whole) for k in range(least, most + 1)]
    exact = exact_scores(chances)
    assert len(exact) > 2
    yes = np.array(list(exact), float) + least
    found = hypergeometric_score(yes, now - yes, events - yes, before - events + yes)
    assert found.tolist() == pytest.approx(list(exact.values()), abs=0.02)


def test_what_is_sure_has_an_infinite_score() -> None:
    def one(*numbers: float) -> list[np.ndarray]:
        return [np.array([number]) for number in numbers]

    assert binomial_score(*one(5, 5, 0.3))[0] == inf
    assert binomial_score(*one(-1, 5, 0.3))[0] == -inf
    assert hypergeometric_score(*one(3, 0, 4, 9))[0] == inf
    assert hypergeometric_score(*one(3, 5, 0, 9))[0] == inf
    assert hypergeometric_score(*one(-1, 6, 4, 9))[0] == -inf
