"""Measures the SQLite store: a poll's commit, durably queued notifications, and receipts."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.figure import Figure
from monitor.notify.render import sample_notification, sample_view
from monitor.store.open import open_store
from monitor.store.protocol import Commit, Cursor, Pending

ROWS = bytes(140_000)
"""As long as the journal entry of a page of 2,000 messages."""


def run(quick: bool) -> list[Figure]:
    """Returns medians of single calls, as the daemon makes them."""
    rounds = 50 if quick else 500
    notification = sample_notification([sample_view("Rule", "rate", ["operator"])])
    notifications = [
        msgspec.structs.replace(notification, key=f"key-{i}", episode=f"episode-{i}") for i in range(rounds)
    ]
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "monitor.db") as store:
        cursor = Cursor("main", "all", 0, 0)
        rows = _each(lambda i: store.commit(Commit(journal=[("main", ROWS)], cursors=[cursor])), rounds)
        outbox = _each(lambda i: store.commit(Commit(outbox=[Pending("webhook/0", notifications[i])])), rounds)
        outbox_rows = store.waiting(notification.receiver, "webhook/0", rounds)
        receipts = _each(lambda i: store.sent(outbox_rows[i].id, {"ts": "1"}, i), rounds)
    return [
        Figure("a poll with 2,000 changed messages committed", rows * 1e3, "ms"),
        Figure("a notification queued, synced to the disk", outbox * 1e3, "ms"),
        Figure("receipts, each synced to the disk", 1 / receipts, "a second"),
    ]


def _each(call: Callable[[int], object], rounds: int) -> float:
    """Returns the median duration in seconds, including waits for the disk."""
    seconds = []
    for i in range(rounds):
        began = time.perf_counter()
        call(i)
        seconds.append(time.perf_counter() - began)
    return median(seconds)
