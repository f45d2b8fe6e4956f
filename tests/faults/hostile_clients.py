"""Clients of the listener that mean harm, all at once, until the process is ended. A program of its own: ``hostile_clients.py PORT``.

Its own descriptors and its own processor time: whoever measures the daemon meanwhile does not wait for these.
"""

import random
import resource
import sys
from collections.abc import Awaitable, Callable

import trio

IDLE = 1_300
BODIES = 100
"""So many at once, each of 1 MB."""
H2C = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n"
PRI = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WEBSOCKET = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\nfoo"
)
POST = b"POST /api/v2/silences HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"


async def idle(stream: trio.SocketStream) -> None:
    """Ask once, keep the connection."""
    await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
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


async def attack(port: int) -> None:
    """All of them."""
    crowd = ((idle, IDLE), (body, BODIES), (dripping_body, 20), (dripping_head, 20), (not_reading, 10), (packets, 10))
    async with trio.open_nursery() as nursery:
        for client, count in crowd:
            for _ in range(count):
                nursery.start_soon(again_and_again, port, client)


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    trio.run(attack, int(sys.argv[1]))
