"""Guards between hypercorn and the application, in pure ASGI: each prevents one kind of harm that a client can do.

`Guards` reads a request's body when the application first asks for it, within a size and a time; an application that refuses a request by
its headers never asks. Unread bodies are discarded, so that hypercorn's queue of body events has room when the answer ends. An exception of
the application fails only its own request. Every answer has the headers that restrict browsers. The end of an answer is sent shielded from
cancellation: hypercorn does its bookkeeping inside that call, and a cancellation there (Starlette cancels the sender of a stream when the
client has gone) would leave the connection open until the process ends.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import trio
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.daemon.http.rate_limited_log import RateLimitedLog
from monitor.daemon.http.security_headers import SECURITY_HEADERS
from monitor.runtime.dataclass import dataclass

CHUNK = 64 * 1024
"""Bytes of a piece in which an answer is passed on: hypercorn's writing can be cancelled only between two pieces."""

ENDING_SECONDS = 5.0
"""The most seconds that the shielded end of an answer may take. It takes that long only if something goes wrong: a client that reads nothing
is dropped by the kernel before. So it may be longer than anything that holds the event loop."""

_CLOSING = {"connection": "close"}

_STRANGERS = frozenset({401, 403, 429})
"""Statuses after which the connection is closed."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for clients. ``body`` (one) and ``bodies`` (together) are in bytes; ``idle_seconds`` also limits the wait for a request's head."""

    body: int = 1024 * 1024
    bodies: int = 16 * 1024 * 1024
    connections: int = 200
    body_seconds: float = 10.0
    idle_seconds: float = 15.0


DEFAULT_LIMITS = Limits()


class BodyRefused(Exception):
    """The request's body is not accepted. ``args`` are the status and a sentence."""


class Guards:
    """Wraps an ASGI application; see the module's docstring."""

    def __init__(
        self, app: ASGIApp, limits: Limits = DEFAULT_LIMITS, answered: Callable[[int], None] = lambda _: None
    ) -> None:
        """``answered`` counts each answer by its status."""
        self._app, self._answered = app, answered
        self._limits = limits
        self.bodies = Bodies(limits.bodies)
        self._failures = RateLimitedLog(5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            with self.bodies.one() as body:
                request = _Request(scope, receive, self._limits, body)
                await self._answer(request, _ResponseStream(send, request, self._answered))

    async def _answer(self, request: "_Request", answer: "_ResponseStream") -> None:
        """Runs the application. Discards what it does not read of the body, because otherwise hypercorn could not end the answer."""
        async with trio.open_nursery() as nursery:
            answer.on_begin = partial(nursery.start_soon, request.drain, name="web: throw a body away")
            try:
                with request.handling:
                    await self._run(request, answer)
                if request.refused is not None and not answer.has_begun:
                    status, error = request.refused
                    headers = _CLOSING | ({"retry-after": "1"} if status == 503 else {})
                    await JSONResponse({"error": error}, status, headers)(request.scope, request.receive, answer)
            finally:
                request.draining.cancel()

    async def _run(self, request: "_Request", answer: "_ResponseStream") -> None:
        try:
            await self._app(request.scope, request.receive, answer)
        except Exception:
            # An exception fails only this request; its traceback is in the log.
            if self._failures.passes():
                log.exception(
                    "A page failed: an internal error, please report it", extra={"path": request.scope["path"]}
                )
            if not answer.has_begun:
                error = {"error": "Something went wrong inside routee-monitor; its log says what."}
                await JSONResponse(error, 500)(request.scope, request.receive, answer)


class Bodies:
    """The bodies of all requests being answered; together they hold at most ``most`` bytes."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    @contextmanager
    def one(self) -> Iterator["Body"]:
        """Yields a body that is counted inside the block."""
        body = Body(self)
        try:
            yield body
        finally:
            self.held -= len(body.data)


class Body:
    """One request's body."""

    def __init__(self, together: Bodies) -> None:
        self.data = bytearray()
        self._together = together

    def add(self, piece: bytes) -> bool:
        """Adds a piece; returns false if there is no room for it."""
        if self._together.held + len(piece) > self._together.most:
            return False
        self._together.held += len(piece)
        self.data += piece
        return True


class _Request:
    """A request whose body is read when the application first asks for it, within the limits.

    An application that refuses a request by its headers never asks. If the body is refused, or the client has gone, the application is
    cancelled while it asks.
    """

    def __init__(self, scope: Scope, receive: Receive, limits: Limits, body: Body) -> None:
        self.scope = scope
        self.handling = trio.CancelScope()
        self.draining = trio.CancelScope(shield=True)
        self.refused: tuple[int, str] | None = None
        self._receive, self._limits, self._body = receive, limits, body
        self._has_come = False

    @property
    def is_unread(self) -> bool:
        """Whether some of the body may still be on its way."""
        headers = Headers(scope=self.scope)
        return not self._has_come and (headers.get("content-length", "0") != "0" or "transfer-encoding" in headers)

    async def receive(self) -> Message:
        """Returns the whole body, and after that the following messages (the client has gone)."""
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
        """Discards the rest of the body until `draining` is cancelled. The shielded end of an answer needs it, so it is shielded too."""
        with self.draining:
            while self.is_unread and (await self._receive())["type"] == "http.request":
                pass


async def read_body(scope: Scope, receive: Receive, body: Body, limit: int) -> bool:
    """Fills ``body``; returns false if the client went away. Raises BodyRefused."""
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
    """Sends an answer in pieces.

    Its end is sent without data, so without waiting for the client, and shielded from cancellation. A connection whose answer has no end
    cannot be used again: see `monitor.daemon.http.server`.
    """

    def __init__(self, send: Send, request: "_Request", answered: Callable[[int], None]) -> None:
        self._send, self._answered = send, answered
        self._request = request
        self.has_begun = False
        self.on_begin: Callable[[], None] = lambda: None

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            await self._begin(message)
            return
        body = message.get("body", b"")
        for start in range(0, len(body), CHUNK):
            await self._send({**message, "body": body[start : start + CHUNK], "more_body": True})
            await trio.lowlevel.checkpoint()
        if not message.get("more_body", False):
            with trio.move_on_after(ENDING_SECONDS, shield=True):
                await self._send({**message, "body": b"", "more_body": False})

    async def _begin(self, message: Message) -> None:
        self.has_begun = True
        MutableHeaders(scope=message).update(SECURITY_HEADERS)
        self._answered(message["status"])
        if self._request.is_unread or message["status"] in _STRANGERS:
            MutableHeaders(scope=message)["connection"] = "close"
        self.on_begin()
        await self._send(message)
