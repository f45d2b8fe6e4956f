"""Runs hypercorn's HTTP/1.1 for one connection, without the protocols that a request could switch to.

hypercorn would switch to HTTP/2 or WebSockets on request, in code that a broken request can crash. Such requests are refused before that
code is reached, and so are those that a proxy in front could understand differently (request smuggling).
"""

import json
from collections.abc import Callable
from typing import Final

import h11
import trio
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr

from monitor.daemon.http.security_headers import SECURITY_HEADERS
from monitor.daemon.http.tls import Stream

LONGEST_HEAD: Final = 16 * 1024
"""The most bytes of a request's head."""

_TOO_LARGE: Final = "The request's head is too large."

SEND_SECONDS: Final = 10.0
"""Seconds that a client may take to read a piece of an answer (64 KiB at most)."""


class Http1Connection(TCPServer):
    """Serves one connection until it is closed. hypercorn's exceptions are passed on to the caller, who closes the stream."""

    stream: "TimedStream"  # type: ignore[assignment]  # hypercorn uses less of it than a trio.SSLStream has
    answered: Callable[[int], None] = staticmethod(lambda _: None)
    """Counts each answer that the application does not give, by its status."""

    async def run(self) -> None:
        """Serves until the client closes the connection or it is idle for too long."""
        socket = self.stream.socket
        client = parse_socket_addr(socket.family, socket.getpeername())
        server = parse_socket_addr(socket.family, socket.getsockname())
        async with TaskGroup() as task_group:
            self._task_group = task_group
            self.protocol = Http1Protocol(  # type: ignore[assignment]  # the wrapper that stands there chooses between this and HTTP/2
                self.app,
                self.config,
                self.context,
                task_group,
                ConnectionState(self.state),
                self.stream.is_encrypted,
                client,
                server,
                self.protocol_send,
            )
            self.protocol.answered = self.answered  # type: ignore[attr-defined]  # as above
            await self.idle_task.restart(task_group, self._idle_timeout)
            await self._read_data()

    async def protocol_send(self, event: Event) -> None:
        """Sends what the protocol says. Whatever follows a last request does not close the connection before that one is answered."""
        if not isinstance(event, Closed):
            await super().protocol_send(event)
        elif not self.protocol.is_answering:  # type: ignore[attr-defined]  # see `run`
            async with self.send_lock:  # the end of the answer may be on its way
                await self._close()
            await self.protocol.handle(event)


class Http1Protocol(H11Protocol):
    """HTTP/1.0 and 1.1, without switching to other protocols. ``answered`` is that of its connection."""

    answered: Callable[[int], None] = staticmethod(lambda _: None)
    _has_refused = False

    @property
    def is_answering(self) -> bool:
        """Whether an answer has begun, and its end is still to come."""
        return self.stream is not None and self.connection.our_state is h11.SEND_BODY

    async def handle(self, event: Event) -> None:
        """Handles what came; throws away what follows something that was no HTTP, because nobody will read it."""
        if not (isinstance(event, RawData) and self.connection.their_state is h11.ERROR):
            await super().handle(event)

    async def stream_send(self, event: StreamEvent) -> None:
        """Sends what the application says; nothing once the request was refused, because two answers would be mixed."""
        if not self._has_refused:
            await super().stream_send(event)

    async def _check_protocol(self, event: h11.Request) -> None:
        """Does nothing; hypercorn would switch to HTTP/2 here."""

    async def _create_stream(self, request: h11.Request) -> None:
        refused = refusal(request)
        if refused is None:
            await super()._create_stream(request)
            return
        await self._refuse(*refused, with_body=request.method != b"HEAD")
        await self.send(Closed())

    async def _send_error_response(self, status_code: int) -> None:
        """Sends the error with a reason, which hypercorn's own answer lacks."""
        too_large = status_code == 431
        error = _TOO_LARGE if too_large else "The request cannot be understood as HTTP/1.1."
        await self._refuse(status_code, error)

    async def _refuse(self, status: int, error: str, *, with_body: bool = True) -> None:
        self._has_refused = True
        self.answered(status)
        body = json.dumps({"error": error}).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        headers += SECURITY_HEADERS.items()
        await self._send_h11_event(h11.Response(status_code=status, headers=headers))
        await self._send_h11_event(h11.Data(data=body if with_body else b""))
        await self._send_h11_event(h11.EndOfMessage())


def refusal(request: h11.Request) -> tuple[int, str] | None:
    """Returns the status and the sentence with which a request is refused whatever it asks for; None if it is not."""
    names = [name.lower() for name, _ in request.headers]
    if request.http_version not in (b"1.0", b"1.1"):
        return 505, "This listener speaks HTTP/1.1 only."
    if b"upgrade" in names:
        return 400, "This listener speaks HTTP/1.1 only: send the request without the header Upgrade."
    if b"transfer-encoding" in names and (b"content-length" in names or request.http_version == b"1.0"):
        return 400, "A request has either Content-Length or, in HTTP/1.1, Transfer-Encoding, never both."
    if len(request.target) + sum(len(name) + len(value) for name, value in request.headers) > LONGEST_HEAD:
        return 431, _TOO_LARGE  # h11 looks only at what is incomplete: not at a head that came at once
    if names.count(b"host") != 1:
        return 400, "A request names its host once: send one header Host."
    return None


class TimedStream(trio.abc.HalfCloseableStream):
    """A connection's stream that drops a client which reads an answer too slowly; hypercorn's own writing has no time limit."""

    def __init__(self, stream: Stream, first: bytes = b"", seconds: float = SEND_SECONDS) -> None:
        """``first`` was already received from the stream."""
        self.is_encrypted = isinstance(stream, trio.SSLStream)
        self.socket = stream.transport_stream.socket if isinstance(stream, trio.SSLStream) else stream.socket
        self._stream, self._first, self._seconds = stream, first, seconds

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with trio.move_on_after(self._seconds) as taken:
            await self._stream.send_all(data)
        if taken.cancelled_caught:
            self.socket.close()
            raise trio.BrokenResourceError("the client does not take its answer")

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._first:
            first, self._first = self._first, b""
            await trio.lowlevel.checkpoint()
            return first
        return await self._stream.receive_some(max_bytes)

    async def send_eof(self) -> None:
        if isinstance(self._stream, trio.SocketStream):  # TLS has no such thing; the connection is closed afterwards
            await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()
