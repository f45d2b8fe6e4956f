"""Reading messages from the API into the store, plainly and with TLS and gzip, against fetching and decoding the same pages alone."""

import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import trio

from benchmarks.figure import Figure
from benchmarks.floors.compared import compared
from benchmarks.ingest.page_to_store import ignore, page_ingestion, read_all, set_up_heap
from benchmarks.routee_process import client, served
from monitor.ingest.poll.reader import Take
from monitor.ingest.routee.client import Routee

ROUNDS = 3


def ingesting(messages: int, *, encrypted: bool) -> list[Figure]:
    """Returns the processor time of a page of 2,000 parts, medians over rounds."""
    set_up_heap()
    with served(messages, encrypted=encrypted) as url:
        found = [trio.run(_round, url, messages) for _ in range(ROUNDS)]
    here, least = zip(*found, strict=True)
    how = "TLS and gzip" if encrypted else "plain HTTP"
    return compared(
        f"a page into the store over {how}", "fetched and decoded", _milliseconds(here), _milliseconds(least), "ms"
    )


def _milliseconds(seconds: Iterable[float]) -> list[float]:
    return [1e3 * one for one in seconds]


async def _round(url: str, messages: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        async with client(url) as routee, page_ingestion(Path(folder)) as here:
            least = await each_page(routee, ignore, messages)
            return await each_page(routee, here.take, messages, here.complete), least


async def each_page(
    routee: Routee, take: Take, messages: int, complete: Callable[[], Awaitable[None]] | None = None
) -> float:
    """Returns the seconds of processor time for each 2,000 parts."""
    began = time.process_time()
    parts = await read_all(routee, take, messages)
    if complete is not None:
        await complete()
    return (time.process_time() - began) / parts * 2_000
