"""`alerts`: what the store says fires, in a table or as Alertmanager's API v2 shows it."""

import json
import re
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import yaml
from cli_folder import Folder, poll_once
from terminal import on_terminal

from monitor.notify.render import sample_notification, sample_view
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, SystemClock, iso, parse_iso
from monitor.store.protocol import Commit, Pending, QuarantinedRecord
from monitor.store.sqlite import open_sqlite


def states(folder: Folder, *arguments: str) -> list[tuple[str, str]]:
    found = json.loads(folder.invoke("alerts", "--json", *arguments).stdout)
    return [(alert["labels"]["alertname"], alert["state"]) for alert in found]


def test_firing_and_pending_ones_are_shown(polled: Folder) -> None:
    assert states(polled) == [("OperatorFailureRate", "firing"), ("ManyMessages", "pending")]
    assert states(polled, "--state", "firing") == [("OperatorFailureRate", "firing")]
    assert states(polled, "--state", "resolved") == []
    assert len(states(polled, "--state", "all")) == 2


def test_a_report_is_shown_without_a_state_or_when_it_is_asked_for(polled: Folder, tmp_path: Path) -> None:
    folder = Folder(shutil.copytree(polled.path, tmp_path / "own"))
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        (fires,) = (alert for alert in store.load().alerts if alert.state == "firing")
        ended = msgspec.structs.replace(fires, group=(("campaign", "Autumn"), ("problem", "ended")))
        store.commit(Commit(alerts=[ended]))
    assert json.loads(folder.invoke("alerts", "--json", "--state", "report").stdout)[0]["report"] is True
    assert states(folder, "--state", "firing") == states(polled, "--state", "firing")
    assert len(states(folder)) == 3


def test_the_form_is_alertmanagers(polled: Folder) -> None:
    alert = json.loads(polled.invoke("alerts", "--json").stdout)[0]
    assert alert["labels"] == {
        "alertname": "OperatorFailureRate",
        "operator": "Cosmote",
        "country": "GR",
        "severity": "critical",
    }
    assert alert["annotations"] == {"summary": "Cosmote: 40%", "runbook_url": "https://wiki.example.org/ops"}
    assert alert["status"] == {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []}
    assert alert["receivers"] == [{"name": "ops"}]
    assert alert["generatorURL"] == "https://wiki.example.org/ops"
    assert len(alert["fingerprint"]) == 16
    assert parse_iso(alert["startsAt"]) <= parse_iso(alert["updatedAt"]) < parse_iso(alert["endsAt"])


def test_what_was_judged_long_ago_and_still_fires_has_not_ended(polled: Folder, tmp_path: Path) -> None:
    folder = Folder(shutil.copytree(polled.path, tmp_path / "own"))
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        loaded = store.load().alerts
        store.commit(Commit(alerts=[msgspec.structs.replace(one, as_of=one.as_of - HOUR) for one in loaded]))
    for alert in json.loads(folder.invoke("alerts", "--json").stdout):
        assert parse_iso(alert["updatedAt"]) < SystemClock().now() < parse_iso(alert["endsAt"])


def test_for_people_it_is_a_table(polled: Folder) -> None:
    outcome = polled.invoke("alerts")
    assert outcome.exit_code == 0
    head, firing, pending = outcome.stdout.splitlines()
    assert head.split()[:3] == ["STATE", "SEVERITY", "ALERT"]
    assert firing.split()[:3] == ["firing", "critical", "OperatorFailureRate"]
    assert pending.startswith("pending")


@pytest.mark.parametrize("milder_first", [True, False])
def test_the_worst_come_first_in_whatever_words(polled: Folder, tmp_path: Path, milder_first: bool) -> None:
    folder = Folder(shutil.copytree(polled.path, tmp_path / "own"))
    folder.rules.write_text(folder.rules.read_text().replace("severity: critical", "severity: error"))
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        severities = {
            rule["name"]: rule.get("severity", "warning") for rule in yaml.safe_load(folder.rules.read_text())["rules"]
        }
        begun = [
            msgspec.structs.replace(
                one, state="firing", level=1, firing_at=int((severities[one.rule] == "error") == milder_first)
            )
            for one in store.load().alerts
        ]
        store.commit(Commit(alerts=begun))
    _, *rows = folder.invoke("alerts").stdout.splitlines()
    assert [row.split()[1] for row in rows] == ["error", "warning"]


def test_of_several_accounts_each_alert_names_its_own(polled: Folder, tmp_path: Path) -> None:
    folder = Folder(shutil.copytree(polled.path, tmp_path / "own"))
    folder.add_account("otp")
    alone, several = (one.invoke("alerts").stdout.splitlines()[-1] for one in (polled, folder))
    assert "account=main" not in alone
    assert "account=main" in several
    assert "operator=Cosmote, country=GR, account=main" in folder.invoke("alerts").stdout
    alone, several = (" ".join(one.invoke("history", "--all").stdout.split()) for one in (polled, folder))
    assert "(main)" not in alone
    assert "OperatorFailureRate Cosmote, GR (main)" in several


TWO_LEVELS = """\
rules:
  - name: OperatorFailureRate
    kind: rate
    by: [operator]
    window: 15m
    min_messages: 30
    for: 1h
    levels: [{above: 20%, severity: warning}, {above: 35%, severity: critical}]
"""


def test_a_pending_alert_has_the_severity_of_its_threshold_and_says_when_it_fires(folder: Folder) -> None:
    folder.rules.write_text(TWO_LEVELS)
    poll_once(folder)
    [alert] = json.loads(folder.invoke("alerts", "--json").stdout)
    assert (alert["state"], alert["labels"]["severity"]) == ("pending", "critical")
    row = folder.invoke("alerts").stdout.splitlines()[1]
    fires = parse_iso(alert["startsAt"]) + HOUR
    assert row.split()[:2] == ["pending", "critical"]
    assert f"threshold 35%; fires at {iso(fires - fires % SECOND)}" in row
    why = folder.invoke("explain", "OperatorFailureRate").stdout
    assert f"; fires at {iso(fires - fires % SECOND)}" in why


def test_it_fires_at_a_poll_and_not_between_two(folder: Folder) -> None:
    folder.rules.write_text(TWO_LEVELS.replace("for: 1h", "for: 100s"))
    folder.replace(folder.config, "every: 30s", "every: 45s")
    poll_once(folder)
    [alert] = json.loads(folder.invoke("alerts", "--json").stdout)
    fires = parse_iso(alert["startsAt"]) + 135 * SECOND
    row = folder.invoke("alerts").stdout.splitlines()[1]
    assert f"; fires at {iso(fires - fires % SECOND)}" in row
    assert f"; fires at {iso(fires - fires % SECOND)}" in folder.invoke("explain", "OperatorFailureRate").stdout


OF_AN_INCIDENT = """\
rules:
  - {name: Fails, kind: rate, by: [operator], window: 15m, min_messages: 30, above: 20%, incident: {by: [country]}}
  - {name: AllFail, kind: rate, window: 15m, min_messages: 30, above: 10%, incident: {by: [country]}}
"""


def test_alerts_of_one_incident_say_so(folder: Folder) -> None:
    folder.rules.write_text(OF_AN_INCIDENT)
    poll_once(folder)
    found = json.loads(folder.invoke("alerts", "--json").stdout)
    assert sorted(alert["labels"]["alertname"] for alert in found) == ["AllFail", "Fails"]
    (incident,) = {alert["incident"] for alert in found}
    _, *rows = folder.invoke("alerts").stdout.splitlines()
    assert all(row.endswith(f"; incident {incident}") for row in rows)
    assert {one["incident"] for one in json.loads(folder.invoke("history", "--json").stdout)} == {incident}
    assert folder.invoke("history").stdout.count(f"incident {incident}") == 2
    said = folder.invoke("explain", "Fails").stdout
    assert "Its alerts are of incidents: delivery, by country." in said
    assert json.loads(folder.invoke("explain", "Fails", "--json").stdout)["incident"] == {
        "name": "delivery",
        "by": ["country"],
    }


@pytest.mark.parametrize("level", ["{above: 20%, severity: warning}", "{above: 35%, severity: critical}"])
def test_an_alert_is_shown_under_a_rule_that_has_fewer_levels_now(folder: Folder, level: str) -> None:
    folder.rules.write_text(TWO_LEVELS)
    poll_once(folder)
    fewer = TWO_LEVELS[: TWO_LEVELS.index("levels:")] + f"levels: [{level}]\n"
    folder.rules.write_text(fewer)
    shown = folder.invoke("alerts")
    assert shown.exit_code == 0, shown.output
    assert "; fires at " in shown.stdout
    why = folder.invoke("explain", "OperatorFailureRate")
    assert why.exit_code == 0, why.output
    assert "; fires at " in why.stdout


def test_an_alert_that_has_not_held_its_worse_level_yet_says_when_it_gets_worse(folder: Folder) -> None:
    folder.rules.write_text(TWO_LEVELS)
    poll_once(folder)
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        (alert,) = store.load().alerts
        mild, worse = alert.held
        mild = msgspec.structs.replace(mild, since=alert.as_of - MINUTE)
        store.commit(Commit(alerts=[msgspec.structs.replace(alert, held=(mild, worse))]))
    first = parse_iso(iso(alert.as_of - MINUTE + HOUR))
    assert f"; fires as warning at {iso(first - first % SECOND)}" in folder.invoke("alerts").stdout
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        mild = msgspec.structs.replace(mild, on=True)
        fires = msgspec.structs.replace(alert, state="firing", level=1, firing_at=alert.as_of, held=(mild, worse))
        store.commit(Commit(alerts=[fires]))
    assert worse.since is not None
    then = worse.since + HOUR
    assert f"; becomes critical at {iso(then - then % SECOND)}" in folder.invoke("alerts").stdout
    assert (
        f"; becomes critical at {iso(then - then % SECOND)}" in folder.invoke("explain", "OperatorFailureRate").stdout
    )


def test_the_wide_table_has_both_fingerprints_that_ack_takes(polled: Folder) -> None:
    alert = json.loads(polled.invoke("alerts", "--json").stdout)[0]
    head, firing, _ = polled.invoke("alerts", "--wide").stdout.splitlines()
    assert "FINGERPRINT" in head
    assert alert["fingerprint"] in firing
    assert alert["ownFingerprint"] in firing
    assert "FINGERPRINT" not in polled.invoke("alerts").stdout


def test_for_is_the_time_since_since(polled: Folder, tmp_path: Path) -> None:
    shutil.copytree(polled.path, tmp_path / "copy")
    folder, now = Folder(tmp_path / "copy"), SystemClock().now()
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        (fires,) = (alert for alert in store.load().alerts if alert.state == "firing")
        begun = {"pending_at": now - 20 * DAY, "firing_at": now - 10 * DAY - HOUR // 2, "as_of": now - 10 * DAY}
        fires = msgspec.structs.replace(fires, **begun)
        built_in = msgspec.structs.replace(
            fires,
            rule="MonitorBlind",
            group=(("search", "outbound"),),
            as_of=fires.firing_at,
            pending_at=fires.firing_at,
        )
        ended = msgspec.structs.replace(
            fires, group=(("operator", "Gone"),), state="resolved", resolved_at=now - 10 * DAY - HOUR // 2 + 3 * HOUR
        )
        store.commit(Commit(alerts=[fires, built_in, ended]))
    rows = folder.invoke("alerts", "--state", "all").stdout.splitlines()
    shown = {(cells[0], cells[2]): cells[5] for cells in (re.split(" {2,}", row) for row in rows[1:])}
    assert shown["firing", "OperatorFailureRate"] == "10d", (
        "since it fired until now, not since pending until the last poll"
    )
    assert shown["firing", "MonitorBlind"] == "10d", "it is not evaluated again while it fires"
    assert shown["resolved", "OperatorFailureRate"] == "3h"


def test_fail_is_1_only_while_something_fires(polled: Folder, tmp_path: Path) -> None:
    assert polled.invoke("alerts", "--fail", "--state", "pending").exit_code == 1
    shutil.copytree(polled.path, tmp_path / "copy")
    quiet = Folder(tmp_path / "copy")
    with closing(open_sqlite(quiet.path / "monitor.db")) as store:
        firing = [alert.fingerprint for alert in store.load().alerts if alert.state == "firing"]
        store.commit(Commit(dropped_alerts=firing))
    assert quiet.invoke("alerts", "--fail").exit_code == 0


def test_a_daemon_that_stands_still_is_warned_of(polled: Folder, tmp_path: Path) -> None:
    shutil.copytree(polled.path, tmp_path / "copy")
    folder = Folder(tmp_path / "copy")
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        (cursor,) = store.load().cursors
        store.commit(
            Commit(cursors=[type(cursor)(cursor.account, cursor.search, cursor.as_of - 10**9, cursor.covered_since)])
        )
    outcome = folder.invoke("alerts", "--json")
    assert "is the daemon running" in outcome.stderr
    assert json.loads(outcome.stdout)


@pytest.fixture
def with_losses(polled: Folder, tmp_path: Path) -> Folder:
    """A store with a dead letter and a record that was set aside."""
    shutil.copytree(polled.path, tmp_path / "copy")
    folder = Folder(tmp_path / "copy")
    notification = sample_notification([sample_view("Sample", "rate")], "hook")
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        quarantined = QuarantinedRecord("main", "outbound", 1, "it has no status", "{}")
        store.commit(
            Commit(outbox=[Pending("webhook/0", notification)], quarantined=[quarantined, replace(quarantined, at=4)])
        )
        (outbox_row,) = store.waiting("hook", "webhook/0", 10)
        store.rejected(outbox_row.id, "HTTP 410: the address is gone", 2)
    return folder


def test_dead_letters_are_found(with_losses: Folder) -> None:
    assert "could never be delivered: see `alerts --dead-letters`" in with_losses.invoke("alerts").stdout
    (letter,) = json.loads(with_losses.invoke("alerts", "--dead-letters", "--json").stdout)
    assert (letter["receiver"], letter["channel"], letter["error"]) == (
        "hook",
        "webhook/0",
        "HTTP 410: the address is gone",
    )
    assert "HTTP 410" in with_losses.invoke("alerts", "--dead-letters").stdout


def test_without_a_name_everything_is_shown_that_was_set_aside_also_of_the_store_itself(with_losses: Folder) -> None:
    with closing(open_sqlite(with_losses.path / "monitor.db")) as store:
        now = SystemClock().now()
        store.commit(
            Commit(
                quarantined=[
                    QuarantinedRecord("", "silences", now, "silence s1: malformed", "{"),
                    QuarantinedRecord("", "alerts", now, "alert 1f: malformed", "["),
                ]
            )
        )
    assert "see `routee-monitor search --set-aside`" in " ".join(with_losses.invoke("status").stdout.split())
    found = json.loads(with_losses.invoke("search", "--set-aside", "--json").stdout)
    assert {(one["account"], one["search"], one["why"]) for one in found} >= {
        ("", "silences", "silence s1: malformed"),
        ("", "alerts", "alert 1f: malformed"),
    }
    assert any(one["account"] == "main" for one in found)
    shown = with_losses.invoke("search", "--set-aside").stdout
    assert "stored silences" in shown
    assert "stored alerts" in shown
    assert "main outbound" in shown
    without = with_losses.invoke("search")
    assert (without.exit_code, without.stdout) == (2, "")
    assert "Missing argument 'NAME'" in without.stderr


def test_records_set_aside_are_found(with_losses: Folder) -> None:
    assert "see `search --set-aside`" in with_losses.invoke("alerts").stdout
    (record,) = json.loads(with_losses.invoke("search", "outbound", "--set-aside", "--json").stdout)
    seen = {"first_at": "1970-01-01T00:00:00.000001Z", "at": "1970-01-01T00:00:00.000004Z", "seen": 2}
    assert record == {"why": "it has no status", "record": "{}"} | seen
    shown = with_losses.invoke("search", "outbound", "--set-aside").stdout
    assert "it has no status" in shown
    assert "LAST SEEN" in shown


def test_what_was_set_aside_can_be_read_on_a_terminal_of_80_columns(with_losses: Folder) -> None:
    why = "the date of its status is unreadable or before the year 2000"
    at = 1_700_000_000_123_456
    record = QuarantinedRecord("main", "outbound", at, why, json.dumps({"messageId": "0" * 36, "status": "x" * 40}))
    with closing(open_sqlite(with_losses.path / "monitor.db")) as store:
        store.commit(Commit(quarantined=[record, replace(record, at=at + HOUR)]))
    for arguments in (["search", "--set-aside"], ["search", "outbound", "--set-aside"]):
        lines = on_terminal(arguments, with_losses.path, columns=80).text.splitlines()
        assert "FIRST SEEN UTC  LAST SEEN UTC   TIMES  WHY" in lines[0]
        [row] = [
            number for number, line in enumerate(lines) if "11-14 22:13:20  11-14 23:13:20  2      the date" in line
        ]
        words = lines[0].index("WHY")
        said = [line[words:].strip() for line in lines[row:] if not line.startswith("    {")][:3]
        assert " ".join(said).startswith(why)


def test_no_store_is_69(folder: Folder) -> None:
    assert folder.invoke("alerts", "--json").exit_code == 69
