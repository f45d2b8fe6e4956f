"""What ``N sigma`` promises: how often it fires on steady traffic, and that the shown threshold is the one that is applied."""

from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.alerts.sigma import alarms
from monitor.alerts.kinds.spike.sigma import SigmaBaseline, distance, past_of, threshold
from monitor.alerts.kinds.statistics import Floats, wilson

NORMAL = NormalDist()
GRID = [(20, 0.02), (20, 0.2), (20, 0.5), (200, 0.002), (200, 0.2), (2_000, 0.02), (20_000, 0.002), (20_000, 0.5)]
DRAWS = 30_000


@pytest.mark.parametrize("days", [False, True])
@pytest.mark.parametrize("side", ["above", "below"])
@pytest.mark.parametrize("measure", ["count", "rate"])
def test_steady_traffic_fires_as_seldom_as_promised_and_hardly_less(measure: str, side: str, days: bool) -> None:
    """Also with the noise of the baseline's own pieces in it, which is estimated from 12 windows or from 7 days."""
    random = np.random.default_rng(7)
    for sigma in (2.0, 3.0):
        nominal = NORMAL.cdf(-sigma)
        for size, share in GRID:
            fired = alarms(random, measure, size, share, side, sigma, 7 if days else 12, DRAWS, days)
            surely, at_most = wilson(np.array([float(fired)]), np.array([float(DRAWS)]), 0.9999)
            assert surely[0] <= 1.15 * nominal, (sigma, size, share, fired)
            if size * share * (1 - share) >= 40:  # with fewer events whole numbers make it less
                assert at_most[0] >= 0.5 * nominal, (sigma, size, share, fired)


def poisson(mean: float) -> tuple[Floats, Floats]:
    reach = 9 * sqrt(mean) + 30
    events = np.arange(max(0, int(mean - reach)), int(mean + reach))
    logs = events * np.log(mean) - mean - log_factorial(events)
    return events.astype(float), np.exp(logs)


def binomial(trials: int, share: float) -> tuple[Floats, Floats]:
    mean = trials * share
    reach = 9 * sqrt(mean) + 30
    events = np.arange(max(0, int(mean - reach)), min(trials, int(mean + reach)) + 1)
    logs = log_factorial(np.array([trials])) - log_factorial(events) - log_factorial(trials - events)
    return events.astype(float), np.exp(logs + events * np.log(share) + (trials - events) * np.log1p(-share))


LOGS = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, 300_000)))])


def log_factorial(numbers: np.ndarray) -> Floats:
    return np.asarray(LOGS[numbers])


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("is_share", [False, True])
@pytest.mark.parametrize("size", [20, 200, 2_000, 20_000])
@pytest.mark.parametrize("share", [0.002, 0.02, 0.2, 0.5])
def test_four_sigma_is_the_chance_that_it_says(size: int, share: float, is_share: bool, below: bool) -> None:
    """Exactly: over all that chance can give the baseline, by how often it gives that, the chance of what the threshold leaves."""
    windows, nominal = 12, NORMAL.cdf(-4)
    now, chance_now = binomial(size, share) if is_share else poisson(size * share)
    past, chance_past = binomial(windows * size, share) if is_share else poisson(windows * size * share)
    each = np.full(len(past), float(size) if is_share else 1.0)
    limit = threshold(4.0, each, SigmaBaseline(past, each * windows, np.zeros(len(past))), is_share, below) * each
    tail = np.cumsum(chance_now) if below else np.cumsum(chance_now[::-1])[::-1]
    padded = np.concatenate([[0.0], tail] if below else [tail, [0.0]])
    # Of a Poisson the numbers reach far enough; strictly beyond the threshold.
    beyond = np.searchsorted(now, limit, "left" if below else "right")
    fires = float((padded[beyond] * chance_past).sum())
    assert fires <= 1.1 * nominal
    if size * share >= 400:
        assert fires >= 0.8 * nominal


numbers = st.integers(0, 400)


@given(numbers, numbers, numbers, st.floats(0.2, 6), st.floats(0, 5), st.booleans())
def test_a_share_crosses_its_threshold_where_it_is_so_many_sigma_out(
    usual: int, others: int, messages: int, amount: float, spread: float, below: bool
) -> None:
    size = float(max(messages, 1))
    values = np.arange(0, size + 1) / size
    each = np.full(len(values), size)
    one = np.ones(len(values))
    past = SigmaBaseline(usual * one, (usual + others + 1) * one, spread / 1000 * one)
    limit = threshold(amount, each, past, True, below)
    assert ((limit >= 0) & (limit <= 1)).all()
    crossed = values < limit if below else values > limit
    far = distance(values, each, past, True, below)
    assert not (crossed != (far > amount))[np.abs(far - amount) > 1e-6].any()


@given(numbers, st.floats(0.5, 100), st.floats(0.2, 8), st.floats(0, 50), st.booleans())
def test_a_number_crosses_its_threshold_where_it_is_so_many_sigma_out(
    usual: int, windows: float, amount: float, spread: float, below: bool
) -> None:
    values = np.arange(0.0, 1500.0)
    one = np.ones(len(values))
    past = SigmaBaseline(usual * one, windows * one, spread * one)
    limit = threshold(amount, one, past, False, below)
    crossed = values < limit if below else values > limit
    far = distance(values, one, past, False, below)
    assert not (crossed != (far > amount))[np.abs(far - amount) > 1e-6].any()


def test_where_no_share_is_far_enough_the_threshold_is_the_last_one() -> None:
    past = SigmaBaseline(np.array([120.0]), np.array([240.0]), np.zeros(1))
    assert threshold(4.0, np.array([5.0]), past, True, False).tolist() == [1.0]
    assert threshold(4.0, np.array([5.0]), past, True, True).tolist() == [0.0]
    few = SigmaBaseline(np.array([3.0]), np.array([1.0]), np.zeros(1))
    assert threshold(4.0, np.ones(1), few, False, True).tolist() == [0.0]


def test_a_restless_past_needs_more_and_one_odd_day_hardly_does() -> None:
    def limit(days: list[int]) -> float:
        values = np.array(days, float)[:, None]
        past = past_of((values, np.ones_like(values)), (values, np.ones_like(values)), False)
        return float(threshold(4.0, np.ones(1), past, False, False)[0])

    calm = limit([100, 96, 104, 99, 108, 93, 100])
    assert 140 < calm < 150
    assert limit([40, 80, 120, 160, 200, 240, 280]) > 400
    assert limit([100, 96, 104, 99, 108, 93, 5_000]) < 175
