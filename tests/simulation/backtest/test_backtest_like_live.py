"""A backtest over what a daemon has stored finds the alerts that the daemon raised, to the second."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from past_traffic import START, polled, traffic

from monitor.cli import cli
from monitor.config.rules import load_rules
from monitor.model.alert import fingerprint
from monitor.runtime.clock import HOUR, SECOND, format_duration, iso
from monitor.store.sqlite import open_sqlite

RULES = """
rules:
  - name: OperatorFailureRate
    kind: rate
    by: [operator, country]
    window: 15m
    levels: [{above: 20%, severity: warning}, {above: 45%, severity: critical}]
    min_messages: 20
    for: 2m
    keep_firing_for: 5m
  - {name: Fresh, kind: rate, by: [operator], receipts_within: 10s, window: 10m, above: 25%, confidence: 90%}
  - {name: Waiting, kind: count, by: [operator], match: {status: Sent}, window: 30m, above: 8, for: 1m}
  - name: Reasons
    kind: spike
    by: [detailedStatus]
    where: {status: Undelivered}
    window: 10m
    baseline: {window: 1h, ago: 10m}
    above: 3x
    min_messages: 8
  - {name: Parts, kind: count, unit: parts, window: 5m, above: 110}
  - {name: Silent, kind: count, by: [operator], window: 5m, below: 3, limit: 1}
"""
KINDS = """
rules:
  - {name: Slow, kind: latency, by: [operator], percentile: 90, window: 10m, above: 2m, min_messages: 10}
  - {name: Quick, kind: latency, by: [operator], percentile: 50, window: 5m, above: 4s, receipts_within: 20s, for: 1m}
  - {name: Stuck, kind: stuck, by: [operator], window: 30m, older_than: 3m, above: 6}
  - name: StuckShare
    kind: stuck
    window: 20m
    older_than: 2m
    levels: [{above: 5%, severity: warning}, {above: 15%, severity: critical}]
    min_messages: 30
  - {name: Silence, kind: absence, by: [operator], window: 6m, active_in: 1h, min_baseline: 30, keep_firing_for: 2m}
  - {name: NewSender, kind: new_value, field: from, by: [operator], window: 15m, seen_in: 2h, min_messages: 3}
  - {name: Spending, kind: cost, by: [operator], window: 10m, levels: [{above: 2, severity: info}, {above: 5, severity: warning}]}
  - {name: Unspent, kind: cost, by: [operator], window: 5m, below: 0.5}
  - {name: Recipients, kind: distinct, field: to, window: 5m, above: 60, for: 1m}
  - {name: FewSenders, kind: distinct, field: from, by: [operator], window: 10m, below: 2}
  - {name: Objective, kind: slo, objective: 90%, period: 1d, by: [operator], min_messages: 3}
  - {name: Shifted, kind: shift, by: [from], learn: 1h, for: 1m}
  - {name: Slower, kind: shift, event: slow, by: [operator], learn: 1h}
  - {name: Watch, kind: campaign, failure_above: 20%, stalled_for: 10m, ended: report, min_messages: 50}
"""
CONFIG = """
accounts: [{name: main, application_id: a, application_secret: b}]
searches: [{name: outbound, every: 30s}]
rules: [rules.yaml]
store: sqlite:monitor.db
"""
HOURS = 3
EVERY = 45 * SECOND
WHAT = {"fired": "fired", "escalated": "changed", "eased": "changed", "resolved": "resolved"}


@pytest.mark.parametrize("rules", [pytest.param(RULES, id="rate-count-spike"), pytest.param(KINDS, id="other-kinds")])
async def test_live_and_backtest_give_the_same_alerts(rules: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(rules)
    (tmp_path / "monitor.yaml").write_text(CONFIG)
    polls = await polled(
        tmp_path / "monitor.db", traffic(7, HOURS), load_rules([tmp_path / "rules.yaml"]), HOURS, every=EVERY
    )
    store = open_sqlite(tmp_path / "monitor.db", read_only=True)
    live = {
        (one.rule, one.fingerprint, WHAT[one.what], iso(one.at), one.because if one.what == "resolved" else "")
        for one in store.transitions(100_000)
        if one.what in WHAT
    }
    told = {
        (view.fingerprint, iso(view.starts_at), iso(view.ends_at), view.peak)
        for outbox_row in store.outbox_rows(limit=100_000)
        for view in outbox_row.notification.alerts
        if view.ends_at is not None and view.resolved_because != "moved"
    }
    store.close()

    since, every = iso(polls[0]), format_duration(EVERY)
    words = ["backtest", "--config", str(tmp_path / "monitor.yaml"), "--since", since, "--every", every, "--json"]
    found = json.loads(CliRunner().invoke(cli, words).stdout)
    again, peaks = set(), set()
    for rule in found["rules"]:
        for alert in rule["alerts"]:
            mark = fingerprint("main", rule["rule"], tuple(alert["labels"].items()))
            begun, *changes = [change["at"] for change in alert["severities"]]
            assert begun == alert["firing_at"]
            again.add((rule["rule"], mark, "fired", begun, ""))
            again |= {(rule["rule"], mark, "changed", at, "") for at in changes}
            if alert["resolved_at"]:
                again.add((rule["rule"], mark, "resolved", alert["resolved_at"], alert["because"]))
                peaks.add((mark, alert["firing_at"], alert["resolved_at"], alert["peak"]))
    assert again == live
    assert told, "values are compared too"
    assert told <= peaks  # to the last digit: money is summed in whole billionths, so that the order does not matter
    names = {rule.name for rule in load_rules([tmp_path / "rules.yaml"])}
    assert {(rule, what) for rule, _, what, *_ in live} >= {(r, what) for r in names for what in ("fired", "resolved")}
    assert (found["since"], found["until"]) == (iso(START), iso(START + HOURS * HOUR))
