"""Measures resident memory for a million messages in the window, both as the daemon reads them and as it restores them."""

import gc
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import trio

from benchmarks.figure import Figure
from benchmarks.ingest.page_to_store import page_ingestion, read_all
from benchmarks.messages import SPAN, count
from benchmarks.routee_process import client, routee_with
from monitor.ingest.routee.client import Routee
from monitor.model.privacy import RecipientMask
from monitor.model.routee_query import RouteeQuery
from monitor.runtime.clock import SystemClock
from monitor.runtime.postgresql_address import is_postgresql, parse_postgresql
from monitor.store.open import StoreLocation, open_store
from monitor.window import Window
from monitor.window.malloc_trim import trim_heap


def run(quick: bool) -> list[Figure]:
    """Returns the growth of memory from before the first message to after the last."""
    messages = count(quick)
    with tempfile.TemporaryDirectory() as folder, routee_with(messages) as url:
        read = trio.run(_read, url, Path(folder), messages)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        restored, _ = restored_apart(Path(folder) / "monitor.db")
    return [
        Figure("resident memory, messages read from the API", read / messages, "MB per million", at_most=100),
        Figure("resident memory, messages restored from the store", restored / messages, "MB per million", at_most=100),
        Figure("the store on disk", size / messages, "MB per million"),
    ]


async def _read(url: str, folder: Path, messages: int) -> int:
    async with client(url) as routee, page_ingestion(folder) as here:
        await _warm_up(routee)
        before = resident()
        await read_all(routee, here.take, messages)
        await here.complete()
        return resident() - before


async def _warm_up(routee: Routee) -> None:
    """Reads and forgets a few pages, so that the general cost of reading is not attributed to the messages."""
    now = SystemClock().now()
    for page in range(10):
        await routee.search(RouteeQuery(), now - SPAN, now, page=page)


def restored_apart(store: StoreLocation) -> tuple[float, float]:
    """Restores the window in a process of its own, whose memory nothing else has grown; returns the bytes that it grows by, and the seconds of
    processor time."""
    password = {} if isinstance(store, Path) else {"PGPASSWORD": store.password}
    command = [sys.executable, "-m", "benchmarks.window.memory", str(store)]
    size, seconds = map(float, subprocess.check_output(command, env=os.environ | password).split())
    return size, seconds


def _restore(location: StoreLocation) -> tuple[int, float]:
    with open_store(location) as store:
        before, began = resident(), time.process_time()
        window = Window("main", RecipientMask("mask", store.secret("recipients")))
        last = None
        while entries := store.entries_page("main", last):
            window.restore_entries([(entry.field, entry.code, entry.value) for entry in entries])
            last = entries[-1]
        window.restore(store.journal("main"))
        window.restored()
        trim_heap()  # as `monitor.daemon.window_restore` does
        took = time.process_time() - began
        return resident() - before, took


def resident() -> int:
    """Returns the resident memory of this process in bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


if __name__ == "__main__":
    named = sys.argv[1]
    print(*_restore(parse_postgresql(named) if is_postgresql(named) else Path(named)))
