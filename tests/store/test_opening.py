"""The daemon's store where its file is damaged: set aside, what can be read is kept, and what was never ours is left alone."""

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import msgspec
import pytest

from monitor.runtime.errors import StoreDamaged, StoreError
from monitor.store.open import DamageReport, open_daemon_store
from monitor.store.protocol import Commit, QuarantinedRecord, StoredState
from monitor.store.salvage import salvage
from monitor.store.sqlite import open_sqlite
from monitor.store.sqlite_file import quick_check
from tests.store.store_samples import NOW, ack, alert, cursor, enqueue, group, keys, notification, silence, transition

ROOT = Path(__file__).resolve().parents[2]
OPERATORS = [f"Operator {number}" for number in range(200)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "monitor.db"


def filled(path: Path) -> None:
    """A store that a daemon has worked on: 200 alerts, one told of; messages in between."""
    known = alert(operator=OPERATORS[0])
    told = msgspec.structs.replace(group(), told={known.fingerprint: "critical"})
    store, report = open_daemon_store(path, NOW)
    assert report is None
    with closing(store):
        store.secret("recipients")
        for first in range(0, len(OPERATORS), 20):
            some = [alert(operator=operator) for operator in OPERATORS[first : first + 20]]
            store.commit(Commit(alerts=some, journal=[("main", os.urandom(100_000))]))
        store.commit(Commit(groups=[told], silences=[silence()], acks=[ack()], cursors=[cursor()]))
        store.commit(Commit(transitions=[transition()], quarantined=[QuarantinedRecord("main", "s", NOW, "why", "{}")]))
        store.end_sessions({b"\x01" * 32: NOW}, NOW - 1, 10)
        enqueue(store, notification("k1"), notification("k2", episode="e2"))


def reopened(path: Path) -> tuple[StoredState, list[str], DamageReport | None]:
    store, report = open_daemon_store(path, NOW)
    with closing(store):
        assert store.commit(Commit(journal=[("main", b"x")])), "it can be written"
        return store.load(), keys(store.waiting("ops", "slack/0", 9)), report


def overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def wrong_application_id(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA application_id = 99")


def flip(table: str, column: str, path: Path) -> None:
    """Flips a bit of a text, or of what says that it is none, which no check of SQLite's notices."""
    with closing(sqlite3.connect(path)) as other:
        [(value,)] = other.execute(f"SELECT CAST({column} AS BLOB) FROM {table} LIMIT 1").fetchall()
        changed = b"\xff" + value[1:]
        other.execute(
            f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE CAST({column} AS BLOB) = ?",
            (changed, value),
        )
        other.commit()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "garbage in the header": lambda path: overwrite(path, 0, os.urandom(100)),
    "a torn first page": lambda path: overwrite(path, 0, bytes(4096)),
    "garbage all over": lambda path: path.write_bytes(os.urandom(path.stat().st_size)),
    "text": lambda path: path.write_text("not a database any more\n" * 1000),
    "a torn page in the middle": lambda path: overwrite(path, path.stat().st_size // 8192 * 4096, os.urandom(4096)),
    "half a file": lambda path: os.truncate(path, path.stat().st_size // 2),
    "a torn end": lambda path: os.truncate(path, path.stat().st_size - 10_000),
    "no content": lambda path: os.truncate(path, 0),
    "a header of another program": wrong_application_id,
    "a bit of the name of an alert": lambda path: flip("alert", "fingerprint", path),
    "a bit of the key of a group": lambda path: flip("alert_group", "key", path),
    "a bit of the type of a secret": lambda path: flip("secret", "value", path),
    "a bit of the type of an ended session": lambda path: flip("ended_session", "digest", path),
    "a bit of the receiver of a notification": lambda path: flip("parcel", "receiver", path),
    "a bit of the rule of a change": lambda path: flip("transition", "rule", path),
    "a bit of a record that was set aside": lambda path: flip("aside", "record", path),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_set_aside_leaves_behind_that_all_messages_until_then_are_lost(path: Path, damage: str) -> None:
    filled(path)
    with closing(open_sqlite(path)) as store:
        assert store.load().lost == {}
    DAMAGES[damage](path)
    for _ in range(2):  # also after a restart
        loaded, _, _ = reopened(path)
        assert (loaded.cursors, loaded.lost) == ([], {"": NOW})


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_set_aside_and_the_daemon_begins_anew(path: Path, damage: str) -> None:
    filled(path)
    DAMAGES[damage](path)
    as_it_was = path.read_bytes()
    loaded, _, report = reopened(path)
    assert report is not None
    assert report.moved_to.name == "monitor.db.corrupt-20260528T202640Z"
    assert report.moved_to.read_bytes() == as_it_was
    assert loaded.cursors == [], "messages are asked of Routee again"
    assert "set aside as" in str(report)
    assert "\n" not in str(report)
    assert reopened(path)[2] is None, "once is enough"


@pytest.mark.parametrize(
    "damage", ["a header of another program", "a torn page in the middle", "half a file", "a torn end"]
)
def test_what_can_be_read_of_it_is_kept(path: Path, damage: str) -> None:
    filled(path)
    DAMAGES[damage](path)
    loaded, _, report = reopened(path)
    assert report is not None
    assert len(loaded.alerts) == report.kept.count("alert") > 10
    assert {one.group[0][1] for one in loaded.alerts} <= set(OPERATORS)


def test_where_only_messages_are_damaged_nothing_else_is_lost(path: Path) -> None:
    filled(path)
    wrong_application_id(path)
    loaded, waiting, report = reopened(path)
    assert report is not None
    assert not report.kept.incomplete
    assert len(loaded.alerts) == len(OPERATORS)
    assert list(loaded.groups[0].told) == [alert(operator=OPERATORS[0]).fingerprint]
    assert (loaded.silences, loaded.acks, waiting) == ([silence()], [ack()], ["k1", "k2"])
    assert len(loaded.begun) == 1


KEYS = [
    ("alert_group", "key"),
    ("alert_group", "receiver"),
    ("silence", "id"),
    ("acknowledgement", "fingerprint"),
    ("parcel", "receiver"),
    ("parcel", "key"),
]


@pytest.mark.parametrize(("table", "column"), KEYS)
def test_a_row_of_which_the_key_is_damaged_is_dropped_and_sent_as_any_other(
    path: Path, table: str, column: str
) -> None:
    filled(path)
    flip(table, column, path)
    store, report = open_daemon_store(path, NOW)
    assert report is not None
    with closing(store):
        loaded, waiting = store.load(), store.waiting("ops", "slack/0", 9)
        assert (len(loaded.groups), len(loaded.silences), len(loaded.acks), keys(waiting)) == (1, 1, 1, ["k1", "k2"])
        store.commit(
            Commit(
                dropped_groups=[(one.key, one.receiver, one.account) for one in loaded.groups],
                dropped_silences=[one.id for one in loaded.silences],
                dropped_acks=[one.fingerprint for one in loaded.acks],
            )
        )
        for row in waiting:
            store.sent(row.id, {}, NOW)
    loaded, waiting_then, report = reopened(path)
    assert report is None
    assert (loaded.groups, loaded.silences, loaded.acks, waiting_then) == ([], [], [], [])


def test_a_value_that_its_table_does_not_take_costs_its_row_alone(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA ignore_check_constraints = ON")
        other.execute("UPDATE parcel SET state = 'waitinG' WHERE key = 'k1'")
        other.commit()
    wrong_application_id(path)
    _, waiting, report = reopened(path)
    assert report is not None
    assert (waiting, report.kept.count("parcel"), report.kept.incomplete) == (["k2"], 1, ["parcel"])


def test_an_alert_that_makes_no_sense_is_left_out_and_who_was_told_of_it_is_kept(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE alert SET data = 'x' WHERE rowid = 1")
        other.commit()
    loaded, _, report = reopened(path)
    assert report is not None
    assert report.kept.incomplete == ["alert"]
    assert "count as firing for an hour" in str(report)
    assert len(loaded.alerts) == len(OPERATORS) - 1
    assert len(loaded.groups[0].told) == 1


def test_a_daemon_that_is_killed_at_any_call_while_it_recovers_a_file_loses_nothing(path: Path) -> None:
    filled(path)
    wrong_application_id(path)
    script = Path(__file__).with_name("recovery_kills.py")
    done = subprocess.run(
        [sys.executable, str(script), str(path)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    kills = Counter(done.stdout.splitlines())
    assert {line.partition(" reported")[0] for line in kills} == {f"({len(OPERATORS)}, 1, 1, 1, 2, True)"}
    assert kills.total() > 100
    assert any(line.endswith("True") for line in kills)


def test_the_log_of_a_damaged_file_goes_with_it(path: Path) -> None:
    filled(path)
    leaving = """
import os, sys
from pathlib import Path
from monitor.store.protocol import Commit
from monitor.store.sqlite import open_sqlite
from tests.store.store_samples import alert
open_sqlite(Path(sys.argv[1])).commit(Commit(alerts=[alert(operator=f"More {i}") for i in range(300)]))
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", leaving, str(path)], cwd=ROOT, check=True)
    assert path.with_name("monitor.db-wal").stat().st_size > 0
    os.truncate(path, 12_288)
    _, _, report = reopened(path)
    assert report is not None
    assert report.moved_to.with_name(f"{report.moved_to.name}-wal").exists()
    assert reopened(path)[2] is None


def test_a_new_file_counts_as_complete_only_once_all_is_in_the_file_itself(path: Path) -> None:
    filled(path)
    new = path.with_name("new.db")
    with (
        closing(open_sqlite(new, busy_timeout=0)) as store,
        closing(sqlite3.connect(new, isolation_level=None)) as other,
    ):
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM alert").fetchall()
        with pytest.raises(StoreError, match="locked by another program"):
            store.take_over(salvage(path))
        other.close()
        store.take_over(salvage(path))
        alone = path.with_name("alone.db")
        alone.write_bytes(new.read_bytes())
    with closing(open_sqlite(alone)) as store:
        assert len(store.load().alerts) == len(OPERATORS)


def test_where_the_new_file_cannot_be_made_all_stays_as_it_is(path: Path) -> None:
    filled(path)
    wrong_application_id(path)
    as_it_was = path.read_bytes()
    limited = """
import resource, signal, sys
from pathlib import Path
from monitor.runtime.errors import StoreError
from monitor.store.open import open_daemon_store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    open_daemon_store(Path(sys.argv[1]), 1)
except StoreError as error:
    sys.exit(str(error))
"""
    command = [sys.executable, "-c", limited, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, "disk" in done.stderr) == (1, True)
    assert path.read_bytes() == as_it_was
    assert not list(path.parent.glob("*.recover*"))
    assert len(reopened(path)[0].alerts) == len(OPERATORS)


def schema(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as other:
        return [
            name for (name,) in other.execute("SELECT name FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")
        ]


def change_schema(path: Path, name: str, at: int, bit: int) -> bytes:
    """Flips a bit of the text that says how a table, an index or a trigger was made; returns the text as it was."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA writable_schema = ON")
        [(text,)] = other.execute("SELECT CAST(sql AS BLOB) FROM sqlite_schema WHERE name = ?", (name,)).fetchall()
        at %= len(text)
        changed = text[:at] + bytes([text[at] ^ 1 << bit]) + text[at + 1 :]
        other.execute("UPDATE sqlite_schema SET sql = CAST(? AS TEXT) WHERE name = ?", (changed, name))
        other.commit()
    return bytes(text)


@pytest.mark.parametrize("seed", range(3))
def test_a_bit_of_what_says_how_tables_were_made_is_damage_too(path: Path, tmp_path: Path, seed: int) -> None:
    filled(path)
    random, kept = Random(seed), path.read_bytes()
    names = schema(path)
    for name in names:
        for one in tmp_path.glob("monitor.db*"):
            if not one.name.endswith(".lock"):
                one.unlink()
        path.write_bytes(kept)
        before = change_schema(path, name, random.randrange(10_000), random.choice((0, 1, 7)))
        loaded, _, report = reopened(path)
        with closing(open_sqlite(path)) as store:
            store.commit(Commit(alerts=loaded.alerts[:1], transitions=[transition()]))
            enqueue(store, notification("k3"))
        if report is None:
            assert len(loaded.alerts) == len(OPERATORS), before
        else:
            assert reopened(path)[2] is None


@pytest.mark.parametrize("content", [b"", os.urandom(5_000)])
def test_a_log_that_is_lost_or_damaged_leaves_an_earlier_whole_state(path: Path, content: bytes) -> None:
    """As after a power failure on a disk that lies: the file alone is whole, as of the last time the log was folded in."""
    filled(path)
    with closing(open_sqlite(path)) as store:
        store.commit(Commit(silences=[silence(2)]))
        saved = path.read_bytes()
    path.write_bytes(saved)
    path.with_name("monitor.db-wal").write_bytes(content)
    loaded, _, report = reopened(path)
    assert report is None
    assert len(loaded.alerts) == len(OPERATORS)


@pytest.mark.parametrize("length", [72, 100, 4_096, 24_576])
def test_a_copy_that_was_cut_off_is_set_aside_also_where_no_daemon_has_worked_on_it(path: Path, length: int) -> None:
    filled(path)
    path.with_name("monitor.db.lock").unlink()
    os.truncate(path, length)
    _, _, report = reopened(path)
    assert report is not None


def test_of_a_file_of_which_nothing_shows_whose_it_was_the_advice_is_to_move_it(path: Path) -> None:
    filled(path)
    path.with_name("monitor.db.lock").unlink()
    os.truncate(path, 71)
    with pytest.raises(StoreDamaged, match="move the file away"):
        open_daemon_store(path, NOW)
    with closing(sqlite3.connect(path.with_name("other.db"))) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
        other.execute("CREATE TABLE pages (url TEXT)")
    path.with_name("other.db").rename(path)
    os.truncate(path, 5_000)
    for _ in range(2):
        with pytest.raises(StoreDamaged, match="move the file away") as caught:
            open_daemon_store(path, NOW)
        assert "restart" not in str(caught.value)


def test_a_file_that_was_never_ours_is_refused_each_time_and_left_alone(path: Path) -> None:
    for content in (b"accounts: []\n" * 100, os.urandom(10_000)):
        path.write_bytes(content)
        for _ in range(2):
            with pytest.raises(StoreDamaged, match="is not a SQLite database"):
                open_daemon_store(path, NOW)
        assert path.read_bytes() == content
        assert list(path.parent.iterdir()) == [path]


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    content = path.read_bytes()
    with pytest.raises(StoreError, match="the database of another program"):
        open_daemon_store(path, NOW)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_two_mishaps_in_one_second_do_not_overwrite_each_other(path: Path) -> None:
    for _ in range(2):
        filled(path)
        os.truncate(path, 0)
        reopened(path)
        path.unlink()
    assert len(list(path.parent.glob("*.corrupt-*"))) == 2


def test_a_running_daemons_store_is_not_set_aside_by_a_second_one(path: Path) -> None:
    store, _ = open_daemon_store(path, NOW)
    with closing(store), pytest.raises(StoreError, match="another daemon"):
        open_daemon_store(path, NOW)
    assert not list(path.parent.glob("*.corrupt-*"))


def test_examining_a_large_file_ends_in_time(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE part (message TEXT)")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO part VALUES (?)", [*[("m",)] * 5_000, (None,)])
        connection.execute("COMMIT")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = 'CREATE TABLE part (message TEXT NOT NULL)'")
    with closing(sqlite3.connect(path)) as connection:
        assert quick_check(connection, -1) == "", "no time, no finding"
        assert quick_check(connection, 10_000_000) == "NULL value in part.message", "the last of the rows"
