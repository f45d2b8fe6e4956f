"""Rate, count and spike against naive oracles, and the cases that people argue about."""

from math import sqrt
from statistics import NormalDist, median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.kinds import EvaluationInput, RuleResult, evaluate
from monitor.config.rules import rule_of
from monitor.model.batch import batch_of
from monitor.model.finding import Finding
from monitor.model.message import FAILURES, FINAL
from monitor.runtime.clock import DAY, HOUR, MINUTE
from monitor.window import Window, WindowReader

NOW = 100 * DAY
FOREVER = -(1 << 60)
OPERATORS = ("Cosmote", "Vodafone", "Wind")


def evaluated(rows: list[dict[str, Any]], covered_since: int = FOREVER, known: Any = (), **rule: Any) -> RuleResult:
    window = Window("main")
    window.upsert(batch_of([row | {"messageId": f"m{i}"} for i, row in enumerate(rows)]), "all")
    return evaluate(rule_of({"name": "R"} | rule), EvaluationInput(WindowReader(window), NOW, covered_since, known))


def by_operator(rule_result: RuleResult) -> dict[str, Finding]:
    return {finding.group[0][1]: finding for finding in rule_result.findings()}


def only(rule_result: RuleResult) -> Finding:
    (finding,) = rule_result.findings()
    return finding


def sent(count: int, at: int = NOW, **fields: Any) -> list[dict[str, Any]]:
    return [{"date": at, "status": "Delivered", "operator": "Cosmote"} | fields] * count


def test_a_group_is_found_alike_whether_few_or_many_are_asked_for() -> None:
    names = [f"op{number}" for number in range(60)]
    rows = [row for name in names for row in sent(len(name), operator=name)]
    rule_result = evaluated(rows, kind="count", by=["operator"], window="1h", above=3)
    for _ in range(2):
        for name in [*names, "nobody"]:
            finding = rule_result.of((("operator", name),))
            assert (finding.group, finding.value) == ((("operator", name),), len(name) if name != "nobody" else 0)
    assert rule_result.of((("country", "GR"),)).group == (("country", "GR"),)


messages = st.lists(
    st.fixed_dictionaries(
        {
            "date": st.integers(NOW - 4 * HOUR, NOW + MINUTE) | st.sampled_from([NOW, NOW - HOUR, NOW - 2 * HOUR]),
            "status": st.sampled_from(["Queued", "Sent", "Delivered", "Undelivered", "Failed"]),
            "operator": st.sampled_from(OPERATORS),
            "latency": st.sampled_from([None, 5.0, 90.0]),
        }
    ),
    max_size=40,
)


@given(messages, st.sampled_from(["final", "all"]), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_rate_is_the_naive_share_of_each_group(rows: list[dict[str, Any]], of: str, least: int) -> None:
    rule = {"kind": "rate", "by": ["operator"], "window": "1h", "above": "25%", "of": of, "min_messages": least}
    found = by_operator(evaluated(rows, **rule, receipts_within="60s"))
    for operator in OPERATORS:
        mine = [
            row
            for row in rows
            if row["operator"] == operator
            and NOW - HOUR < row["date"] <= NOW
            and (of == "all" or row["status"] in FINAL)
            and (row["latency"] or 0) <= 60
        ]
        bad = sum(row["status"] in FAILURES for row in mine)
        assert (operator in found) == bool(mine)
        if mine:
            expected = None if len(mine) < least else int(bad / len(mine) > 0.25)
            assert (found[operator].value, found[operator].breached) == (bad / len(mine), expected)


@given(messages)
@settings(max_examples=60, deadline=None)
def test_spike_of_a_count_is_the_naive_change(rows: list[dict[str, Any]]) -> None:
    rule = {"kind": "spike", "by": ["operator"], "window": "1h", "above": "2x", "match": {"status": "Undelivered"}}
    found = by_operator(evaluated(rows, **rule, baseline={"window": "2h", "ago": "1h"}))
    for operator in found:
        mine = [r["date"] for r in rows if r["operator"] == operator and r["status"] == "Undelivered"]
        now = sum(NOW - HOUR < date <= NOW for date in mine)
        usual = sum(NOW - 3 * HOUR < date <= NOW - HOUR for date in mine) / 2
        assert (found[operator].value, found[operator].baseline) == (now, usual)
        assert found[operator].breached == int(now > 2 * usual)


def test_a_share_exactly_at_the_threshold_does_not_cross_it() -> None:
    rows = sent(4) + sent(1, status="Failed")
    rule: dict[str, Any] = {"kind": "rate", "window": "15m"}
    assert only(evaluated(rows, **rule, above="20%")).breached == 0
    assert only(evaluated(rows, **rule, above="19%")).breached == 1
    assert only(evaluated(rows, **rule, below="20%")).breached == 0


def test_confidence_needs_the_bound_to_cross_and_says_so() -> None:
    rows = sent(35) + sent(15, status="Failed")
    finding = only(evaluated(rows, kind="rate", window="15m", above="20%", confidence="99%"))
    z, n, p = NormalDist().inv_cdf(0.99), 50, 0.3
    bound = (p + z * z / (2 * n) - z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)
    assert bound < 0.2 < finding.value  # type: ignore[operator]  # a share, since there are messages
    assert finding.breached == 0
    assert "99% confidence" in finding.why
    assert only(evaluated(rows * 10, kind="rate", window="15m", above="20%", confidence="99%")).breached == 1


def test_few_messages_are_not_enough_data_and_say_how_many() -> None:
    finding = only(evaluated(sent(3, status="Failed"), kind="rate", window="15m", above="20%", min_messages=50))
    assert finding.breached is None
    assert "3 messages" in finding.why
    assert "50" in finding.why


def test_a_known_group_without_messages_is_judged_too() -> None:
    group = (("operator", "Cosmote"),)
    rate = evaluated([], known=[group], kind="rate", window="15m", above="20%", by=["operator"]).of(group)
    count = evaluated([], known=[group], kind="count", window="15m", above=5, by=["operator"]).of(group)
    assert (rate.breached, rate.value) == (None, None)
    assert (count.breached, count.value) == (0, 0.0)


def test_count_levels_and_the_threshold_that_goes_with_them() -> None:
    levels = [{"above": 10, "severity": "warning"}, {"above": 20, "severity": "critical"}]
    for number, breached, threshold in [(10, 0, 10), (15, 1, 10), (21, 2, 20)]:
        finding = only(evaluated(sent(number), kind="count", window="15m", levels=levels))
        assert (finding.breached, finding.threshold, finding.value) == (breached, threshold, number)


def test_count_below_speaks_of_groups_that_fell_silent_but_not_of_unknown_times() -> None:
    rows = sent(9, NOW - 3 * HOUR) + sent(2, operator="Wind")
    rule: dict[str, Any] = {"kind": "count", "window": "1h", "below": 2, "by": ["operator"]}
    found = by_operator(evaluated(rows, **rule))
    assert {name: finding.breached for name, finding in found.items()} == {"Cosmote": 1, "Wind": 0}
    warming = by_operator(evaluated(rows, NOW - MINUTE, **rule))
    assert all(finding.breached is None for finding in warming.values())
    assert only(evaluated([], kind="count", window="1h", below=2)).breached == 1


def test_a_spike_against_the_same_hour_takes_the_median_of_the_days_that_are_known() -> None:
    counts = [4, 100, 6, 5, 7, 3, 8]
    rows = [row for day, count in enumerate(counts, 1) for row in sent(count, NOW - day * DAY)] + sent(20)
    rule: dict[str, Any] = {"kind": "spike", "window": "1h", "above": "3x", "baseline": {"same_hour": "7d"}}
    finding = only(evaluated(rows, **rule))
    assert (finding.baseline, finding.value, finding.breached) == (median(counts), 20, 1)
    assert only(evaluated(rows, NOW - 3 * DAY - 2 * HOUR, **rule)).baseline == median(counts[:3])
    assert only(evaluated(rows, NOW - 2 * DAY, **rule)).breached is None


def test_a_spike_of_a_rate_compares_shares() -> None:
    before = sent(95, NOW - HOUR) + sent(5, NOW - HOUR, status="Failed")
    rule: dict[str, Any] = {
        "kind": "spike",
        "measure": "rate",
        "window": "15m",
        "baseline": {"window": "1h", "ago": "15m"},
    }
    finding = only(evaluated(before + sent(8) + sent(2, status="Failed"), **rule, above="+100%"))
    assert (finding.value, finding.baseline, finding.breached) == (0.2, 0.05, 1)
    assert finding.change == pytest.approx(4)


def test_sigma_allows_for_chance_and_for_a_restless_past() -> None:
    rule: dict[str, Any] = {"kind": "spike", "window": "1h", "above": "4 sigma", "baseline": {"same_hour": "7d"}}
    calm = [row for day in range(1, 8) for row in sent(100, NOW - day * DAY)]
    # 700 of 7 days are known to 4% only: the chance of 147 or more of 847 in one of 8 days is 4 sigma (of a known 100: 143).
    assert only(evaluated(calm + sent(146), **rule)).breached == 0
    assert only(evaluated(calm + sent(147), **rule)).breached == 1
    restless = [row for day in range(1, 8) for row in sent(40 * day, NOW - day * DAY)]
    assert only(evaluated(restless + sent(400), **rule)).breached == 0


@pytest.mark.parametrize(("side", "numbers"), [("above", {110: 0, 130: 1, 200: 2}), ("below", {95: 0, 72: 1, 20: 2})])
def test_the_milder_of_two_levels_in_sigma_is_crossed_by_itself(side: str, numbers: dict[int, int]) -> None:
    levels = [{side: "4 sigma", "severity": "critical"}, {side: "2 sigma", "severity": "warning"}]
    rule: dict[str, Any] = {"kind": "spike", "window": "1h", "levels": levels, "baseline": {"same_hour": "7d"}}
    calm = [row for day in range(1, 8) for row in sent(100, NOW - day * DAY)]
    for number, breached in numbers.items():
        finding = only(evaluated(calm + sent(number), **rule))
        assert finding.breached == breached, finding.why


def test_a_value_never_seen_in_the_baseline_crosses_every_factor_and_has_none_itself() -> None:
    finding = only(evaluated(sent(5), kind="spike", window="1h", above="3x", baseline={"window": "1h", "ago": "1h"}))
    assert (finding.change, finding.breached) == (None, 1)


SHARES: dict[str, Any] = {
    "kind": "spike",
    "measure": "rate",
    "window": "15m",
    "baseline": {"window": "1h", "ago": "15m"},
}


def test_a_share_without_any_in_the_baseline_is_not_enough_data() -> None:
    finding = only(evaluated(sent(5, status="Failed"), **SHARES, above="+25%"))
    assert (finding.value, finding.breached) == (1.0, None)
    assert finding.why == "not enough data: 0 messages in the baseline, min_baseline is 1"


def test_a_group_of_a_share_that_is_gone_is_not_called_well() -> None:
    rule = SHARES | {"by": ["operator"], "above": "+25%"}
    gone = evaluated([], **rule).of((("operator", "Cosmote"),))
    assert (gone.value, gone.breached) == (None, None)
    counted = evaluated([], **(rule | {"measure": "count"})).of((("operator", "Cosmote"),))
    assert (counted.value, counted.breached) == (0.0, 0)


@pytest.mark.parametrize(
    ("now", "threshold"), [(115, {"above": "+15%"}), (55, {"below": "0.55x"}), (110, {"above": "1.1x"})]
)
def test_a_change_exactly_at_the_threshold_does_not_cross_it(now: int, threshold: dict[str, str]) -> None:
    rows = sent(100, NOW - 90 * MINUTE) + sent(now)
    rule: dict[str, Any] = {"kind": "spike", "window": "1h", "baseline": {"window": "1h", "ago": "1h"}}
    finding = only(evaluated(rows, **rule, **threshold))
    assert (finding.value, finding.threshold, finding.breached) == (now, now, 0)


def test_min_baseline_and_min_messages_guard_a_spike() -> None:
    rule: dict[str, Any] = {"kind": "spike", "window": "1h", "above": "3x", "baseline": {"window": "1h", "ago": "1h"}}
    rows = sent(2, NOW - 90 * MINUTE) + sent(20)
    assert only(evaluated(rows, **rule)).breached == 1
    assert only(evaluated(rows, **rule, min_messages=21)).breached is None
    assert only(evaluated(rows, **rule, min_baseline=3)).breached is None


@pytest.mark.parametrize("limit", [{"above": "3x"}, {"below": "0.5x"}, {"above": "4 sigma"}, {"below": "4 sigma"}])
@pytest.mark.parametrize("measure", ["count", "rate"])
@pytest.mark.parametrize("now", [0, 1, 29])
def test_a_few_messages_say_nothing_of_a_spike_whether_or_not_it_is_crossed(
    now: int, measure: str, limit: dict[str, str]
) -> None:
    rule: dict[str, Any] = {"kind": "spike", "window": "1h", "baseline": {"window": "1h", "ago": "1h"}} | limit
    for before in (10, 28, 100):
        rows = sent(before, NOW - 90 * MINUTE) + sent(now)
        rule_result = evaluated(rows, **rule, measure=measure, min_messages=30, by=["operator"])
        finding = rule_result.of((("operator", "Cosmote"),))
        assert finding.breached is None
        assert f"{now} message" in finding.why
        assert finding.why.endswith("now, min_messages is 30")
    nothing = evaluated([], **rule, measure=measure, min_messages=30, by=["operator"])
    assert nothing.of((("operator", "Cosmote"),)).breached is None


def test_a_spike_downwards_sees_a_group_that_vanished() -> None:
    rows = sent(50, NOW - 90 * MINUTE)
    rule: dict[str, Any] = {"kind": "spike", "window": "1h", "below": "-25%", "baseline": {"window": "1h", "ago": "1h"}}
    finding = by_operator(evaluated(rows, **rule, by=["operator"], min_baseline=10))["Cosmote"]
    assert (finding.value, finding.breached) == (0.0, 1)


def test_where_search_and_grouping_by_recipient() -> None:
    rows = sent(3, country="GR", to="+306912345678") + sent(2, country="IT", to="+306912345699")
    found = evaluated(rows, kind="count", window="1h", above=1, where={"country": "GR"}, by=["to"])
    (finding,) = found.findings()
    assert finding.value == 3
    assert finding.group[0][1].startswith("+30691•••••78#")
    assert not list(evaluated(rows, kind="count", window="1h", above=1, search="other", by=["to"]).findings())
