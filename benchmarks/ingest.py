"""Reading messages from the API into the window and the store, against fetching and decoding the same pages and doing nothing else."""

import statistics
import tempfile
import time
from pathlib import Path

import trio

from benchmarks.figure import Figure
from benchmarks.messages import count
from benchmarks.routee_process import client, routee_with
from benchmarks.station import Take, ignore, read_all, station
from monitor.routee.client import Routee


def run(quick: bool) -> list[Figure]:
    """Medians over rounds; each round has its floor before it, for a machine is not equally fast all the time."""
    messages, rounds = count(quick), 3
    with routee_with(messages) as url:
        found = [trio.run(_round, url, messages) for _ in range(rounds)]
    floor, first, again = (statistics.median(rates) for rates in zip(*found, strict=True))
    ratio = statistics.median(first / floor for floor, first, _ in found)
    return [
        Figure("new messages, durable", first, "messages/s", at_least=60_000),
        Figure("fetched and decoded alone (the floor)", floor, "messages/s"),
        Figure("new messages against the floor", ratio, "of it", at_least=0.4),
        Figure("the same messages again", again, "messages/s"),
    ]


async def _round(url: str, messages: int) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        async with client(url) as routee, station(Path(folder)) as here:
            floor = await _rate(routee, ignore, messages)
            first = await _rate(routee, here.take, messages, here.complete)
            return floor, first, await _rate(routee, here.take, messages, here.complete)


async def _rate(routee: Routee, take: Take, messages: int, complete: object = None) -> float:
    began = time.perf_counter()
    parts = await read_all(routee, take, messages)
    if callable(complete):
        await complete()
    return parts / (time.perf_counter() - began)
