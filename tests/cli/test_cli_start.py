"""What a command does not use, it does not import (docs/decisions/0034-start-up.md). Speed itself is measured in benchmarks/."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_folder import Folder, folder_at, poll_once

CODE = """\
import gc, json, os, sys
path, usual, looked = sys.argv.pop(1), gc.get_threshold(), []
gc.callbacks.append(lambda phase, info: looked.append(gc.get_count()[0]) if phase == "start" else None)
from monitor.cli import main
try:
    main()
finally:
    with open(path, "w") as file:
        marks = ["garbage as usual"] * (gc.get_threshold() == usual) + ["garbage left"] * (gc.get_freeze_count() > 0)
        marks += ["all looked through"] * (max(looked, default=0) > 100_000)
        marks += ["several threads"] * (len(os.listdir("/proc/self/task")) > 1)
        json.dump(sorted(sys.modules) + marks, file)
"""
"""Runs the command behind the path of a file, and then lists in it what was imported, whether Python looks for garbage as usual, whether
it leaves it at the end, whether it looked for some among all that a start makes, and whether a library has started threads."""

NEVER = {
    "PIL",
    "apprise",
    "hypercorn",
    "prometheus_client",
    "pygments",
    "re2",
    "rich",
    "slack_sdk",
    "starlette",
    "trio_websocket",
}
"""What no command needs that only reads files and the store."""
CLIENT = {"httpx", "trio"}
COUNTING = {"numpy"}
OF_NUMPY = {"numpy._typing._array_like", "numpy._typing._char_codes", "numpy._typing._dtype_like", "numpy.ma.core"}
"""What NumPy's types are for those who check types, which takes a third of its import, and arrays with masks."""
PARTS = {"httpcore._sync.connection", "numpy.linalg._linalg"}
"""Parts of libraries that nothing here uses."""
OTHERS = {
    f"monitor.cli.{name}" for name in ("backtest", "campaign", "demo", "init", "messages", "sandbox", "send_test")
}
"""Other commands than those that are tried here."""
TEMPLATES = {"jinja2"}
SCREEN = {"monitor.simulation.demo", "monitor.simulation.demo.screen"}
"""A terminal whose last line changes, which is all that the daemon uses of the simulation."""
TLS = {"certifi", "ssl"}
VALIDATION = {"pydantic", "msgspec", "yaml"}


def command(folder: Folder, words: str, listed: Path) -> list[str]:
    return [sys.executable, "-c", CODE, str(listed), *words.split(), "--config", str(folder.config)]


def imported(folder: Folder, words: str) -> set[str]:
    """The libraries and the modules of the program that a command has imported, in a process of its own."""
    listed = folder.path / "imported.json"
    usual = {name: value for name, value in os.environ.items() if name not in ("SSL_CERT_DIR", "SSL_CERT_FILE")}
    subprocess.run(command(folder, words, listed), capture_output=True, timeout=60, check=False, env=usual)
    return set(json.loads(listed.read_text()))


def copied(folder: Folder, path: Path) -> Folder:
    """The same files and the same store elsewhere, so that a test can write beside them."""
    copy = folder_at(path, "http://127.0.0.1:1")
    (path / "monitor.db").write_bytes((folder.path / "monitor.db").read_bytes())
    return copy


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, routee_url: str) -> Folder:
    """A store in which nothing fires."""
    folder = folder_at(tmp_path_factory.mktemp("quiet"), routee_url)
    folder.replace(folder.rules, "above: 20%", "above: 99%")
    folder.replace(folder.rules, "above: 100", "above: 100000")
    poll_once(folder)
    return folder


@pytest.mark.parametrize(
    ("words", "unused"),
    [
        ("alerts", NEVER | CLIENT | COUNTING | TEMPLATES),
        ("alerts --notifications", NEVER | CLIENT | COUNTING | TEMPLATES),
        ("alerts --dead-letters", NEVER | CLIENT | COUNTING | TEMPLATES),
        ("status", NEVER | CLIENT | COUNTING | TEMPLATES),
        ("history", NEVER | CLIENT | COUNTING | TEMPLATES),
        ("routes show", NEVER | CLIENT | COUNTING | TEMPLATES),
        ("routes test severity=critical", NEVER | CLIENT | COUNTING | TEMPLATES),
        ("silence list", NEVER | CLIENT | COUNTING | TEMPLATES | {"sqlite3"}),
        ("ack operator=Cosmote", NEVER | CLIENT | COUNTING | TEMPLATES | {"sqlite3"}),
        ("explain OperatorFailureRate", NEVER | CLIENT | TEMPLATES | TLS),
        ("check", NEVER | CLIENT | TLS),
    ],
)
def test_a_command_imports_only_what_it_uses(quiet: Folder, words: str, unused: set[str]) -> None:
    found = imported(quiet, words)
    assert found >= VALIDATION  # the command did run
    assert "garbage as usual" not in found
    assert "garbage left" in found
    assert "all looked through" not in found
    assert not found & (unused | OF_NUMPY | OTHERS | PARTS), sorted(found & (unused | OF_NUMPY | OTHERS | PARTS))
    assert "several threads" not in found
    assert not {name for name in found if name.startswith("monitor.simulation")}


def test_alerts_that_fire_are_shown_without_a_client(polled: Folder, tmp_path: Path) -> None:
    found = imported(copied(polled, tmp_path), "alerts")
    assert found >= COUNTING  # it did show some
    assert not found & (NEVER | CLIENT | TEMPLATES | OF_NUMPY)
    assert "several threads" not in found


def imported_by_the_daemon(folder: Folder) -> set[str]:
    """The libraries and the modules of the program that the daemon has imported once it works."""
    listed = folder.path / "imported.json"
    arguments = [*command(folder, "run", listed), "--log-format", "text"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stderr is not None
            assert any("watching " in line for line in process.stderr)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    return set(json.loads(listed.read_text()))


def test_a_daemon_that_does_not_listen_imports_no_web_server(folder: Folder) -> None:
    folder.replace(folder.config, 'web: {listen: "127.0.0.1:0"}', "web: off")
    found = imported_by_the_daemon(folder)
    assert found >= {"httpx", "numpy", "garbage as usual"}
    assert not found & {"hypercorn", "starlette", "monitor.daemon.http", "monitor.daemon.read"}
    assert not found & {"http.server", "wsgiref.simple_server"}  # prometheus_client's


def test_the_daemon_imports_no_channel_that_it_does_not_have_and_nothing_of_the_simulation(folder: Folder) -> None:
    found = imported_by_the_daemon(folder)
    assert found >= {"httpx", "numpy", "starlette", "garbage as usual"}
    assert "all looked through" not in found
    assert not found & {
        "PIL",
        "apprise",
        "hpack",
        "monitor.alerts.report",
        "monitor.daemon.fleet.member",
        "monitor.notify.render.report",
        "priority",
        "pygments",
        "re2",
        "rich",
        "slack_sdk",
        "trio_websocket",
        "wsproto",
        *OF_NUMPY,
        *OTHERS,
        *PARTS,
    }
    assert not {name for name in found if name.startswith("monitor.simulation.")} - SCREEN
