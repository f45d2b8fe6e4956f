"""Opens a websocket within a time limit, runs a conversation over it, and closes it afterwards, whatever the other side does.

trio-websocket would leave its socket open after the other side's close, and wait as long as that side keeps it; so the stream is our own.
"""

import re
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from monitor.runtime.certificates import trust
from monitor.runtime.proxies import proxies
from monitor.runtime.transport_errors import trouble

__all__ = ["ConnectionClosed", "WebSocketConnection", "WebsocketUnusable", "converse"]

_GOODBYE: Final = 1.0
"""Seconds that the closing handshake may take."""
_LONGEST_HEAD: Final = 16 * 1024
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")


class WebsocketUnusable(Exception):
    """The websocket could not be opened, or broke. The text says why, without the address, which is secret."""


async def converse(url: str, within: float, largest: int, talk: Callable[[WebSocketConnection], Awaitable[str]]) -> str:
    """Opens ``url`` (ws or wss) ``within`` that many seconds, and returns what ``talk`` returns. A message over ``largest`` bytes ends it.

    Raises WebsocketUnusable.
    """
    said, why = "", ""
    try:
        with trio.fail_after(within) as limit:
            stream = await _open(url)
            try:
                async with trio.open_nursery() as nursery:
                    connection = await wrap_client_stream(
                        nursery, stream, urlsplit(url).netloc, _resource(url), max_message_size=largest
                    )
                    limit.deadline = float("inf")
                    said = await talk(connection)
                    with trio.move_on_after(_GOODBYE):
                        await connection.aclose()
                    nursery.cancel_scope.cancel()
            finally:
                await trio.aclose_forcefully(stream)
    except* WebsocketUnusable as group:
        why = f"the websocket could not be opened: {group.exceptions[0]}"
    # trio-websocket also raises exceptions of its own layers (h11, wsproto) for malformed answers; none of them may stop the listening.
    except* Exception as group:  # noqa: BLE001
        why = f"the websocket could not be used: {trouble(group, quote=False)}"
    if why:
        raise WebsocketUnusable(why)
    return said


async def _open(url: str) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    """Opens a connection as the environment says: through its proxy, with its certificates."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)
    proxy = proxies().of(parts._replace(scheme="https" if parts.scheme == "wss" else "http").geturl())
    stream = await _let_through(proxy, host, port) if proxy else await trio.open_tcp_stream(host, port)
    if parts.scheme == "wss":
        return trio.SSLStream(stream, trust(), server_hostname=host, https_compatible=True)
    return stream


async def _let_through(proxy: str, host: str, port: int) -> trio.SocketStream:
    """Opens a connection to a host through a proxy (RFC 9110, CONNECT). Raises WebsocketUnusable."""
    by = urlsplit(proxy)
    stream = await trio.open_tcp_stream(by.hostname or "", by.port or 80)
    try:
        await stream.send_all(_connect(by, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))
        status = await _status(stream)
        if not 200 <= status < 300:
            raise WebsocketUnusable(f"the environment's proxy does not let through to {host} (HTTP {status})")
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


def _connect(by: SplitResult, target: str) -> bytes:
    head = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if by.username is not None:
        password = f"{unquote(by.username)}:{unquote(by.password or '')}"
        head.append(f"Proxy-Authorization: Basic {b64encode(password.encode()).decode()}")
    return "\r\n".join([*head, "", ""]).encode()


async def _status(stream: trio.SocketStream) -> int:
    """Returns the status of the proxy's answer; 502 if it is malformed. Reads nothing beyond the answer's head."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        piece = await stream.receive_some(1)
        head += piece
        if not piece or len(head) > _LONGEST_HEAD:
            break
    found = _STATUS_LINE.match(head)
    return int(found[1]) if found else 502


def _resource(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
