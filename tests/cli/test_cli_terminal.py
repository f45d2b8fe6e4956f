"""Every command, as a real process, on terminals of 80 and 160 columns with colours, piped, and where its output cannot be written."""

import functools
import json
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import trio
from cli_folder import CREDENTIALS, PROGRAM, Folder, folder_at
from terminal import environment, on_terminal, piped

from monitor.cli import cli
from monitor.runtime.clock import MINUTE, SECOND, SystemClock
from monitor.simulation.sandbox import Sandbox, serve
from tests.fakes.routee import sms

HOSTILE = "Ann \x1b]0;owned\x07\x9b31m\u202egnp\u200b\ufeff"
WIDE_NAME = "中国移动通信 📱"
RULES = """\
rules:
  - {name: OperatorFailureRate, kind: rate, by: [operator, country], window: 15m, above: 20%, min_messages: 30, severity: critical,
     description: "Of the messages of an operator more than a fifth fail, over a quarter of an hour, in which at least thirty got a final status."}
  - {name: ManyMessages, kind: count, window: 1h, above: 100, for: 1h}
  - {name: CampaignWatch, kind: campaign, failure_above: 20%, stalled_for: 30m, short_below: 95%, ended: report}
"""
TESTS = """\
rules: [rules.yaml]
tests:
  - name: an operator that fails is told
    every: 1m
    messages:
      - {at: 0m, during: 20m, rate: 20, operator: Nova, country: GR, status: Undelivered}
    expect:
      - {at: 20m, rule: OperatorFailureRate, alerts: []}
"""


@dataclass(frozen=True)
class Case:
    """How a command is run here. ``code``: how it ends; ``until``: shown before it is interrupted; ``verbatim``: not wrapped, so
    the same on every terminal."""

    arguments: str
    code: int = 0
    until: str = ""
    verbatim: bool = False


CASES = {
    "run": Case("--config second.yaml", until="watching", verbatim=True),
    "demo": Case("--speed 600", until="behind the scenes", verbatim=True),
    "check": Case("--online", 69),
    "test": Case("tests.yaml", 1),
    "backtest": Case("--since 10m --rule OperatorFailureRate"),
    "search": Case("outbound"),
    "track": Case("two-parts"),
    "campaign": Case("sale-1"),
    "explain": Case("OperatorFailureRate"),
    "alerts": Case(""),
    "status": Case(""),
    "history": Case(""),
    "report": Case("--since 1h"),
    "init": Case("--help"),
    "ack": Case("operator=Cosmote --by Ann --comment again"),
    "silence add": Case("operator=Nobody --for 1h --by Ann --comment why"),
    "silence list": Case(""),
    "silence expire": Case("no-such-silence", 2),
    "deliver list": Case(""),
    "deliver retry": Case("--all", 1),
    "backup": Case("copy.db --force"),
    "store copy": Case("sqlite:monitor.db sqlite:another.db", 69),
    "routes show": Case("", verbatim=True),
    "routes test": Case("alertname=OperatorFailureRate severity=critical operator=Cosmote country=GR"),
    "rules review": Case("--since 10m"),
    "render": Case("--sample", verbatim=True),
    "send-test": Case("ops"),
    "sandbox": Case("--listen 127.0.0.1:0 --rate 0 --messages 10", until="Ctrl-C ends it"),
    "schema": Case("rules", verbatim=True),
    "healthcheck": Case(""),
    "completion": Case("bash", verbatim=True),
    "manual": Case("", verbatim=True),
}
"""Each command by its words; one that is new needs a line here."""

FURTHER = {
    "alerts --notifications": Case(""),
    "alerts --dead-letters": Case(""),
    "alerts --state all": Case(""),
    "search outbound --set-aside": Case(""),
    "silence list --expired": Case(""),
    "explain OperatorFailureRate --watch": Case("", 130, until="VALUE"),
    "explain NoSuchRule": Case("", 1),
    "explain ManyMessages": Case(""),
}


def commands(group: click.Group = cli, above: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{above}{name} ")
        else:
            yield above + name


def _filled() -> Sandbox:
    sandbox = Sandbox(SystemClock(), credentials=CREDENTIALS)
    now = sandbox.now()
    for number in range(100):
        status, detail = ("Undelivered", "Carrier Violation") if number < 40 else ("Delivered", "Delivered")
        for operator in ("Cosmote", WIDE_NAME, HOSTILE):
            sandbox.put(sms(status, now - 5 * MINUTE - number * SECOND, detail, operator=operator))
        status, detail = ("Undelivered", "Unknown Number") if number % 4 == 0 else ("Delivered", "Delivered")
        named = {"campaignTrackingId": "sale-1", "campaignName": f"Sale {HOSTILE}", "price": 0.05}
        sandbox.put(sms(status, now - 5 * MINUTE + number * SECOND, detail, **named))
    for part in (1, 2):
        sandbox.put(sms("Delivered", now - 9 * MINUTE, messageId="two-parts", parts=2, part=part, operator="Cyta"))
    sandbox.put_campaign("sale-1", {"state": "Running", "smsAnalysis": {"numberOfRecipients": 400}})
    return sandbox


@pytest.fixture(scope="module")
def routee() -> Iterator[str]:
    started, urls = threading.Event(), []
    stops: list[tuple[trio.lowlevel.TrioToken, trio.CancelScope]] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            urls.append(await nursery.start(serve, _filled()))
            stops.append((trio.lowlevel.current_trio_token(), nursery.cancel_scope))
            started.set()

    thread = threading.Thread(target=trio.run, args=(main,), daemon=True)
    thread.start()
    assert started.wait(20)
    yield urls[0]
    token, scope = stops[0]
    token.run_sync_soon(scope.cancel)
    thread.join(20)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, routee: str) -> Iterator[Folder]:
    """A daemon that runs, with alerts that fire, one of them acknowledged and one silenced by somebody hostile, and a history."""
    folder = folder_at(tmp_path_factory.mktemp("terminal"), routee)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder.replace(folder.config, '"127.0.0.1:0"', f'"127.0.0.1:{port}"')
    folder.rules.write_text(RULES)
    (folder.path / "tests.yaml").write_text(TESTS)
    second = folder.config.read_text().replace("monitor.db", "second.db").replace(f":{port}", ":0")
    (folder.path / "second.yaml").write_text(second)
    with (folder.path / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen([*PROGRAM, "run"], stdout=log, stderr=log, cwd=folder.path, env=environment())
    api = f"http://127.0.0.1:{port}/api"
    try:
        firing = _wait_for_alerts(f"{api}/v2/alerts", daemon)
        cosmote = next(one for one in firing if one["labels"].get("operator") == "Cosmote")
        _post(f"{api}/v1/alerts/{cosmote['fingerprint']}/acknowledgement", {"by": HOSTILE, "comment": HOSTILE})
        matcher = {"name": "operator", "value": WIDE_NAME, "isRegex": False, "isEqual": True}
        span = {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2096-01-01T00:00:00Z"}
        _post(f"{api}/v2/silences", span | {"matchers": [matcher], "createdBy": HOSTILE, "comment": HOSTILE * 5})
        yield folder
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(timeout=30)


def _wait_for_alerts(url: str, daemon: "subprocess.Popen[bytes]") -> list[dict[str, dict[str, str]]]:
    for _ in range(300):
        assert daemon.poll() is None
        try:
            found = json.load(urllib.request.urlopen(url, timeout=5))
        except OSError:
            found = []
        if len([one for one in found if one["status"]["state"] == "active"]) >= 3:
            return found
        time.sleep(0.1)
    raise AssertionError("no alerts")


def _post(url: str, body: object) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=5).close()


def test_every_command_is_run_on_a_terminal() -> None:
    assert set(commands()) == set(CASES)


@pytest.mark.parametrize("words", [*CASES, *FURTHER])
def test_on_terminals_and_piped(words: str, stage: Folder) -> None:
    case = (CASES | FURTHER)[words]
    arguments = [*words.split(), *case.arguments.split()]
    widths = [80] if case.verbatim else [80, 160]
    ways = [
        *(functools.partial(on_terminal, arguments, stage.path, columns=each, until=case.until) for each in widths),
        functools.partial(piped, arguments, stage.path, until=case.until),
    ]
    shown = (
        [way() for way in ways]
        if words in ("run", "backup")
        else list(ThreadPoolExecutor(3).map(lambda way: way(), ways))
    )
    for columns, one in zip((*widths, 0), shown, strict=True):
        assert "internal error" not in one.text
        assert one.code == case.code, one.text
        assert one.strays == []
        if columns and not case.verbatim:
            assert one.widest <= columns, one.text
    assert not shown[-1].is_coloured


@pytest.mark.parametrize("words", CASES)
def test_what_cannot_be_written_is_said(words: str, stage: Folder) -> None:
    case = CASES[words]
    if case.code == 2 or words in ("run", "silence add", "ack", "demo", "deliver retry", "store copy"):
        return  # nothing is printed, or it acts
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, *words.split(), *case.arguments.split()],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=stage.path,
            env=environment(),
            timeout=60,
        )
    assert done.stderr.decode().splitlines()[-1:] == ["Standard output cannot be written: No space left on device"]
    assert done.returncode == 74


@pytest.mark.parametrize("arguments", ["alerts --state fired", "routes test severity", "no-such"])
def test_errors_are_wrapped_at_words(arguments: str, tmp_path: Path) -> None:
    whole = piped(arguments.split(), tmp_path)
    narrow = on_terminal(arguments.split(), tmp_path, 60)
    assert whole.code == narrow.code != 0
    assert narrow.widest <= 60
    assert narrow.text.split() == whole.text.split()
