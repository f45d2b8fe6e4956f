"""Fetching and decoding pages with the program's client, against bare httpcore and msgspec, which ask the same server for the same pages.

The floor sends the same requests, keeps its connections, unpacks what is packed, and decodes into the fields that are kept. It has no limits
but msgspec's types: of time, of size, of requests; it tries nothing again and checks nothing.
"""

import base64
import time
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import httpcore
import msgspec
import trio

from benchmarks.figure import Figure
from benchmarks.floors.compared import compared
from benchmarks.floors.decoding import PageOfParts
from benchmarks.floors.ingesting import served
from benchmarks.ingest.page_to_store import ignore, set_up_heap
from benchmarks.messages import SPAN
from benchmarks.routee_process import client
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
            here.append(await _cost(_by_client(routee), asked))
            least.append(await _cost(bare.page, asked))
    return here, least


async def _asked(routee: Routee, messages: int) -> list[tuple[Slice, int]]:
    """Returns the slices and pages in which the program reads all messages, the newest first."""
    now, found = SystemClock().now(), list[SliceResult]()
    reader = Reader(routee, RouteeQuery(), PAGE_SIZE, ignore, PollFigures("all", "sweep"), lambda: 0)
    await reader.read(Slice(now - SPAN - HOUR, now), found.append, messages)
    return [(one.slice, number) for one in found for number in range(pages(one.counts[0], PAGE_SIZE))]


async def _cost(fetch: Fetch, asked: list[tuple[Slice, int]]) -> Cost:
    used, began = time.process_time(), time.perf_counter()
    parts = sum([await fetch(piece, number) for piece, number in asked])
    scale = 1e3 / parts * PAGE_SIZE
    return Cost((time.process_time() - used) * scale, (time.perf_counter() - began) * scale)


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
        headers = {
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
