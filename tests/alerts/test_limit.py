"""Which groups of a rule with a limit are told."""

from collections.abc import Mapping
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.limit import CLEARLY, Priority, within_limit


def test_free_places_go_to_the_worst() -> None:
    assert within_limit({}, {"a": (1, 2.0), "b": (1, 3.0), "c": (2, 1.1)}, 2) == (["c", "b"], [])


def test_a_clearly_worse_group_takes_the_place_of_the_mildest() -> None:
    firing = {"a": (1, 2.0), "b": (1, 1.1)}
    assert within_limit(firing, {"c": (1, 5.0)}, 2) == (["c"], ["b"])
    assert within_limit(firing, {"c": (1, 5.0), "d": (1, 4.0)}, 2) == (["c", "d"], ["b", "a"])


def test_groups_about_equally_bad_do_not_take_turns() -> None:
    assert within_limit({"a": (1, 2.0)}, {"b": (1, 2.4)}, 1) == ([], [])


def test_a_recovered_group_that_is_kept_firing_makes_room() -> None:
    assert within_limit({"a": (0, 0.97)}, {"b": (1, 1.01)}, 1) == (["b"], ["a"])


@pytest.mark.parametrize("beyond", [0.0, inf])
def test_groups_that_are_exactly_as_bad_do_not_alternate(beyond: float) -> None:
    assert within_limit({"a": (1, beyond)}, {"b": (1, beyond)}, 1) == ([], [])


def test_a_limit_that_was_lowered_takes_the_mildest_off() -> None:
    firing = {"a": (1, 2.0), "b": (1, 1.1), "c": (0, 0.5)}
    assert within_limit(firing, {}, 1) == ([], ["c", "b"])
    assert within_limit(firing, {"d": (2, 1.0)}, 1) == (["d"], ["c", "b", "a"])


def test_a_worse_level_counts_before_the_factor() -> None:
    assert within_limit({"a": (1, 4.9)}, {"b": (2, 1.02)}, 1) == (["b"], ["a"])
    assert within_limit({"a": (2, 1.02)}, {"b": (1, 4.9)}, 1) == ([], [])


_SOME = st.dictionaries(st.integers(0, 30), st.tuples(st.integers(1, 3), st.floats(0, 9)), max_size=12)


@given(_SOME, _SOME, st.integers(1, 8))
def test_the_outcome_is_full_and_nobody_left_out_is_clearly_worse_and_it_comes_to_rest(
    firing: Mapping[int, Priority], waiting: Mapping[int, Priority], limit: int
) -> None:
    waiting = {key: value for key, value in waiting.items() if key not in firing}
    begin, end = within_limit(firing, waiting, limit)
    both = {**firing, **waiting}
    after = {key: both[key] for key in {*firing, *begin} - {*end}}
    left = {key: both[key] for key in both.keys() - after.keys()}
    assert len(after) == min(limit, len(both))
    assert within_limit(after, left, limit) == ([], [])
    for one in left.values():
        for other in after.values():
            assert one[0] <= other[0]
            assert one[0] < other[0] or one[1] < CLEARLY * other[1] or one[1] <= other[1]


@given(st.dictionaries(st.text("ab"), st.tuples(st.integers(0, 3), st.floats(0, 9)), max_size=4), st.integers(4, 9))
def test_while_no_group_waits_and_the_limit_holds_there_is_nothing_to_decide(
    firing: Mapping[str, Priority], limit: int
) -> None:
    """So that a poll need not put them in order (`monitor.alerts.lifecycle`)."""
    assert within_limit(firing, {}, limit) == ([], [])
