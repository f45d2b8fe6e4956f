"""Checks whether an address can be reached: opens a connection, through the environment's proxy, and closes it without a request."""

import base64
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import trio

from monitor.notify.channels.http import origin
from monitor.notify.channels.protocol import too_slow, unreachable
from monitor.notify.render.sanitize import clean
from monitor.runtime.certificates import trust
from monitor.runtime.proxies import proxies

_LONGEST_ANSWER: Final = 4096


async def unreached(url: str, within: float) -> str:
    """Returns why no connection to ``url`` opens ``within`` that many seconds, as a sentence; empty if one does.

    With https the certificate is checked too. No request is sent, so nobody is notified.
    """
    where = origin(url)
    try:
        with trio.fail_after(within):
            await _open_and_close(urlsplit(url), proxies().of(url))
    except trio.TooSlowError:
        return too_slow(where, within).why
    except (OSError, ValueError, trio.BrokenResourceError) as error:
        return unreachable(where, error).why
    return ""


async def _open_and_close(parts: SplitResult, proxy: str | None) -> None:
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    if proxy is None:
        stream = await trio.open_tcp_stream(host, port)
    else:
        stream = await _opened(urlsplit(proxy))
    async with stream:
        if proxy is not None and secure:
            await _connect(stream, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", urlsplit(proxy))
        if secure:
            await _shake_hands(stream, host)


async def _opened(proxy: SplitResult) -> trio.SocketStream:
    return await trio.open_tcp_stream(proxy.hostname or "", proxy.port or (443 if proxy.scheme == "https" else 80))


async def _connect(stream: trio.SocketStream, target: str, proxy: SplitResult) -> None:
    """Opens a tunnel through the proxy. Raises OSError if the proxy refuses."""
    login = ""
    if proxy.username is not None:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        login = f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"
    await stream.send_all(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer and len(answer) < _LONGEST_ANSWER:
        piece = await stream.receive_some()
        if not piece:
            break
        answer += piece
    first = answer.partition(b"\r\n")[0].decode(errors="replace")
    if first.split(" ")[1:2] != ["200"]:
        raise OSError(f"the proxy {proxy.hostname} answered {clean(first, 100) or 'nothing'}")


async def _shake_hands(stream: trio.SocketStream, host: str) -> None:
    """Performs the TLS handshake and checks the certificate. Raises OSError."""
    secured = trio.SSLStream(stream, trust(), server_hostname=host, https_compatible=True)
    try:
        await secured.do_handshake()
    except trio.BrokenResourceError as error:
        raise error.__cause__ or error from None
