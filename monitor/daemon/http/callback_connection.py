"""Serves callbacks without hypercorn and Starlette, whose work per request would be most of the cost.

Only a plain request is served here: HTTP/1.1, a path of a callback, one ``Host`` with a name of ours, one ``Content-Length``, nothing that asks for
more. Everything else is handed on with what was received of it: nothing here decides what an unusual request means.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

import trio

from monitor.daemon.http.callbacks import CallbackAnswer, CallbackApi
from monitor.daemon.http.connections import Connection
from monitor.daemon.http.fair_queue import CALLBACKS, FairQueue
from monitor.daemon.http.guards import Bodies, Body, Limits
from monitor.daemon.http.http1 import LONGEST_HEAD, TimedStream
from monitor.daemon.http.security_headers import LINES
from monitor.runtime.dataclass import dataclass

READ: Final = 64 * 1024
"""The most bytes that are received at once."""
CLOSING_SECONDS: Final = 0.5
MOST_DISCARDED: Final = 4 * 1024 * 1024
"""How long, and of how many bytes, the rest of a refused body is read, so that its client sees the answer."""

_REQUEST: Final = re.compile(rb"POST " + CALLBACKS.encode() + rb"([A-Za-z0-9._~%-]+)(?:\?([!-~]*))? HTTP/1\.1\r\n")
_FIELD: Final = re.compile(rb"([A-Za-z0-9-]+):[ \t]*([ -~]*?)[ \t]*\r\n")
_ONCE: Final = frozenset({"host", "content-length", "content-type", "authorization", "connection"})
_UNUSUAL: Final = frozenset({"transfer-encoding", "upgrade", "expect", "trailer", "te", "content-encoding"})
_END: Final = re.compile(rb"\n\r?\n")
"""The end of any head; one with bare newlines is not that of a plain callback."""


@dataclass(frozen=True, slots=True)
class CallbackHead:
    """The head of a plain callback: the account's name, the query, the headers in small letters, the length of the body."""

    account: str
    query: str
    headers: Mapping[str, str]
    length: int

    @classmethod
    def read(cls, head: bytes) -> "CallbackHead | None":
        """Returns the head, which ends with an empty line; None if it is not that of a plain callback."""
        request = _REQUEST.match(head)
        if request is None:
            return None
        headers: dict[str, str] = {}
        at = request.end()
        while (field := _FIELD.match(head, at)) is not None:
            name = field[1].decode().lower()
            if name in _UNUSUAL or (name in headers and name in _ONCE):
                return None
            headers[name] = field[2].decode()
            at = field.end()
        length = headers.get("content-length", "")
        if at + 2 != len(head) or "host" not in headers or not (length.isdecimal() and len(length) <= 10):
            return None
        return cls(unquote(request[1].decode()), (request[2] or b"").decode(), headers, int(length))

    @property
    def is_last(self) -> bool:
        """Returns whether the client wants the connection closed after the answer."""
        return self.headers.get("connection", "").lower() not in ("", "keep-alive")


class CallbackConnection:
    """One connection on which callbacks come. ``callbacks`` returns what answers them now: a reload may change it.

    ``answered`` counts each answer by its status.
    """

    def __init__(
        self,
        callbacks: Callable[[], CallbackApi],
        bodies: Bodies,
        limits: Limits,
        connection: Connection,
        stream: TimedStream,
        queue: FairQueue,
        answered: Callable[[int], None],
    ) -> None:
        self._callbacks, self._bodies, self._limits = callbacks, bodies, limits
        self._connection, self._queue = connection, queue
        self._stream, self._answered = stream, answered
        self._received = bytearray()

    async def run(self, first: bytes) -> bytes:
        """Serves callbacks, of which the first has had its turn, until the connection is over; then returns nothing.

        If another request comes, returns what was received of it. Raises BrokenResourceError and OSError if the client has gone.
        """
        self._received += first
        while (head := await self._head()) is not None:
            if not await self._exchange(head):
                return b""
            if not self._received and not await self._more():
                return b""
            await self._queue.next(CALLBACKS)
        return bytes(self._received)

    async def _head(self) -> CallbackHead | None:
        """Takes the next head off what was received; None if it is no plain callback, or too long, or does not come.

        Then nothing is taken off, but everything of a head that does not come in time.
        """
        with trio.move_on_after(self._limits.idle_seconds):  # for all of it, however it drips
            while (blank := _END.search(self._received)) is None:
                if len(self._received) > LONGEST_HEAD or not await self._more():
                    return None
            return self._take(blank.end())
        self._received.clear()
        return None

    def _take(self, end: int) -> CallbackHead | None:
        """Takes a head of that length off what was received if it is that of a plain callback."""
        head = CallbackHead.read(bytes(self._received[:end])) if end <= LONGEST_HEAD else None
        if head is None or not self._callbacks().hosts.include(head.headers["host"]):
            return None
        del self._received[:end]
        return head

    async def _more(self) -> bool:
        """Waits for more bytes of a head; returns False if none come."""
        self._connection.idles()
        with trio.move_on_after(self._limits.idle_seconds):
            received = await self._stream.receive_some(READ)
            self._received += received
            self._connection.answers()
            return bool(received)
        return False

    async def _exchange(self, head: CallbackHead) -> bool:
        """Answers one callback; returns whether another one may follow on the connection."""
        callbacks = self._callbacks()
        self._connection.answers()
        answer = callbacks.refusal(head.account, head.query, head.headers)
        with self._bodies.one() as body:
            if answer is None:
                answer = await self._read(head.length, body)
                if answer is not None:
                    callbacks.count_incomplete(head.account, answer.status)
                else:
                    answer = await callbacks.answer(head.account, bytes(body.data))
            unread = head.length - len(body.data)
        self._answered(answer.status)
        last = head.is_last or unread > 0 or answer.status == HTTPStatus.UNAUTHORIZED
        await self._send(_written(answer, last=last))
        if unread:
            await self._discard(unread)
        return not last

    async def _send(self, answer: bytes) -> None:
        """Sends an answer: at once where the client takes it, which is nearly always."""
        if self._stream.is_encrypted:
            await self._stream.send_all(answer)
            return
        try:
            sent = os.write(self._stream.socket.fileno(), answer)
        except BlockingIOError:
            sent = 0
        if sent < len(answer):
            await self._stream.send_all(answer[sent:])

    async def _read(self, length: int, body: Body) -> CallbackAnswer | None:
        """Reads the body; returns the answer if it does not come, or if there is no room for it."""
        if len(self._received) >= length:
            return self._move(length, body)
        with trio.move_on_after(self._limits.body_seconds):
            while len(body.data) < length:
                if not self._received:
                    self._connection.awaits_rest()
                    self._received += await self._stream.receive_some(READ)
                    self._connection.answers()
                    if not self._received:
                        raise trio.BrokenResourceError("the client has gone")
                if (refused := self._move(length, body)) is not None:
                    return refused
            return None
        return _TOO_SLOW

    def _move(self, length: int, body: Body) -> CallbackAnswer | None:
        """Moves what was received of a body into it; returns the answer if there is no room for it."""
        piece = bytes(self._received[: length - len(body.data)])
        if not body.add(piece):
            return _NO_ROOM
        del self._received[: len(piece)]
        return None

    async def _discard(self, unread: int) -> None:
        """Reads what is left of a body for a moment: closing before would take the answer from a client that still sends."""
        unread -= len(self._received)
        with trio.move_on_after(CLOSING_SECONDS):
            while 0 < unread <= MOST_DISCARDED and (received := await self._stream.receive_some(READ)):
                unread -= len(received)


_NO_ROOM: Final = CallbackAnswer(
    HTTPStatus.SERVICE_UNAVAILABLE, "too many bodies arrive at once; try again in a second", {"retry-after": "1"}
)
_TOO_SLOW: Final = CallbackAnswer(HTTPStatus.REQUEST_TIMEOUT, "the body took too long to arrive")


def _written(answer: CallbackAnswer, *, last: bool) -> bytes:
    """Returns the answer as it is sent."""
    if answer == CallbackAnswer() and not last:
        return _TAKEN
    body = json.dumps(answer.content).encode()
    lines = [f"HTTP/1.1 {answer.status.value} {answer.status.phrase}", f"content-length: {len(body)}", _HEADERS]
    lines += [f"{name}: {value}" for name, value in (answer.headers or {}).items()]
    lines += ["connection: close"] if last else []
    return "\r\n".join([*lines, "", ""]).encode() + body


_HEADERS: Final = f"content-type: application/json\r\n{LINES}"
_TAKEN: Final = _written(CallbackAnswer(), last=True).replace(b"connection: close\r\n", b"")
