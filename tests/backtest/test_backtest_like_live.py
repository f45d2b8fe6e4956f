"""A backtest over what a daemon has stored finds the alerts that the daemon raised, to the second."""

import json
from pathlib import Path

from click.testing import CliRunner
from past_traffic import EVERY, START, polled, traffic

from monitor.alert import fingerprint
from monitor.cli import cli
from monitor.clock import HOUR, format_duration, iso
from monitor.rules import load_rules
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
CONFIG = """
accounts: [{name: main, application_id: a, application_secret: b}]
searches: [{name: outbound, every: 30s}]
rules: [rules.yaml]
store: sqlite:monitor.db
"""
HOURS = 3


async def test_live_and_backtest_give_the_same_alerts(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "monitor.yaml").write_text(CONFIG)
    polls = await polled(tmp_path / "monitor.db", traffic(7, HOURS), load_rules([tmp_path / "rules.yaml"]), HOURS)
    store = open_sqlite(tmp_path / "monitor.db", read_only=True)
    live = {
        (one.rule, one.fingerprint, one.what, iso(one.at))
        for one in store.transitions(100_000)
        if one.what in ("fired", "resolved")
    }
    store.close()

    since, every = iso(polls[0]), format_duration(EVERY)
    words = ["backtest", "--config", str(tmp_path / "monitor.yaml"), "--since", since, "--every", every, "--json"]
    found = json.loads(CliRunner().invoke(cli, words).stdout)
    again = set()
    for rule in found["rules"]:
        for alert in rule["alerts"]:
            mark = fingerprint("main", rule["rule"], tuple(alert["labels"].items()))
            again.add((rule["rule"], mark, "fired", alert["firing_at"]))
            again |= {(rule["rule"], mark, "resolved", alert["resolved_at"])} if alert["resolved_at"] else set()
    assert again == live
    assert {rule for rule, *_ in live} == {"OperatorFailureRate", "Fresh", "Waiting", "Reasons", "Parts", "Silent"}
    assert (found["since"], found["until"]) == (iso(START), iso(START + HOURS * HOUR))
