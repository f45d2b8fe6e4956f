"""`status`: how the whole stands, as the running daemon says, else as its store has it."""

import functools
import io
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest
import trio
from cli_folder import Folder
from terminal import on_terminal

from monitor.daemon import main as daemon
from monitor.daemon.reload import Reloads
from monitor.daemon.validate import load
from monitor.runtime.clock import HOUR
from monitor.store.protocol import Commit
from monitor.store.sqlite import open_sqlite
from tests.fakes.http import Answer, Asked, serving
from tests.fakes.waiting import guarded


@asynccontextmanager
async def running(folder: Folder, reloads: Reloads | None = None, *, polled: bool = True) -> AsyncIterator[str]:
    """A daemon, by default one that has polled once; gives its address, empty where it has no listener."""
    loaded, stop = load(folder.config, dict(os.environ)), trio.Event()
    run = functools.partial(
        daemon.run, loaded.settings, loaded.templates, stop=stop, stream=io.StringIO(), reloads=reloads
    )
    async with trio.open_nursery() as nursery:
        started = await nursery.start(run)
        with guarded():
            while polled and not started.pipeline.accounts["main"].evaluator.coverage.cursors:
                await trio.sleep(0.01)
        yield started.url
        stop.set()


async def asked(folder: Folder, *arguments: str):
    return await trio.to_thread.run_sync(functools.partial(folder.invoke, "status", *arguments))


async def said_with(text: str, folder: Folder, url: str) -> str:
    """What `status` says, without line breaks, once that has ``text``."""
    with guarded():
        while True:
            said = " ".join((await asked(folder, "--url", url)).stdout.split())
            if text in said:
                return said


async def test_the_running_daemon_says_how_it_stands(folder: Folder) -> None:
    async with running(folder) as url:
        outcome = await asked(folder, "--url", url)
        data = json.loads((await asked(folder, "--url", url, "--json")).stdout)
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    assert re.match(r"routee-monitor \d\S* runs since ", outcome.stdout)
    assert "main outbound" in outcome.stdout
    assert "Alerts        1 firing (1 critical), 1 pending, 0 acknowledged" in outcome.stdout
    assert "critical OperatorFailureRate operator=Cosmote, country=GR, since " in " ".join(outcome.stdout.split())
    assert (data["running"], data["url"], data["store"]) == (True, url, None)
    [search] = data["searches"]
    assert (search["search"], search["caughtUp"], search["blind"]) == ("outbound", pytest.approx(1, abs=1), None)
    assert (data["alerts"]["firing"], data["deadLetters"]) == (1, 0)


def test_without_a_daemon_it_says_so_and_shows_the_store(polled: Folder) -> None:
    outcome = polled.invoke("status")
    assert outcome.exit_code == 69
    assert outcome.stdout.startswith("routee-monitor is not running. ")
    assert "is the daemon running?" not in outcome.stdout
    assert f"The following is from its store {polled.path / 'monitor.db'}" in " ".join(outcome.stdout.split())
    assert "1 firing (1 critical), 1 pending" in outcome.stdout
    data = json.loads(polled.invoke("status", "--json").stdout)
    assert (data["running"], data["version"], data["alerts"]["firing"]) == (False, None, 1)
    assert data["store"] == str(polled.path / "monitor.db")


def test_without_a_store_it_is_a_warning_and_no_crash(folder: Folder) -> None:
    outcome = folder.invoke("status")
    assert outcome.exit_code == 69
    assert "warning: there is no store" in outcome.stdout
    assert "[Errno" not in outcome.stdout


@pytest.mark.parametrize("text", [None, b"this is no database, and was never one" * 100])
def test_what_an_unreadable_store_holds_is_not_known_and_not_zero(folder: Folder, text: bytes | None) -> None:
    if text is not None:
        (folder.path / "monitor.db").write_bytes(text)
    lines = folder.invoke("status").stdout.splitlines()
    details = {line[:14].strip(): line[14:].strip() for line in lines[-5:]}
    assert details == dict.fromkeys(["Alerts", "Outbox", "Dead letters", "Unreadable", "Silences"], "not known")
    (search,) = (line for line in lines if line.startswith("main outbound"))
    assert search.split("  ", 1)[1].replace("not known", "").split() == []
    assert "Nothing is known from its store" in " ".join(lines)
    found = json.loads(folder.invoke("status", "--json").stdout)
    assert [found[name] for name in ("alerts", "outbox", "deadLetters", "setAside", "silences")] == [None] * 5


async def test_a_daemon_without_a_listener_is_known_by_its_lock(folder: Folder) -> None:
    folder.replace(folder.config, 'web: {listen: "127.0.0.1:0"}', "web: off")
    async with running(folder):
        outcome = await asked(folder)
        data = json.loads((await asked(folder, "--json")).stdout)
    assert outcome.exit_code == 0
    assert f"routee-monitor runs (process {os.getpid()}), but does not answer" in outcome.stdout
    assert (data["running"], data["process"]) == (True, os.getpid())
    with closing(open_sqlite(folder.path / "monitor.db", read_only=True)):
        assert (await asked(folder)).exit_code == 69, "a reader is no daemon"


def test_it_fits_on_one_screen_and_trouble_comes_first(polled: Folder, tmp_path: Path) -> None:
    searches = "".join(f"  - {{name: search-number-{number}}}\n" for number in range(20))
    text = re.sub(r"searches:\n.*\n", lambda found: found[0] + searches, polled.config.read_text())
    folder = Folder(tmp_path)
    folder.config.write_text(
        text.replace("rules.yaml", str(polled.rules)).replace("[templates]", f"[{polled.template.parent}]")
    )
    (folder.path / "monitor.db").write_bytes((polled.path / "monitor.db").read_bytes())
    lines = folder.invoke("status").stdout.splitlines()
    assert len(lines) <= 24
    assert "and 13 more searches: --json shows all" in lines
    shown = [line for line in lines if line.startswith("main ")]
    waiting = [line for line in shown if "waits for its first poll" in line]
    assert len(waiting) > 1
    assert len(shown) - len(waiting) <= 1, "the search that was polled is trouble too once that is long ago"


async def test_an_address_that_is_named_has_to_be_a_daemons(folder: Folder) -> None:
    assert folder.invoke("status", "--url", "http://127.0.0.1:1").exit_code == 69

    async def other(_: Asked) -> Answer:
        return Answer(200, b"[]")

    async with serving(other) as url:
        outcome = await asked(folder, "--url", url)
    assert outcome.exit_code == 69
    assert "is no routee-monitor" in outcome.stderr


async def test_a_mistake_that_the_daemon_has_refused_is_said_once(folder: Folder) -> None:
    reloads = Reloads(folder.config, dict(os.environ), lambda _: None)
    async with running(folder, reloads) as url:
        folder.replace(folder.rules, "kind: rate", "kind: rat")
        reloads.request()
        said = await said_with("daemon uses the previous", folder, url)
        folder.replace(folder.rules, "kind: rat\n", "kind: rates\n")
        changed = await said_with("'rates'", folder, url)
    assert said.count("warning:") == said.count("'rat'") == 1
    assert changed.count("warning:") == 2, "another mistake than the one that was refused"


async def test_what_keeps_a_search_from_its_first_poll_is_said_once_and_in_its_row(folder: Folder) -> None:
    async def broken(_: Asked) -> Answer:
        return Answer(503, b"")

    async with serving(broken) as routee:
        for key in ("api_url", "auth_url"):
            line = next(line for line in folder.config.read_text().splitlines() if key in line)
            folder.replace(folder.config, line, f'    {key}: "{routee}"')
        async with running(folder, polled=False) as url:
            said = await said_with("503", folder, url)
    assert said.count("503") == 1
    assert "main outbound never 0% waits for its first poll: 503 from Routee" in said
    assert "warning:" not in said


async def test_a_mistake_in_a_rule_file_does_not_hide_what_the_daemon_does(folder: Folder) -> None:
    async with running(folder) as url:
        folder.replace(folder.rules, "kind: rate", "kind: rat")
        outcome = await asked(folder, "--url", url)
        listed = await trio.to_thread.run_sync(functools.partial(folder.invoke, "alerts", "--url", url))
    assert outcome.exit_code == 0
    assert "1 firing (1 critical)" in outcome.stdout
    said = " ".join(outcome.stdout.split())
    assert "the files have errors, a running daemon goes on with what it read before: " in said
    assert "'rat'" in said
    assert listed.exit_code == 0
    assert "OperatorFailureRate" in listed.stdout
    assert listed.stderr.startswith(
        "warning: the files have errors, a running daemon goes on with what it read before: "
    )


@pytest.mark.parametrize("is_cut", [False, True])
async def test_a_reason_that_a_warning_gives_is_not_said_again_of_the_daemon(folder: Folder, is_cut: bool) -> None:
    moment = "2026-11-21T10:00:04Z"
    reason = "the store is damaged: the alert f1 of account main cannot be read; restore a backup, or delete that row"
    why = "it cannot read it from the store: " + (reason[:60] + "…" if is_cut else reason)
    worker = {"name": "a:1", "version": "1", "url": None, "since": moment, "isAlive": True, "isThis": True}
    worker |= {"accounts": [], "leavesAlone": ["main"], "leavesAloneWhy": {"main": why}}
    status = {
        "running": True,
        "version": "1",
        "since": moment,
        "warnings": [f"Account main cannot be read from the store, and is not watched by this daemon: {reason}"],
        "searches": [],
        "alerts": {"firing": 0, "pending": 0, "acknowledged": 0, "reports": 0, "bySeverity": {}, "worst": None},
        "outbox": {"waiting": 0, "oldest": None, "channels": []},
        "deadLetters": 0,
        "setAside": 0,
        "silences": {"active": 0, "pending": 0},
        "fleet": {"asOf": moment, "age": 0.0, "workers": [worker], "accounts": []},
    }

    async def daemon(_: Asked) -> Answer:
        return Answer(200, json.dumps(status).encode())

    async with serving(daemon) as url:
        show = functools.partial(on_terminal, ["status", "--url", url], folder.path, 80)
        shown = await trio.to_thread.run_sync(show)
    said = " ".join(shown.text.split())
    assert said.count("the alert f1 of account main cannot be read") == 1, said
    assert "leaves main to others: it cannot read it from the store, see the warning above" in said


async def test_the_rows_of_all_daemons_are_wrapped_alike(folder: Folder) -> None:
    moment = "2026-11-21T10:00:04Z"
    workers = [
        {"name": f"a-host-with-a-long-name-{number}:4711", "version": "0.1.0", "url": None, "since": moment}
        | {"isAlive": True, "isThis": False, "accounts": ["main", "otp"], "leavesAlone": ["promotions", "otp"] * number}
        | {
            "leavesAloneWhy": {"promotions": "it cannot poll it: Routee refuses the credentials (401)"}
            if number
            else {}
        }
        | ({"lastSeen": "2026-11-21T10:30:00Z"} if number else {})
        for number in range(2)
    ]
    dead = {"name": "a-host-that-was-killed:4711", "isAlive": False, "lastSeen": "2026-11-21T10:30:00Z", "accounts": []}
    workers.append(workers[0] | dead)
    alerts = {"firing": 0, "pending": 0, "acknowledged": 0, "reports": 0, "bySeverity": {}, "worst": None}
    status = {
        "running": True,
        "version": "0.1.0",
        "since": moment,
        "warnings": [],
        "searches": [],
        "alerts": alerts,
        "outbox": {"waiting": 0, "oldest": None, "channels": []},
        "deadLetters": 0,
        "setAside": 0,
        "silences": {"active": 0, "pending": 0},
        "fleet": {"asOf": moment, "age": 40.0, "workers": workers, "accounts": []},
    }

    async def daemon_of_two(_: Asked) -> Answer:
        return Answer(200, json.dumps(status).encode())

    async with serving(daemon_of_two) as url:
        show = functools.partial(on_terminal, ["status", "--url", url], folder.path, 80)
        shown = await trio.to_thread.run_sync(show)
    lines = shown.text.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("Daemons"))
    indents = [len(line) - len(line.lstrip(" ")) for line in lines[first : first + 6]]
    assert indents == [0, 14, 14, 14, 14, 14], shown.text
    said = " ".join(shown.text.split())
    assert (
        "Daemons as they were 2026-11-21 10:00:04Z (40s ago): this one has not heard from the store since a-host"
        in said
    )
    assert said.count("; leaves promotions to others: it cannot poll it: Routee refuses the credentials (401);") == 1
    assert said.count("; leaves otp to others ") == 1, "an earlier version does not say why"
    assert said.count(": main, otp; no sign of life since 2026-11-21 10:30:00Z (") == 1
    assert "a-host-that-was-killed:4711, 0.1.0: not heard of since 2026-11-21 10:30:00Z (" in said


def test_what_only_rules_wait_for_is_past_that_is_still_read(polled: Folder, tmp_path: Path) -> None:
    shutil.copytree(polled.path, tmp_path / "copy")
    folder = Folder(tmp_path / "copy")
    folder.replace(folder.config, "{name: outbound, every: 30s,", "{name: outbound, every: 1d, resweep: [],")
    folder.rules.write_text("rules: [{name: Long, kind: count, window: 2d, above: 100000}]")
    for hours, said in ((24, (0.5, "50%", "reads the past")), (49, (1, "all", "ok"))):
        with closing(open_sqlite(folder.path / "monitor.db")) as store:
            (cursor,) = store.load().cursors
            read = msgspec.structs.replace(cursor, covered_since=cursor.as_of - hours * HOUR, swept={})
            store.commit(Commit(cursors=[read]))
        [search] = json.loads(folder.invoke("status", "--json").stdout)["searches"]
        assert search["caughtUp"] == pytest.approx(said[0], abs=0.01)
        [line] = [line for line in folder.invoke("status").stdout.splitlines() if line.startswith("main outbound ")]
        assert re.search(rf"  {said[1]} +{said[2]}$", line.replace("49%", "50%"))
