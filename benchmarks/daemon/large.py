"""Measures a restart, memory and the store with ten million messages of history."""

import tempfile
from pathlib import Path
from typing import Final

import trio

from benchmarks.daemon.restart import configure, starts
from benchmarks.figure import Figure, median_of
from benchmarks.ingest.page_to_store import page_ingestion
from benchmarks.messages import MILLION, many_batches
from benchmarks.routee_process import routee_with
from benchmarks.window.memory import restored_apart
from monitor.model.complete_read import SOMEWHERE

ROUNDS: Final = 3


def run(quick: bool) -> list[Figure]:
    """Returns medians over starts, and what the messages take."""
    messages = MILLION if quick else 10 * MILLION
    with tempfile.TemporaryDirectory() as name, routee_with(1) as url:
        folder = Path(name)
        trio.run(_fill, folder, messages)
        size = sum(file.stat().st_size for file in folder.iterdir())
        memory, seconds = restored_apart(folder / "monitor.db")
        address = configure(folder, url)
        ready, _, processor = zip(*starts(folder, address, ROUNDS), strict=True)
    of = f"{messages:,} messages"
    return [
        median_of(f"ready after a restart with {of}", ready, "s", at_most=8),
        median_of("processor time of the whole start and stop", processor, "s"),
        Figure("restored alone, processor time", seconds, "s"),
        Figure(f"memory of {of}, restored from the store", memory / 1e6, "MB", at_most=messages / 10_000),
        Figure("the store on disk", size / 1e6, "MB"),
    ]


async def _fill(folder: Path, messages: int) -> None:
    async with page_ingestion(folder) as here:
        for page in many_batches(messages):
            await here.take(page, (), SOMEWHERE)
        await here.complete()
