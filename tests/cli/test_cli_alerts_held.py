"""`alerts`: what was told to whom, and why nobody is told now, as the running daemon says or as the store has it."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import trio
from cli_folder import Folder

from monitor.model.label_fingerprint import label_fingerprint
from monitor.notify.render import sample_notification, sample_view
from monitor.routing.acknowledgements import Ack
from monitor.routing.matchers import Matcher
from monitor.routing.silences import Silence
from monitor.runtime.clock import DAY, HOUR, SystemClock
from monitor.store.protocol import SUPERSEDED, Commit, Pending
from monitor.store.sqlite import open_sqlite
from tests.fakes.http import Answer, Asked, serving

SILENCE = "2f0c7c3a"


@pytest.fixture
def folder(polled: Folder, tmp_path: Path) -> Folder:
    """A copy to write into."""
    shutil.copytree(polled.path, tmp_path / "copy")
    return Folder(tmp_path / "copy")


def put(folder: Folder, commit: Commit) -> None:
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        store.commit(commit)


def firing(folder: Folder, *more: str) -> dict[str, object]:
    found = json.loads(folder.invoke("alerts", "--json", "--state", "firing", *more).stdout)
    return next(alert for alert in found if alert["labels"]["alertname"] == "OperatorFailureRate")


def test_without_a_daemon_silences_and_acknowledgements_are_as_the_store_has_them(folder: Folder) -> None:
    now = SystemClock().now()
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        [alert] = [one for one in store.load().alerts if one.state == "firing"]
    assert alert.firing_at is not None
    matchers = (Matcher("operator", "=", "Cosmote"),)
    put(
        folder,
        Commit(
            silences=[Silence(SILENCE, matchers, now - HOUR, now + HOUR, "Ann", "x", now)],
            acks=[Ack(alert.fingerprint, alert.firing_at, "Bob", "on it", now, None, 1)],
        ),
    )
    shown = firing(folder)
    assert shown["status"] == {"state": "suppressed", "silencedBy": [SILENCE], "inhibitedBy": [], "mutedBy": []}
    assert (shown["acknowledgedBy"], shown["acknowledgedComment"]) == ("Bob", "on it")
    assert "[silenced, acknowledged by Bob: on it]" in folder.invoke("alerts").stdout
    over = Silence(SILENCE, matchers, now - 2 * HOUR, now - HOUR, "Ann", "x", now)
    put(folder, Commit(silences=[over], dropped_acks=[alert.fingerprint]))
    assert firing(folder)["status"] == {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []}


async def test_the_running_daemon_is_believed(folder: Folder) -> None:
    labels = {"alertname": "OperatorFailureRate", "operator": "Cosmote", "country": "GR", "severity": "critical"}
    status = {"state": "suppressed", "silencedBy": [], "inhibitedBy": ["aa"], "mutedBy": ["nights"]}
    said = {"labels": labels, "fingerprint": label_fingerprint(labels), "status": status}
    said |= {
        "receivers": [{"name": "night-shift"}],
        "acknowledgedBy": "Cleo",
        "acknowledgedComment": "call \x1b]0;x\x07 them",
    }

    async def answer(asked: Asked) -> Answer:
        return Answer(200, json.dumps([said]).encode())

    async with serving(answer) as url:
        shown = await trio.to_thread.run_sync(firing, folder, "--url", url)
        table = await trio.to_thread.run_sync(lambda: folder.invoke("alerts", "--url", url).stdout)
    assert (shown["status"], shown["receivers"]) == (status, [{"name": "night-shift"}])
    assert shown["acknowledgedBy"] == "Cleo"
    assert "[inhibited, muted, acknowledged by Cleo: call \ufffd]0;x\ufffd them]" in table


async def test_what_is_asked_for_by_its_address_has_to_answer(folder: Folder) -> None:
    outcome = folder.invoke("alerts", "--url", "http://127.0.0.1:1")
    assert outcome.exit_code == 69
    assert "No answer from http://127.0.0.1:1" in outcome.stderr

    async def answer(asked: Asked) -> Answer:
        return Answer(200, b'{"not": "ours"}')

    async with serving(answer) as url:
        outcome = await trio.to_thread.run_sync(lambda: folder.invoke("alerts", "--url", url))
    assert outcome.exit_code == 69
    assert "is no routee-monitor" in outcome.stderr


def tellings(folder: Folder, *more: str) -> list[tuple[str, str]]:
    found = json.loads(folder.invoke("alerts", "--notifications", "--json", *more).stdout)
    return [(one["channel"], one["outcome"]) for one in found]


def test_what_was_told_to_whom_and_what_became_of_it(folder: Folder) -> None:
    now = SystemClock().now()
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        for outbox_row in store.outbox_rows():
            store.sent(outbox_row.id, {}, now)
        before = len(store.outbox_rows())
        told = sample_notification([sample_view("Sample", "rate")], "hook")
        for number, ago in enumerate((0, 0, 0, 8 * DAY)):
            one = msgspec.structs.replace(told, key=str(number), created_at=now - ago)
            store.commit(Commit(outbox=[Pending("webhook/0", one)]))
        waiting, superseded, dead, _ = store.waiting("hook", "webhook/0", 9)
        store.postponed(waiting.id, "HTTP 503", now)
        store.sent(superseded.id, {SUPERSEDED: "k"}, now)
        store.rejected(dead.id, "HTTP 410: gone", now)
    assert tellings(folder)[:3] == [("webhook/0", "dead"), ("webhook/0", "superseded"), ("webhook/0", "waiting")]
    assert len(tellings(folder)) == before + 3
    assert len(tellings(folder, "--since", "30d")) == before + 4
    assert len(tellings(folder, "--limit", "2")) == 2
    [alert] = json.loads(folder.invoke("alerts", "--notifications", "--json").stdout)[0]["alerts"]
    view = sample_view("Sample", "rate")
    assert (alert["fingerprint"], alert["labelFingerprint"]) == (view.fingerprint, label_fingerprint(view.labels))
    table = folder.invoke("alerts", "--notifications").stdout
    for words in ("waiting, tried 1x: HTTP 503", "not sent: replaced by a newer one", "HTTP 410: gone", "Sample"):
        assert words in table


def test_where_nobody_was_told_it_says_so(folder: Folder) -> None:
    with closing(sqlite3.connect(folder.path / "monitor.db")) as file:
        file.execute("DELETE FROM parcel")
        file.commit()
    assert "No notification was sent" in folder.invoke("alerts", "--notifications").stdout
    assert folder.invoke("alerts", "--notifications", "--json").stdout.strip() == "[]"
    assert folder.invoke("alerts", "--history", "--json").stdout.strip() == "[]", "its earlier name goes on"
