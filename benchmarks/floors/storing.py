"""The store, a restart and memory, against the same blobs written and read by SQLite alone, and the bytes of the columns."""

import gc
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import trio

from benchmarks.figure import Figure, timed
from benchmarks.floors.compared import compared
from benchmarks.ingest.page_to_store import page_ingestion
from benchmarks.messages import batches
from benchmarks.store.store import ROWS
from benchmarks.window.memory import resident
from monitor.model.complete_read import SOMEWHERE
from monitor.model.privacy import RecipientMask
from monitor.store.open import open_store
from monitor.store.protocol import Commit, Cursor
from monitor.window import Window
from monitor.window.columns import COLUMNS

COMMITS = 300


def storing(messages: int, folder: Path) -> list[Figure]:
    """Fills a store with messages in ``folder``; returns the figures of commits, of a restart and of memory."""
    trio.run(_fill, folder, messages)
    here, least, memory, columns = map(float, subprocess.check_output(_command(folder)).split())
    return [
        *_commits(folder),
        *compared("the window restored from the store", "its blobs read", here, least, "s"),
        *compared("memory of the window", "the bytes of its columns", memory / 1e6, columns / 1e6, "MB"),
    ]


async def _fill(folder: Path, messages: int) -> None:
    async with page_ingestion(folder) as here:
        for batch in batches(messages):
            await here.take(batch, (), SOMEWHERE)
        await here.complete()


def _command(folder: Path) -> list[str]:
    """Restoring is measured in a process of its own, whose memory nothing else has grown."""
    return [sys.executable, "-m", "benchmarks.floors.storing", str(folder)]


def _commits(folder: Path) -> list[Figure]:
    with open_store(folder / "other.db") as store:
        commit = Commit(journal=[("main", ROWS)], cursors=[Cursor("main", "all", 0, 0)])
        here = _each(lambda: store.commit(commit))
    connection = sqlite3.connect(folder / "plain.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE journal (sequence INTEGER PRIMARY KEY, rows BLOB)")
    least = _each(lambda: connection.execute("INSERT INTO journal (rows) VALUES (?)", (ROWS,)))
    connection.close()
    return compared("a poll with 2,000 changed messages committed", "SQLite inserts the blob", here, least, "ms")


def _each(call: Callable[[], object]) -> float:
    """Returns the mean of many calls in milliseconds."""
    return timed(lambda: [call() for _ in range(COMMITS)], 1).best / COMMITS * 1e3


def _restored(folder: Path) -> tuple[float, float, int, int]:
    """Returns the seconds of restoring and of reading alone, the memory that the window takes, and the bytes of its columns in use."""
    with open_store(folder / "monitor.db") as store:
        least = timed(lambda: sum(len(blob) for _, blob in store.journal("main")), 3).best
        gc.collect()
        before, windows = resident(), []

        def restore() -> None:
            window = Window("main", RecipientMask("mask", store.secret("recipients")))
            window.restore_entries([(entry.field, entry.code, entry.value) for entry in store.entries("main")])
            for seq, blob in store.journal("main"):
                window.restore(seq, blob)
            window.restored()
            windows.append(window)

        here = timed(restore, 1).best
        columns = windows[0].columns
        used = sum(columns[name].nbytes for name in COLUMNS)
        return here, least, resident() - before, used


if __name__ == "__main__":
    print(*_restored(Path(sys.argv[1])))
