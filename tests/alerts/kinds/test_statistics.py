"""Statistics against textbook values and against what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.kinds.statistics import robust_sigma, wilson


def bounds(matching: int, total: int, confidence: float) -> tuple[float, float]:
    lower, upper = wilson(np.array([float(matching)]), np.array([float(total)]), confidence)
    return float(lower[0]), float(upper[0])


def test_wilson_as_in_the_textbook() -> None:
    """Newcombe 1998, Table I: 81 of 263, two-sided 95 %, is one-sided 97.5 %."""
    assert bounds(81, 263, 0.975) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert bounds(0, 20, 0.975) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert bounds(1, 29, 0.975) == pytest.approx((0.0061, 0.1718), abs=1e-4)


def test_of_nothing_nothing_is_known() -> None:
    assert bounds(0, 0, 0.95) == (0.0, 1.0)


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0.5, 0.999))
def test_bounds_enclose_the_share_and_widen_with_confidence(total: int, share: float, confidence: float) -> None:
    matching = round(share * total)
    lower, upper = bounds(matching, total, confidence)
    surer = bounds(matching, total, min(confidence + 0.0005, 0.9999))
    assert 0 <= lower <= matching / total + 1e-12
    assert matching / total - 1e-12 <= upper <= 1
    assert surer[0] <= lower + 1e-12
    assert upper <= surer[1] + 1e-12


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.99])
def test_wilson_is_exact_where_nothing_or_everything_matches(confidence: float) -> None:
    """A bound that rounding puts at 1e-17 would be above a threshold of 0%."""
    totals = np.arange(1.0, 1001.0)
    assert not wilson(np.zeros(1000), totals, confidence)[0].any()
    assert (wilson(totals, totals, confidence)[1] == 1).all()


def test_wilson_covers_as_often_as_it_promises() -> None:
    random = np.random.default_rng(7)
    for share, total in [(0.03, 200), (0.2, 50), (0.5, 1000)]:
        matching = random.binomial(total, share, 20_000).astype(float)
        lower, _ = wilson(matching, np.full(20_000, float(total)), 0.95)
        assert np.mean(lower <= share) == pytest.approx(0.95, abs=0.035)


def test_robust_sigma_is_that_of_normal_data_and_ignores_outliers() -> None:
    random = np.random.default_rng(7)
    data = random.normal(100, 5, (4001, 2))
    data[:400, 1] = 1e9
    assert robust_sigma(data)[0] == pytest.approx(5, rel=0.08)
    assert robust_sigma(data)[1] == pytest.approx(5, rel=0.25)


def test_missing_samples_are_left_out() -> None:
    assert robust_sigma(np.array([[1.0], [np.nan], [3.0]]))[0] == pytest.approx(1.4826)
