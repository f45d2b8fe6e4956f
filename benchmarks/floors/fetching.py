"""Fetching and decoding pages with the program's client, against bare httpcore and msgspec, which ask the same server for the same pages.

The floor sends the same requests, keeps its connections, unpacks what is packed, and decodes into the fields that are kept. It has no limits
but msgspec's types: of time, of size, of requests; it tries nothing again and checks nothing.
"""

import base64
import time
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import httpcore
import msgspec
import trio

from benchmarks.figure import Figure
from benchmarks.floors.compared import compared
from benchmarks.floors.decoding import PageOfParts
from benchmarks.ingest.page_to_store import ignore, set_up_heap
from benchmarks.messages import SPAN
from benchmarks.routee_process import client, served
from monitor.ingest.poll.plan import Slice, pages
from monitor.ingest.poll.reader import Reader, SliceResult
from monitor.ingest.poll.sink import PollFigures
from monitor.ingest.routee.answers import decode_token
from monitor.ingest.routee.client import Routee
from monitor.ingest.routee.endpoints import Call, Endpoints
from monitor.model.routee_query import PAGE_SIZE, RouteeQuery
from monitor.runtime.certificates import trust
from monitor.runtime.clock import HOUR, SystemClock
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS

ROUNDS: Final = 5

Fetch = Callable[[Slice, int], Awaitable[int]]
"""Fetches and decodes a page of a slice; returns how many parts it has."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What 2,000 parts took, in milliseconds: of the processor, and by the clock."""

    processor: float
    elapsed: float


def fetching(messages: int, *, encrypted: bool) -> list[Figure]:
    """Returns the processor time and the elapsed time of a page, medians over rounds in turn."""
    set_up_heap()
    with served(messages, encrypted=encrypted) as url:
        here, least = trio.run(_rounds, url, messages)
    what = f"a page fetched and decoded over {'TLS with gzip' if encrypted else 'plain HTTP'}"
    floor = "httpcore and msgspec"
    by_clock = compared(
        f"{what}, by the clock", floor, [one.elapsed for one in here], [one.elapsed for one in least], "ms"
    )
    return [*compared(what, floor, [one.processor for one in here], [one.processor for one in least], "ms"), *by_clock]


async def _rounds(url: str, messages: int) -> tuple[list[Cost], list[Cost]]:
    here, least = [], []
    async with client(url) as routee, httpcore.AsyncConnectionPool(ssl_context=trust(), max_connections=4) as pool:
        asked = await _asked(routee, messages)
        bare = Bare(pool, url)
        await bare.log_in()
        for _ in range(ROUNDS):
            costs = await _in_turn(_by_client(routee), bare.page, asked)
            here.append(costs[0])
            least.append(costs[1])
    return here, least


async def _asked(routee: Routee, messages: int) -> list[tuple[Slice, int]]:
    """Returns the slices and pages in which the program reads all messages, the newest first."""
    now, found = SystemClock().now(), list[SliceResult]()
    reader = Reader(routee, RouteeQuery(), PAGE_SIZE, ignore, PollFigures("all", "sweep"), lambda: 0)
    await reader.read(Slice(now - SPAN - HOUR, now), found.append, messages)
    return [(one.slice, number) for one in found for number in range(pages(one.counts[0], PAGE_SIZE))]


async def _in_turn(here: Fetch, least: Fetch, asked: list[tuple[Slice, int]]) -> tuple[Cost, Cost]:
    """Fetches each page both ways, one right after the other; returns what both ways took."""
    found = [[await _cost(fetch, piece, number) for fetch in (here, least)] for piece, number in asked]
    mine, its = zip(*found, strict=True)
    return _mean(mine), _mean(its)


async def _cost(fetch: Fetch, piece: Slice, number: int) -> tuple[float, float, int]:
    """Returns the seconds of the processor and by the clock, and the parts."""
    used, began = time.process_time(), time.perf_counter()
    parts = await fetch(piece, number)
    return time.process_time() - used, time.perf_counter() - began, parts


def _mean(pages: Sequence[tuple[float, float, int]]) -> Cost:
    processor, elapsed, parts = map(sum, zip(*pages, strict=True))
    return Cost(1e3 * processor / parts * PAGE_SIZE, 1e3 * elapsed / parts * PAGE_SIZE)


def _by_client(routee: Routee) -> Fetch:
    question = RouteeQuery()

    async def page(piece: Slice, number: int) -> int:
        return len((await routee.search(question, piece.start, piece.end, page=number)).batch)

    return page


class Bare:
    """Asks with httpcore, and decodes with msgspec."""

    def __init__(self, pool: httpcore.AsyncConnectionPool, url: str) -> None:
        self._pool = pool
        self._endpoints = Endpoints(url, url)
        self._decoder = msgspec.json.Decoder(PageOfParts)
        self._token = ""

    async def log_in(self) -> None:
        """Fetches the token that all further requests have."""
        name, secret = DEFAULT_CREDENTIALS
        basic = base64.b64encode(f"{name}:{secret}".encode()).decode()
        body = await self._body(self._endpoints.token(), f"Basic {basic}")
        self._token = f"Bearer {decode_token(body).value}"

    async def page(self, piece: Slice, number: int) -> int:
        """Returns how many parts the page has."""
        call = self._endpoints.search(RouteeQuery(), piece.start, piece.end, number, PAGE_SIZE)
        return len(self._decoder.decode(await self._body(call, self._token)).content)

    async def _body(self, call: Call, authorisation: str) -> bytes:
        url = call.url + "?" + "&".join(f"{name}={value}" for name, value in call.params.items())
        headers: dict[bytes | str, bytes | str] = {
            "Host": call.host,
            "Authorization": authorisation,
            "Accept-Encoding": "gzip",
            "Content-Type": call.content_type,
            "Content-Length": str(len(call.content or b"")),
        }
        answer = await self._pool.request(call.method, url, headers=headers, content=call.content)
        assert answer.status == 200
        packed = any(name.lower() == b"content-encoding" and value == b"gzip" for name, value in answer.headers)
        return zlib.decompress(answer.content, 16 + zlib.MAX_WBITS) if packed else answer.content
