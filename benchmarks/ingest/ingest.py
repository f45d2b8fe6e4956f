"""Measures reading messages from the API into the window and the store, compared with only fetching and decoding the same pages."""

import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import trio

from benchmarks.figure import Figure, median_of
from benchmarks.ingest.page_to_store import ignore, page_ingestion, read_all, set_up_heap
from benchmarks.messages import count
from benchmarks.routee_process import client, served
from monitor.ingest.poll.reader import Take
from monitor.ingest.routee.client import Routee

ROUNDS: Final = 3


def run(quick: bool) -> list[Figure]:
    """Returns medians over rounds. Each round first measures fetching alone (the floor), because the machine's speed varies."""
    set_up_heap()
    messages = count(quick)
    return [
        *_read(messages, "plain HTTP", encrypted=False, at_least=145_000),
        *_read(messages, "TLS with gzip", encrypted=True, at_least=110_000),
    ]


def _read(messages: int, how: str, *, encrypted: bool, at_least: float) -> list[Figure]:
    with served(messages, encrypted=encrypted) as url:
        found = [trio.run(_round, url, messages) for _ in range(ROUNDS)]
    floor, first, again, busy = zip(*found, strict=True)
    ratios = [first / floor for floor, first, _, _ in found]
    return [
        median_of(f"{how}: new messages, durable", first, "messages/s", at_least=at_least),
        median_of(f"{how}: fetched and decoded alone (the floor)", floor, "messages/s"),
        median_of(f"{how}: new messages against the floor", ratios, "of it", at_least=0.7),
        median_of(f"{how}: the same messages again", again, "messages/s"),
        median_of(f"{how}: new messages, a second of processor time", busy, "messages/s"),
    ]


async def _round(url: str, messages: int) -> tuple[float, float, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        async with client(url) as routee, page_ingestion(Path(folder)) as here:
            floor, _ = await _rates(routee, ignore, messages)
            first, busy = await _rates(routee, here.take, messages, here.complete)
            again, _ = await _rates(routee, here.take, messages, here.complete)
            return floor, first, again, busy


async def _rates(
    routee: Routee, take: Take, messages: int, complete: Callable[[], Awaitable[None]] | None = None
) -> tuple[float, float]:
    """Returns the parts read in a second of real time, and in a second of this process's processor time."""
    began, used = time.perf_counter(), time.process_time()
    parts = await read_all(routee, take, messages)
    if complete is not None:
        await complete()
    return parts / (time.perf_counter() - began), parts / (time.process_time() - used)
