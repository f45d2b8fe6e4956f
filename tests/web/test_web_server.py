import logging
import socket
from functools import partial

import pytest
import trio
from plain_client import ask, connect, exchange, parse, served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from monitor.errors import ListenError
from monitor.web.guards import Limits
from monitor.web.server import serve
from tests.fakes.waiting import GUARD, guarded

HUGE = 32 * 1024 * 1024
GET = b"GET %s HTTP/1.1\r\nHost: test\r\n\r\n"


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


async def huge(request: Request) -> Response:
    return PlainTextResponse(b"x" * HUGE)


async def streamed(request: Request) -> Response:
    async def pieces():
        for _ in range(3):
            yield "piece "

    return StreamingResponse(pieces())


class Ticks:
    """An iterator without end; not a generator, which would have to be closed."""

    def __aiter__(self):
        return self

    async def __anext__(self) -> str:
        await trio.sleep(0.01)
        return "tick\n"


async def endless(request: Request) -> Response:
    return StreamingResponse(Ticks())


async def echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


APP = Starlette(
    routes=[
        Route("/", hello),
        Route("/huge", huge),
        Route("/streamed", streamed),
        Route("/endless", endless),
        Route("/echo", echo, methods=["POST"]),
    ]
)


async def test_hands_back_the_url_with_the_real_port():
    async with served(APP) as url:
        assert url.startswith("http://127.0.0.1:")
        assert (await ask(url, "/")).body == b"hello"


async def test_says_nothing_of_its_software():
    async with served(APP) as url:
        assert "server" not in (await ask(url, "/")).headers


async def test_a_busy_port_is_one_line_that_names_it_and_says_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ListenError) as error:
            await serve(APP, listen, stop=trio.Event())
    assert str(error.value) == (
        f"Cannot listen on {listen}: another program uses this port; stop it, or write another address in web.listen"
    )
    assert error.value.exit_code == 69


async def test_an_address_of_another_machine_is_one_line():
    with pytest.raises(ListenError, match=r"^Cannot listen on 192\.0\.2\.1:0: it is not an address of this machine.*$"):
        await serve(APP, "192.0.2.1:0", stop=trio.Event())


async def test_the_port_is_free_again_afterwards():
    async with served(APP) as url:
        await ask(url, "/")
    async with served(APP):
        pass
    with pytest.raises(OSError, match=r"refused|connect"):
        await connect(url)


async def start(nursery: trio.Nursery, stop: trio.Event) -> str:
    return await nursery.start(partial(serve, APP, "127.0.0.1:0", stop=stop))


async def test_an_idle_connection_does_not_hold_up_the_shutdown(autojump_clock):
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        stream = await connect(await start(nursery, stop))
        await stream.send_all(GET % b"/")
        assert parse(await stream.receive_some()).status == 200
        began = trio.current_time()
        stop.set()
    assert trio.current_time() - began < 2
    await stream.aclose()


async def test_a_client_that_has_stopped_reading_does_not_hold_up_the_shutdown():
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        stream = await connect(await start(nursery, stop))
        await stream.send_all(GET % b"/huge")
        await stream.receive_some(1)  # it has begun to answer, and nobody reads the rest
        stop.set()
        nursery.cancel_scope.deadline = trio.current_time() + GUARD
    assert not nursery.cancel_scope.cancelled_caught
    await stream.aclose()


async def test_an_open_event_stream_does_not_hold_up_the_shutdown(autojump_clock):
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        stream = await connect(await start(nursery, stop))
        await stream.send_all(GET % b"/endless")
        await stream.receive_some(1)
        began = trio.current_time()
        stop.set()
    assert trio.current_time() - began < 2
    await stream.aclose()


async def test_cancelling_ends_it_at_once_with_a_connection_open(autojump_clock):
    async with trio.open_nursery() as nursery:
        stream = await connect(await start(nursery, trio.Event()))
        await stream.send_all(GET % b"/endless")
        await stream.receive_some(1)
        began = trio.current_time()
        nursery.cancel_scope.cancel()
    assert trio.current_time() - began < 2
    await stream.aclose()


async def receive_until(stream: trio.SocketStream, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        received += await stream.receive_some()
    return received


@pytest.mark.parametrize(("path", "end"), [(b"/", b"hello"), (b"/streamed", b"0\r\n\r\n")])
async def test_a_connection_is_used_again_and_closed_once_idle(path, end):
    async with served(APP, limits=Limits(idle_seconds=0.3)) as url, await connect(url) as stream:
        for _ in range(3):
            await stream.send_all(GET % path)
            assert b"200" in await receive_until(stream, end)
        with guarded():
            async for _ in stream:
                pass


async def test_a_head_that_drips_is_cut_off():
    async with served(APP, limits=Limits(idle_seconds=0.3)) as url, await connect(url) as stream:
        with guarded():
            await stream.send_all(b"GET / HTTP/1.1\r\nHost:")
            assert await stream.receive_some() == b""


async def test_a_head_that_is_too_large_is_refused():
    async with served(APP) as url:
        answer = await exchange(url, b"GET / HTTP/1.1\r\nHost: test\r\nX: " + b"x" * 40_000)
        assert parse(answer).status == 431


def post(announced: str, body: bytes) -> bytes:
    return f"POST /echo HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{announced}\r\n\r\n".encode() + body


async def test_a_body_within_the_limit_reaches_the_application():
    async with served(APP, limits=Limits(body=1000)) as url:
        assert parse(await exchange(url, post("Content-Length: 1000", b"x" * 1000))).body == b"1000"


@pytest.mark.parametrize(
    ("announced", "body"),
    [
        ("Content-Length: 1001", b""),
        ("Transfer-Encoding: chunked", b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"a\r\n0123456789\r\n" * 2000),
    ],
    ids=["announced", "one chunk", "many chunks"],
)
async def test_a_body_over_the_limit_is_refused_and_the_connection_closed(announced, body):
    async with served(APP, limits=Limits(body=1000)) as url:
        with guarded():
            reply = parse(await exchange(url, post(announced, body)))
        assert (reply.status, reply.json) == (413, {"error": "The body is larger than 1000 bytes."})


async def test_a_body_that_drips_is_refused():
    async with served(APP, limits=Limits(body_seconds=0.2)) as url:
        with guarded():
            assert parse(await exchange(url, post("Content-Length: 10", b"x"))).status == 408


async def test_a_large_answer_arrives_whole():
    async with served(APP) as url:
        assert len((await ask(url, "/huge")).body) == HUGE


BREAKING = {
    "upgrade to HTTP/2 and away": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAAA\r\n\r\n",
    "settings that are none": b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nHTTP2-Settings: !\r\n\r\nx",
    "websocket and away": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\nfoo",
    "noise": bytes(range(256)) * 100,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
    "unknown coding": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("request_bytes", BREAKING.values(), ids=BREAKING)
async def test_no_request_ends_the_listener(request_bytes):
    async with served(APP) as url:
        for _ in range(2):
            async with await connect(url) as stream:
                await stream.send_all(request_bytes)
        with guarded():
            while not await exchange(url, b"GET / HTTP/1.0\r\n\r\n"):  # cut off where it came just before the restart
                pass


async def test_what_broke_the_listener_is_logged(caplog):
    async with served(APP) as url:
        while not (found := [record for record in caplog.records if record.name == "monitor.web.server"]):
            async with await connect(url) as stream:
                await stream.send_all(BREAKING["websocket and away"])
            await trio.sleep(0.01)
    assert found[0].levelno == logging.ERROR
    assert vars(found[0])["address"] == url
