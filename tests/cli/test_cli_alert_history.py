"""`history`: what happened to each alert, from its beginning to its end."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from cli_folder import Folder

from monitor.alerts.alert_episodes import alert_episodes
from monitor.cli.alert_history import course_of
from monitor.daemon.http.alertmanager_json import read_during
from monitor.model.alert import Transition, TransitionSubject
from monitor.routing.acknowledgements import acknowledge, acknowledged
from monitor.routing.matchers import Matcher
from monitor.routing.silences import Silence
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, SystemClock, parse_iso
from monitor.store.protocol import Commit
from monitor.store.sqlite import open_sqlite


@pytest.fixture
def folder(polled: Folder, tmp_path: Path) -> Folder:
    """With an alert that fires (and somebody looks after), one that is over, one that never fired, and one of an older version."""
    shutil.copytree(polled.path, tmp_path / "copy")
    folder, now = Folder(tmp_path / "copy"), SystemClock().now()
    about = TransitionSubject("main", (("operator", "Nova"), ("country", "CY")), 1)

    def moved(key: str, what: str, back: int, because: str | None = None) -> Transition:
        return Transition(key, "OperatorFailureRate", now - back, what, because, 0.42, about if key != "old" else None)  # type: ignore[arg-type]  # the words are literals

    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        [alert] = [one for one in store.load().alerts if one.state == "firing"]
        ack = acknowledge(alert, "Ann", "called them", now, None)
        course = [moved("old", "fired", 9 * DAY), moved("f1", "pending", 3 * HOUR), moved("f1", "fired", 2 * HOUR)]
        course += [
            moved("f1", "resolved", HOUR, "recovered"),
            moved("f2", "pending", MINUTE),
            moved("f2", "dropped", SECOND),
        ]
        silence = Silence("s1", (Matcher("operator", "=", "Nova"),), now - 3 * HOUR, now, "Bob", "known", now)
        store.commit(Commit(transitions=[*course, acknowledged(alert, ack)], acks=[ack], silences=[silence]))
    return folder


def test_each_episode_says_what_happened_and_who_did_it(folder: Folder) -> None:
    found = json.loads(folder.invoke("history", "--json").stdout)
    fires, over, old = found
    [alert] = [one for one in json.loads(folder.invoke("alerts", "--json").stdout) if one["state"] == "firing"]
    assert fires["fingerprint"] == alert["ownFingerprint"]
    assert (fires["labelFingerprint"], old["labelFingerprint"]) == (alert["fingerprint"], None)
    assert [event["what"] for event in fires["events"]] == ["fired", "acknowledged"]
    assert (fires["labels"], fires["endedAt"], fires["seconds"]) == (
        {"operator": "Cosmote", "country": "GR"},
        None,
        None,
    )
    assert (fires["events"][0]["severity"], fires["events"][0]["value"]) == ("critical", 0.4)
    assert (fires["events"][1]["by"], fires["events"][1]["comment"]) == ("Ann", "called them")
    assert (over["because"], over["seconds"], over["account"]) == ("recovered", 2 * 3600, "main")
    assert [silence["by"] for silence in over["silences"]] == ["Bob"]
    assert (old["labels"], old["events"][0]["severity"]) == ({}, "")
    shown = folder.invoke("history").stdout
    assert "acknowledged by Ann: called them" in shown
    assert "silenced until" in shown
    assert "by Bob: known" in shown
    assert "goes on" in shown


def test_an_account_that_the_group_names_is_not_named_twice(folder: Folder) -> None:
    folder.add_account("second")
    group = (("account", "main"), ("search", "outbound"))
    about = TransitionSubject("main", group, 1, "", "warning")
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        now = store.load().cursors[0].as_of
        fired = Transition("h", "HistoryUnread", now - MINUTE, "fired", None, None, about)
        store.commit(Commit(transitions=[fired]))
    shown = folder.invoke("history", "HistoryUnread").stdout
    assert "HistoryUnread main, outbound  " in shown
    assert "(main)" not in shown


@pytest.mark.parametrize("edit", ["severity: info", "enabled: false"])
def test_what_happened_keeps_its_severity_when_the_rule_is_edited(polled: Folder, tmp_path: Path, edit: str) -> None:
    folder = Folder(Path(shutil.copytree(polled.path, tmp_path / "copy")))
    rules = folder.path / "rules.yaml"
    rules.write_text(rules.read_text().replace("severity: critical", edit))
    [fires] = json.loads(folder.invoke("history", "--json").stdout)
    assert [(event["what"], event["severity"]) for event in fires["events"]] == [("fired", "critical")]
    assert "critical" in folder.invoke("history").stdout


def test_silences_stand_among_the_events_with_their_times_and_another_day_is_said() -> None:
    began = parse_iso("2026-11-21T22:00:00Z")
    course = [
        Transition("f", "R", at, what, None, None, TransitionSubject("main", (("operator", "Nova"),), 1))  # type: ignore[arg-type]  # the words are literals
        for at, what in ((began, "pending"), (began + HOUR, "fired"), (began + 4 * HOUR, "resolved"))
    ]

    def silence(start: int, end: int, by: str) -> Silence:
        return Silence(by, (Matcher("operator", "=", "Nova"),), start, end, by, "known", start)

    silences = [
        silence(began + 2 * HOUR + MINUTE, began + 3 * HOUR, "Bob"),
        silence(began - DAY, began + 90 * MINUTE, "Ann"),
    ]
    assert course_of(alert_episodes(course)[0], {}, silences) == [
        "11-20 22:00:00 silenced until 23:30:00 by Ann: known",
        "22:00:00 pending",
        "23:00:00 fired",
        "11-22 00:01:00 silenced until 11-22 01:00:00 by Bob: known",
        "11-22 02:00:00 resolved",
    ]


def test_a_recurring_silence_says_its_times_and_counts_only_where_it_was_active() -> None:
    began = parse_iso("2026-11-21T22:00:00Z")  # a Saturday
    course = [
        Transition("f", "R", at, what, None, None, TransitionSubject("main", (("operator", "Nova"),), 1))  # type: ignore[arg-type]  # the words are literals
        for at, what in ((began, "fired"), (began + 4 * HOUR, "resolved"))
    ]
    matchers = (Matcher("operator", "=", "Nova"),)

    def recurring(weekday: str) -> Silence:
        during = read_during(
            {"weekdays": [weekday], "times": [{"start_time": "00:00", "end_time": "02:00"}], "location": "UTC"}
        )
        return Silence(weekday, matchers, began - DAY, began + DAY, "Ann", "works", began, during)

    assert course_of(alert_episodes(course)[0], {}, [recurring("sunday"), recurring("monday")]) == [
        "11-20 22:00:00 silenced until 11-22 22:00:00 only sunday 00:00-02:00 UTC by Ann: works",
        "22:00:00 fired",
        "11-22 02:00:00 resolved",
    ]


def test_an_alert_that_the_store_lost_says_that_its_end_was_not_seen_and_does_not_go_on(folder: Folder) -> None:
    """Seen where a file was cut: the alert's row was gone, and those of its history were not."""
    about = TransitionSubject("main", (("operator", "Cyta"), ("country", "CY")), 1)
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        now = SystemClock().now()
        course = [Transition("lost", "ManyMessages", now - back * MINUTE, "fired", None, 200, about) for back in (9, 4)]
        store.commit(Commit(transitions=course))
    again, lost = json.loads(folder.invoke("history", "ManyMessages", "--json").stdout)
    assert (again["endedAt"], lost["endedAt"], lost["because"]) == (None, again["firingAt"], "end_not_seen")
    shown = folder.invoke("history", "ManyMessages", "--wide").stdout
    assert shown.count("goes on") == 1
    assert "its end was not seen, since the store lost the alert" in shown


def test_ids_are_whole(folder: Folder) -> None:
    tracking = "182d20da-7a42-4c1e-9c43-1f0e5b6a2f10"
    about = TransitionSubject("main", (("campaign", "A sale with a long name"), ("campaignTrackingId", tracking)), 1)
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        now = SystemClock().now()
        store.commit(Commit(transitions=[Transition("c1", "CampaignWatch", now - HOUR, "fired", None, 0.9, about)]))
    assert tracking in folder.invoke("history", "CampaignWatch").stdout


def test_what_is_shown_can_be_narrowed(folder: Folder) -> None:
    everything = json.loads(folder.invoke("history", "--json", "--all").stdout)
    assert "dropped" in {event["what"] for one in everything for event in one["events"]}
    assert len(json.loads(folder.invoke("history", "--json", "--limit", "1").stdout)) == 1
    assert len(json.loads(folder.invoke("history", "--json", "--since", "30m").stdout)) == 2, "what goes on is shown"
    assert folder.invoke("history", "ManyMessages").stdout == "No alert fired.\n"
    outcome = folder.invoke("history", "ManyMesages")
    assert (outcome.exit_code, "did you mean 'ManyMessages'?" in outcome.stderr) == (1, True)


def test_a_report_is_one_and_is_not_resolved(folder: Folder) -> None:
    now = SystemClock().now()
    about = TransitionSubject("main", (("campaign", "Sale"), ("campaignTrackingId", "c1"), ("problem", "ended")), 1)
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        course = [
            Transition("r1", "CampaignReport", now - 2 * HOUR, "fired", None, 0.9, about),
            Transition("r1", "CampaignReport", now - HOUR, "resolved", "recovered", 0.9, about),
        ]
        store.commit(Commit(transitions=course))
    [row] = [line for line in folder.invoke("history", "CampaignReport").stdout.splitlines() if "Sale" in line]
    assert "report" in row.split()
    assert "reported" in row
    assert "resolved" not in row
