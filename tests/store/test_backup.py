"""A copy of the store made while it is written to: whole, of one moment, and never in the place of something else by accident."""

import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from monitor.runtime.errors import StoreError
from monitor.store.backup import PAGES, back_up
from monitor.store.protocol import Commit
from monitor.store.sqlite import open_sqlite
from tests.store.store_samples import alert, cursor


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "monitor.db"
    with closing(open_sqlite(path)) as store:
        store.commit(Commit(alerts=[alert()], cursors=[cursor(as_of=0)], journal=[("main", os.urandom(200_000))]))
    return path


def moment(path: Path) -> tuple[int, int]:
    """What a copy says of when it was made: by the cursor, and by the journal."""
    with closing(open_sqlite(path)) as store:
        [only] = store.load().cursors
        return only.as_of, len(list(store.journal("main")))


def test_a_copy_made_under_load_is_of_one_moment(path: Path, tmp_path: Path) -> None:
    with closing(open_sqlite(path)) as store:
        store.commit(Commit(journal=[("main", os.urandom(PAGES * 4096 * 3))]))  # several steps
        committed, stop, written = threading.Event(), threading.Event(), []

        def write() -> None:
            for number in range(1, 100_000):
                store.commit(Commit(cursors=[cursor(as_of=number)], journal=[("main", os.urandom(1_000))]))
                written.append(number)
                committed.set()
                if stop.is_set():
                    return

        writer = threading.Thread(target=write)
        writer.start()
        assert committed.wait(10)
        before, steps = written[-1], 0

        def wait_for_a_commit(left: int, total: int) -> None:
            nonlocal steps
            steps += 1
            committed.clear()
            assert committed.wait(10)

        made = back_up(path, tmp_path / "copy.db", progress=wait_for_a_commit)
        after = written[-1]
        stop.set()
        writer.join()
    assert steps >= 3
    as_of, entries = moment(made.path)
    assert before <= as_of < after, "commits went on while it was made"
    assert entries == as_of + 2
    assert made.size > PAGES * 4096 * 3


def test_a_copy_is_one_file_for_its_owner_only_and_nothing_is_left_beside_it(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    back_up(path, folder / "copy.db")
    assert list(folder.iterdir()) == [folder / "copy.db"]
    assert stat.S_IMODE((folder / "copy.db").stat().st_mode) == 0o600


def test_a_file_that_is_there_is_only_replaced_when_asked(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("precious")
    with pytest.raises(StoreError, match="--force"):
        back_up(path, copy)
    assert copy.read_text() == "precious"
    back_up(path, copy, force=True)
    assert moment(copy) == (0, 1)


def test_the_store_itself_is_never_overwritten(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(path)
    for target in (path, tmp_path / "link.db"):
        with pytest.raises(StoreError, match="the store itself"):
            back_up(path, target, force=True)
    assert moment(path) == (0, 1)


def test_what_cannot_be_is_said(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no folder"):
        back_up(path, tmp_path / "nowhere" / "copy.db")
    with pytest.raises(StoreError, match="is a folder"):
        back_up(path, tmp_path)
    with pytest.raises(StoreError, match="there is no store"):
        back_up(tmp_path / "other.db", tmp_path / "copy.db")


def test_of_a_damaged_store_there_is_no_backup_and_the_earlier_one_stays(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    back_up(path, copy)
    whole = copy.read_bytes()
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(20_000))
    with pytest.raises(StoreError):
        back_up(path, copy, force=True)
    assert copy.read_bytes() == whole
    assert not list(tmp_path.glob("*partial*"))
