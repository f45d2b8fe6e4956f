"""`store copy`, and the other commands on a store in PostgreSQL."""

import json
import os
import re
import shutil
import socket
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from cli_folder import Folder
from click.testing import CliRunner, Result

from monitor.cli import cli
from monitor.daemon.validate import load
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.open import open_store
from monitor.store.postgresql import open_postgresql, open_worker
from tests.fakes.alertmanager import free_port
from tests.fakes.postgresql import PASSWORD, PostgresqlServer
from tests.store.store_samples import enqueue, notification


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\n")
    return path


@pytest.fixture
def stored(polled: Folder, tmp_path: Path) -> Folder:
    """Files and a store of this test's own."""
    shutil.copytree(polled.path, tmp_path / "own")
    return Folder(tmp_path / "own")


def run(folder: Folder, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--config", str(folder.config)])


def into_postgresql(folder: Folder, address: PostgresqlAddress, password: Path) -> None:
    """The same daemon's store, in PostgreSQL."""
    done = run(folder, "store", "copy", f"sqlite://{folder.path}/monitor.db", shown(address), *option(password))
    assert done.exit_code == 0, done.output
    folder.replace(
        folder.config, "store: sqlite:monitor.db", f"store: {shown(address)}\nstore_password_file: {password}"
    )


def shown(address: PostgresqlAddress) -> str:
    return str(address)


def option(password: Path) -> Sequence[str]:
    return ("--password-file", str(password))


def test_a_notification_that_cannot_be_read_is_left_out_and_said(stored: Folder) -> None:
    source = f"sqlite://{stored.path}/monitor.db"
    with open_store(stored.path / "monitor.db") as store:
        for number in range(22):
            enqueue(store, notification(f"k{number}"))
    with closing(sqlite3.connect(stored.path / "monitor.db")) as connection, connection:
        numbers = [number for (number,) in connection.execute("SELECT id FROM parcel ORDER BY id DESC LIMIT 21")]
        marks = ", ".join("?" * len(numbers))
        connection.execute(f"UPDATE parcel SET notification = x'00' WHERE id IN ({marks})", numbers)
    done = run(stored, "store", "copy", source, f"sqlite://{stored.path}/copy.db")
    assert done.exit_code == 1, done.output
    assert "rows copied and compared" in done.stdout
    *named, last = done.stderr.splitlines()
    assert len(named) == 20
    assert named[0].startswith(f"notification {min(numbers)} cannot be read, and was left out: ")
    assert last == "21 notifications left out, 1 of which is not named (--json names all); all else was copied"
    done = run(stored, "store", "copy", source, f"sqlite://{stored.path}/again.db", "--json")
    assert done.exit_code == 1
    assert [one["id"] for one in json.loads(done.stdout)["left_out"]] == sorted(numbers)


def test_a_store_goes_to_postgresql_and_back(stored: Folder, postgresql: PostgresqlAddress, password: Path) -> None:
    there = run(stored, "store", "copy", f"sqlite://{stored.path}/monitor.db", shown(postgresql), *option(password))
    assert there.exit_code == 0, there.output
    assert there.stdout.startswith(f"{postgresql}: ")
    assert "rows copied and compared" in there.stdout
    back = run(
        stored, "store", "copy", shown(postgresql), f"sqlite://{stored.path}/back.db", "--json", *option(password)
    )
    assert back.exit_code == 0, back.output
    found = json.loads(back.stdout)
    assert (found["from"], found["to"]) == (str(postgresql), f"{stored.path}/back.db")
    assert found["rows"] == sum(found["tables"].values()) > 3
    with (
        open_store(stored.path / "monitor.db", read_only=True) as first,
        open_store(stored.path / "back.db", read_only=True) as last,
    ):
        assert first.load() == last.load()
        assert list(first.journal("main")) == list(last.journal("main"))


READING = ("alerts", "explain OperatorFailureRate", "history", "report --since 1h", "search outbound --set-aside")


@pytest.mark.parametrize("line", READING)
def test_a_command_says_the_same_of_either_store(
    stored: Folder, postgresql: PostgresqlAddress, password: Path, line: str
) -> None:
    before = run(stored, *line.split(), "--json")
    into_postgresql(stored, postgresql, password)
    after = run(stored, *line.split(), "--json")
    assert before.exit_code == after.exit_code == 0, after.output
    assert timeless(json.loads(after.stdout)) == timeless(json.loads(before.stdout))


def timeless(value: object) -> object:
    """Without what says when the command ran."""
    if isinstance(value, dict):
        moving = {"age", "endsAt", "until", "since", "made_at", "firing_seconds", "blind_seconds"}
        return {key: timeless(one) for key, one in value.items() if key not in moving}
    if isinstance(value, str):
        return re.sub(r"(\d+m)?\d+s before the end", "just before the end", value)
    return [timeless(one) for one in value] if isinstance(value, list) else value


def test_status_and_check_name_the_database(stored: Folder, postgresql: PostgresqlAddress, password: Path) -> None:
    stored.ask_nobody()
    into_postgresql(stored, postgresql, password)
    status = run(stored, "status")
    assert status.exit_code == 69
    assert f"from its store {postgresql}" in " ".join(status.stdout.split())
    check = run(stored, "check")
    assert check.exit_code == 0, check.output
    assert f"Everything is kept in {postgresql}" in check.stdout
    assert PASSWORD not in status.output + check.output


def test_check_says_so_if_the_driver_of_the_store_is_not_installed(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.replace(folder.config, "store: sqlite:monitor.db", "store: postgresql://127.0.0.1/x")
    for name in [name for name in sys.modules if name.startswith("monitor.store.postgresql")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("monitor.store.postgresql", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    said = folder.invoke("check")
    assert "good, but the daemon cannot start here: see the warnings." in " ".join(said.stdout.split())
    assert "needs psycopg, which is not installed" in " ".join(said.stderr.split())


def test_check_online_logs_in(stored: Folder, postgresql: PostgresqlAddress, password: Path) -> None:
    into_postgresql(stored, postgresql, password)
    right = json.loads(run(stored, "check", "--online", "--json").stdout)["online"]
    password.write_text("another-password")
    wrong = json.loads(run(stored, "check", "--online", "--json").stdout)["online"]
    [good], [bad] = ([one for one in answers if one["what"] == "store"] for answers in (right, wrong))
    assert good["ok"]
    assert not bad["ok"]
    assert "password authentication failed" in json.dumps(bad)
    assert "another-password" not in json.dumps(bad)


def test_a_running_daemon_is_known_by_its_lock(stored: Folder, postgresql: PostgresqlAddress, password: Path) -> None:
    into_postgresql(stored, postgresql, password)
    with closing(open_postgresql(postgresql, exclusive=True)):
        assert "runs (process" in run(stored, "status").stdout
        done = run(stored, "store", "copy", shown(postgresql), f"sqlite://{stored.path}/x.db", *option(password))
    assert done.exit_code == 69
    assert "another daemon" in done.stderr


def test_status_on_the_machine_of_a_dead_daemon_names_the_daemons_that_live(
    stored: Folder, postgresql: PostgresqlAddress, password: Path
) -> None:
    into_postgresql(stored, postgresql, password)
    stored.replace(stored.config, "127.0.0.1:0", f"127.0.0.1:{free_port()}")
    with closing(open_worker(postgresql)) as other:
        leases = other.leases()
        assert leases is not None
        with closing(leases):
            leases.beat(["main"], {})
            leases.take(["main"])
            status = run(stored, "status")
            found = json.loads(run(stored, "status", "--json").stdout)
    name = f"{socket.gethostname()}:{os.getpid()}"
    said = " ".join(status.stdout.split())
    assert status.exit_code == 69
    assert said.startswith("routee-monitor is not running here. ")
    assert f"Other daemons work on its store: {name} holds main " in said
    assert f"Daemons {name}, " in said
    assert (found["running"], found["process"]) == (False, None)
    [worker] = found["fleet"]["workers"]
    assert (worker["name"], worker["isThis"], worker["accounts"]) == (name, False, ["main"])


@pytest.mark.parametrize("lives", [True, False])
def test_status_of_a_daemon_that_does_not_answer(
    stored: Folder,
    postgresql: PostgresqlAddress,
    postgresql_server: PostgresqlServer,
    password: Path,
    lives: bool,
) -> None:
    into_postgresql(stored, postgresql, password)
    listen = f'web: {{listen: "0.0.0.0:{free_port()}", token: {"t" * 24}}}'
    stored.replace(stored.config, 'web: {listen: "127.0.0.1:0"}', listen)
    own = load(stored.config, dict(os.environ)).settings.config.web
    assert own is not None
    process = os.getpid() if lives else 2**22 + 1  # more than any process has
    with closing(open_worker(postgresql, url=own.own_url)):
        name = f"{socket.gethostname()}:{process}"
        postgresql_server.administer(f"UPDATE routee_monitor.worker SET name = '{name}'", database=postgresql.database)
        said = " ".join(run(stored, "status").stdout.split())
    assert (f"runs (process {process}), but does not answer" in said) == lives
    assert ("routee-monitor is not running. " in said) != lives


def test_a_backup_is_left_to_pg_dump(stored: Folder, postgresql: PostgresqlAddress, password: Path) -> None:
    into_postgresql(stored, postgresql, password)
    done = run(stored, "backup", str(stored.path / "copy.db"))
    assert done.exit_code == 69
    assert "back it up with pg_dump" in done.stderr
    assert not (stored.path / "copy.db").exists()


def test_the_configurations_password_is_that_of_its_store(
    stored: Folder, postgresql: PostgresqlAddress, password: Path
) -> None:
    into_postgresql(stored, postgresql, password)
    done = run(stored, "store", "copy", shown(postgresql), f"sqlite://{stored.path}/back.db")
    assert done.exit_code == 0, done.output


def test_a_password_in_the_command_line_is_refused_and_not_repeated(folder: Folder) -> None:
    done = run(folder, "store", "copy", "sqlite:monitor.db", "postgresql://ann:s3cret-word@127.0.0.1/x")
    assert done.exit_code == 2
    assert "--password-file" in done.stderr
    assert "s3cret-word" not in done.output


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("monitor.db", "sqlite:x.db"), 2, "should be sqlite:///absolute/path"),
        (("sqlite:none.db", "sqlite:x.db"), 69, "none.db: check its name"),
        (("sqlite:a.db", "postgresql://127.0.0.1/x", "--password-file", "none"), 2, "cannot be read"),
        (("sqlite:a.db",), 2, "Missing argument"),
    ],
)
def test_what_cannot_be_copied_is_said(folder: Folder, words: tuple[str, ...], code: int, why: str) -> None:
    done = run(folder, "store", "copy", *words)
    assert (done.exit_code, why in done.stderr) == (code, True), done.stderr


def test_where_the_server_asks_for_a_password_the_option_is_named(
    stored: Folder, postgresql: PostgresqlAddress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    done = run(stored, "store", "copy", f"sqlite://{stored.path}/monitor.db", shown(postgresql))
    assert done.exit_code == 69
    said = " ".join(done.output.split())
    assert "no password supplied" in said
    assert said.endswith("it asks for a password: name a file with it with --password-file")


def test_one_password_is_not_given_to_two_servers(folder: Folder, password: Path) -> None:
    done = run(folder, "store", "copy", "postgresql://127.0.0.1/x", "postgresql://localhost/x", *option(password))
    assert done.exit_code == 2
    said = " ".join(done.stderr.replace("│", " ").split())
    assert "one password is not given to two servers" in said
    assert "PGPASSFILE" in said


def test_each_of_two_databases_has_its_password_from_the_drivers_file(
    stored: Folder,
    postgresql: PostgresqlAddress,
    postgresql_server: PostgresqlServer,
    password: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    into_postgresql(stored, postgresql, password)
    other = postgresql_server.database()
    lines = [f"127.0.0.1:{one.port}:{one.database}:{one.user}:{PASSWORD}\n" for one in (postgresql, other)]
    password.write_text("".join(lines))
    password.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(password))
    stored.config.unlink()
    done = CliRunner().invoke(cli, ["store", "copy", shown(postgresql), shown(other)])
    postgresql_server.drop(other)
    assert done.exit_code == 0, done.output
