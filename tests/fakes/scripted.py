"""A server that sends exactly what a test scripts, byte by byte: good answers, slow ones, cut ones, none.

Answers to ``/oauth/token`` come from ``tokens``, all others from ``answers``, in the order of requests; when a list is used up, it sends a good
token, or ``otherwise``.
"""

import json
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio


@dataclass(frozen=True)
class Request:
    """A request, and the time of trio's clock at which it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass(frozen=True)
class Reply:
    """One answer. Waits ``drip`` seconds between bytes, closes the connection after ``cut`` bytes; ``raw`` replaces the whole answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0.0
    drip: float = 0.0
    cut: int | None = None
    raw: bytes | None = None

    def bytes(self) -> bytes:
        """Returns the bytes to send."""
        if self.raw is not None:
            return self.raw
        head = {"Content-Type": "application/json", "Content-Length": str(len(self.body))} | self.headers
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{name}: {value}" for name, value in head.items()), "", ""]
        return "\r\n".join(lines).encode() + self.body


def answer(value: object, status: int = 200, **headers: str) -> Reply:
    """Returns a JSON answer; ``Retry_After="1"`` becomes the header Retry-After."""
    return Reply(status, json.dumps(value).encode(), {name.replace("_", "-"): text for name, text in headers.items()})


def token(value: str = "token", expires_in: float = 3600) -> Reply:
    """Returns a good answer of the token endpoint."""
    return answer({"access_token": value, "token_type": "bearer", "expires_in": expires_in})


@dataclass
class Scripted:
    """The server, with its scripted answers and the requests that it got. ``at_once`` is the largest number of simultaneous requests."""

    otherwise: Reply
    answers: deque[Reply] = field(default_factory=deque)
    tokens: deque[Reply] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    at_once: int = 0
    _open: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked(self, part: str) -> list[Request]:
        """Returns the requests whose target contains ``part``."""
        return [request for request in self.requests if part in request.target]

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Serves one connection."""
        try:
            while (request := await _read(stream)) is not None and await self._reply(request, stream):
                pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # some tests disconnect on purpose
        finally:
            await trio.aclose_forcefully(stream)

    async def _reply(self, request: Request, stream: trio.abc.Stream) -> bool:
        self.requests.append(request)
        self._open += 1
        self.at_once = max(self.at_once, self._open)
        try:
            return await _send(self._next(request), stream)
        finally:
            self._open -= 1

    def _next(self, request: Request) -> Reply:
        if "/oauth/token" in request.target:
            return self.tokens.popleft() if self.tokens else token()
        return self.answers.popleft() if self.answers else self.otherwise


@asynccontextmanager
async def scripted(otherwise: Reply | None = None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Scripted]:
    """Runs a server on a free loopback port."""
    server = Scripted(otherwise or answer({"code": "500000000", "developerMessage": "not in the script"}, 500))
    async with served(server, tls):
        yield server


@asynccontextmanager
async def served(server: Scripted, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    """Runs that server inside the block."""
    async with trio.open_nursery() as nursery:
        server.port = await nursery.start(_listen, server, tls)
        yield
        nursery.cancel_scope.cancel()


async def _listen(server: Scripted, tls: ssl.SSLContext | None, task_status: trio.TaskStatus[int]) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    wrapped = listener if tls is None else trio.SSLListener(listener, tls, https_compatible=True)
    task_status.started(listener.socket.getsockname()[1])
    await trio.serve_listeners(server.serve, [wrapped])


async def _read(stream: trio.abc.Stream) -> Request | None:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = await stream.receive_some()
        if not chunk:
            return None
        received += chunk
        if received[:1] == b"\x16":  # a client that speaks TLS gets the answer of a plain web server
            await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return None
    head, body = received.split(b"\r\n\r\n", 1)
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        chunk = await stream.receive_some()
        if not chunk:
            return None
        body += chunk
    method, target, _ = first.split(" ")
    return Request(method, target, headers, body, trio.current_time())


async def _send(reply: Reply, stream: trio.abc.Stream) -> bool:
    """Sends the reply; returns whether the connection stays open."""
    await trio.sleep(reply.wait)
    data = reply.bytes()[: reply.cut]
    if reply.drip:
        for i in range(len(data)):
            await stream.send_all(data[i : i + 1])
            await trio.sleep(reply.drip)
    else:
        await stream.send_all(data)
    return reply.cut is None and reply.raw is None
