"""What is SQLite's own: its file, its locks, its errors."""

import os
import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.runtime.clock import MILLISECOND
from monitor.runtime.errors import StoreError
from monitor.store.migrate import APPLICATION_ID, migrations
from monitor.store.protocol import Commit
from monitor.store.sqlite import SqliteStore, open_sqlite
from monitor.store.sqlite_file import holder_of
from tests.store.store_samples import ack, alert, cursor, enqueue, notification, silence

HERE = Path(__file__).parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "monitor.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(open_sqlite(path, busy_timeout=MILLISECOND)) as opened:
        yield opened


def refusal(path: Path, **how: bool) -> str:
    with pytest.raises(StoreError) as caught:
        open_sqlite(path, **how)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nobody_else_can_read_the_files(store: SqliteStore, path: Path) -> None:
    store.commit(Commit(journal=[("main", b"x")]))
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere") in refusal(tmp_path / "nowhere" / "monitor.db")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_files_place_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


def test_a_folder_that_may_not_be_written_is_refused() -> None:
    """In /sys not even root may make a file."""
    message = refusal(Path("/sys/monitor.db"))
    assert "/sys/monitor.db cannot be created" in message
    assert "check the folder's owner" in message


@pytest.mark.parametrize("how", [{}, {"read_only": True}, {"exclusive": True}])
def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, how: dict[str, bool]) -> None:
    text = "accounts: []\n" * 1_000
    path.write_text(text)
    assert "is not a SQLite database" in refusal(path, **how)
    assert path.read_text() == text


def test_a_damaged_file_is_named(path: Path) -> None:
    with closing(open_sqlite(path)) as store:
        store.commit(Commit(cursors=[cursor(str(number)) for number in range(1_000)]))
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\xff" * (path.stat().st_size - 4_096))
    with pytest.raises(StoreError, match="is damaged; restart the daemon"), closing(open_sqlite(path)) as store:
        store.load()


def test_another_programs_database_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    assert "the database of another program" in refusal(path)


def test_a_newer_file_is_refused_and_left_alone(path: Path) -> None:
    open_sqlite(path).close()
    newer = len(migrations()) + 1
    with closing(sqlite3.connect(path)) as future:
        future.execute(f"PRAGMA user_version = {newer}")
    assert "written by a newer version" in refusal(path)
    assert "written by a newer version" in refusal(path, read_only=True)
    with closing(sqlite3.connect(path)) as future:
        assert future.execute("PRAGMA user_version").fetchone() == (newer,)


def test_a_file_of_the_first_version_is_brought_up_to_date_with_all_that_is_in_it(path: Path) -> None:
    first, *later = migrations()
    with closing(sqlite3.connect(path)) as older:
        older.executescript(first.sql)
        older.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        older.execute("PRAGMA user_version = 1")
        older.execute("INSERT INTO alert_group VALUES ('g', 'ops', 'e', ?)", (_GROUP_OF_BEFORE,))
        older.commit()
    with closing(open_sqlite(path)) as store:
        [group] = store.load().groups
        assert (group.key, group.route, group.counted, group.acked, group.first_at) == ("g", "{}", (), {}, None)
        store.commit(Commit(silences=[silence()], acks=[ack()]))
        assert (store.load().silences, store.load().acks) == ([silence()], [ack()])
    with closing(sqlite3.connect(path)) as newer:
        assert newer.execute("PRAGMA user_version").fetchone() == (1 + len(later),)


_GROUP_OF_BEFORE = (
    b'{"key":"g","receiver":"ops","labels":{},"episode":"e","started_at":1,"flush_at":2,"told":{"f":"critical"},'
    b'"told_at":1,"count":1}'
)


def test_a_reader_does_not_update_an_older_file(path: Path) -> None:
    with closing(sqlite3.connect(path)) as older:
        older.execute("PRAGMA journal_mode = WAL")
        older.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    assert "start the daemon once" in refusal(path, read_only=True)


def test_migrations_are_numbered_without_gaps() -> None:
    assert [step.number for step in migrations()] == list(range(1, len(migrations()) + 1))


def test_a_second_daemon_is_refused_until_the_first_is_gone(path: Path) -> None:
    with closing(open_sqlite(path, exclusive=True)):
        assert f"another daemon (process {os.getpid()})" in refusal(path, exclusive=True)
    open_sqlite(path, exclusive=True).close()


def test_a_reader_works_beside_the_daemon_and_changes_nothing(path: Path) -> None:
    assert "the daemon makes it" in refusal(path, read_only=True)
    assert not path.exists()
    with closing(open_sqlite(path, exclusive=True)) as daemon, closing(open_sqlite(path, read_only=True)) as reader:
        daemon.commit(Commit(alerts=[alert()]))
        assert reader.load().alerts == [alert()]
        with pytest.raises(StoreError, match="cannot be written"):
            reader.commit(Commit(alerts=[alert("Other")]))
        assert reader.load().alerts == [alert()]


def test_a_reader_works_while_no_daemon_runs(path: Path) -> None:
    with closing(open_sqlite(path)) as daemon:
        daemon.commit(Commit(alerts=[alert()]))
    with closing(open_sqlite(path, read_only=True)) as reader:
        assert reader.load().alerts == [alert()]


def test_a_lock_held_by_another_program_is_named_and_outlived(store: SqliteStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"monitor\.db is locked by another program"):
            store.commit(Commit(cursors=[cursor()]))
        assert store.load().cursors == []
        other.execute("ROLLBACK")
    store.commit(Commit(cursors=[cursor()]))
    assert store.load().cursors == [cursor()]


def test_a_full_disk_changes_nothing_and_is_outlived(store: SqliteStore) -> None:
    (outbox_row,) = enqueue(store, notification("k1"))
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="its disk is full"):
        store.commit(Commit(cursors=[cursor()], journal=[("main", bytes(100_000))]))
    assert store.load().cursors == []
    assert list(store.journal("main")) == []
    store.sent(outbox_row.id, {"ts": "1"}, 0)  # needs no new page
    store._connection.execute("PRAGMA max_page_count = 1000000")
    assert store.commit(Commit(cursors=[cursor()], journal=[("main", bytes(100_000))]))


def test_a_disk_error_changes_nothing_and_is_outlived(path: Path) -> None:
    """The kernel refuses to let the files grow: in a process of its own, because the limit holds for all its files."""
    script = HERE / "disk_error.py"
    done = subprocess.run([sys.executable, script, path], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "its disk" in done.stdout
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_killed_at_random_instants_every_commit_is_whole_and_none_is_lost(path: Path) -> None:
    script = HERE / "kill_rounds.py"
    done = subprocess.run([sys.executable, script, path, "20"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    reported = [int(line) for line in done.stdout.split()]
    assert len(reported) == 20
    assert sum(reported) > 20
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_holder_of_a_lock_is_that_of_the_same_file_on_the_same_device(path: Path) -> None:
    path.write_text("")
    status = path.stat()
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    other = f"1: FLOCK  ADVISORY  WRITE 11 ff:77:{status.st_ino} 0 EOF\n"
    own = f"2: FLOCK  ADVISORY  WRITE 22 {device}:{status.st_ino} 0 EOF\n"
    waits = f"1: -> FLOCK  ADVISORY  WRITE 33 {device}:{status.st_ino} 0 EOF\n"
    assert holder_of(waits + other + own, status, "") == 22
    assert holder_of(other, status, "") is None
    assert holder_of(other, status, "11") == 11, "a file system that names another device there"


def test_a_rule_state_with_a_flipped_bit_is_left_out_and_the_others_are_not(tmp_path: Path) -> None:
    class Kept:
        def blob(self) -> bytes:
            return b"what the rule keeps"

    path = tmp_path / "monitor.db"
    store = open_sqlite(path)
    store.commit(Commit(rule_states={("main", "A"): Kept(), ("main", "B"): Kept()}))
    store.close()
    with closing(sqlite3.connect(path)) as database, database:
        (data,) = database.execute("SELECT data FROM rule_state WHERE rule = 'A'").fetchone()
        flipped = data[:9] + bytes([data[9] ^ 1]) + data[10:]
        database.execute("UPDATE rule_state SET data = ? WHERE rule = 'A'", (flipped,))
    store = open_sqlite(path)
    assert store.load().rule_states == {("main", "B"): b"what the rule keeps"}
    store.close()
