"""A probe is answered without hypercorn, and exactly as it would be with it."""

import socket
import struct

import pytest
import trio
from plain_client import Reply, connect, exchange, parse, served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.daemon.http.hosts import KnownHosts
from monitor.daemon.http.probe import Probe
from monitor.daemon.http.server import FIRST_BYTES
from tests.fakes.waiting import guarded

HOST = b"Host: localhost\r\n"
LONG = b"X-Long: " + b"x" * FIRST_BYTES + b"\r\n"
"""With it a head is no longer there with the first bytes."""


async def asked(request: Request) -> Response:
    """What the application knows of the request, and what it raises for."""
    if "raise" in request.query_params:
        raise RuntimeError("a broken page")
    about = (request.method, request.url.path, request.url.query, request.url.hostname, request["http_version"])
    return JSONResponse(
        [*about, request.client is not None, request.headers.get("accept"), await request.body() == b""]
    )


APP = KnownHosts(Starlette(routes=[Route("/healthz", asked), Route("/readyz", asked)]), names=[], token="")


def comparable(reply: Reply) -> tuple[int, dict[str, str], bytes]:
    return reply.status, {name: value for name, value in reply.headers.items() if name != "date"}, reply.body


@pytest.mark.parametrize(
    "first", [b"GET /healthz", b"HEAD /healthz", b"GET /readyz?a=%20b", b"HEAD /readyz?a", b"GET /healthz?raise"]
)
@pytest.mark.parametrize("version", [b" HTTP/1.1\r\n", b" HTTP/1.0\r\n"])
@pytest.mark.parametrize(
    "more", [HOST, b"Host: evil.example\r\n", HOST + b"Accept: text/html\r\n", HOST + b"Cookie: a\r\nCookie: b\r\n"]
)
async def test_a_probe_is_answered_as_it_would_be_with_hypercorn(first: bytes, version: bytes, more: bytes) -> None:
    head = first + version + more + b"Connection: close\r\n"
    assert Probe.read(head + b"\r\n") is not None
    async with served(APP) as url:
        short, long = [parse(await exchange(url, head + rest + b"\r\n")) for rest in (b"", LONG)]
    assert comparable(short) == comparable(long)
    assert "date" in short.headers


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nab",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET /healthz HTTP/2.0\r\n" + HOST + b"\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"broken\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + HOST,
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\nGET /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    ],
)
def test_what_is_not_plainly_one_probe_takes_the_usual_way(request_: bytes) -> None:
    assert Probe.read(request_) is None


async def test_the_connection_of_a_probe_is_closed_also_where_the_client_would_keep_it() -> None:
    async with served(APP) as url, await connect(url) as stream:
        await stream.send_all(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
        received = b""
        with guarded():
            async for piece in stream:
                received += piece
    assert (parse(received).status, parse(received).headers["connection"]) == (200, "close")


async def test_pipelined_probes_are_all_answered() -> None:
    probe = b"GET /healthz HTTP/1.1\r\n" + HOST
    async with served(APP) as url:
        received = await exchange(url, probe + b"\r\n" + probe + b"Connection: close\r\n\r\n")
    assert received.count(b"HTTP/1.1 200") == 2


async def test_a_client_that_resets_before_its_answer_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    begun, goes_on, answered = trio.Event(), trio.Event(), trio.Event()

    async def waits(request: Request) -> Response:
        begun.set()
        await goes_on.wait()
        answered.set()
        return Response()

    async with served(Starlette(routes=[Route("/healthz", waits)])) as url:
        stream = await connect(url)
        await stream.send_all(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
        with guarded():
            await begun.wait()
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.socket.close()
            goes_on.set()
            await answered.wait()
    assert [record.getMessage() for record in caplog.records] == []
