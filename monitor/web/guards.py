"""What stands between hypercorn and the application: pure ASGI, each guard for one way in which a client can do harm.

`Guards` reads a request's body itself, within a size and a time, before the application runs, so that a client that sends
slowly or too much never occupies a handler, and hypercorn's queue of body events is empty when the answer ends. The answer's
end is sent shielded: hypercorn does its bookkeeping inside that call, and a cancellation in its midst (Starlette cancels the
sender of a stream when the client has gone) would leave the connection open for ever.
"""

import math
from dataclasses import dataclass

import trio
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CHUNK = 64 * 1024
"""An answer is handed on in pieces of this size: hypercorn's writing cannot be cancelled within a piece, only between two."""

_CLOSING = {"connection": "close"}


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for one request: body in bytes, times in seconds."""

    body: int = 1024 * 1024
    body_seconds: float = 10.0
    closing_seconds: float = 2.0


class TooLarge(Exception):
    """The request's body is over the limit."""


class Guards:
    """Wraps an ASGI application; see the module's text."""

    def __init__(self, app: ASGIApp, limits: Limits | None = None) -> None:
        self._app = app
        self._limits = limits or Limits()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif scope["type"] != "http":
            await self._app(scope, receive, send)
        else:
            await self._request(scope, receive, _Answer(send, self._limits.closing_seconds))

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with trio.fail_after(self._limits.body_seconds):
                body = await read_body(scope, receive, self._limits.body)
        except TooLarge:
            await _refuse(413, f"The body is larger than {self._limits.body} bytes.", scope, receive, send)
        except trio.TooSlowError:
            await _refuse(408, "The body took too long to arrive.", scope, receive, send)
        else:
            if body is not None:
                await self._app(scope, _Replay(body, receive), send)


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    """The whole body; None where the client went away. Raises TooLarge."""
    announced = Headers(scope=scope).get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > limit:
            raise TooLarge
        if not message.get("more_body", False):
            return bytes(body)


async def _refuse(status: int, error: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer while the rest of the body is thrown away: with its queue full, hypercorn could not end the answer."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_drain, receive, name="web: throw a body away")
        await JSONResponse({"error": error}, status, _CLOSING)(scope, receive, send)
        nursery.cancel_scope.cancel()


async def _drain(receive: Receive) -> None:
    message = await receive()
    while message["type"] == "http.request":
        message = await receive()


class _Replay:
    """Gives the body that was read, then whatever comes after it (that the client has gone)."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class _Answer:
    """Sends an answer in pieces, and its end shielded from cancellation, though not without end."""

    def __init__(self, send: Send, closing_seconds: float) -> None:
        self._send = send
        self._closing_seconds = closing_seconds

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        last = max(math.ceil(len(body) / CHUNK) - 1, 0)
        for i in range(last):
            await self._send({**message, "body": body[i * CHUNK : (i + 1) * CHUNK], "more_body": True})
            await trio.lowlevel.checkpoint()
        await self._end({**message, "body": body[last * CHUNK :], "more_body": more})

    async def _end(self, message: Message) -> None:
        if message["more_body"]:
            await self._send(message)
            return
        with trio.move_on_after(self._closing_seconds, shield=True):
            await self._send(message)
