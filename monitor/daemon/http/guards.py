"""The guards between hypercorn and the application: pure ASGI, each against one way in which a client can do harm.

`Guards` reads a request's body at once, within a size and a time, when the application first asks for it: one that knows from the
headers that it refuses never does. What is not read is thrown away, so that hypercorn's queue of body events has room when the answer
ends. What an application raises fails its own request only. The answer's end is sent shielded: hypercorn does its bookkeeping inside
that call, and a cancellation in its midst (Starlette cancels the sender of a stream when the client has gone) would leave the connection
open until the process ends.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import trio
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.daemon.http.rate_limited_log import RateLimitedLog

CHUNK = 64 * 1024
"""An answer is handed on in pieces of this size: hypercorn's writing cannot be cancelled within a piece, only between two."""

CLOSING_SECONDS = 0.5
"""What the shielded end of an answer may take at most; part of the time that a shutdown may take."""

_CLOSING = {"connection": "close"}

_STRANGERS = frozenset({401, 403})
"""Who gets one of these keeps no connection."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for what clients may take up. ``body`` (one) and ``bodies`` (together) are in bytes;
    ``idle_seconds`` bounds the wait for a request's head, too."""

    body: int = 1024 * 1024
    bodies: int = 16 * 1024 * 1024
    connections: int = 200
    body_seconds: float = 10.0
    idle_seconds: float = 15.0


DEFAULT_LIMITS = Limits()


class BodyRefused(Exception):
    """The request's body is not taken. ``args``: status, sentence."""


class Guards:
    """Wraps an ASGI application; see the module's text."""

    def __init__(self, app: ASGIApp, limits: Limits = DEFAULT_LIMITS) -> None:
        self._app = app
        self._limits = limits
        self._bodies = Bodies(limits.bodies)
        self._failures = RateLimitedLog(5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            with self._bodies.one() as body:
                request = _Request(scope, receive, self._limits, body)
                await self._answer(request, _ResponseStream(send, request))

    async def _answer(self, request: "_Request", answer: "_ResponseStream") -> None:
        """Run the application; what it does not take of the body is thrown away, for else hypercorn could not end the answer."""
        async with trio.open_nursery() as nursery:
            answer.begun = partial(nursery.start_soon, request.drain, name="web: throw a body away")
            with request.handling:
                await self._run(request, answer)
            if request.refused is not None and not answer.has_begun:
                status, error = request.refused
                headers = _CLOSING | ({"retry-after": "1"} if status == 503 else {})
                await JSONResponse({"error": error}, status, headers)(request.scope, request.receive, answer)
            nursery.cancel_scope.cancel()

    async def _run(self, request: "_Request", answer: "_ResponseStream") -> None:
        try:
            await self._app(request.scope, request.receive, answer)
        except Exception:
            # Whatever a page raises fails this page alone, with its traceback in the log.
            if self._failures.passes():
                log.exception(
                    "A page failed: an internal error, please report it", extra={"path": request.scope["path"]}
                )
            if not answer.has_begun:
                error = {"error": "Something went wrong inside routee-monitor; its log says what."}
                await JSONResponse(error, 500)(request.scope, request.receive, answer)


class Bodies:
    """The bodies of all requests that are being answered: together they take up at most ``most`` bytes."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    @contextmanager
    def one(self) -> Iterator["Body"]:
        """A body that is counted inside the block."""
        body = Body(self)
        try:
            yield body
        finally:
            self.held -= len(body.data)


class Body:
    """One of them."""

    def __init__(self, together: Bodies) -> None:
        self.data = bytearray()
        self._together = together

    def add(self, piece: bytes) -> bool:
        """Whether there was room for it."""
        if self._together.held + len(piece) > self._together.most:
            return False
        self._together.held += len(piece)
        self.data += piece
        return True


class _Request:
    """A request whose body is read when the application first asks for it, at once and within the limits.

    An application that knows from the headers that it refuses never asks. Where the body is not taken, or its client has gone, the
    application is cancelled in the midst of asking.
    """

    def __init__(self, scope: Scope, receive: Receive, limits: Limits, body: Body) -> None:
        self.scope = scope
        self.handling = trio.CancelScope()
        self.refused: tuple[int, str] | None = None
        self._receive, self._limits, self._body = receive, limits, body
        self._has_come = False

    @property
    def is_unread(self) -> bool:
        """Whether some of its body may still be on its way."""
        headers = Headers(scope=self.scope)
        return not self._has_come and (headers.get("content-length", "0") != "0" or "transfer-encoding" in headers)

    async def receive(self) -> Message:
        """The whole body, then whatever comes after it (that the client has gone)."""
        if self._has_come or self.refused is not None:
            return await self._receive()
        try:
            with trio.fail_after(self._limits.body_seconds):
                self._has_come = await read_body(self.scope, self._receive, self._body, self._limits.body)
        except BodyRefused as error:
            self.refused = error.args
        except trio.TooSlowError:
            self.refused = (408, "The body took too long to arrive.")
        if not self._has_come:
            self.handling.cancel()
            await trio.lowlevel.checkpoint()
        return {"type": "http.request", "body": bytes(self._body.data), "more_body": False}

    async def drain(self) -> None:
        """Discards the rest of it."""
        while self.is_unread and (await self._receive())["type"] == "http.request":
            pass


async def read_body(scope: Scope, receive: Receive, body: Body, limit: int) -> bool:
    """Fill ``body``; False where the client went away. Raises Refused."""
    too_large = BodyRefused(413, f"The body is larger than {limit} bytes.")
    announced = Headers(scope=scope).get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise too_large
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return False
        piece = message.get("body", b"")
        if len(body.data) + len(piece) > limit:
            raise too_large
        if not body.add(piece):
            raise BodyRefused(503, "Too many bodies arrive at once; try again in a second.")
        if not message.get("more_body", False):
            return True


class _ResponseStream:
    """Sends an answer in pieces, and its end, without any data and so without waiting for the client, shielded from cancellation."""

    def __init__(self, send: Send, request: "_Request") -> None:
        self._send = send
        self._request = request
        self.has_begun = False
        self.begun: Callable[[], None] = lambda: None

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            await self._begin(message)
            return
        body = message.get("body", b"")
        for start in range(0, len(body), CHUNK):
            await self._send({**message, "body": body[start : start + CHUNK], "more_body": True})
            await trio.lowlevel.checkpoint()
        if not message.get("more_body", False):
            with trio.move_on_after(CLOSING_SECONDS, shield=True):
                await self._send({**message, "body": b"", "more_body": False})

    async def _begin(self, message: Message) -> None:
        self.has_begun = True
        if self._request.is_unread or message["status"] in _STRANGERS:
            MutableHeaders(scope=message)["connection"] = "close"
        self.begun()
        await self._send(message)
