"""One account of which a row in the store cannot be read: commands answer for the others, and say so."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from cli_folder import Folder, run_on
from msgspec.structs import replace

from monitor.cli.load import read_settings
from monitor.notify.render import sample_notification, sample_view
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.open import open_store
from monitor.store.protocol import Commit, Pending
from tests.fakes.postgresql import PASSWORD, PostgresqlServer

COMMANDS: Sequence[tuple[str, ...]] = [
    ("alerts",),
    ("history",),
    ("explain", "OperatorFailureRate"),
    ("report",),
    ("backtest", "--since", "1h"),
    ("rules", "review"),
]
Damage = Callable[[str], None]


@pytest.fixture
def two(polled: Folder, tmp_path: Path) -> Folder:
    """What is stored of an account ``main``, and the same again of an account ``second``."""
    folder = Folder(shutil.copytree(polled.path, tmp_path / "own"))
    folder.add_account("second")
    with open_store(folder.path / "monitor.db") as store:
        kept = store.load()
        cursors = [replace(one, account="second", search="second-all") for one in kept.cursors]
        store.commit(Commit(cursors=cursors, alerts=[replace(one, account="second") for one in kept.alerts]))
    return folder


@pytest.fixture
def in_postgresql(two: Folder, postgresql: PostgresqlAddress) -> Folder:
    password = two.path / "password"
    password.write_text(f"{PASSWORD}\n")
    copied = run_on(
        two, "store", "copy", f"sqlite://{two.path}/monitor.db", str(postgresql), "--password-file", str(password)
    )
    assert copied.exit_code == 0, copied.output
    two.replace(two.config, "store: sqlite:monitor.db", f"store: {postgresql}\nstore_password_file: {password}")
    return two


@pytest.fixture
def damage(postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer) -> Damage:
    """Makes the rows of an account's cursors unreadable."""

    def damaged(account: str) -> None:
        statement = f"UPDATE routee_monitor.cursor SET data = 'nonsense' WHERE account = '{account}'"
        postgresql_server.administer(statement, database=postgresql.database)

    return damaged


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_commands_answer_for_the_others_and_say_which_one_is_left_out(
    in_postgresql: Folder, damage: Damage, command: tuple[str, ...]
) -> None:
    damage("second")
    done = run_on(in_postgresql, *command)
    assert done.exit_code == 0, done.output
    [warning] = [line for line in done.stderr.splitlines() if "second" in line]
    assert warning.startswith("warning: account second is left out: ")
    assert (
        "the cursor of account second, search second-all in the table routee_monitor.cursor cannot be read" in warning
    )
    assert "delete that row" in warning
    assert "second" not in done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_where_nothing_can_be_read_that_is_the_exit_code(
    in_postgresql: Folder, damage: Damage, command: tuple[str, ...]
) -> None:
    damage("main")
    damage("second")
    done = run_on(in_postgresql, *command)
    assert done.exit_code == 69
    assert done.stdout == ""
    assert "the table routee_monitor.cursor cannot be read" in done.stderr


def test_what_scripts_read_has_only_what_is_known(in_postgresql: Folder, damage: Damage) -> None:
    damage("second")
    alerts = json.loads(run_on(in_postgresql, "alerts", "--json").stdout)
    assert [one["labels"]["alertname"] for one in alerts] == ["OperatorFailureRate", "ManyMessages"]
    groups = json.loads(run_on(in_postgresql, "explain", "OperatorFailureRate", "--json").stdout)["groups"]
    assert {one["labels"]["account"] for one in groups} == {"main"}


def test_an_alert_that_may_be_of_that_account_is_not_said_to_be_none(in_postgresql: Folder, damage: Damage) -> None:
    shown = json.loads(run_on(in_postgresql, "alerts", "--json", "--state", "firing").stdout)
    fingerprints = {one["ownFingerprint"] for one in shown}
    assert len(fingerprints) == 2
    damage("second")
    outcomes = [run_on(in_postgresql, "explain", one) for one in sorted(fingerprints)]
    assert sorted(one.exit_code for one in outcomes) == [0, 69]
    [unknown] = [one for one in outcomes if one.exit_code == 69]
    assert "none of the alerts that can be read" in unknown.stderr


def test_that_nothing_fires_is_not_said_of_an_account_that_cannot_be_read(
    in_postgresql: Folder, damage: Damage
) -> None:
    damage("second")
    assert run_on(in_postgresql, "alerts", "--fail").exit_code == 1, "one of the other account fires"
    with open_store(read_settings(in_postgresql.config).config.store_location) as store:
        store.commit(Commit(dropped_alerts=[one.fingerprint for one in store.load_readable().alerts]))
    done = run_on(in_postgresql, "alerts", "--fail")
    assert done.exit_code == 69
    assert "nobody knows whether anything fires there" in done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_the_same_of_a_file(two: Folder, command: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(two.path / "monitor.db")) as connection, connection:
        connection.execute("UPDATE cursor SET data = 'nonsense' WHERE account = 'second'")
    done = run_on(two, *command)
    assert done.exit_code == 0, done.output
    [warning] = [line for line in done.stderr.splitlines() if "second" in line]
    assert warning.startswith("warning: account second is left out: ")
    assert "in the table cursor cannot be read" in warning
    assert "restart the daemon" in warning


def test_an_alert_of_a_file_hides_no_other(two: Folder) -> None:
    with closing(sqlite3.connect(two.path / "monitor.db")) as connection, connection:
        first = "(SELECT fingerprint FROM alert WHERE instr(CAST(data AS TEXT), 'second') LIMIT 1)"
        connection.execute(f"UPDATE alert SET data = 'nonsense' WHERE fingerprint = {first}")
    done = run_on(two, "alerts", "--json")
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)) == 3
    lacking = [line for line in done.stderr.splitlines() if "lacks something" in line]
    assert [line.partition("the alert ")[0] for line in lacking] == ["warning: what follows lacks something: "]


def test_an_acknowledgement_that_cannot_be_read_hides_no_alert(two: Folder) -> None:
    with open_store(two.path / "monitor.db") as store:
        store.commit(Commit(dropped_alerts=[one.fingerprint for one in store.load().alerts]))
    with closing(sqlite3.connect(two.path / "monitor.db")) as connection, connection:
        connection.execute("INSERT INTO acknowledgement (fingerprint, data) VALUES ('f1', 'nonsense')")
    done = run_on(two, "alerts", "--fail")
    assert (done.exit_code, "the acknowledgement of alert f1" in done.stderr) == (0, True)
    done = run_on(two, "explain", "0123456789abcdef")
    assert (done.exit_code, "none of the alerts that can be read" in done.stderr) == (1, False)


def test_messages_that_cannot_be_read_hinder_only_their_account(two: Folder) -> None:
    with closing(sqlite3.connect(two.path / "monitor.db")) as connection, connection:
        connection.execute("INSERT INTO journal (account, rows) VALUES ('second', x'00')")
    for command in (
        ("explain", "OperatorFailureRate"),
        ("backtest", "--since", "1h"),
        ("report",),
        ("rules", "review"),
    ):
        done = run_on(two, *command)
        assert done.exit_code == 0, done.output
        [warning] = [line for line in done.stderr.splitlines() if "second" in line]
        assert warning.startswith("warning: account second is left out: the messages of account second")


def test_a_notification_of_an_account_that_is_left_out_is_not_shown(two: Folder) -> None:
    view = replace(sample_view("OperatorFailureRate", "rate"), labels={"account": "second"})
    with open_store(two.path / "monitor.db") as store:
        store.commit(Commit(outbox=[Pending("console/0", sample_notification([view], "ops"))]))
    assert "on account second" in run_on(two, "render", "ops", "--alert", "OperatorFailureRate").stdout
    with closing(sqlite3.connect(two.path / "monitor.db")) as connection, connection:
        connection.execute("UPDATE cursor SET data = 'nonsense' WHERE account = 'second'")
    done = run_on(two, "render", "ops", "--alert", "OperatorFailureRate")
    assert (done.exit_code, "account second is left out" in done.stderr) == (0, True)
    assert "OperatorFailureRate" in done.stdout
    assert "on account second" not in done.stdout
    done = run_on(two, "render", "ops", "--alert", "NoSuchAlert")
    assert (done.exit_code, "none of the alerts that can be read" in done.stderr) == (69, True)


def test_the_screen_without_a_daemon_says_it_too(in_postgresql: Folder, damage: Damage) -> None:
    damage("second")
    found = json.loads(run_on(in_postgresql, "status", "--json").stdout)
    [warning] = found["warnings"]
    assert warning.startswith("account second is left out: ")
    assert found["alerts"]["firing"] == 1
