"""The store, its outbox, a restart and memory, against the same bytes written and read by SQLite alone, and the bytes of the columns."""

import gc
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import trio

from benchmarks.figure import Figure, timed
from benchmarks.floors.compared import compared
from benchmarks.ingest.page_to_store import page_ingestion
from benchmarks.messages import batches
from benchmarks.store.store import ROWS
from benchmarks.window.memory import resident
from monitor.model.complete_read import SOMEWHERE
from monitor.model.privacy import RecipientMask
from monitor.notify.render import sample_notification, sample_view
from monitor.store.open import open_store
from monitor.store.protocol import Commit, Cursor, Pending
from monitor.window import Window
from monitor.window.columns import COLUMNS

ROUNDS, COMMITS = 5, 100


def storing(messages: int, folder: Path) -> list[Figure]:
    """Fills a store with messages in ``folder``; returns the figures of commits, of a restart and of memory."""
    trio.run(_fill, folder, messages)
    here, least, memory, columns = map(float, subprocess.check_output(_command(folder)).split())
    return [
        *_commits(folder),
        *compared("the window restored from the store", "its blobs read", [here], [least], "s"),
        *compared("memory of the window", "the bytes of its columns", [memory / 1e6], [columns / 1e6], "MB"),
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
    """Returns what the store takes for one poll, one notification and one receipt, against statements without anything around them."""
    notification = sample_notification([sample_view("Rule", "rate", ["operator"])])
    text, numbers = msgspec.json.encode(notification), iter(range(ROUNDS * COMMITS))
    poll = Commit(journal=[("main", ROWS)], cursors=[Cursor("main", "all", 0, 0)])

    def queued() -> Commit:
        key = f"key-{next(numbers)}"
        return Commit(outbox=[Pending("webhook/0", msgspec.structs.replace(notification, key=key, episode=key))])

    with open_store(folder / "other.db") as store, _plain(folder / "plain.db") as plain:
        figures = _turns(
            "a poll with 2,000 changed messages committed",
            "SQLite inserts the blob",
            lambda: store.commit(poll),
            lambda: plain.execute("INSERT INTO journal (rows) VALUES (?)", (ROWS,)),
            time.process_time,
        )
        plain.execute("PRAGMA synchronous = FULL")
        figures += _turns(
            "a notification queued, on the disk",
            "SQLite inserts its text",
            lambda: store.commit(queued()),
            lambda: plain.execute("INSERT INTO outbox (row) VALUES (?)", (text,)),
            time.perf_counter,
        )
        waiting = iter(store.waiting(notification.receiver, "webhook/0", ROUNDS * COMMITS))
        rows = iter(range(1, ROUNDS * COMMITS + 1))
        return figures + _turns(
            "a receipt, on the disk",
            "SQLite writes one column",
            lambda: store.sent(next(waiting).id, {"ts": "1"}, 1),
            lambda: plain.execute("UPDATE outbox SET sent_at = 1 WHERE id = ?", (next(rows),)),
            time.perf_counter,
        )


@contextmanager
def _plain(file: Path) -> Iterator[sqlite3.Connection]:
    """Yields a database with a journal and an outbox that have no index, and no other tables."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE journal (sequence INTEGER PRIMARY KEY, rows BLOB)")
    connection.execute("CREATE TABLE outbox (id INTEGER PRIMARY KEY, row BLOB, sent_at INTEGER)")
    try:
        yield connection
    finally:
        connection.close()


def _turns(
    what: str, floor: str, here: Callable[[], object], least: Callable[[], object], clock: Callable[[], float]
) -> list[Figure]:
    """Compares the mean of many calls, in turns, by the processor's clock or, where the disk is waited for, by the elapsed time."""
    rounds = [(_each(here, clock), _each(least, clock)) for _ in range(ROUNDS)]
    ours, floors = zip(*rounds, strict=True)
    return compared(what, floor, ours, floors, "ms")


def _each(call: Callable[[], object], clock: Callable[[], float]) -> float:
    began = clock()
    for _ in range(COMMITS):
        call()
    return (clock() - began) / COMMITS * 1e3


def _restored(folder: Path) -> tuple[float, float, int, int]:
    """Returns the seconds of restoring and of reading alone, the memory that the window takes, and the bytes of its columns in use."""
    with open_store(folder / "monitor.db") as store:
        least = timed(lambda: sum(len(blob) for _, blob in store.journal("main")), 3).best
        gc.collect()
        before, windows = resident(), []

        def restore() -> None:
            window = Window("main", RecipientMask("mask", store.secret("recipients")))
            window.restore_entries([(entry.field, entry.code, entry.value) for entry in store.entries("main")])
            window.restore(store.journal("main"))
            window.restored()
            windows.append(window)

        here = timed(restore, 1).best
        columns = windows[0].columns
        used = sum(columns[name].nbytes for name in COLUMNS)
        return here, least, resident() - before, used


if __name__ == "__main__":
    print(*_restored(Path(sys.argv[1])))
