"""Latency, stuck, absence, new_value, cost, distinct and slo against naive oracles, and the cases that people argue about."""

from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.kinds import EvaluationInput, RuleResult, evaluate
from monitor.config.rules import rule_of
from monitor.config.rules.slo import Slo
from monitor.model.batch import batch_of
from monitor.model.finding import Finding
from monitor.model.message import FAILURES, FINAL
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND
from monitor.window import Window, WindowReader

NOW = 100 * DAY
FOREVER = -(1 << 60)
OPERATORS = ("Cosmote", "Vodafone", "Wind")
EDGES = [NOW, NOW - HOUR, NOW - 2 * HOUR, NOW - 4 * HOUR]

Rows = list[dict[str, Any]]


def evaluated(
    rows: Rows, covered_since: int = FOREVER, known: Any = (), at: int = NOW, in_use_since: int = FOREVER, **rule: Any
) -> RuleResult:
    window = Window("main")
    for report in ("first", "date"):
        told = [row | {"messageId": f"m{i}"} for i, row in enumerate(rows) if report in row]
        first = [row | {"date": row["first"], "status": "Queued"} for row in told] if report == "first" else told
        window.upsert(batch_of(first), "all")
    return evaluate(
        rule_of({"name": "R"} | rule),
        EvaluationInput(WindowReader(window), at, covered_since, known, in_use_since=in_use_since),
    )


def by_operator(rule_result: RuleResult) -> dict[str, Finding]:
    return {finding.group[0][1]: finding for finding in rule_result.findings()}


def only(rule_result: RuleResult) -> Finding:
    (finding,) = rule_result.findings()
    return finding


def sent(count: int, at: int = NOW, **fields: Any) -> Rows:
    return [{"date": at, "status": "Delivered", "operator": "Cosmote"} | fields] * count


dates = st.integers(NOW - 6 * HOUR, NOW + MINUTE) | st.sampled_from(EDGES)
one = st.fixed_dictionaries(
    {
        "date": dates,
        "status": st.sampled_from(["Queued", "Sent", "Delivered", "Undelivered", "Failed"]),
        "operator": st.sampled_from(OPERATORS),
        "from": st.sampled_from(["Shop", "Bank", "Taxi", None]),
        "to": st.sampled_from(["+306912345678", "+306912345679", "+306912345680", None]),
        "latency": st.sampled_from([None, 0.0, 5.0, 12.5, 30.0, 90.0]),
        "price": st.sampled_from([None, 0.0, 0.045, 0.1, 7.3]),
    }
)
delayed = st.tuples(one, st.integers(0, 3 * HOUR)).map(lambda pair: pair[0] | {"first": pair[0]["date"] - pair[1]})
messages = st.lists(delayed, max_size=40)


def within(rows: Rows, operator: str, start: int, end: int, time: str = "date") -> Rows:
    return [row for row in rows if row["operator"] == operator and start < row[time] <= end]


# latency


@given(messages, st.sampled_from([50, 90, 95, 100]), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_latency_is_the_naive_percentile_of_each_group(rows: Rows, percent: int, least: int) -> None:
    rule = {"kind": "latency", "by": ["operator"], "window": "1h", "above": "12s", "percentile": percent}
    found = by_operator(evaluated(rows, **rule, min_messages=least))
    for operator in OPERATORS:
        mine = within(rows, operator, NOW - HOUR, NOW)
        known = sorted(row["latency"] for row in mine if row["latency"] is not None)
        assert (operator in found) == bool(known)
        if known:
            value = known[ceil(len(known) * percent / 100) - 1]
            expected = None if len(known) < least else int(value > 12)
            finding = found[operator]
            assert (finding.value, finding.breached, finding.messages) == (value, expected, len(known))
            assert finding.matching == sum(latency > 12 for latency in known)


def test_a_latency_exactly_at_the_threshold_does_not_cross_it_and_levels_escalate() -> None:
    levels = [{"above": "30s", "severity": "warning"}, {"above": "1m", "severity": "critical"}]
    for latency, breached, threshold in [(30.0, 0, 30), (30.1, 1, 30), (61.0, 2, 60)]:
        finding = only(evaluated(sent(5, latency=latency), kind="latency", window="1h", levels=levels))
        assert (finding.breached, finding.threshold) == (breached, threshold)


def test_messages_without_a_latency_are_not_enough_data() -> None:
    rule: dict[str, Any] = {"kind": "latency", "window": "1h", "above": "30s", "min_messages": 3}
    group = (("operator", "Cosmote"),)
    finding = evaluated(sent(9) + sent(2, latency=99.0), **rule, by=["operator"], known=[group]).of(group)
    assert finding.breached is None
    assert "2 messages whose latency is known, min_messages is 3" in finding.why
    assert evaluated([], **rule).of(()).breached is None


# stuck


@given(messages, st.sampled_from([2, "30%"]), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_stuck_is_the_naive_number_or_share_of_each_group(rows: Rows, above: Any, least: int) -> None:
    rule: dict[str, Any] = {"kind": "stuck", "by": ["operator"], "window": "4h", "older_than": "1h", "above": above}
    found = by_operator(evaluated(rows, **rule, **({"min_messages": least} if above == "30%" else {})))
    for operator in OPERATORS:
        total = within(rows, operator, NOW - 4 * HOUR, NOW, "first")
        old = within(total, operator, NOW - 4 * HOUR, NOW - HOUR, "first")
        stuck = sum(row["status"] not in FINAL or row["date"] > NOW for row in old)
        assert (operator in found) == bool(total)
        if total:
            finding = found[operator]
            value = stuck / len(total) if above == "30%" else stuck
            expected = int(value > (0.3 if above == "30%" else 2))
            assert (finding.value, finding.messages, finding.matching) == (value, len(total), stuck)
            assert finding.breached == (None if above == "30%" and len(total) < least else expected)


def test_what_got_its_final_status_later_was_stuck_then() -> None:
    rows = sent(5, NOW, first=NOW - 2 * HOUR)
    rule: dict[str, Any] = {"kind": "stuck", "older_than": "1h", "above": 3}
    assert only(evaluated(rows, **rule)).value == 0
    then = only(evaluated(rows, at=NOW - 1, **rule))
    assert (then.value, then.breached) == (5, 1)
    assert "5 of 5 messages had no final status 1h after sending" in then.why


def test_a_message_is_stuck_from_the_very_moment_on_at_which_it_is_as_old_as_that() -> None:
    waiting: Rows = [{"date": NOW - HOUR, "first": NOW - HOUR, "status": "Sent"}]
    rule: dict[str, Any] = {"kind": "stuck", "older_than": "1h", "above": 0}
    assert only(evaluated(waiting, at=NOW - 1, **rule)).value == 0
    assert only(evaluated(waiting, at=NOW, **rule)).value == 1


def test_stuck_groups_that_are_gone_are_over_as_numbers_and_unknown_as_shares() -> None:
    group = (("operator", "Cosmote"),)
    rule: dict[str, Any] = {"kind": "stuck", "by": ["operator"], "older_than": "1h", "known": [group]}
    assert evaluated([], above=3, **rule).of(group).breached == 0
    assert evaluated([], above="3%", **rule).of(group).breached is None


# absence


@given(messages, st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_absence_is_that_none_came_where_enough_had_come(rows: Rows, least: int) -> None:
    rule: dict[str, Any] = {"kind": "absence", "by": ["operator"], "window": "1h", "active_in": "3h"}
    found = by_operator(evaluated(rows, **rule, min_baseline=least))
    for operator in OPERATORS:
        now = len(within(rows, operator, NOW - HOUR, NOW, "first"))
        before = len(within(rows, operator, NOW - 4 * HOUR, NOW - HOUR, "first"))
        assert (operator in found) == bool(now or before)
        if now or before:
            finding = found[operator]
            assert finding.breached == (0 if now else 1 if before >= least else None)
            assert (finding.value, finding.baseline) == (now, pytest.approx(before / 3))


def test_silence_needs_a_known_window_and_a_known_past() -> None:
    rows, rule = sent(9, NOW - 2 * HOUR), {"kind": "absence", "window": "1h"}
    assert only(evaluated(rows, **rule)).breached == 1
    assert only(evaluated(rows, NOW - 25 * HOUR, **rule)).breached == 1
    for since in (NOW - HOUR + 1, NOW - HOUR, NOW - 25 * HOUR + 1):
        assert only(evaluated(rows, since, **rule)).breached is None
        assert only(evaluated(rows, in_use_since=since, **rule)).breached is None
    week: dict[str, Any] = {"kind": "absence", "window": "1h", "active_in": "7d"}
    assert only(evaluated(rows, NOW - 6 * DAY, **week)).breached == 1


def test_a_late_report_of_an_old_message_does_not_break_a_silence() -> None:
    rows = sent(9, NOW - MINUTE, first=NOW - 2 * HOUR)
    finding = only(evaluated(rows, kind="absence", window="1h"))
    assert (finding.breached, finding.value) == (1, 0)
    assert finding.why == "no messages in 1h, usually 0.38"


def test_a_group_silent_for_longer_than_it_counts_as_active_is_unknown_not_well() -> None:
    group = (("operator", "Cosmote"),)
    rows = sent(9, NOW - 30 * HOUR) + sent(1, operator="Wind")
    rule: dict[str, Any] = {"kind": "absence", "window": "1h", "by": ["operator"]}
    assert evaluated(rows, known=[group], **rule).of(group).breached is None
    assert list(by_operator(evaluated(rows, **rule))) == ["Wind"]


# new_value


@given(messages, st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_a_value_is_new_where_none_had_it_before(rows: Rows, least: int) -> None:
    rule = {"kind": "new_value", "field": "from", "by": ["operator"], "window": "1h", "seen_in": "3h"}
    found = {finding.group: finding for finding in evaluated(rows, **rule, min_messages=least).findings()}
    for operator in OPERATORS:
        for sender in ("Shop", "Bank", "Taxi"):
            mine = [row for row in rows if row["from"] == sender]
            now = len(within(mine, operator, NOW - HOUR, NOW, "first"))
            before = len(within(mine, operator, NOW - 4 * HOUR, NOW - HOUR, "first"))
            group = (("operator", operator), ("from", sender))
            assert (group in found) == bool(now)
            if now:
                finding = found[group]
                assert (finding.value, finding.baseline) == (now, before)
                assert finding.breached == (0 if before else 1 if now >= least else None)
    assert all(group[1][1] != "unknown" for group in found)


def test_new_values_wait_for_six_days_of_history_at_most() -> None:
    rule: dict[str, Any] = {"kind": "new_value", "field": "country", "window": "1h"}
    rows = sent(2, country="IR")
    for covered, breached in [(NOW - 6 * DAY, 1), (NOW - 6 * DAY + 1, None), (NOW - DAY, None)]:
        assert only(evaluated(rows, covered, **rule)).breached == breached
        assert only(evaluated(rows, in_use_since=covered, **rule)).breached == breached
    assert only(evaluated(rows, NOW - 25 * HOUR, **rule, seen_in="1d")).breached == 1
    assert only(evaluated(rows, NOW - 25 * HOUR + 1, **rule, seen_in="1d")).breached is None


def test_a_new_value_is_over_once_its_messages_have_left_the_window() -> None:
    group, rule = (("country", "IR"),), {"kind": "new_value", "field": "country", "window": "1h"}
    rows = sent(5, NOW - 30 * MINUTE, country="IR")
    assert only(evaluated(rows, **rule)).why == "5 messages in 1h, none in the 7d before"
    assert evaluated(rows, at=NOW + HOUR, known=[group], **rule).of(group).breached == 0
    again = rows + sent(1, NOW + HOUR, country="IR")
    assert evaluated(again, at=NOW + HOUR, **rule).of(group).breached == 0


def test_too_few_messages_with_a_new_value_are_not_enough_data_and_say_how_many() -> None:
    rule: dict[str, Any] = {"kind": "new_value", "field": "country", "window": "1h", "min_messages": 3}
    few = only(evaluated(sent(2, country="IR"), **rule))
    assert (few.breached, few.why) == (
        None,
        "not enough data: 2 messages in 1h, none in the 7d before, min_messages is 3",
    )
    assert only(evaluated(sent(3, country="IR"), **rule)).breached == 1
    assert only(evaluated(sent(2, country="IR") + sent(9, NOW - 2 * HOUR, country="IR"), **rule)).breached == 0


# cost


@given(messages)
@settings(max_examples=60, deadline=None)
def test_cost_is_the_naive_sum_of_each_group(rows: Rows) -> None:
    found = by_operator(evaluated(rows, kind="cost", by=["operator"], window="1h", above=7))
    for operator in OPERATORS:
        mine = within(rows, operator, NOW - HOUR, NOW)
        spent = sum(round((row["price"] or 0) * 10**9) for row in mine) / 10**9
        assert (operator in found) == bool(mine)
        if mine:
            priced = sum(row["price"] is not None for row in mine)
            breached = int(spent > 7) if priced * 2 >= len(mine) else None
            assert (found[operator].value, found[operator].breached) == (spent, breached)


def test_spending_too_little_needs_a_known_window_and_sees_groups_that_stopped() -> None:
    rule: dict[str, Any] = {"kind": "cost", "window": "1h", "below": 5, "by": ["operator"]}
    rows = sent(9, NOW - 2 * HOUR, price=1.0)
    assert by_operator(evaluated(rows, **rule))["Cosmote"].breached == 1
    assert by_operator(evaluated(rows, NOW - MINUTE, **rule))["Cosmote"].breached is None
    assert only(evaluated([], kind="cost", window="1h", above=5)).value == 0


def test_cost_says_the_money() -> None:
    finding = only(evaluated(sent(3, price=40.5), kind="cost", window="1h", above=100))
    assert finding.why == "121.50 spent: above 100"


@pytest.mark.parametrize(("priced", "breached"), [(0, None), (49, None), (50, 1), (100, 1)])
def test_where_most_prices_are_missing_nobody_knows_what_was_spent(priced: int, breached: int | None) -> None:
    rows = sent(priced, price=3.0) + sent(100 - priced)
    finding = only(evaluated(rows, kind="cost", window="1h", above=100))
    assert (finding.breached, finding.matching) == (breached, priced)
    if breached is None:
        assert finding.why == f"not enough data: {priced} of 100 messages have a price, min_priced is 50%"
    assert only(evaluated(rows, kind="cost", window="1h", below=1)).breached in (None, 0)


def test_how_many_prices_are_needed_is_configurable() -> None:
    rows = sent(60, price=3.0) + sent(40)
    assert only(evaluated(rows, kind="cost", window="1h", above=100, min_priced="61%")).breached is None
    assert only(evaluated(rows, kind="cost", window="1h", above=100, min_priced="60%")).breached == 1
    assert only(evaluated(sent(9), kind="cost", window="1h", below=1, min_priced="0%")).breached == 1


@pytest.mark.parametrize("free", [{"direction": "Inbound"}, {"status": "Unsent"}])
def test_what_costs_nothing_needs_no_price(free: dict[str, str]) -> None:
    rows = sent(10, price=3.0) + sent(90, **free)
    finding = only(evaluated(rows, kind="cost", window="1h", above=20))
    assert (finding.breached, finding.value, finding.messages) == (1, 30.0, 100)


def test_an_alert_about_money_does_not_end_for_want_of_messages() -> None:
    rows = sent(10, NOW - 2 * HOUR, price=3.0)
    group: tuple[tuple[str, str], ...] = (("operator", "Cosmote"),)
    rule: dict[str, Any] = {"kind": "cost", "window": "1h", "above": 20, "by": ["operator"]}
    assert evaluated(rows, known=[group], **rule).of(group).breached is None
    cheap = rows + sent(1, price=0.1)
    assert evaluated(cheap, known=[group], **rule).of(group).breached == 0


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "cost", "above": 20},
        {"kind": "cost", "above": 20, "min_priced": "0%"},
        {"kind": "count", "above": 20},
        {"kind": "distinct", "field": "to", "above": 20},
        {"kind": "rate", "above": "20%"},
        {"kind": "latency", "above": "20s"},
        {"kind": "latency", "below": "20s"},
        {"kind": "stuck", "older_than": "1m", "above": 20},
        {"kind": "stuck", "older_than": "1m", "above": "20%"},
        {"kind": "slo", "objective": "99%"},
        {"kind": "spike", "above": "3x", "baseline": {"window": "1h", "ago": "1h"}},
        {"kind": "spike", "above": "3 sigma", "baseline": {"window": "1h", "ago": "1h"}},
        {"kind": "spike", "measure": "rate", "above": "3x", "baseline": {"window": "1h", "ago": "1h"}},
    ],
)
def test_an_alert_whose_messages_are_forgotten_is_judged_like_one_without_messages_now(rule: dict[str, Any]) -> None:
    group = (("operator", "Cosmote"),)
    rule = {"by": ["operator"]} | ({} if rule["kind"] == "slo" else {"window": "1h"}) | rule
    old = sent(10, NOW - 2 * DAY, price=3.0, to="+306912345678")
    kept, forgotten = (evaluated(rows, known=[group], **rule).of(group) for rows in (old, []))
    assert (forgotten.breached, forgotten.gone) == (kept.breached, kept.gone)


def test_an_alert_about_money_outlives_its_messages() -> None:
    group = (("operator", "Cosmote"),)
    found = evaluated([], known=[group], kind="cost", window="1h", above=20, by=["operator"]).of(group)
    assert (found.breached, found.value, found.why) == (None, None, "not enough data: no messages")


# distinct


@pytest.mark.parametrize("field", ["from", "to"])
@given(rows=messages)
@settings(max_examples=40, deadline=None)
def test_distinct_is_the_naive_number_of_values_of_each_group(field: str, rows: Rows) -> None:
    found = by_operator(evaluated(rows, kind="distinct", field=field, by=["operator"], window="1h", above=1))
    for operator in OPERATORS:
        mine = within(rows, operator, NOW - HOUR, NOW)
        values = {row[field] for row in mine} - {None}
        assert (operator in found) == bool(mine)
        if mine:
            assert (found[operator].value, found[operator].breached) == (len(values), int(len(values) > 1))


def test_few_recipients_are_seen_where_a_group_stopped() -> None:
    rows = sent(9, NOW - 2 * HOUR, to="+306912345678")
    finding = by_operator(evaluated(rows, kind="distinct", field="to", by=["operator"], window="1h", below=2))[
        "Cosmote"
    ]
    assert (finding.breached, finding.why) == (1, "0 different values of to: below 2")
    rows += sent(9, NOW - MINUTE, to="+306912345678")
    finding = by_operator(evaluated(rows, kind="distinct", field="to", by=["operator"], window="1h", below=2))[
        "Cosmote"
    ]
    assert (finding.breached, finding.why) == (1, "1 different value of to: below 2")


# slo


@given(messages, st.sampled_from(["98%", "90%"]), st.integers(1, 6), st.sampled_from([FOREVER, NOW - 2 * HOUR]))
@settings(max_examples=100, deadline=None)
def test_an_objective_speaks_where_both_windows_of_a_pair_burn(rows: Rows, goal: str, least: int, since: int) -> None:
    rule = rule_of({"name": "R", "kind": "slo", "objective": goal, "by": ["operator"], "min_messages": least})
    assert isinstance(rule, Slo)
    window = Window("main")
    window.upsert(batch_of([row | {"messageId": f"m{i}"} for i, row in enumerate(rows)]), "all")
    found = by_operator(evaluate(rule, EvaluationInput(WindowReader(window), NOW, since)))
    for operator in OPERATORS:
        levels, enough = [0], False
        for pair in rule.burns:
            spans = [within(rows, operator, NOW - span, NOW) for span in (pair.long, pair.short)]
            finals = [[row for row in span if row["status"] in FINAL] for span in spans]
            burns = [sum(r["status"] in FAILURES for r in f) / max(len(f), 1) / rule.budget for f in finals]
            if len(finals[0]) >= least and NOW - pair.long >= since:
                enough = True
                levels.append((2 if pair.fast else 1) * (min(burns) > pair.factor + 1e-9))
        if operator in found:
            assert found[operator].breached == (max(levels) if enough else None)
        else:
            assert not enough


def burning(share: float, minutes: int, per_minute: int = 100, **fields: Any) -> Rows:
    bad = round(share * per_minute)
    rows: Rows = []
    for minute in range(minutes):
        at = NOW - minute * MINUTE - SECOND
        rows += sent(bad, at, status="Failed", **fields) + sent(per_minute - bad, at, **fields)
    return rows


def test_a_fast_burn_is_critical_and_says_both_windows_and_what_is_left() -> None:
    finding = only(evaluated(burning(0.3, 14), NOW - 7 * DAY, kind="slo", objective="98%"))
    assert (finding.breached, finding.threshold, finding.value) == (2, 14.4, 15.0)
    assert finding.why == (
        "burns too fast: 15x over 14m and 15x over 1m10s, limit 14.4x, the 7d budget is used up 15 times"
    )
    assert (finding.messages, finding.matching) == (1400, 420)


def test_a_slow_burn_is_a_warning_and_a_burst_that_is_over_says_nothing() -> None:
    slow = only(evaluated(burning(0.03, 17 * 60, 100), NOW - 7 * DAY, kind="slo", objective="98%"))
    assert (slow.breached, slow.threshold, slow.value) == (1, 1.0, 1.5)
    assert slow.why.startswith("burns too fast: 1.5x over 16h48m and 1.5x over 1h24m, limit 1x, ")
    burst = [row | {"date": row["date"] - 8 * MINUTE} for row in burning(0.5, 6)] + burning(0, 8)
    assert only(evaluated(burst, NOW - 14 * MINUTE, kind="slo", objective="98%")).breached == 0


def test_what_is_left_of_the_budget_takes_the_unknown_past_as_faultless() -> None:
    rows = burning(0.02, 14) + burning(0, 0)
    half = only(evaluated(rows, NOW - 84 * HOUR, kind="slo", objective="98%"))
    assert "50% of the 7d budget is left" in half.why
    whole = only(evaluated(rows, NOW - 7 * DAY, kind="slo", objective="98%"))
    assert whole.why.endswith("the 7d budget is used up")


def test_a_burn_does_not_end_because_messages_stop() -> None:
    group, rule = (("operator", "Cosmote"),), {"kind": "slo", "objective": "98%", "by": ["operator"]}
    rows = burning(0.5, 14) + [row | {"date": row["date"] - 14 * MINUTE} for row in burning(0, 16 * 60)]
    for later in (5 * MINUTE, 20 * MINUTE, 2 * HOUR):
        quiet = evaluated(rows, NOW - 7 * DAY, at=NOW + later, known=[group], **rule).of(group)
        assert quiet.breached is None
        assert quiet.why.startswith("not enough data: no messages in the short window")
        good = [row | {"date": row["date"] + later} for row in burning(0, 3)]
        assert evaluated(rows + good, NOW - 7 * DAY, at=NOW + later, known=[group], **rule).of(group).breached == 0
    assert evaluated(rows, NOW - 7 * DAY, at=NOW + 5 * MINUTE, **rule).of(group).breached == 0, (
        "there is no alert to keep"
    )


def test_one_severity_makes_one_level() -> None:
    finding = only(evaluated(burning(0.3, 14), NOW - 14 * MINUTE, kind="slo", objective="98%", severity="page"))
    assert finding.breached == 1


def test_an_objective_without_history_or_messages_is_not_enough_data() -> None:
    rule: dict[str, Any] = {"kind": "slo", "objective": "98%", "min_messages": 5000}
    assert "14m back" in only(evaluated(burning(0.3, 14), NOW - 13 * MINUTE, **rule)).why
    assert only(evaluated(burning(0.3, 14), NOW - HOUR, **rule)).breached is None
    assert only(evaluated([], kind="slo", objective="98%")).breached is None
    assert evaluated([], kind="slo", objective="98%", by=["operator"]).of((("operator", "X"),)).breached is None
