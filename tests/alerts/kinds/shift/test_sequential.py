"""The sequential test against a slow one of plain numbers, and what it is to find and not to find."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.kinds.shift.sequential import fold
from monitor.alerts.kinds.shift.settings import ShiftSettings
from monitor.alerts.kinds.shift.state import ShiftState
from monitor.runtime.clock import HOUR, MINUTE
from tests.fakes.shift_oracle import Oracle

START = 1_764_000_000_000_000 // (24 * HOUR) * (24 * HOUR)
SHORT = ShiftSettings(learn=8 * HOUR, warm=2 * HOUR, new_normal=3 * HOUR, least_daily=20.0)
Counts = list[tuple[list[int], list[int]]]


def counts(seed: int, minutes: int, rates: list[float], shares: list[list[tuple[int, float]]]) -> Counts:
    """Random counts: each group's messages a minute, and its probability from a minute on."""
    random = np.random.default_rng(seed)
    found: Counts = []
    for minute in range(minutes):
        n = random.poisson(rates)
        p = [next(share for since, share in reversed(steps) if since <= minute) for steps in shares]
        found.append((n.tolist(), random.binomial(n, p).tolist()))
    return found


def folded(given_counts: Counts, constants: ShiftSettings, start: int = START) -> ShiftState:
    state = ShiftState.empty(len(given_counts[0][0]))
    for number, (n, f) in enumerate(given_counts):
        fold(state, start + number * MINUTE, np.array(n), np.array(f), constants)
    return state


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 1 << 20),
    st.integers(1, 700),
    st.lists(
        st.tuples(st.sampled_from([0.02, 0.5, 5, 80]), st.sampled_from([0.0, 0.03, 0.2, 0.9])), min_size=1, max_size=4
    ),
    st.integers(0, 700),
    st.sampled_from([0.0, 0.03, 0.3, 1.0]),
    st.integers(0, 59),
)
def test_the_arrays_hold_what_plain_numbers_give(
    seed: int, minutes: int, groups: list[tuple[float, float]], change: int, share: float, offset: int
) -> None:
    some = counts(seed, minutes, [rate for rate, _ in groups], [[(0, p), (change, share)] for _, p in groups])
    start = START + offset * MINUTE
    oracle, state = Oracle(len(groups), SHORT), ShiftState.empty(len(groups))
    for number, (n, f) in enumerate(some):
        oracle.fold(start + number * MINUTE, n, f)
        fold(state, start + number * MINUTE, np.array(n), np.array(f), SHORT)
        assert state.alarm.tolist() == [group.alarm for group in oracle.groups]
    for at, (group, known) in enumerate(zip(oracle.groups, oracle.of, strict=True)):
        assert state.judged[at] == group.judged
        assert state.change_at[at] == group.change_at
        assert state.evidence[:, at] == pytest.approx([one.evidence for one in group.segments], abs=1e-6)
        assert state.segment_since[:, at].tolist() == [one.since for one in group.segments]
        assert state.segment_f[:, at].tolist() == [one.f for one in group.segments]
        assert (state.weight[at], state.events[at]) == pytest.approx((group.weight, group.events))
        assert state.slow_excess[at] == pytest.approx(group.slow_excess, abs=1e-4)
        assert state.quick_excess[at] == pytest.approx(group.quick_excess, abs=1e-4)
        assert state.recovery[at] == pytest.approx(group.recovery, abs=1e-6)
        assert state.drop_evidence[at] == pytest.approx(group.drop.evidence, abs=1e-6)
        assert state.baseline[at] == pytest.approx(known.usual)
        assert state.threshold[at] == pytest.approx(known.alternatives[0])
        assert state.hypotheses is not None
        assert state.hypotheses.needed[:, at] == pytest.approx(known.needed)


def test_a_copy_goes_on_as_the_original() -> None:
    some = counts(1, 600, [3, 30], [[(0, 0.05)], [(0, 0.05), (400, 0.5)]])
    whole, half = folded(some, SHORT), folded(some[:437], SHORT)
    copy = half.copy()
    copy.hypotheses = None  # as after a restart
    for number, (n, f) in enumerate(some[437:], 437):
        fold(copy, START + number * MINUTE, np.array(n), np.array(f), SHORT)
    assert copy.alarm.tolist() == whole.alarm.tolist() == [False, True]
    assert copy.evidence.tobytes() == whole.evidence.tobytes()
    assert copy.since_f.tobytes() == whole.since_f.tobytes()
    assert half.folded_to == START + 437 * MINUTE


def test_a_group_that_appears_later_changes_nothing_for_the_others() -> None:
    some = counts(2, 300, [10], [[(0, 0.05)]])
    alone, with_more = folded(some, SHORT), ShiftState.empty(1)
    for number, (n, f) in enumerate(some):
        if number == 200:
            with_more.grow(3)
        more = [0] * (with_more.groups - 1)
        fold(with_more, START + number * MINUTE, np.array(n + more), np.array(f + more), SHORT)
    assert with_more.evidence[:, 0].tolist() == alone.evidence[:, 0].tolist()
    assert with_more.baseline[0] == alone.baseline[0]


def test_three_times_the_failures_are_found_and_dated_and_the_end_too() -> None:
    day = 24 * 60
    steps = [[(0, 0.03)], [(0, 0.03), (4 * day, 0.09), (4 * day + 240, 0.03)]]
    some = counts(3, 4 * day + 400, [20, 20], steps)
    state = ShiftState.empty(2)
    raised: list[int] = []
    changed: list[int] = []
    for number, (n, f) in enumerate(some):
        fold(state, START + number * MINUTE, np.array(n), np.array(f), ShiftSettings())
        if number > 3 * day:
            assert not state.alarm[0]
            if state.alarm[1]:
                raised.append(number)
                changed.append((int(state.change_at[1]) - START) // MINUTE)
    assert 4 * day < raised[0] < 4 * day + 40
    assert abs(changed[0] - 4 * day) <= 5
    assert 4 * day + 240 < raised[-1] < 4 * day + 270


def test_a_blip_is_over_before_it_is_told() -> None:
    day = 24 * 60
    some = counts(4, 4 * day + 30, [60], [[(0, 0.03), (4 * day, 0.9), (4 * day + 2, 0.03)]])
    state, raised = ShiftState.empty(1), []
    for number, (n, f) in enumerate(some):
        fold(state, START + number * MINUTE, np.array(n), np.array(f), ShiftSettings())
        if state.alarm[0]:
            raised.append(number)
    assert raised[0] == 4 * day
    assert raised[-1] < 4 * day + 3


def test_an_incident_at_the_beginning_does_not_become_the_baseline() -> None:
    some = counts(5, 30 * 60, [20], [[(0, 0.6), (7 * 60, 0.03)]])
    state = folded(some, ShiftSettings())
    assert state.baseline[0] == pytest.approx(0.03, abs=0.01)


def test_an_incident_does_not_become_the_baseline() -> None:
    day = 24 * 60
    some = counts(6, 3 * day + 600, [20], [[(0, 0.03), (2 * day, 0.5), (2 * day + 300, 0.03)]])
    assert folded(some, ShiftSettings()).baseline[0] == pytest.approx(0.03, abs=0.005)


def test_what_stays_for_days_becomes_the_new_normal() -> None:
    day = 24 * 60
    some = counts(7, 12 * day, [5], [[(0, 0.03), (3 * day, 0.15)]])
    assert not folded(some, ShiftSettings()).alarm[0]


def test_a_state_is_small() -> None:
    state = ShiftState.empty(1000)
    arrays = (getattr(state, name) for name in state.__dataclass_fields__)
    assert sum(array.nbytes for array in arrays if isinstance(array, np.ndarray)) <= 500 * 1000
