"""A small HTTP/1.1 server on the loopback, in the test's own trio loop, that records requests and answers as the test says."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import h11
import trio


@dataclass(frozen=True)
class Asked:
    """One request; names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """One answer, sent after ``delay`` seconds.

    ``fault`` is ``hang`` (sends nothing), ``drip`` (sends a byte every ``drips`` seconds, forever) or ``reset`` (cuts the connection).
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    fault: Literal["", "hang", "drip", "reset"] = ""
    delay: float = 0.0
    drips: float = 0.02


Handler = Callable[[Asked], Awaitable[Answer]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Serves on a free port; yields ``http://127.0.0.1:PORT``."""
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, partial(_connection, handler), 0, host="127.0.0.1")
        listeners = await nursery.start(serve)
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def _connection(handler: Handler, stream: trio.SocketStream) -> None:
    machine = h11.Connection(h11.SERVER)
    try:
        while True:
            asked = await _request(machine, stream)
            if asked is None or not await _reply(machine, stream, await handler(asked)):
                return
            machine.start_next_cycle()
    except (trio.BrokenResourceError, trio.ClosedResourceError, h11.ProtocolError):
        return  # the client went away, which is no error here
    finally:
        await trio.aclose_forcefully(stream)


async def _request(machine: h11.Connection, stream: trio.SocketStream) -> Asked | None:
    head: h11.Request | None = None
    body = b""
    while True:
        event = machine.next_event()
        if event is h11.NEED_DATA:
            machine.receive_data(await stream.receive_some(65536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode(): value.decode() for name, value in head.headers}
            return Asked(head.method.decode(), head.target.decode(), headers, body)
        else:
            return None


async def _reply(machine: h11.Connection, stream: trio.SocketStream, answer: Answer) -> bool:
    """Sends the answer; returns whether the connection stays open."""
    await trio.sleep(answer.delay)
    if answer.fault == "hang":
        await trio.sleep_forever()
    if answer.fault == "reset":
        return False
    length = 1_000_000 if answer.fault == "drip" else len(answer.body)
    headers = [*answer.headers.items(), ("content-length", str(length)), ("connection", "close")]
    await stream.send_all(machine.send(h11.Response(status_code=answer.status, headers=headers)) or b"")
    while answer.fault == "drip":
        await stream.send_all(b"x")
        await trio.sleep(answer.drips)
    await stream.send_all(machine.send(h11.Data(data=answer.body)) or b"")
    await stream.send_all(machine.send(h11.EndOfMessage()) or b"")
    return False
