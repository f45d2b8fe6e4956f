"""Clients of the listener that mean harm, all at once, until the process is ended. A program of its own: ``hostile_clients.py PORT CROWD``.

Its own descriptors and its own processor time: whoever measures the daemon meanwhile does not wait for these.
"""

import json
import random
import resource
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlencode

import trio

IDLE = 1_300
CALLBACK_SECRET = "the-secret-of-callbacks"
BODIES = 100
"""So many at once, each of 1 MB."""
PIPELINED = 50
METRICS = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
H2C = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n"
PRI = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WEBSOCKET = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\nfoo"
)
SILENCE = (
    b"POST /api/v2/silences HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)
DEAR = [r"(?i)(?:\pL\PL){12}"]
DEAREST_TAKEN = [f"(?:a|b|c){{1,40}}x{one}" for one in range(50)]
POST = b"POST /api/v2/silences HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"


async def idle(stream: trio.SocketStream) -> None:
    """Ask once, keep the connection."""
    await stream.send_all(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async for _ in stream:
        pass


async def body(stream: trio.SocketStream) -> None:
    """A body of 1 MB but for its end, which never comes."""
    await stream.send_all(POST + b"x" * 999_000)
    async for _ in stream:
        pass


async def dripping_body(stream: trio.SocketStream) -> None:
    """A byte of a body every 200 ms."""
    await stream.send_all(POST)
    while True:
        await stream.send_all(b"x")
        await trio.sleep(0.2)


async def dripping_head(stream: trio.SocketStream) -> None:
    """A byte of a head every 200 ms."""
    await stream.send_all(b"GET / HTTP/1.1\r\n")
    while True:
        await stream.send_all(b"X")
        await trio.sleep(0.2)


async def not_reading(stream: trio.SocketStream) -> None:
    """Ask for much, take nothing."""
    await stream.send_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 4)
    await trio.sleep(5)


async def packets(stream: trio.SocketStream) -> None:
    """What hypercorn would turn to another protocol for."""
    for packet in (H2C, PRI, WEBSOCKET):
        await stream.send_all(packet)


async def dear_filters(stream: trio.SocketStream) -> None:
    """Fifty dear expressions, again and again: some are refused by what they are written like, some are just within the bounds."""
    for _ in range(20):
        for request in (filtering(DEAR * 50), filtering(DEAREST_TAKEN)):
            await stream.send_all(request)
            if not await stream.receive_some():
                return


async def dear_silence(stream: trio.SocketStream) -> None:
    """A silence with as many matchers as a silence may have, all of them dear."""
    matchers = [{"name": f"n{one}", "value": DEAR[0], "isRegex": True} for one in range(50)]
    times = {"startsAt": "2000-01-01T00:00:00Z", "endsAt": "2090-01-01T00:00:00Z"}
    body = json.dumps({"matchers": matchers, "createdBy": "x", "comment": "x", **times}).encode()
    for _ in range(20):
        await stream.send_all(SILENCE % len(body) + body)
        if not await stream.receive_some():
            return


def filtering(expressions: list[str]) -> bytes:
    """A request for the alerts with those in its filters."""
    query = urlencode([("filter", f"n{number}=~{json.dumps(one)}") for number, one in enumerate(expressions)])
    return f"GET /api/v2/alerts?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


async def pipelining(stream: trio.SocketStream) -> None:
    """Ask for the metrics fifty times without waiting, and once more as soon as they have come; never think."""
    while True:
        await stream.send_all(METRICS * PIPELINED)
        missing = PIPELINED
        while missing > 0:
            received = await stream.receive_some()
            if not received:
                return
            missing -= received.count(b"HTTP/1.1 200")


async def again_and_again(port: int, client: Callable[[trio.SocketStream], Awaitable[None]]) -> None:
    """Whatever becomes of it, once more some seconds later. Not all begin at once: what is tested is what they take up, not a flood."""
    await trio.sleep(random.uniform(0, 6))
    while True:
        try:
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await client(stream)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        await trio.sleep(random.uniform(5, 15))


async def many_kinds(port: int) -> None:
    """All that take up connections, memory and patience."""
    crowd = ((idle, IDLE), (body, BODIES), (dripping_body, 20), (dripping_head, 20), (not_reading, 10), (packets, 10))
    crowd += ((dear_filters, 20), (dear_silence, 5))
    async with trio.open_nursery() as nursery:
        for client, count in crowd:
            for _ in range(count):
                nursery.start_soon(again_and_again, port, client)


async def pipeliners(port: int) -> None:
    """Ten that ask without a pause."""
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(at_once_again, port, pipelining)


async def at_once_again(port: int, client: Callable[[trio.SocketStream], Awaitable[None]]) -> None:
    """Whatever becomes of it, at once again."""
    while True:
        try:
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await client(stream)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            await trio.sleep(0.1)


async def callbacks(port: int) -> None:
    """Callbacks without the secret, with half of it, too large, malformed, endless; and good ones, as fast as they are answered."""
    good = (
        b'{"messageId": "%d", "operator": "Hostile", "status": {"name": "Sent", "updatedDate": "2026-01-01T00:00:00Z"}}'
    )
    bodies = [b"", b"[" * 50_000, b"{" * 1_000, b"\xff" * 100, b"[{}]", good, b"x" * 300_000]
    paths = [
        b"main",
        b"main?secret=no",
        b"main?secret=" + CALLBACK_SECRET.encode(),
        b"none",
        b"%2e%2e",
        b"main?" + b"secret=a&" * 500,
    ]

    async def one(number: int) -> None:
        while True:
            number += 7
            body = bodies[number % len(bodies)]
            head = b"POST /callbacks/routee/%b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"
            with suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError), trio.move_on_after(2):
                async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                    for _ in range(10):
                        await stream.send_all(head % (paths[number % len(paths)], len(body)) + body)
                        if not await stream.receive_some():
                            break

    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(one, number)


CROWDS: dict[str, Callable[[int], Awaitable[None]]] = {
    "many kinds": many_kinds,
    "pipelining": pipeliners,
    "callbacks": callbacks,
}

if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    trio.run(CROWDS[sys.argv[2]], int(sys.argv[1]))
