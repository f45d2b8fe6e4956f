"""Opens a connection to a host through an HTTP proxy (RFC 9110, CONNECT), for what httpx does not open itself."""

import re
from base64 import b64encode
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import trio

_LONGEST_HEAD: Final = 16 * 1024
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")


class TunnelRefused(OSError):
    """The proxy does not connect to the host. The text says so, without the proxy's password."""


async def open_to_proxy(proxy: SplitResult) -> trio.SocketStream:
    """Opens a connection to the proxy itself. Raises OSError."""
    return await trio.open_tcp_stream(proxy.hostname or "", proxy.port or 80)


async def open_tunnel(proxy: str, host: str, port: int) -> trio.SocketStream:
    """Opens a connection to ``host`` through the proxy with that URL. Raises TunnelRefused, and OSError or trio's errors of a broken stream."""
    by = urlsplit(proxy)
    stream = await open_to_proxy(by)
    try:
        await stream.send_all(_connect(by, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))
        status = await _status(stream)
        if not 200 <= status < 300:
            raise TunnelRefused(f"the environment's proxy does not let through to {host} (HTTP {status})")
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
