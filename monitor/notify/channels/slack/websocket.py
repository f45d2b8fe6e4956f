"""Opens a websocket within a time limit, runs a conversation over it, and closes it afterwards, whatever the other side does.

trio-websocket would leave its socket open after the other side's close, and wait as long as that side keeps it; so the stream is our own.
"""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from monitor.runtime.certificates import trust
from monitor.runtime.proxies import proxies
from monitor.runtime.proxy_tunnel import TunnelRefused, open_tunnel
from monitor.runtime.transport_errors import trouble

__all__ = ["ConnectionClosed", "WebSocketConnection", "WebsocketUnusable", "converse"]

_CLOSING_SECONDS: Final = 1.0
"""Seconds that the closing handshake may take."""


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
                    with trio.move_on_after(_CLOSING_SECONDS):
                        await connection.aclose()
                    nursery.cancel_scope.cancel()
            finally:
                await trio.aclose_forcefully(stream)
    except* TunnelRefused as group:
        why = f"the websocket could not be opened: {group.exceptions[0]}"
    # trio-websocket also raises exceptions of its own layers (h11, wsproto) for malformed answers; none of them may stop the listening.
    except* Exception as group:  # noqa: BLE001 - whatever its layers raise
        why = f"the websocket could not be used: {trouble(group, quote=False)}"
    if why:
        raise WebsocketUnusable(why)
    return said


async def _open(url: str) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    """Opens a connection as the environment says: through its proxy, with its certificates."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)
    proxy = proxies().of(parts._replace(scheme="https" if parts.scheme == "wss" else "http").geturl())
    stream = await open_tunnel(proxy, host, port) if proxy else await trio.open_tcp_stream(host, port)
    if parts.scheme == "wss":
        return trio.SSLStream(stream, trust(), server_hostname=host, https_compatible=True)
    return stream


def _resource(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
