"""Thresholds: shares, numbers and changes, and what is no threshold at all."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.kinds import kind_of
from monitor.config.rules import BaselineChange, load_rules, rule_of
from monitor.config.rules.threshold import parse_change, parse_number, parse_share
from monitor.runtime.errors import InputError


@pytest.mark.parametrize(
    ("text", "share"), [("20%", 0.2), ("0.1 %", 0.001), ("100%", 1.0), ("12.5%", 0.125), ("7%", 0.07)]
)
def test_a_share_is_exact(text: str, share: float) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (30, "30%"),
        (0.3, "30%"),
        ("30", "30%"),
        ("0.3", "30%"),
        (1, "1% or 100%"),
        (200, "20%"),
        ("x", "20%"),
        (True, "20%"),
        (None, "20%"),
    ],
)
def test_anything_else_is_no_share_and_the_right_form_is_named(value: object, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_share(value)


@pytest.mark.parametrize("value", ["20%", "5", -1, True, None, float("inf"), float("nan")])
def test_what_is_no_number(value: object) -> None:
    with pytest.raises(ValueError):
        parse_number(value)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{kind: rate, window: 1h, above: 0.2}", "a share is written in percent: 20%, not 0.2"),
        ("{kind: rate, window: 1h, above: '0.2'}", "a share is written in percent: 20%, not 0.2"),
        ("{kind: rate, window: 1h, above: 20%, confidence: 0.95}", "95%, not 0.95"),
        ("{kind: rate, window: 1h, above: 20%, confidence: 0.95%}", "for 0.95 of 1, write 95%"),
        ("{kind: rate, window: 1h, levels: [{above: 0.1, severity: info}]}", "10%, not 0.1"),
        ("{kind: count, window: 1h, above: 0.2}", "use the kind rate, and write 20%"),
        ("{kind: count, window: 1h, below: '100'}", "write 100, without quotes"),
        ("{kind: count, window: 1h, levels: [{above: 0.1, severity: info}]}", "use the kind rate, and write 10%"),
        ("{kind: distinct, field: to, window: 1h, above: 0.2}", "use the kind rate"),
        ("{kind: count, window: 1h, above: 1_000}", "write 1000, without separators"),
        ("{kind: count, window: 1h, above: '1,500,000'}", "write 1500000, without separators"),
        ("{kind: cost, window: 1h, above: 100 EUR}", "write 100, without quotes and without a unit"),
        ("{kind: cost, window: 1h, above: 9, min_priced: 0.5}", "50%, not 0.5"),
        ("{kind: latency, window: 1h, above: 30}", "like 30s or 30m, not 30"),
        ("{kind: latency, window: 1h, above: '30'}", "like 30s or 30m, not 30"),
        ("{kind: latency, window: 1h, above: 0.5}", "in whole seconds with its unit, 1s or more"),
        ("{kind: latency, window: 1h, above: 30s, percentile: 95%}", "write 95, not '95%'"),
        ("{kind: latency, window: 1h, above: 30s, percentile: p95}", "write 95, not 'p95'"),
        ("{kind: stuck, older_than: 1m, above: 0.05}", "write 5%"),
        ("{kind: stuck, older_than: 15, above: 5}", "should be a duration like 30s"),
        ("{kind: spike, window: 1h, baseline: {window: 1h, ago: 1h}, above: '3'}", "is written 3x"),
        ("{kind: spike, window: 1h, baseline: {window: 1h, ago: 1h}, below: -25}", "is written -25%"),
        ("{kind: spike, window: 1h, baseline: {window: 1h, ago: 1h}, above: 25%}", "is written +25% or -25%"),
        ("{kind: slo, objective: 0.98}", "98%, not 0.98"),
        ("{kind: slo, objective: 98}", "98%, not 98"),
        ("{kind: slo, objective: 0.98%}", "write 98%"),
        ("{kind: slo, objective: 2%}", "if 2% may fail, write 98%"),
        ("{kind: campaign, failure_above: 0.2}", "20%, not 0.2"),
        ("{kind: campaign, short_below: 0.85}", "85%, not 0.85"),
        ("{kind: balance, lasts_below: 2}", "like 2s or 2m, not 2"),
        ("{kind: balance, below: 2d}", "lasts_below: 2d"),
    ],
)
def test_a_slip_of_the_unit_is_an_error_that_says_what_to_write(tmp_path: Path, written: str, said: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(f"rules: [{written.replace('{', '{name: A, ', 1)}]")
    with pytest.raises(InputError) as caught:
        load_rules([path], {})
    (problem,) = caught.value.problems
    assert said in problem.message


def test_money_may_be_less_than_one() -> None:
    assert rule_of({"name": "A", "kind": "cost", "window": "1h", "above": 0.2}).levels_[0].limit == 0.2


@pytest.mark.parametrize(
    ("text", "change", "size"),
    [
        ("3x", BaselineChange("factor", 3.0), 3.0),
        ("0.5x", BaselineChange("factor", 0.5), 0.5),
        ("+25%", BaselineChange("relative", 0.25), 1.25),
        ("-25%", BaselineChange("relative", -0.25), 0.75),
        ("4 sigma", BaselineChange("sigma", 4.0), 4.0),
    ],
)
def test_a_change_has_a_form_and_an_amount(text: str, change: BaselineChange, size: float) -> None:
    assert parse_change(text) == change
    assert change.size == size
    assert parse_change(str(change)) == change


BASELINE = {"baseline": {"window": "1h", "ago": "1h"}}


@pytest.mark.parametrize("is_mild_first", [True, False])
@pytest.mark.parametrize(
    ("kind", "side", "mild", "severe"),
    [
        ({"kind": "rate"}, "above", "10%", "20%"),
        ({"kind": "rate"}, "below", "90%", "80%"),
        ({"kind": "count"}, "above", 10, 20),
        ({"kind": "count"}, "below", 20, 10),
        ({"kind": "distinct", "field": "to"}, "below", 20, 10),
        ({"kind": "cost"}, "below", 2.5, 1),
        ({"kind": "latency"}, "above", "30s", "2m"),
        ({"kind": "latency"}, "below", "2m", "30s"),
        ({"kind": "stuck", "older_than": "1m"}, "above", "5%", "10%"),
        ({"kind": "balance"}, "below", 100, 50),
        ({"kind": "balance"}, "lasts_below", "2d", "6h"),
        *[
            ({"kind": "spike"} | BASELINE, side, mild, severe)
            for side, mild, severe in [
                ("above", "2x", "3x"),
                ("above", "+50%", "2x"),
                ("above", "2 sigma", "4 sigma"),
                ("below", "0.5x", "0.25x"),
                ("below", "-25%", "-50%"),
                ("below", "-25%", "0.5x"),
                ("below", "2 sigma", "4 sigma"),
            ]
        ],
    ],
)
def test_levels_are_ordered_from_the_mildest_however_they_are_written(
    kind: dict[str, object], side: str, mild: object, severe: object, is_mild_first: bool
) -> None:
    levels = [{side: mild, "severity": "warning"}, {side: severe, "severity": "critical"}]
    rule = rule_of({"name": "A", "window": "1h", "levels": levels if is_mild_first else levels[::-1]} | kind)
    assert [level.severity for level in rule.levels_] == ["warning", "critical"]
    tuning = kind_of(rule).tuning
    if tuning.thresholds(rule):
        mildest = tuning.thresholds(rule)[0]
        assert mildest.path[:2] == ("levels", 0 if is_mild_first else 1)


@given(st.text(max_size=10) | st.integers() | st.floats() | st.none())
def test_what_cannot_be_read_is_a_value_error(value: object) -> None:
    for parse in (parse_share, parse_number, parse_change):
        with suppress(ValueError):
            parse(value)
