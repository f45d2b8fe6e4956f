"""`run`: starts, stops as asked, and says in one line why it cannot start."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from cli_folder import PROGRAM, Folder

from monitor.__main__ import is_run
from monitor.cli.options import CONFIG_PATHS
from monitor.runtime.start_signals import StartSignals
from monitor.store.protocol import Commit, Pending
from monitor.store.sqlite import open_sqlite
from tests.fakes.alerts import change, notification_of, rate


@contextmanager
def started(folder: Folder) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A daemon in a process of its own that watches, and its URL."""
    with subprocess.Popen(
        [*PROGRAM, "run", "--config", str(folder.config)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            url = ""
            for line in process.stderr:
                message = json.loads(line)["message"]
                url = message.removeprefix("listening on ") if message.startswith("listening on ") else url
                if message.startswith("watching"):
                    break
            yield process, url
        finally:
            process.kill()


@pytest.mark.e2e
def test_it_runs_until_sigterm_survives_sighup_and_writes_nothing_to_stdout(folder: Folder) -> None:
    folder.rules.write_text("rules: []\n")
    with started(folder) as (process, url):
        assert folder.invoke("healthcheck", "--url", url).exit_code == 0
        locked = folder.invoke("run")
        assert locked.exit_code == 69
        assert json.loads(locked.stderr.splitlines()[-1])["message"].startswith("another daemon")
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        assert any("reloaded: nothing has changed" in line for line in process.stderr)  # reads as far as that line
        process.send_signal(signal.SIGTERM)
        *_, last = process.stderr
        assert json.loads(last)["message"] == "stopped"
        assert process.wait(10) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""


@pytest.mark.e2e
def test_a_console_that_nobody_reads_does_not_keep_it_from_ending(folder: Folder) -> None:
    views = [change(rate(), fingerprint=str(number), annotations={"summary": "long " * 200}) for number in range(30)]
    waiting = Pending("console/0", notification_of(*views, receiver="ops"), "main")
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        store.commit(Commit(outbox=[waiting]))
    with started(folder) as (process, _):
        assert process.stdout is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        os.read(process.stdout.fileno(), 1)  # it writes, and waits for somebody to read the rest
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.e2e
def test_a_log_that_nobody_reads_holds_nothing_up(folder: Folder) -> None:
    with started(folder) as (process, url):
        filled = os.open(f"/proc/{process.pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while True:
                os.write(filled, b"\n" * 4096)
        with suppress(BlockingIOError):
            while True:
                os.write(filled, b"\n")
        process.send_signal(signal.SIGHUP)  # which is logged
        assert folder.invoke("healthcheck", "--url", url).exit_code == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        os.close(filled)


@pytest.mark.e2e
def test_sighup_while_it_starts_is_survived(folder: Folder) -> None:
    text = folder.config.read_text()
    folder.config.unlink()
    os.mkfifo(folder.config)
    words = [*PROGRAM, "run", "--config", str(folder.config)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            with folder.config.open(
                "w"
            ) as pipe:  # opened once the command has begun to read it, and waits for the rest
                process.send_signal(signal.SIGHUP)
                pipe.write(text)
            assert process.stderr is not None
            assert any("watching" in line for line in process.stderr)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_end_while_it_starts_is_a_good_end(folder: Folder, number: signal.Signals) -> None:
    folder.config.unlink()
    os.mkfifo(folder.config)
    with subprocess.Popen([*PROGRAM, "run", "--config", str(folder.config)], stderr=subprocess.DEVNULL) as process:
        try:
            with folder.config.open("w"):  # opened once the command has begun to read it
                process.send_signal(number)
                assert process.wait(10) == 0
        finally:
            process.kill()


@pytest.mark.e2e
@pytest.mark.parametrize("before", [[], ["-c", "status"]])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGHUP, 78)])
def test_a_signal_before_the_command_is_even_imported_does_not_kill_it(
    tmp_path: Path, before: list[str], number: signal.Signals, code: int
) -> None:
    words = [sys.executable, "-X", "importtime", "-m", "monitor", *before, "run", "-c", str(tmp_path / "none.yaml")]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            next(line for line in process.stderr if line.endswith(" click.globals\n"))  # the first of click's modules
            process.send_signal(number)
            process.stderr.read()
            assert process.wait(10) == code, "without a configuration it ends at once"
        finally:
            process.kill()


def test_a_sighup_that_came_earlier_is_still_known() -> None:
    with StartSignals() as first:
        signal.raise_signal(signal.SIGHUP)
        with StartSignals() as second:
            assert second.hangup_came
        with StartSignals() as third:
            signal.raise_signal(signal.SIGHUP)
    assert (first.hangup_came, third.hangup_came) == (True, True)
    with StartSignals() as fresh:
        assert not fresh.hangup_came


@pytest.mark.parametrize(
    ("words", "is_daemon"),
    [
        ("run", True),
        ("-c a.yaml run", True),
        ("--config a.yaml run --log-level debug", True),
        ("--config=a.yaml run", True),
        ("status", False),
        ("-c run status", False),
        ("status --config run", False),
        ("--version", False),
        ("", False),
    ],
)
def test_only_the_daemon_takes_signals_from_the_first_moment(words: str, is_daemon: bool) -> None:
    assert is_run(words.split()) == is_daemon


def test_running_it_leaves_the_signals_as_they_were(folder: Folder) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)]
    folder.config.unlink()
    assert folder.invoke("run").exit_code == 78
    assert [signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)] == before


@pytest.mark.e2e
def test_ctrl_c_is_a_good_end_too(folder: Folder) -> None:
    with started(folder) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def one_line(folder: Folder, exit_code: int) -> str:
    outcome = folder.invoke("run")
    assert outcome.exit_code == exit_code, outcome.output
    assert outcome.stdout == ""
    (line,) = [line for line in outcome.stderr.splitlines() if not line.startswith("{")]
    return line


def last_of_the_log(folder: Folder, exit_code: int) -> str:
    """What ends a daemon that had begun is a line of its log, in the log's form."""
    outcome = folder.invoke("run")
    assert outcome.exit_code == exit_code, outcome.output
    *_, last = [json.loads(line) for line in outcome.stderr.splitlines()]
    assert (last["level"], last["time"][:2], last["logger"]) == ("error", "20", "monitor")
    return str(last["message"])


def test_bad_configuration_is_78(folder: Folder) -> None:
    folder.replace(folder.config, "receivers:", "recievers:")
    assert folder.invoke("run").exit_code == 78


def test_bad_rules_are_65(folder: Folder) -> None:
    folder.replace(folder.rules, "above: 20%", "above: lots")
    assert "rules[0].above" in one_line(folder, 65)
    assert not (folder.path / "monitor.db").exists(), "a store is opened, or made, once all files are right"


def test_a_bad_template_is_refused_before_it_is_needed(folder: Folder) -> None:
    folder.template.write_text("{{ nonsense }}")
    assert one_line(folder, 78) == f"{folder.template}:1:1: there is no 'nonsense' here"


def test_a_missing_configuration_is_78(folder: Folder) -> None:
    folder.config.unlink()
    assert "There is no configuration at" in one_line(folder, 78)


def test_the_usual_places_are_looked_at(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [str(place) for place in CONFIG_PATHS] == ["monitor.yaml", "/etc/routee-monitor/monitor.yaml"]
    monkeypatch.chdir(folder.path)
    assert folder.invoke("check").exit_code == 0


def test_a_missing_folder_for_the_store_is_69(folder: Folder) -> None:
    folder.replace(folder.config, "sqlite:monitor.db", "sqlite:nowhere/monitor.db")
    assert "there is no folder" in last_of_the_log(folder, 69)


def test_a_busy_port_is_69(folder: Folder) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        folder.replace(folder.config, "127.0.0.1:0", f"127.0.0.1:{busy.getsockname()[1]}")
        assert str(busy.getsockname()[1]) in last_of_the_log(folder, 69)


def test_a_locked_store_is_69(folder: Folder, tmp_path: Path) -> None:
    with closing(open_sqlite(tmp_path / "monitor.db", exclusive=True)):
        assert "another daemon" in last_of_the_log(folder, 69)
