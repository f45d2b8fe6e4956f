"""Commands beside the service of docs/install/systemd.md, whose secrets systemd hands to the daemon alone."""

import functools
import re
import shlex
from pathlib import Path

import pytest
import trio
from cli_folder import CREDENTIALS, Folder, poll_once
from click.testing import CliRunner
from test_cli_status import running

from monitor.cli import cli

INSTALL = Path(__file__).parents[2] / "docs" / "install"
TOKEN = "a-token-of-the-service"


@pytest.fixture
def secrets(folder: Folder) -> Path:
    """The folder of the secrets, which the configuration names as the service does."""
    secrets = folder.path / "secrets"
    secrets.mkdir()
    (secrets / "routee_secret").write_text(CREDENTIALS[1])
    (secrets / "web_token").write_text(TOKEN)
    folder.replace(folder.config, f"application_secret: {CREDENTIALS[1]}", "application_secret_file: routee_secret")
    folder.replace(folder.config, '"127.0.0.1:0"', '"127.0.0.1:0", token_file: web_token')
    return secrets


@pytest.fixture
def polled_service(folder: Folder, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    with monkeypatch.context() as service:
        service.setenv("CREDENTIALS_DIRECTORY", str(secrets))
        poll_once(folder)
    return folder


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("backup BACKUP", 0),
        ("explain OperatorFailureRate", 0),
        ("report", 0),
        ("rules review", 0),
        ("routes show", 0),
        ("render", 0),
        ("backtest --since 1h", 0),
        ("history", 0),
        ("status", 69),
    ],
)
def test_what_needs_no_secret_reads_none(polled_service: Folder, command: str, code: int) -> None:
    words = command.replace("BACKUP", str(polled_service.path / "copy.db")).split()
    outcome = CliRunner().invoke(cli, [*words, "--config", str(polled_service.config)])
    assert (outcome.exit_code, "cannot be read" in outcome.output) == (code, False), outcome.output


async def test_the_daemon_is_asked_without_a_secret_and_changed_only_with_it(
    folder: Folder, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(*words: str):
        line = [*words, "--config", str(folder.config)]
        return await trio.to_thread.run_sync(functools.partial(CliRunner().invoke, cli, line))

    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secrets))
    async with running(folder) as url:
        monkeypatch.delenv("CREDENTIALS_DIRECTORY")
        for words in (["status"], ["alerts"], ["silence", "list"]):
            outcome = await run(*words, "--url", url)
            assert (outcome.exit_code, outcome.stderr) == (0, ""), outcome.output
        ack = ("ack", "alertname=OperatorFailureRate", "--by", "Ann", "--url", url)
        refused = await run(*ack)
        assert refused.exit_code == 1
        said = " ".join(refused.stderr.split())
        assert "needs a token: token_file: the file web_token cannot be read" in said
        assert "CREDENTIALS_DIRECTORY=" in said
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secrets))
        assert (await run(*ack)).exit_code == 0


@pytest.mark.parametrize("words", [("search", "outbound"), ("track", "reply"), ("check",)])
def test_what_needs_a_secret_says_where_it_is_to_be_had(
    folder: Folder, secrets: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    outcome = folder.invoke(*words)
    assert outcome.exit_code == 78
    said = " ".join(outcome.stderr.split())
    assert "application_secret_file: the file routee_secret cannot be read: No such file or directory" in said
    assert "run this as root with CREDENTIALS_DIRECTORY=FOLDER before the command" in said
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secrets))
    assert folder.invoke(*words).exit_code == 0


def test_a_store_whose_password_is_unknown_here_is_said_beside_the_daemon_that_does_not_answer(folder: Folder) -> None:
    folder.replace(
        folder.config,
        "store: sqlite:monitor.db",
        "store: postgresql://a@127.0.0.1:1/b\nstore_password_file: store_password",
    )
    folder.replace(folder.config, "127.0.0.1:0", "127.0.0.1:1")
    outcome = folder.invoke("status")
    assert outcome.exit_code == 78
    said = " ".join(outcome.stderr.split())
    assert "No answer from http://127.0.0.1:1" in said
    assert "its store cannot be read here either: store_password_file: the file store_password cannot be read" in said


def shown() -> list[str]:
    """The commands of the program on the pages about the service."""
    pages = "\n".join((INSTALL / f"{page}.md").read_text("utf-8") for page in ("systemd", "upgrade", "backup"))
    return re.findall(r"^    ((?:CREDENTIALS_DIRECTORY=\S+ )?\S*routee-monitor [a-z].*)$", pages, re.MULTILINE)


def test_the_pages_show_commands() -> None:
    assert {shlex.split(one)[-3] for one in shown()} >= {"status", "check"}


@pytest.mark.parametrize("line", shown())
def test_what_the_pages_show_works_as_written(
    polled_service: Folder, secrets: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """Nothing but the places differ: the program's, the configuration's, the secrets' and the copy's."""
    words = shlex.split(line.replace("$(date +%F)", "today"))
    if words[0].startswith("CREDENTIALS_DIRECTORY="):
        assert words.pop(0) == "CREDENTIALS_DIRECTORY=/etc/routee-monitor/secrets"
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secrets))
    program, *words = words
    assert program == "/opt/routee-monitor/bin/routee-monitor"
    here = {"/etc/routee-monitor": str(polled_service.path), "/var/backups": str(polled_service.path)}
    for there, place in here.items():
        words = [word.replace(there, place) for word in words]
    outcome = CliRunner().invoke(cli, words)
    assert outcome.exit_code == (69 if words[0] == "status" or "--online" in words else 0), outcome.output
