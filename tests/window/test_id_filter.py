"""The filter of ids against a set."""

import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.window.id_filter import IdFilter

halves = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)), min_size=1, max_size=20)


def arrays(ids: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    high, low = zip(*ids, strict=True)
    return np.array(high, np.uint64), np.array(low, np.uint64)


@given(st.lists(halves, max_size=3), halves)
def test_an_id_that_was_added_may_be_there(added: list[list[tuple[int, int]]], asked: list[tuple[int, int]]) -> None:
    ids = IdFilter()
    for some in added:
        ids.add(*arrays(some))
    known = {one for some in added for one in some}
    may = ids.may_have(*arrays(asked)).tolist()
    assert all(found for one, found in zip(asked, may, strict=True) if one in known)
    assert known or not any(may)


def test_of_few_ids_hardly_any_other_seems_to_be_there() -> None:
    chance, ids = np.random.default_rng(1), IdFilter()
    ids.add(*chance.integers(0, 2**64, (2, 1_000), np.uint64))
    node = np.full(10_000, 0xBEEF_1234_5678, np.uint64)  # the low half of ids of one machine
    assert np.count_nonzero(ids.may_have(chance.integers(0, 2**64, 10_000, np.uint64), node)) < 100


def test_an_empty_filter_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        filters = [IdFilter() for _ in range(100)]  # one for each account that other daemons work for
        for one in filters:
            one.add(np.zeros(0, np.uint64), np.zeros(0, np.uint64))
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()
