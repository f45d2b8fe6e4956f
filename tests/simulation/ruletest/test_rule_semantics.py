"""Small histories whose right values follow from docs/rules.md alone: limits, levels, prices and exact thresholds."""

from pathlib import Path

import pytest

from monitor.simulation.ruletest import load_suites, run_test


def failures(folder: Path, rule: str, test: str) -> str:
    """What the test says is wrong; empty where all is as expected."""
    (folder / "rules.yaml").write_text(f"rules:\n  - {{{rule}}}\n")
    (folder / "tests.yaml").write_text(f"rules: [rules.yaml]\ntests:\n  - name: a history\n    every: 1m\n{test}")
    (suite,) = load_suites([str(folder / "tests.yaml")], {})
    return run_test(suite, 0).message


LEVELS = "levels: [{above: 4, severity: warning}, {above: 9, severity: critical}]"


def test_a_group_that_was_held_back_begins_at_the_level_that_it_crosses_now(tmp_path: Path) -> None:
    rule = f"name: L, kind: count, by: [operator], window: 2m, {LEVELS}, limit: 1, keep_firing_for: 30m"
    test = """
    messages:
      - {at: 1s, during: 10m, rate: 20, operator: Top}
      - {at: 1s, during: 8m, rate: 6, operator: Other}
      - {at: 8m1s, during: 10m, rate: 3, operator: Other}
    expect:
      - {at: 9m, rule: L, alerts: [{labels: {operator: Top}, severity: critical}]}
      - {at: 14m, rule: L, alerts: [{labels: {operator: Other}, severity: warning}]}
"""
    assert failures(tmp_path, rule, test) == ""


def test_a_group_that_has_recovered_gives_its_place_to_one_that_is_over_the_threshold(tmp_path: Path) -> None:
    rule = (
        "name: K, kind: rate, by: [operator], window: 5m, above: 30%, min_messages: 10, limit: 1, keep_firing_for: 6h"
    )
    test = """
    messages:
      - {at: 0m, count: 30, operator: Was, status: Failed}
      - {at: 0m, during: 1h, rate: 29, operator: Was, status: Failed}
      - {at: 0m, during: 1h, rate: 71, operator: Was}
      - {at: 8m, during: 1h, rate: 34, operator: Bad, status: Failed}
      - {at: 8m, during: 1h, rate: 66, operator: Bad}
    expect:
      - {at: 1m, rule: K, alerts: [{labels: {operator: Was}}]}
      - {at: 20m, rule: K, alerts: [{labels: {operator: Bad}}]}
"""
    assert failures(tmp_path, rule, test) == ""


@pytest.mark.parametrize("free", ["direction: Inbound", "direction: Outbound, status: Unsent"])
def test_prices_of_what_needs_none_say_nothing_of_those_that_are_missing(tmp_path: Path, free: str) -> None:
    test = f"""
    messages:
      - {{at: -5m, count: 100, price: 1, direction: Outbound}}
      - {{at: 6m, count: 60, price: 0.01, {free}}}
      - {{at: 6m, count: 60, direction: Outbound}}
    expect:
      - {{at: 1m, rule: C, alerts: [{{value: 100}}]}}
      - {{at: 7m, rule: C, alerts: [{{status: firing}}]}}
"""
    assert failures(tmp_path, "name: C, kind: cost, window: 10m, above: 5", test) == ""


EXACT = [
    ("above: 2.5x", 1, 3, 5, 6),
    ("below: 0.5x", 2, 6, 1, 6),
    ("below: -30%", 2, 12, 7, 60),
    ("above: 1.1x", 1, 12, 11, 120),
]


@pytest.mark.parametrize(("limit", "usual", "of", "now", "among"), EXACT)
def test_a_share_that_equals_its_threshold_does_not_cross_it(
    tmp_path: Path, limit: str, usual: int, of: int, now: int, among: int
) -> None:
    rule = f"name: E, kind: spike, measure: rate, window: 10m, baseline: {{window: 10m, ago: 10m}}, {limit}"
    test = f"""
    messages:
      - {{at: 1m, count: {usual}, status: Failed}}
      - {{at: 1m, count: {of - usual}}}
      - {{at: 11m, count: {now}, status: Failed}}
      - {{at: 11m, count: {among - now}}}
    expect: [{{at: 20m, rule: E, alerts: []}}]
"""
    assert failures(tmp_path, rule, test) == ""


def test_a_share_of_the_same_hour_needs_messages_on_three_days(tmp_path: Path) -> None:
    rule = "name: Rise, kind: spike, measure: rate, by: [operator], window: 30m, baseline: {same_hour: 7d}, above: 3x"
    now = """
      - {at: 10m, count: 9, operator: Nova}
      - {at: 10m, count: 1, operator: Nova, status: Undelivered}
"""
    days = "".join(f"      - {{at: -{day * 24 - 1}h50m, count: 20, operator: Nova}}\n" for day in (1, 2, 3))
    too_few = f"""
    start: 2026-06-10T10:00:00Z
    history: 9d
    messages:
      - {{at: -71h50m, count: 20, operator: Nova}}{now}
    expect:
      - {{at: 20m, rule: Rise, alerts: [], groups: [{{labels: {{operator: Nova}}, state: not_enough_data}}]}}
"""
    enough = f"""
    start: 2026-06-10T10:00:00Z
    history: 9d
    messages:
{days}{now}
    expect:
      - {{at: 20m, rule: Rise, alerts: [{{labels: {{operator: Nova}}}}]}}
"""
    assert failures(tmp_path, rule, too_few) == ""
    assert failures(tmp_path, rule, enough) == ""


def test_a_cancelled_campaign_does_not_stall(tmp_path: Path) -> None:
    rule = "name: Stalled, kind: campaign, stalled_for: 20m, min_messages: 5"
    test = """
    messages:
      - {at: 0m, count: 6, campaignTrackingId: c, campaign: Sale}
      - {at: 0m, count: 4, campaignTrackingId: c, campaign: Sale, status: Sent}
    campaigns:
      - {at: 1m, campaignTrackingId: c, state: %s, recipients: 100}
    expect:
      - {at: 30m, rule: Stalled, alerts: [%s]}
"""
    assert failures(tmp_path, rule, test % ("Cancelled", "")) == ""
    assert failures(tmp_path, rule, test % ("Running", "{labels: {problem: stalled}}")) == ""
