import logging
import socket
from contextlib import suppress
from functools import partial
from urllib.parse import urlsplit

import pytest
import trio
from plain_client import ask, connect, exchange, parse, served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from monitor.daemon.http.connections import BUSY
from monitor.daemon.http.guards import Limits
from monitor.daemon.http.server import serve
from monitor.runtime.errors import ListenError
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


async def test_a_connection_is_used_again_also_if_the_loop_was_held_when_the_answer_ended(mock_clock):
    mock_clock.rate = 1
    async with served(APP) as url:
        for later in [*range(20)] * 3:
            async with await connect(url) as stream:
                await stream.send_all(GET % b"/")
                await receive_until(stream, b"hello")
                for _ in range(later):
                    await trio.lowlevel.checkpoint()
                mock_clock.jump(2)  # as if something else had taken so long
                with guarded():
                    await stream.send_all(GET % b"/")
                    await receive_until(stream, b"hello")


async def test_a_connection_whose_answer_did_not_end_in_time_is_closed(mock_clock):
    mock_clock.rate = 1
    answered = closed = 0
    async with served(APP) as url:
        for later in [*range(20)] * 3:
            async with await connect(url) as stream:
                await stream.send_all(GET % b"/")
                await receive_until(stream, b"hello")
                for _ in range(later):
                    await trio.lowlevel.checkpoint()
                mock_clock.jump(10)
                with guarded(), suppress(trio.BrokenResourceError):
                    await stream.send_all(GET % b"/")
                    if await stream.receive_some():
                        answered += 1
                        continue
                closed += 1
    assert (answered + closed, bool(answered)) == (60, True)


async def test_a_head_that_drips_is_cut_off():
    async with served(APP, limits=Limits(idle_seconds=0.3)) as url, await connect(url) as stream:
        with guarded():
            await stream.send_all(b"GET / HTTP/1.1\r\nHost:")
            assert await stream.receive_some() == b""


async def test_a_head_that_is_too_large_is_refused():
    async with served(APP) as url:
        answer = await exchange(url, b"GET / HTTP/1.1\r\nHost: test\r\nX: " + b"x" * 40_000)
        assert parse(answer).status == 431


async def test_a_head_that_is_too_large_is_refused_also_if_it_comes_at_once():
    async with served(APP) as url:
        answer = await exchange(url, b"GET / HTTP/1.1\r\nHost: test\r\nX: " + b"x" * 17_000 + b"\r\n\r\n")
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
            while not await exchange(url, b"GET / HTTP/1.0\r\nHost: x\r\n\r\n"):
                pass


REFUSED = {
    "h2c": (
        400,
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n",
    ),
    "websocket": (400, BREAKING["websocket and away"]),
    "HTTP/2 at once": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a length and chunks": (400, post("Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n")),
    "chunks in HTTP/1.0": (400, b"POST /echo HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "two lengths": (400, post("Content-Length: 5\r\nContent-Length: 6", b"hello")),
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "no host in HTTP/1.0": (400, b"GET / HTTP/1.0\r\n\r\n"),
    "two hosts": (400, b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
    "two hosts in HTTP/1.0": (400, b"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n"),
}


@pytest.mark.parametrize(("status", "request_bytes"), REFUSED.values(), ids=REFUSED)
async def test_what_may_be_understood_in_two_ways_is_refused_and_the_connection_closed(status, request_bytes):
    async with served(APP) as url, await connect(url) as bystander:
        with trio.fail_after(3):
            assert parse(await exchange(url, request_bytes)).status == status
        await bystander.send_all(GET % b"/")  # it was open all the time, and still is
        assert parse(await bystander.receive_some()).status == 200


@pytest.mark.parametrize(
    ("request_bytes", "words"),
    [
        (REFUSED["h2c"][1], "without the header Upgrade"),
        (REFUSED["websocket"][1], "without the header Upgrade"),
        (REFUSED["HTTP/2 at once"][1], "HTTP/1.1 only"),
        (REFUSED["a length and chunks"][1], "Transfer-Encoding"),
        (REFUSED["two hosts"][1], "cannot be understood"),
    ],
    ids=["h2c", "websocket", "HTTP/2 at once", "a length and chunks", "two hosts"],
)
async def test_what_is_refused_says_why_in_its_body_and_that_it_closes(request_bytes, words):
    async with served(APP) as url:
        with guarded():
            reply = parse(await exchange(url, request_bytes))  # which reads until the connection is closed
    assert words in reply.json["error"]
    assert reply.headers["connection"] == "close"
    assert reply.headers["content-length"] == str(len(reply.body))


async def test_the_connection_that_has_waited_longest_makes_room_for_a_new_one():
    async with (
        served(APP, limits=Limits(connections=2)) as url,
        await connect(url) as oldest,
        await connect(url) as newer,
    ):
        for stream in (oldest, newer):
            await stream.send_all(GET % b"/")
            assert await receive_until(stream, b"hello")
        assert (await ask(url, "/")).status == 200
        with trio.fail_after(2):
            assert await oldest.receive_some() == b""
        await newer.send_all(GET % b"/")
        assert await receive_until(newer, b"hello")


async def test_where_all_connections_are_being_answered_the_newest_is_turned_away():
    async with served(APP, limits=Limits(connections=2)) as url, await connect(url) as one, await connect(url) as other:
        for stream in (one, other):
            await stream.send_all(GET % b"/endless")
            await receive_until(stream, b"tick\n\r\n")
        reply = parse(await exchange(url, b""))
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")


async def test_who_is_turned_away_reads_the_answer_to_its_end_whatever_it_has_sent():
    async with served(APP, limits=Limits(connections=1)) as url, await connect(url) as one:
        await one.send_all(GET % b"/endless")
        await receive_until(one, b"tick\n\r\n")
        parts = urlsplit(url)
        newest = socket.create_connection((parts.hostname, parts.port))  # no task runs until its request is there
        newest.sendall(post("Content-Length: 10000", b"x" * 10_000))
        async with trio.SocketStream(trio.socket.from_stdlib_socket(newest)) as stream:
            with guarded():
                assert b"".join([piece async for piece in stream]) == BUSY


async def test_a_body_that_drips_makes_room_too():
    async with served(APP, limits=Limits(connections=1)) as url, await connect(url) as dripping:
        await dripping.send_all(post("Content-Length: 10", b"x"))
        with guarded():  # until its body is waited for: while its head is looked at, the newest is turned away
            while not (await exchange(url, b"GET / HTTP/1.0\r\nHost: test\r\n\r\n")).endswith(b"hello"):
                pass
        assert await dripping.receive_some() == b""


async def test_a_body_is_not_waited_for_where_the_headers_say_enough():
    async def refuses(request: Request) -> Response:
        return PlainTextResponse("no", 401)

    app = Starlette(routes=[Route("/", refuses, methods=["GET", "POST"])])
    async with served(app) as url:
        with trio.fail_after(3):
            head = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n"
            assert parse(await exchange(url, head)).status == 401


@pytest.mark.parametrize("status", [401, 403])
async def test_a_stranger_keeps_no_connection(status):
    async def refuses(request: Request) -> Response:
        return PlainTextResponse("no", status)

    async with served(Starlette(routes=[Route("/", refuses)])) as url:
        with trio.fail_after(3):
            reply = parse(await exchange(url, GET % b"/"))
    assert (reply.status, reply.headers["connection"]) == (status, "close")


@pytest.mark.parametrize("more", [GET % b"/", b"no HTTP\r\n\r\n", b"x" * 100_000])
async def test_a_stranger_gets_the_answer_whatever_was_sent_after_the_request(more, caplog):
    async def refuses(request: Request) -> Response:
        return PlainTextResponse("no", 401)

    app = Starlette(routes=[Route("/", refuses, methods=["GET", "POST"])])
    async with served(app) as url:
        with trio.fail_after(5):
            for head in (GET % b"/", post("Content-Length: 4", b"body").replace(b"/echo", b"/")):
                reply = parse(await exchange(url, head + more))
                assert (reply.status, reply.body) == (401, b"no")
    assert caplog.records == []


async def test_the_bodies_of_all_requests_together_are_bounded():
    async with served(APP, limits=Limits(body=1000, bodies=1500)) as url, await connect(url) as first:
        await first.send_all(post("Content-Length: 1000", b"x" * 999))
        reply = None
        with trio.fail_after(5):  # until the first has arrived there
            while reply is None or reply.status == 200:
                reply = parse(await exchange(url, post("Content-Length: 1000", b"x" * 1000)))
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        await first.send_all(b"x")
        assert b"1000" in await receive_until(first, b"1000")
        assert parse(await exchange(url, post("Content-Length: 1000", b"x" * 1000))).status == 200


async def test_what_a_page_raises_fails_that_page_alone_and_its_log_is_bounded(caplog):
    async def bare(scope, receive, send):
        raise RuntimeError("inner detail")

    async with served(bare) as url:
        replies = [await ask(url, "/") for _ in range(20)]
    assert {reply.status for reply in replies} == {500}
    assert b"inner detail" not in replies[0].body
    logged = [record for record in caplog.records if record.name == "monitor.daemon.http.guards"]
    assert len(logged) == 5
    assert logged[0].levelno == logging.ERROR
    assert logged[0].exc_info


async def test_a_client_that_ends_its_side_while_the_answer_ends_is_no_error(caplog):
    async def answers(scope, receive, send):
        await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"1")]})
        await send({"type": "http.response.body", "body": b"x"})

    with guarded():
        async with served(answers) as url:
            for turns in [*range(25)] * 8:
                async with await connect(url) as stream:
                    await stream.send_all(post("Content-Length: 1000", b"x" * 500))
                    for _ in range(turns):
                        await trio.lowlevel.checkpoint()
                    with suppress(trio.BrokenResourceError):
                        await stream.send_eof()
                        while await stream.receive_some():
                            pass
    assert caplog.records == []


async def test_a_request_that_breaks_while_the_application_answers_gets_one_answer(caplog):
    refused, sent = trio.Event(), trio.Event()

    async def answers_at_the_same_time(scope, receive, send):
        await refused.wait()
        headers = [(b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * 1000})
        sent.set()

    received = b""
    with guarded():
        served_here = served(answers_at_the_same_time, answered=lambda _: refused.set())
        async with served_here as url, await connect(url) as stream:
            await stream.send_all(post("Content-Length: 1000", b"x" * 500))
            await stream.send_eof()
            async for piece in stream:
                received += piece
            await sent.wait()
    answer = parse(received)
    assert (answer.status, "cannot be understood" in answer.json["error"]) == (400, True)
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert caplog.records == []
