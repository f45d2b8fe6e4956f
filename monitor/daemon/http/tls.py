"""Speaks TLS on an accepted connection, before its first request is read."""

import json
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import trio

from monitor.daemon.http.security_headers import LINES

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]

_HANDSHAKE: Final = b"\x16"
"""The first byte of a TLS connection."""

_MOST_READ: Final = 16 * 1024
_ERROR: Final = json.dumps({"error": "This listener speaks HTTPS: write https:// in the address."}).encode()
_HTTPS_ONLY: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n\r\n%s"
    % (len(_ERROR), LINES.encode(), _ERROR)
)


async def encrypted(
    stream: trio.SocketStream, context: ssl.SSLContext, turn: Callable[[], Awaitable[None]]
) -> "trio.SSLStream[trio.SocketStream] | None":
    """Returns the stream after its handshake, which begins when ``turn`` returns; None for a client that does not speak TLS.

    A client that speaks plain HTTP is told to use HTTPS. Raises trio.BrokenResourceError if the handshake fails.
    """
    first = await stream.socket.recv(1, socket.MSG_PEEK)
    if first != _HANDSHAKE:
        if first.isalpha():
            await _tell(stream)
        return None
    await turn()
    found = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
    await found.do_handshake()
    return found


async def _tell(stream: trio.SocketStream) -> None:
    """Answers a plain request. It is read first, because the kernel drops the answer if a connection is closed with unread data."""
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await stream.receive_some(_MOST_READ)
        await stream.send_all(_HTTPS_ONLY)
        await stream.send_eof()
