"""A backtest counts the notifications that the daemon would have sent: incidents and groups are grouped as the daemon groups them."""

import json
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner
from past_traffic import EVERY, polled, traffic

from monitor.cli import cli
from monitor.config.rules import load_rules
from monitor.model.notification import Notification
from monitor.routing.route import Route
from monitor.runtime.clock import HOUR, MINUTE, format_duration, iso
from monitor.store.sqlite import open_sqlite

RULES = """
rules:
  - {name: Operator, kind: rate, by: [operator, country], window: 10m, above: 20%, min_messages: 20, for: 2m, incident: {}}
  - {name: Country, kind: rate, by: [country], window: 10m, above: 20%, min_messages: 20, for: 3m, incident: {}}
  - {name: Everything, kind: rate, window: 10m, above: 18%, min_messages: 20, for: 4m, incident: {}}
  - {name: Alone, kind: rate, by: [operator], window: 5m, above: 30%, min_messages: 10}
  - {name: Slow, kind: latency, by: [operator], percentile: 90, window: 10m, above: 2m, min_messages: 10, keep_firing_for: 5m}
"""
CONFIG = """
accounts: [{name: main, application_id: a, application_secret: b}]
searches: [{name: outbound, every: 30s}]
rules: [rules.yaml]
store: sqlite:monitor.db
receivers: [{name: ops, console: [{}]}]
route: {receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 1m, repeat_interval: 1h}
"""
ROUTE = Route("ops", ("alertname",), 0, MINUTE, HOUR)
HOURS = 3


def backtest(folder: Path, since: str, *words: str) -> Any:
    arguments = [
        "backtest",
        "--config",
        str(folder / "monitor.yaml"),
        "--since",
        since,
        "--every",
        format_duration(EVERY),
    ]
    return CliRunner().invoke(cli, [*arguments, *words])


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, list[Notification]]:
    """A folder whose daemon lived through three hours, since when, and what it sent. For reading only."""
    folder = tmp_path_factory.mktemp("lived")
    (folder / "rules.yaml").write_text(RULES)
    (folder / "monitor.yaml").write_text(CONFIG)
    rules = load_rules([folder / "rules.yaml"])
    polls = trio.run(polled, folder / "monitor.db", traffic(7, HOURS), rules, HOURS, ROUTE)
    store = open_sqlite(folder / "monitor.db", read_only=True)
    sent = [row.notification for row in store.outbox_rows(limit=100_000)]
    store.close()
    return folder, iso(polls[0]), sent


def test_as_many_as_the_daemon_sent(lived: tuple[Path, str, list[Notification]]) -> None:
    folder, since, sent = lived
    first = [one for one in sent if one.reason == "first"]
    found = json.loads(backtest(folder, since, "--json").stdout)
    assert (found["notifications"], found["notifications_with_changes"]) == (len(first), len(sent))
    episodes = {
        one.episode: {view.rule for each in sent if each.episode == one.episode for view in each.alerts}
        for one in first
    }
    live = {
        name: sum(name in rules for rules in episodes.values())
        for name in ("Operator", "Country", "Everything", "Alone", "Slow")
    }
    assert {rule["rule"]: rule["notifications"] for rule in found["rules"]} == live
    alerts = sum(rule["total"] for rule in found["rules"])
    assert 0 < found["notifications"] < alerts, "an incident of several alerts is one notification"
    assert min(live.values()) >= 1
    assert found["notifications_a_week"] is None, "a few hours say nothing about a week"


def test_a_changed_rule_stands_in_the_place_of_the_original(lived: tuple[Path, str, list[Notification]]) -> None:
    folder, since, _ = lived
    found = json.loads(backtest(folder, since, "--json", "--set", "Alone.above=99%").stdout)
    rules = {(rule["rule"], rule["variant"]): rule for rule in found["rules"]}
    original, changed = rules["Alone", None], rules["Alone", "above=99%"]
    assert changed["notifications"] == 0 < original["notifications"]
    assert original["notifications_in_all"] == found["notifications"]
    assert changed["notifications_in_all"] == found["notifications"] - original["notifications"]


def test_people_read_it_in_text_and_on_the_page(lived: tuple[Path, str, list[Notification]], tmp_path: Path) -> None:
    folder, since, sent = lived
    shown = backtest(folder, since, "--html", str(tmp_path / "page.html"), "--set", "Alone.above=99%").stdout
    first = sum(one.reason == "first" for one in sent)
    sentence = f"People would have got {first} notifications; {len(sent) - first} further messages about changes, repeats and ends."
    assert sentence in shown.splitlines()
    assert ", in 1 notification, firing for" in shown
    page = (tmp_path / "page.html").read_text()
    assert f"<p>{sentence}</p>" in page
    assert "<th>notifications</th>" in page
