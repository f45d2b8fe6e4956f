"""One websocket: opened within a time, talked over, and gone when the talk is over, whatever the other side does.

trio-websocket would leave its socket open after the other side's goodbye, and wait for as long as that one keeps it; so the stream is ours.
"""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from monitor.runtime.transport_errors import trouble

__all__ = ["ConnectionClosed", "WebSocketConnection", "WebsocketUnusable", "converse"]

_GOODBYE: Final = 1.0
"""Seconds that a closing handshake may take."""


class WebsocketUnusable(Exception):
    """The websocket could not be opened, or broke; the text says why and never the address, which is a secret."""


async def converse(url: str, within: float, largest: int, talk: Callable[[WebSocketConnection], Awaitable[str]]) -> str:
    """Open ``url`` (ws or wss) ``within`` so many seconds, and give what ``talk`` gives. A message over ``largest`` bytes ends it.

    Raises Unusable.
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
    # trio-websocket also lets out what its own layers raise about an answer that is none (h11, wsproto): nothing of it may end the listening.
    except* Exception as group:  # noqa: BLE001
        why = trouble(group, quote=False)
    if why:
        raise WebsocketUnusable(f"the websocket could not be used: {why}")
    return said


async def _open(url: str) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    parts = urlsplit(url)
    if parts.scheme == "wss":
        return await trio.open_ssl_over_tcp_stream(parts.hostname or "", parts.port or 443, https_compatible=True)
    return await trio.open_tcp_stream(parts.hostname or "", parts.port or 80)


def _resource(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
