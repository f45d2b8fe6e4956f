"""The same hour of other days: by the wall clock, and only of days that are known."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.kinds import EvaluationInput, evaluate
from monitor.alerts.kinds.spike.same_hour import days_ago
from monitor.config.rules import Rule, rule_of
from monitor.model.batch import batch_of
from monitor.model.finding import Finding
from monitor.runtime.clock import DAY, HOUR, MINUTE, Duration, Instant, parse_iso
from monitor.store.protocol import Cursor
from monitor.window import Window, WindowReader

ATHENS = "Europe/Athens"
ZONES = (ATHENS, "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago")
ENDED, BEGAN = parse_iso("2026-10-25T01:00:00Z"), parse_iso("2026-03-29T01:00:00Z")
"""When summer time ends (04:00 becomes 03:00 in Athens) and begins (03:00 becomes 04:00)."""
SURGE = {"name": "Surge", "kind": "spike", "by": ["country"], "window": "30m", "baseline": {"same_hour": "7d"}}


def naively(as_of: Instant, window: Duration, days: int, zone: str) -> list[Duration]:
    """Each half hour of the past is looked at: those at which the clock on the wall shows the time of day of the span's start, and of its end."""
    clock = {back: on_the_wall(as_of - back, zone) for back in range(0, 11 * DAY, 30 * MINUTE)}
    began = {back + window: on_the_wall(as_of - back - window, zone) for back in clock}
    found = []
    for day in range(1, days + 1):
        end = on_the_wall(as_of, zone) - timedelta(days=day)
        ends = [back for back, shown in clock.items() if shown == end]
        starts = [back for back, shown in began.items() if shown == end - timedelta(microseconds=window)]
        if len(ends) == len(starts) == 1 and starts[0] - ends[0] == window:
            found += ends
    return found


def on_the_wall(at: Instant, zone: str) -> datetime:
    return datetime.fromtimestamp(at // 10**6, ZoneInfo(zone)).replace(tzinfo=None, fold=0)


@given(
    st.sampled_from([ENDED, BEGAN, parse_iso("2026-11-01T06:00:00Z"), parse_iso("2026-04-04T15:00:00Z")]),
    st.integers(-2 * 24 * 60, 9 * 24 * 60),
    st.sampled_from([5 * MINUTE, 30 * MINUTE, 3 * HOUR, DAY]),
    st.sampled_from(ZONES),
)
@example(ENDED, DAY // MINUTE - 30, 30 * MINUTE, ATHENS)
@example(BEGAN, DAY // MINUTE + 30, 30 * MINUTE, ATHENS)
def test_the_days_are_those_of_looking_at_each_half_hour(
    change: Instant, after: int, window: Duration, zone: str
) -> None:
    as_of = change + after * MINUTE
    assert list(days_ago(as_of, window, 7, zone)) == naively(as_of, window, 7, zone)


def test_a_day_has_25_hours_when_summer_time_ends_and_23_when_it_begins() -> None:
    assert days_ago(ENDED + 7 * HOUR, 30 * MINUTE, 3, ATHENS) == (25 * HOUR, 49 * HOUR, 73 * HOUR)
    assert days_ago(BEGAN + 7 * HOUR, 30 * MINUTE, 3, ATHENS) == (23 * HOUR, 47 * HOUR, 71 * HOUR)


def test_a_day_on_which_the_time_is_shown_twice_or_never_does_not_count() -> None:
    half_past_three = ENDED + DAY + 30 * MINUTE
    assert days_ago(half_past_three, 10 * MINUTE, 3, ATHENS) == (49 * HOUR, 73 * HOUR)
    half_past_three = BEGAN + DAY - HOUR + 30 * MINUTE
    assert days_ago(half_past_three, 10 * MINUTE, 3, ATHENS) == (47 * HOUR, 71 * HOUR)
    ten_past_four = BEGAN + DAY - HOUR + 70 * MINUTE
    assert days_ago(ten_past_four, 30 * MINUTE, 3, ATHENS) == (47 * HOUR, 71 * HOUR), "03:40 was not there"


def reminders(days: int, last: Instant) -> list[dict[str, Any]]:
    """300 messages a day at 10:00 in Athens, the last ones at ``last``."""
    wall = on_the_wall(last, ATHENS)
    ends = [(wall - timedelta(days=day)).replace(tzinfo=ZoneInfo(ATHENS)).timestamp() for day in range(days)]
    dates = [int(end) * 10**6 - i for end in ends for i in range(300)]
    return [{"date": date, "status": "Delivered", "country": "GR"} for date in dates]


def window_of(rows: list[dict[str, Any]]) -> Window:
    window = Window("main")
    window.upsert(batch_of([row | {"messageId": f"m{i}"} for i, row in enumerate(rows)]), "all")
    return window


def found(rule: dict[str, Any], rows: list[dict[str, Any]], as_of: Instant, zone: str = "UTC") -> Finding:
    inputs = EvaluationInput(WindowReader(window_of(rows)), as_of, as_of - 9 * DAY, time_zone=zone)
    return evaluate(rule_of(rule), inputs).of((("country", "GR"),))


def test_the_location_is_that_of_the_rule_else_that_of_the_account() -> None:
    ten = ENDED + 7 * HOUR
    rows, surge = reminders(8, ten), SURGE | {"above": "5x"}
    located = surge | {"baseline": {"same_hour": "7d", "location": ATHENS}}
    assert (found(surge, rows, ten, ATHENS).breached, found(surge, rows, ten, ATHENS).baseline) == (0, 300)
    assert found(located, rows, ten).breached == 0
    assert found(surge, rows, ten).breached == 1, "by UTC it was nine o'clock"
    utc = surge | {"baseline": {"same_hour": "7d", "location": "UTC"}}
    assert found(utc, rows, ten, ATHENS).breached == 1


def evaluated(
    rows: list[dict[str, Any]], as_of: Instant, covered_since: Instant, *rules: dict[str, Any]
) -> RuleEvaluator:
    """Returns an account's evaluator after one poll, its rules evaluated together."""
    evaluator = RuleEvaluator(window_of(rows), [rule_of(rule) for rule in rules], ["all"])
    evaluator.time_zone = ATHENS
    cursor = Cursor("main", "all", as_of, covered_since)
    evaluator.apply(evaluator.evaluate(cursor), cursor)
    assert evaluator.errors == {}
    return evaluator


@pytest.mark.parametrize("age", range(9))
def test_nothing_is_said_of_other_days_before_three_of_them_are_known(age: int) -> None:
    """``age`` days ago the first messages came, though all of nine days was fetched."""
    now = ENDED - 9 * HOUR
    usual = [{"date": now - age * DAY - HOUR + i * HOUR // 4, "country": "GR"} for i in range(age * 96 + 4)]
    rows = [row | {"status": "Delivered"} for row in usual] + [
        {"date": now - i, "status": "Delivered", "country": "LV"} for i in range(300)
    ]
    rules = [SURGE | {"name": f"Surge{n}", "above": f"{n}x"} for n in (3, 5)]
    for covered_since in (now - 9 * DAY, now - age * DAY - HOUR):
        evaluator = evaluated(rows, now, covered_since, *rules)
        fired = {name for name, alerts in evaluator.alerts.items() if alerts}
        assert fired == ({"Surge3", "Surge5"} if age >= 3 else set())
    if age < 3:
        why = why_of(evaluator, rule_of(rules[0]), now)
        assert f"this hour is known for {age} day" in why
        assert "3 are needed" in why


def why_of(evaluator: RuleEvaluator, rule: Rule, now: Instant) -> str:
    inputs = evaluator.input_for(rule, WindowReader(evaluator.window), now, now - 9 * DAY)
    return evaluate(rule, inputs).of((("country", "LV"),)).why


def test_after_a_gap_only_the_days_since_count() -> None:
    now = ENDED + 9 * HOUR
    rows = [{"date": now - i * HOUR // 4, "status": "Delivered", "country": "GR"} for i in range(9 * 96)]
    rows += [{"date": now - i, "status": "Delivered", "country": "LV"} for i in range(300)]
    fired = [bool(evaluated(rows, now, now - days * DAY, SURGE | {"above": "5x"}).alerts) for days in (2, 3, 4)]
    assert fired == [False, False, True]


@pytest.mark.parametrize("days", ["1d", "2d", "31d", "36h"])
def test_fewer_than_three_days_are_an_error_that_says_how_many_are_needed(days: str) -> None:
    with pytest.raises(ValueError, match="should be whole days, 3d to 30d"):
        rule_of(SURGE | {"above": "5x", "baseline": {"same_hour": days}})
