"""The life of an alert, told as sequences of judgements a minute apart."""

from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.alert import (
    Alert,
    Policy,
    Transition,
    advance,
    catch_up,
    displace,
    fires_on_until,
    is_held_back,
    next_level,
    remove,
)
from monitor.model.finding import Finding
from monitor.runtime.clock import HOUR, MINUTE

N = None
LEVELS = Policy(levels=2, for_=2 * MINUTE)


def live(breaches: list[int | None], policy: Policy) -> list[str]:
    """What happens to one alert: a word a judgement, '-' where nothing does; a no-data resolve says so."""
    alert: Alert | None = None
    words = []
    for minute, breached in enumerate(breaches):
        alert, moved = advance("main", "r", alert, finding(breached), policy, minute * MINUTE)
        words.append("-" if moved is None else moved.what if moved.because != "no_data" else "no data")
    return words


def finding(breached: int | None, value: float | None = None) -> Finding:
    return Finding((("operator", "Cosmote"),), breached, float(breached or 0) if value is None else value, 1.0, "why")


@pytest.mark.parametrize(
    ("breaches", "policy", "expected"),
    [
        ([0, 1, 1, 0], Policy(), ["-", "fired", "-", "resolved"]),
        ([1, 1, 1, 1], Policy(for_=2 * MINUTE), ["pending", "-", "fired", "-"]),
        ([1, 0, 1, 1, 1], Policy(for_=2 * MINUTE), ["pending", "dropped", "pending", "-", "fired"]),
        ([1, 0, 0, 0, 0], Policy(keep_firing_for=3 * MINUTE), ["fired", "-", "-", "resolved", "-"]),
        ([1, 0, 0, 1, 0, 0], Policy(keep_firing_for=3 * MINUTE), ["fired", "-", "-", "-", "-", "-"]),
        ([1, N, 1, 0], Policy(), ["fired", "-", "-", "resolved"]),
        ([1, N, 1, 1], Policy(for_=2 * MINUTE), ["pending", "dropped", "pending", "-"]),
        ([N, N], Policy(), ["-", "-"]),
        ([1, N, N, N], Policy(forget_after=2 * MINUTE), ["fired", "-", "-", "no data"]),
        ([1, N, 1, N, N], Policy(forget_after=2 * MINUTE), ["fired", "-", "-", "-", "-"]),
        ([1, 2, 1, 0], Policy(levels=2), ["fired", "escalated", "eased", "resolved"]),
        ([2, 2], Policy(levels=2), ["fired", "-"]),
        ([1, 1, 2, 2, 2], Policy(levels=2, for_=2 * MINUTE), ["pending", "-", "fired", "-", "escalated"]),
        ([2, 1, 1, 1], Policy(levels=2, keep_firing_for=2 * MINUTE), ["fired", "-", "eased", "-"]),
        ([1, 0, 1], Policy(), ["fired", "resolved", "fired"]),
        # A worse level that was pending starts anew after a time without data, and one that fires stays.
        ([1, 1, 1, 2, N, N, 2, 2, 2], LEVELS, ["pending", "-", "fired", "-", "-", "-", "-", "-", "escalated"]),
        ([2, 2, 2, N, N, 1, 2], LEVELS, ["pending", "-", "fired", "-", "-", "eased", "-"]),
        # Time without data counts towards keep_firing_for: the threshold was last crossed before it.
        ([1, 0, N, N, 0], Policy(keep_firing_for=3 * MINUTE), ["fired", "-", "-", "-", "resolved"]),
    ],
)
def test_sequences(breaches: list[int | None], policy: Policy, expected: list[str]) -> None:
    assert live(breaches, policy) == expected


@pytest.mark.parametrize(
    ("breaches", "policy", "until"),
    [
        ([1], Policy(keep_firing_for=3 * MINUTE), None),
        ([1, 0], Policy(keep_firing_for=3 * MINUTE), 3 * MINUTE),
        ([1, 1, 0, 0], Policy(keep_firing_for=3 * MINUTE), 4 * MINUTE),
        ([2, 1], Policy(levels=2, keep_firing_for=3 * MINUTE), None),
        ([2, 0], Policy(levels=2, keep_firing_for=3 * MINUTE), 3 * MINUTE),
        ([1, 0, N], Policy(keep_firing_for=3 * MINUTE), None),
        ([1, 0, 0, 0], Policy(keep_firing_for=3 * MINUTE), None),
        ([1, 0], Policy(), None),
    ],
)
def test_until_when_it_fires_on(breaches: list[int | None], policy: Policy, until: int | None) -> None:
    alert: Alert | None = None
    for minute, breached in enumerate(breaches):
        alert, _ = advance("main", "r", alert, finding(breached), policy, minute * MINUTE)
    assert alert is not None
    assert fires_on_until(alert, policy) == until


@pytest.mark.parametrize(
    ("breaches", "policy", "following"),
    [
        ([1], LEVELS, (2, 1)),
        ([2, 2], LEVELS, (2, 2)),
        ([1, 2], LEVELS, (2, 1)),
        ([1, 1, 2], LEVELS, (4, 2)),
        ([2, 2, 2], LEVELS, None),
        ([1, 1, 1], LEVELS, None),
        ([1, 1, 2, 1], LEVELS, None),
        ([1, 1, 2, N], LEVELS, None),
        ([1, 1, 1, 0], LEVELS, None),
        ([1, N, 1], LEVELS, (4, 1)),
    ],
)
def test_when_the_next_level_is_reached(
    breaches: list[int | None], policy: Policy, following: tuple[int, int] | None
) -> None:
    alert: Alert | None = None
    for minute, breached in enumerate(breaches):
        alert, _ = advance("main", "r", alert, finding(breached), policy, minute * MINUTE)
    assert alert is not None
    found = next_level(alert, policy)
    assert (found and (found[0] // MINUTE, found[1])) == following
    if found is not None:
        then, moved = advance("main", "r", alert, finding(breaches[-1]), policy, found[0])
        assert then is not None
        assert (then.level, moved and moved.what) == (found[1], "fired" if alert.state == "pending" else "escalated")


def test_an_alert_that_is_held_back_reaches_no_level_by_itself() -> None:
    alert, _ = advance("main", "r", None, finding(1), Policy(), 0, may_fire=False)
    assert alert is not None
    assert next_level(alert, Policy()) is None


def test_peak_is_the_worst_value_in_the_direction_of_the_rule() -> None:
    for below, peak in [(False, 9.0), (True, 2.0)]:
        alert = None
        for minute, value in enumerate([5.0, 9.0, 2.0]):
            alert, _ = advance("main", "r", alert, finding(1, value), Policy(below=below), minute)
        assert alert is not None
        assert alert.peak == peak
        assert alert.value == 2.0


def test_an_alert_without_data_stays_firing_and_is_marked() -> None:
    alert, _ = advance("main", "r", None, finding(1), Policy(), 0)
    alert, _ = advance("main", "r", alert, finding(None), Policy(), HOUR)
    assert alert is not None
    assert alert.state == "firing"
    assert alert.no_data_since == HOUR


def test_a_removed_rule_resolves_what_fires_and_drops_what_is_pending() -> None:
    fired, _ = advance("main", "r", None, finding(1), Policy(), 0)
    assert fired is not None
    over, moved = remove(fired, 5)
    assert over is not None
    assert (over.state, over.because, over.resolved_at) == ("resolved", "removed", 5)
    assert moved == Transition(fired.fingerprint, "r", 5, "resolved", "removed", 1.0)
    pending, _ = advance("main", "r", None, finding(1), Policy(for_=9), 0)
    assert pending is not None
    assert remove(pending, 5)[0] is None


def test_fewer_levels_after_a_reload_keep_the_alert_firing() -> None:
    alert, _ = advance("main", "r", None, finding(2), Policy(levels=2), 0)
    alert, moved = advance("main", "r", alert, finding(1), Policy(levels=1), MINUTE)
    assert alert is not None
    assert (alert.state, alert.level) == ("firing", 1)
    assert moved is not None
    assert moved.what == "eased"


def test_the_fingerprint_depends_on_account_rule_and_group_only() -> None:
    one, _ = advance("main", "r", None, finding(1), Policy(), 0)
    two, _ = advance("main", "r", None, finding(2, 7.0), Policy(levels=2), 9)
    other, _ = advance("other", "r", None, finding(1), Policy(), 0)
    assert one is not None
    assert two is not None
    assert other is not None
    assert one.fingerprint == two.fingerprint != other.fingerprint


def test_an_alert_that_is_over_comes_back_when_nothing_becomes_of_the_next_one() -> None:
    policy = Policy(for_=MINUTE)
    over, _ = advance("main", "r", None, finding(1), Policy(), 0)
    over, _ = advance("main", "r", over, finding(0), policy, 1)
    assert over is not None
    assert advance("main", "r", over, finding(0), policy, 2) == (over, None)
    assert advance("main", "r", over, finding(None), policy, 2) == (over, None)
    pending, _ = advance("main", "r", over, finding(1), policy, 3)
    assert pending is not None
    assert (pending.state, pending.earlier) == ("pending", over)
    for step in (advance("main", "r", pending, finding(value), policy, 4) for value in (0, None)):
        assert step[0] == over
    assert remove(pending, 4)[0] == over
    fired, _ = advance("main", "r", pending, finding(1), policy, MINUTE + 3)
    assert fired is not None
    assert (fired.state, fired.earlier) == ("firing", None)


def test_an_alert_that_may_not_fire_waits_and_is_dropped_when_it_recovers() -> None:
    policy = Policy(keep_firing_for=HOUR)
    held, moved = advance("main", "r", None, finding(1), policy, 0, may_fire=False)
    assert held is not None
    assert moved is not None
    assert (held.state, moved.what, is_held_back(held)) == ("pending", "pending", True)
    assert advance("main", "r", held, finding(0), policy, 1)[0] is None
    fired, moved = advance("main", "r", held, finding(1), policy, 5)
    assert fired is not None
    assert moved is not None
    assert (moved.what, fired.firing_at, is_held_back(fired)) == ("fired", 5, False)


def test_a_clock_that_was_set_back_keeps_nothing_firing_and_nothing_waiting() -> None:
    fired, _ = advance("main", "r", None, finding(1), Policy(), HOUR)
    over, _ = advance("main", "r", fired, finding(0), Policy(), 0)
    assert over is not None
    assert (over.state, over.resolved_at) == ("resolved", HOUR)
    policy = Policy(for_=2 * MINUTE)
    pending, _ = advance("main", "r", None, finding(1), policy, HOUR)
    pending, _ = advance("main", "r", pending, finding(1), policy, 0)
    fired, moved = advance("main", "r", pending, finding(1), policy, 2 * MINUTE)
    assert moved is not None
    assert moved.what == "fired"


def test_an_alert_that_is_kept_firing_is_not_beyond_its_threshold() -> None:
    for below, bad, good in [(False, 3.0, 0.0), (True, 0.2, 9.0)]:
        policy = Policy(below=below, keep_firing_for=HOUR)
        alert, _ = advance("main", "r", None, finding(1, bad), policy, 0)
        assert alert is not None
        assert alert.excess > 1
        alert, _ = advance("main", "r", alert, finding(0, good), policy, MINUTE)
        assert alert is not None
        assert (alert.state, alert.crossed) == ("firing", 0)
        assert alert.excess < 1


def test_a_group_that_is_gone_ends_its_alert_at_once_for_want_of_data() -> None:
    gone = Finding((("operator", "Cosmote"),), None, 0.0, 1.0, "not seen for a day", gone=True)
    fired, _ = advance("main", "r", None, finding(1), Policy(), 0)
    over, moved = advance("main", "r", fired, gone, Policy(), MINUTE)
    assert over is not None
    assert moved is not None
    assert (over.state, over.because, moved.because) == ("resolved", "no_data", "no_data")
    assert advance("main", "r", over, gone, Policy(), 2 * MINUTE) == (over, None)
    pending, _ = advance("main", "r", None, finding(1), Policy(for_=HOUR), 0)
    assert advance("main", "r", pending, gone, Policy(for_=HOUR), MINUTE)[0] is None
    assert advance("main", "r", None, gone, Policy(), 0) == (None, None)


def test_an_alert_that_loses_its_place_is_over_and_waits_while_it_is_over_its_threshold() -> None:
    policy = Policy(for_=2 * MINUTE, keep_firing_for=HOUR)
    alert = None
    for minute in range(3):
        alert, _ = advance("main", "r", alert, finding(1), policy, minute * MINUTE)
    assert alert is not None
    waiting, moved = displace(alert, 2 * MINUTE)
    assert waiting is not None
    assert moved is not None
    assert (moved.what, moved.because) == ("resolved", "outranked")
    assert (waiting.state, waiting.firing_at, is_held_back(waiting)) == ("pending", None, True)
    assert waiting.earlier is not None
    assert (waiting.earlier.state, waiting.earlier.because) == ("resolved", "outranked")
    again, moved = advance("main", "r", waiting, finding(1), policy, 3 * MINUTE)
    assert again is not None
    assert moved is not None
    assert (again.state, moved.what, again.earlier) == ("firing", "fired", None)
    assert advance("main", "r", waiting, finding(0), policy, 3 * MINUTE)[0] == waiting.earlier
    kept, _ = advance("main", "r", alert, finding(0), policy, 3 * MINUTE)
    assert kept is not None
    over, moved = displace(kept, 3 * MINUTE)
    assert over is not None
    assert (over.state, over.because) == ("resolved", "recovered")


def caught_up(alert: Alert, seen: list[tuple[int, Finding]], policy: Policy) -> tuple[Alert | None, list[Transition]]:
    """Returns the alert after these moments, and its transitions."""
    after, moves = cast(Alert | None, alert), list[Transition]()
    for as_of, found in seen:
        after, moved = catch_up("main", "r", after, found, policy, as_of)
        moves += [] if moved is None else [moved]
    return after, moves


@pytest.mark.parametrize(
    ("between", "pending_at", "fires"),
    [([1, 1, 1, 1], 0, True), ([1, 0, 1, 1], 3, False), ([0, 0, 0, 0], 5, False), ([1, N, 1, 1], 3, False)],
)
def test_a_pending_alert_that_nobody_judged_is_decided_by_what_is_found_of_that_time(
    between: list[int | None], pending_at: int, fires: bool
) -> None:
    policy = Policy(for_=4 * MINUTE)
    alert, _ = advance("main", "r", None, finding(1), policy, 0)
    assert alert is not None
    seen = [(minute * MINUTE, finding(breached)) for minute, breached in enumerate(between, 1)]
    late, moves = caught_up(alert, seen, policy)
    assert "fired" not in [one.what for one in moves]
    now, _ = advance("main", "r", late, finding(1), policy, 5 * MINUTE)
    assert now is not None
    assert (now.state == "firing", now.pending_at) == (fires, pending_at * MINUTE)


def test_catching_up_ends_nothing_that_fires_and_knows_when_it_was_last_crossed() -> None:
    policy = Policy(keep_firing_for=10 * MINUTE, levels=2)
    alert, _ = advance("main", "r", None, finding(1), policy, 0)
    assert alert is not None
    seen = [(minute * MINUTE, finding(1 if minute == 50 else 0)) for minute in range(1, 55)]
    late, moves = caught_up(alert, seen, policy)
    assert late is not None
    assert (late.state, late.level, moves) == ("firing", 1, [])
    for minute, state in [(55, "firing"), (60, "resolved")]:
        after, _ = advance("main", "r", late, finding(0), policy, minute * MINUTE)
        assert after is not None
        assert after.state == state


_BREACHES = st.lists(st.one_of(st.none(), st.integers(0, 2)), max_size=40)


@settings(max_examples=300)
@given(_BREACHES, st.integers(0, 5), st.integers(0, 40), st.integers(0, 40))
def test_a_pending_alert_caught_up_fires_when_one_judged_all_along_would(
    breaches: list[int | None], minutes: int, start: int, length: int
) -> None:
    """Down from ``start`` on for ``length`` judgements, all of which are known later."""
    policy = Policy(for_=minutes * MINUTE, levels=2)

    def step(alert: Alert | None, at: int, may_fire: bool = True) -> Alert | None:
        after, _ = advance("main", "r", alert, finding(breaches[at]), policy, at * MINUTE, may_fire=may_fire)
        return None if after is None or after.state == "resolved" else after

    alert = None
    for at in range(min(start, len(breaches))):
        alert = step(alert, at)
    end = min(start + length, len(breaches) - 1)
    if alert is None or alert.state != "pending" or end <= start:
        return
    all_along = alert
    late, _ = caught_up(alert, [(at * MINUTE, finding(breaches[at])) for at in range(start, end)], policy)
    for at in range(start, end):
        all_along = step(all_along, at, may_fire=False)
    one, other = step(all_along, end), step(late, end)
    assert (one and one.state, one and one.pending_at) == (other and other.state, other and other.pending_at)
    # Compared with its definition: crossed at each evaluation of the last ``for``.
    crossed = [at for at in range(start, end + 1) if not breaches[at]]
    since = (crossed[-1] + 1) if crossed else alert.pending_at // MINUTE
    fires = bool(breaches[end]) and end - since >= minutes
    assert (other is not None and other.state == "firing") == fires
