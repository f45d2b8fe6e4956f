"""Fast sorting against NumPy's stable sort."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.window.stable_order import distinct, stable_order

near = st.integers(0, 5)
anywhere = st.integers(-(1 << 63), (1 << 63) - 1)


@given(st.lists(near | anywhere, max_size=40), st.sampled_from([0, 1_795_961_039_000_000, -(1 << 62)]))
def test_the_order_is_numpys_stable_one(values: list[int], offset: int) -> None:
    array = np.array(values, np.int64) + offset
    assert stable_order(array).tolist() == np.argsort(array, kind="stable").tolist()


@given(st.integers(0, 1 << 62), st.lists(st.integers(0, 63), min_size=1, max_size=70))
def test_it_is_that_at_the_widest_span_that_fits_beside_the_positions(low: int, bits: list[int]) -> None:
    array = np.array([min(low + (1 << bit) - 1, (1 << 63) - 1) for bit in bits], np.int64)
    assert stable_order(array).tolist() == np.argsort(array, kind="stable").tolist()


@given(
    st.integers(0, (1 << 32) - 1),
    st.sampled_from([1, 1_000, 1_000_000, 3_000_000]),
    st.sampled_from([0, 7, -(1 << 40)]),
)
@settings(max_examples=30, deadline=None)
def test_it_is_that_of_many_dates_that_are_far_apart(seed: int, unit: int, offset: int) -> None:
    random = np.random.default_rng(seed)
    array = random.integers(0, (1 << 50) // unit, 40_000) * unit + offset
    array[:300] = random.choice(array[300:], 300)
    assert (stable_order(array) == np.argsort(array, kind="stable")).all()


@given(st.lists(near | anywhere, max_size=40))
def test_the_different_values_are_numpys(values: list[int]) -> None:
    array = np.array(values, np.int64)
    assert distinct(array).tolist() == np.unique(array).tolist()
