"""Answers a probe without hypercorn if its whole request came with the first bytes; hypercorn's work per connection would be most of the cost.

The application and the answer are the same, but the connection is closed afterwards. Everything else goes through hypercorn, also what
is refused: nothing here decides what an unusual request means.
"""

from collections.abc import Sequence
from typing import Final

import h11
from starlette.types import ASGIApp, Message, Scope

from monitor.daemon.http.http1 import TimedStream, refusal

_WITH_BODY: Final = frozenset({b"content-length", b"transfer-encoding", b"expect"})


class Probe:
    """One probe's request."""

    def __init__(self, request: h11.Request, connection: h11.Connection) -> None:
        self._request, self._connection = request, connection
        self._is_asked = True

    @classmethod
    def read(cls, first: bytes) -> "Probe | None":
        """Returns the probe if ``first`` holds its whole request and nothing else; None otherwise."""
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(first)
        try:
            request, end = connection.next_event(), connection.next_event()
        except h11.RemoteProtocolError:
            return None
        if not isinstance(request, h11.Request) or type(end) is not h11.EndOfMessage or connection.trailing_data[0]:
            return None
        if refusal(request) is not None or _WITH_BODY & {name for name, _ in request.headers}:
            return None
        return cls(request, connection)

    async def answer(self, app: ASGIApp, headers: Sequence[tuple[bytes, bytes]], stream: TimedStream) -> None:
        """Sends the answer of ``app``, with ``headers`` added."""
        answer = bytearray()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name, value) for name, value in message["headers"] if name != b"connection"]
                closing = (b"connection", b"close")
                answer.extend(
                    self._written(h11.Response(status_code=message["status"], headers=[*own, *headers, closing]))
                )
            elif message.get("body") and self._request.method != b"HEAD":
                answer.extend(self._written(h11.Data(data=message["body"])))

        await app(self._scope(stream), self._receive, send)
        answer.extend(self._written(h11.EndOfMessage()))
        await stream.send_all(answer)

    def _written(self, event: h11.Event) -> bytes:
        return self._connection.send(event) or b""

    async def _receive(self) -> Message:
        asked, self._is_asked = self._is_asked, False
        return {"type": "http.request" if asked else "http.disconnect"}

    def _scope(self, stream: TimedStream) -> Scope:
        path, _, query = self._request.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": self._request.http_version.decode(),
            "method": self._request.method.decode(),
            "scheme": "https" if stream.is_encrypted else "http",
            "path": path.decode(),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": list(self._request.headers),
            "client": stream.socket.getpeername()[:2],
            "server": stream.socket.getsockname()[:2],
            "state": {},
        }
