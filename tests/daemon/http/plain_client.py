"""A plain HTTP/1.1 client over trio's sockets: what the listener says, byte by byte, with no library's opinion in between."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import trio

from monitor.daemon.http.server import serve


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def connect(url: str) -> trio.SocketStream:
    parts = urlsplit(url)
    return await trio.open_tcp_stream(parts.hostname, parts.port)


async def exchange(url: str, request: bytes) -> bytes:
    """Everything that comes back until the listener closes the connection."""
    received = bytearray()
    async with await connect(url) as stream:
        await stream.send_all(request)
        try:
            async for piece in stream:
                received += piece
        except trio.BrokenResourceError:  # reset instead of closed: what came before counts
            return bytes(received)
    return bytes(received)


async def ask(url: str, path: str, method: str = "GET", **headers: str) -> Reply:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {headers.pop('Host', 'localhost')}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return parse(await exchange(url, "\r\n".join([*lines, "", ""]).encode()))


def parse(answer: bytes) -> Reply:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in rest)
    return Reply(int(first.split(" ")[1]), headers, body)


@asynccontextmanager
async def served(app: Any, **options: Any) -> AsyncIterator[str]:
    """The URL of ``app``, served on a free port of loopback while the block runs."""
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        url = await nursery.start(partial(serve, app, "127.0.0.1:0", stop=stop, **options))
        try:
            yield url
        finally:
            stop.set()
