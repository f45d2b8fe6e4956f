"""What stands between hypercorn and the application: pure ASGI, each guard for one way in which a client can do harm.

`Guards` reads a request's body itself, within a size and a time, before the application runs, so that a client that sends
slowly or too much never occupies a handler, and hypercorn's queue of body events is empty when the answer ends. The answer's
end is sent shielded: hypercorn does its bookkeeping inside that call, and a cancellation in its midst (Starlette cancels the
sender of a stream when the client has gone) would leave the connection open for ever.
"""

from dataclasses import dataclass

import trio
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CHUNK = 64 * 1024
"""An answer is handed on in pieces of this size: hypercorn's writing cannot be cancelled within a piece, only between two."""

CLOSING_SECONDS = 0.5
"""What the shielded end of an answer may take at most; part of the time that a shutdown may take."""

_CLOSING = {"connection": "close"}


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for what a client may take up. ``body`` is in bytes; ``idle_seconds`` bounds the wait for a request's head, too."""

    body: int = 1024 * 1024
    body_seconds: float = 10.0
    idle_seconds: float = 15.0


DEFAULT_LIMITS = Limits()


class TooLarge(Exception):
    """The request's body is over the limit."""


class Guards:
    """Wraps an ASGI application; see the module's text."""

    def __init__(self, app: ASGIApp, limits: Limits = DEFAULT_LIMITS) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif scope["type"] == "lifespan":
            await _live(receive, send)
        else:
            await self._request(scope, receive, _Answer(send))

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


async def _live(receive: Receive, send: Send) -> None:
    """Starting and stopping: there is nothing to do, for the daemon owns all that the application uses."""
    event = ""
    while event != "lifespan.shutdown":
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})


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
    """Sends an answer in pieces, and its end, without any data and so without waiting for the client, shielded from cancellation."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body = message.get("body", b"")
        for start in range(0, len(body), CHUNK):
            await self._send({**message, "body": body[start : start + CHUNK], "more_body": True})
            await trio.lowlevel.checkpoint()
        if not message.get("more_body", False):
            with trio.move_on_after(CLOSING_SECONDS, shield=True):
                await self._send({**message, "body": b"", "more_body": False})
