"""`explain`: every group of a rule as the daemon saw it at its last poll."""

import json
import re
import shutil
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from cli_folder import Folder

from monitor.model.alert import Alert
from monitor.model.builtin_alerts import BUILT_IN, MONITOR_BLIND
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration
from monitor.store.protocol import Commit
from monitor.store.sqlite import open_sqlite


def copied(polled: Folder, to: Path) -> Folder:
    shutil.copytree(polled.path, to / "copy")
    return Folder(to / "copy")


def known_for(folder: Folder, past: Duration) -> None:
    """Let the store have read so much of the past before its latest poll."""
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        (cursor,) = store.load().cursors
        known = msgspec.structs.replace(cursor, covered_since=cursor.as_of - past, swept={})
        store.commit(Commit(cursors=[known]))


def test_groups_with_their_numbers_worst_first(polled: Folder) -> None:
    outcome = polled.invoke("explain", "OperatorFailureRate", "--json")
    assert outcome.exit_code == 0
    found = json.loads(outcome.stdout)
    assert (found["rule"], found["kind"]) == ("OperatorFailureRate", "rate")
    assert found["as_of"].endswith("Z")
    worst, well, few = found["groups"]
    assert worst["labels"] == {"operator": "Cosmote", "country": "GR"}
    assert (worst["state"], worst["value"], worst["threshold"]) == ("firing", 0.4, 0.2)
    assert (worst["messages"], worst["matching"], worst["baseline"]) == (100, 40, None)
    assert worst["why"] == "40% (40 of 100 messages) is above 20%"
    assert (well["labels"]["operator"], well["state"], well["value"]) == ("Nova", "inactive", 0.0)
    assert (few["labels"]["operator"], few["state"]) == ("Cyta", "not_enough_data")


def test_a_group_with_an_alert_has_its_fingerprints(polled: Folder) -> None:
    fires, other, _ = json.loads(polled.invoke("explain", "OperatorFailureRate", "--json").stdout)["groups"]
    alert = json.loads(polled.invoke("alerts", "--json").stdout)[0]
    assert (fires["fingerprint"], fires["label_fingerprint"]) == (alert["ownFingerprint"], alert["fingerprint"])
    assert (other["fingerprint"], other["label_fingerprint"]) == (None, None)
    assert fires["fingerprint"] in polled.invoke("explain", "OperatorFailureRate", "--wide").stdout
    assert fires["fingerprint"] not in polled.invoke("explain", "OperatorFailureRate").stdout


def test_the_group_of_an_alert_is_shown_by_either_fingerprint_or_the_beginning_of_one(polled: Folder) -> None:
    alert = json.loads(polled.invoke("alerts", "--json").stdout)[0]
    for name in (alert["ownFingerprint"], alert["fingerprint"], alert["fingerprint"][:5], alert["ownFingerprint"][:4]):
        found = json.loads(polled.invoke("explain", name, "--json").stdout)
        assert found["rule"] == "OperatorFailureRate"
        assert [group["labels"] for group in found["groups"]] == [{"operator": "Cosmote", "country": "GR"}]


def test_a_pending_group_says_since_when(polled: Folder) -> None:
    (group,) = json.loads(polled.invoke("explain", "ManyMessages", "--json").stdout)["groups"]
    assert (group["state"], group["value"], group["labels"]) == ("pending", 161.0, {})
    assert "since 2" in group["why"]


def test_what_is_crossed_since_the_last_evaluation_is_said_to_be_not_yet_evaluated(
    polled: Folder, tmp_path: Path
) -> None:
    folder = copied(polled, tmp_path)
    new = "  - {name: New, kind: rate, by: [operator], window: 15m, above: 20%, min_messages: 50}\n"
    folder.rules.write_text(folder.rules.read_text("utf-8") + new, "utf-8")
    worst, well, _ = json.loads(folder.invoke("explain", "New", "--json").stdout)["groups"]
    assert worst["state"] == "inactive"
    assert worst["why"] == "40% (40 of 100 messages) is above 20%; the daemon has not yet evaluated the rule on it"
    assert "not yet evaluated" not in well["why"]


def test_for_people_it_is_a_table_with_units(polled: Folder) -> None:
    lines = polled.invoke("explain", "OperatorFailureRate").stdout.splitlines()
    assert lines[0].startswith("OperatorFailureRate (rate, ")
    assert " ago)" in lines[0]
    assert lines[2].split()[:2] == ["firing", "operator=Cosmote,"]
    assert "40%" in lines[2]
    assert lines[4].startswith("not enough data")
    assert lines[4].count("not enough data") == 1


def test_it_is_blind_where_the_daemon_says_so(polled: Folder, tmp_path: Path) -> None:
    folder = copied(polled, tmp_path)
    group = (("account", "main"), ("search", "outbound"))
    alert = Alert(
        "main", MONITOR_BLIND.name, group, "firing", (), 1, 1, level=1, firing_at=1, why="Routee does not answer"
    )
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        store.commit(Commit(alerts=[alert]))
    groups = json.loads(folder.invoke("explain", "OperatorFailureRate", "--json").stdout)["groups"]
    assert {group["state"] for group in groups} == {"blind"}
    assert "stays firing" in groups[0]["why"]
    assert "Routee does not answer" in groups[0]["why"]


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_an_alert_of_the_daemon_itself_says_whether_it_fires_and_what_to_do(
    polled: Folder, tmp_path: Path, name: str
) -> None:
    folder, built_in = copied(polled, tmp_path), BUILT_IN[name]
    quiet = folder.invoke("explain", name)
    assert (quiet.exit_code, quiet.stderr) == (0, "")
    assert "raises about itself" in quiet.stdout
    assert "It does not fire." in quiet.stdout
    group = (("search", "outbound"),)
    at = 1_700_000_000 * SECOND
    alert = Alert("main", name, group, "firing", (), at, at, level=1, firing_at=at, why="Routee answers 503")
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        store.commit(Commit(alerts=[alert]))
    for said in (name, alert.fingerprint):
        shown = folder.invoke("explain", said)
        assert (shown.exit_code, shown.stderr) == (0, "")
        assert "firing  search=outbound, since 2023-11-14 22:13:20 UTC: Routee answers 503" in shown.stdout
        assert shown.stdout.endswith(f"{built_in.advice}\n")
        found = json.loads(folder.invoke("explain", said, "--json").stdout)
        assert (found["rule"], found["kind"], found["advice"]) == (name, "builtin", built_in.advice)
        [group_of_it] = found["groups"]
        assert (group_of_it["state"], group_of_it["fingerprint"]) == ("firing", alert.fingerprint)


ASKED = """\
rules:
  - {name: Money, kind: balance, lasts_below: 2d}
  - {name: Campaigns, kind: campaign, failure_above: 20%, short_below: 95%, stalled_for: 30m, min_messages: 1}
"""


def told(rule: str, group: tuple[tuple[str, str], ...], value: float, why: str) -> Alert:
    at = 1_763_700_000_000_000
    return Alert("main", rule, group, "firing", (), at, at, level=1, firing_at=at, value=value, threshold=0.95, why=why)


def test_what_rests_on_routees_own_answers_is_shown_as_the_daemon_told_it(polled: Folder, tmp_path: Path) -> None:
    folder = copied(polled, tmp_path)
    known_for(folder, 8 * DAY)
    folder.rules.write_text(ASKED)
    short = (("campaign", "Sale"), ("campaignTrackingId", "c-1"), ("problem", "short"))
    stalled = (*short[:2], ("problem", "stalled"))
    alerts = [
        told("Money", (), 3600.0, "3.00 EUR left: lasts 1h"),
        told("Campaigns", short, 0.9, "ended short"),
        told("Campaigns", stalled, 2400.0, "has stalled"),
    ]
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        store.commit(Commit(alerts=alerts))
    (money,) = json.loads(folder.invoke("explain", "Money", "--json").stdout)["groups"]
    assert (money["state"], money["value"]) == ("firing", 3600.0)
    assert money["why"] == "3.00 EUR left: lasts 1h (at 2025-11-21T04:40:00Z)"
    lines = folder.invoke("explain", "Campaigns").stdout.splitlines()
    assert "Only the daemon knows" in lines[1]
    (one,) = [line for line in lines if "problem=short" in line]
    assert one.startswith("firing")
    assert "90%" in one
    (other,) = [line for line in lines if "problem=stalled" in line]
    assert "40m" in other


def test_a_shift_rule_learns_from_the_stored_messages_and_says_how_far_it_is(polled: Folder, tmp_path: Path) -> None:
    folder = copied(polled, tmp_path)
    known_for(folder, 15 * MINUTE + 1)  # the daemon may have read the past before it was stopped
    folder.rules.write_text("rules: [{name: Shifted, kind: shift, by: [operator]}]")
    groups = json.loads(folder.invoke("explain", "Shifted", "--json").stdout)["groups"]
    operators = [group["labels"]["operator"] for group in groups]
    assert sorted({*operators} & {"Cosmote", "Nova"}) == ["Cosmote", "Nova"]
    assert (
        len(operators) == 3
    )  # the third has some 50 messages a day: by the hour of the day it is judged alone, or as small
    assert {*operators} < {"Cosmote", "Nova", "Cyta", "(small)"}
    assert {group["state"] for group in groups} == {"not_enough_data"}
    whole_second = re.compile(r"not enough data: history reaches back to \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ only")
    assert all(whole_second.match(group["why"]) for group in groups)
    folder.rules.write_text("rules: [{name: Shifted, kind: shift, by: [operator], learn: 1h}]")
    known_for(folder, 2 * HOUR)
    groups = json.loads(folder.invoke("explain", "Shifted", "--json").stdout)["groups"]
    assert all(re.fullmatch(r"not enough data: learning, \d+m of 1h", group["why"]) for group in groups)


def test_a_rule_cannot_learn_for_longer_than_messages_are_kept(folder: Folder) -> None:
    folder.rules.write_text("rules:\n  - {name: Shifted, kind: shift, learn: 31d}\n")
    outcome = folder.invoke("check")
    assert outcome.exit_code == 65
    assert "rules.yaml:2:41: rules[0].learn: the rule looks 31d back, but messages are kept for 30d" in outcome.stderr


def test_an_unknown_rule_names_the_nearest(polled: Folder) -> None:
    outcome = polled.invoke("explain", "OperatorFailurRate")
    assert (outcome.exit_code, outcome.stderr) == (
        1,
        "there is no rule 'OperatorFailurRate'; did you mean 'OperatorFailureRate'?\n",
    )


def test_a_removed_rule_whose_alert_goes_on_says_so_by_its_name_and_by_the_alert(
    polled: Folder, tmp_path: Path
) -> None:
    folder = copied(polled, tmp_path)
    alert = json.loads(folder.invoke("alerts", "--json").stdout)[0]
    folder.replace(folder.rules, "OperatorFailureRate", "Other")
    for name in ("OperatorFailureRate", alert["ownFingerprint"]):
        outcome = folder.invoke("explain", name)
        assert outcome.exit_code == 1
        assert outcome.stderr == (
            "the rule 'OperatorFailureRate' is not in this configuration: removed, or not read yet here; its alerts on account main stay as "
            "they are until the daemon has read that\n"
        )


def test_a_rule_that_is_switched_off_says_so(polled: Folder) -> None:
    outcome = polled.invoke("explain", "SwitchedOff")
    assert outcome.exit_code == 1
    assert "enabled: false" in outcome.stderr


def test_without_a_store_or_a_poll_it_is_69(folder: Folder) -> None:
    outcome = folder.invoke("explain", "ManyMessages")
    assert outcome.exit_code == 69
    assert "there is no store" in outcome.stderr
    open_sqlite(folder.path / "monitor.db").close()
    outcome = folder.invoke("explain", "ManyMessages")
    assert outcome.exit_code == 69
    assert "no complete poll yet" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


@pytest.mark.parametrize("lost", [False, True])
def test_what_waits_because_messages_are_still_to_be_read_says_so(
    polled: Folder, tmp_path: Path, *, lost: bool
) -> None:
    folder = copied(polled, tmp_path)
    words = " are not read from Routee yet"
    for known, unread in ((8 * DAY, False), (SECOND, True)):
        known_for(folder, known)
        if lost:
            with closing(open_sqlite(folder.path / "monitor.db")) as store:
                (cursor,) = store.load().cursors
                store.commit(Commit(lost={"main": cursor.as_of}))
        (fires, *others) = json.loads(folder.invoke("explain", "OperatorFailureRate", "--json").stdout)["groups"]
        assert [words in group["why"] for group in (fires, *others)] == [unread] * (1 + len(others))
        assert (words in re.sub(r"\s+", " ", folder.invoke("alerts", "--wide").stdout)) == unread
    assert all("not enough data: history reaches back to" in group["why"] for group in others)
    assert fires["why"].endswith(
        f"; does not resolve yet: messages before {fires['why'][-len(words) - 20 : -len(words)]}{words}"
    )
    assert fires["state"] == "firing"
