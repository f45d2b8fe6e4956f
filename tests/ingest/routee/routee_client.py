"""A client of a scripted server, for tests."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio
from routee_pages import NOW

from monitor.ingest.routee.client import Routee
from monitor.model.routee_query import Page, RouteeQuery
from monitor.runtime.clock import TrioClock
from tests.fakes.scripted import Reply, Scripted, scripted


@dataclass
class Bench:
    """Server, client and what the client reported of its requests."""

    server: Scripted
    routee: Routee
    observed: list[tuple[str, str]] = field(default_factory=list)

    async def search(self) -> Page:
        """Any search."""
        return await self.routee.search(RouteeQuery(), NOW - 3_600_000_000, NOW)


def client(url: str, **changed: Any) -> Routee:
    """A client with fixed jitter and no limit that a test would feel."""
    usual: dict[str, Any] = {
        "name": "main",
        "application_id": "app",
        "application_secret": "S3CRET",
        "api_url": url,
        "auth_url": url,
        "requests_per_second": 1000,
        "clock": TrioClock(NOW),
        "chance": random.Random(1),
    }
    return Routee(**(usual | changed))


@asynccontextmanager
async def bench(*answers: Reply, otherwise: Reply | None = None, **changed: Any) -> AsyncIterator[Bench]:
    """A server that gives ``answers``, and a client that asks it."""
    observed: list[tuple[str, str]] = []
    async with scripted(otherwise) as server:
        server.answers.extend(answers)
        url = changed.pop("url", server.url)
        observe = lambda endpoint, outcome, seconds: observed.append((endpoint, outcome))  # noqa: E731 - one line is all
        async with client(url, observe=observe, **changed) as routee:
            yield Bench(server, routee, observed)


async def at_once(count: int, ask: Callable[[], Awaitable[object]]) -> None:
    """So many callers together."""
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(ask)


async def until(true: Callable[[], object]) -> None:
    """Let the others go on until it is."""
    for _ in range(100_000):
        if true():
            return
        await trio.lowlevel.checkpoint()
    raise AssertionError("it never became true")
