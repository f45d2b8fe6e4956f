"""Checks whether an address can be reached: opens a connection, through the environment's proxy, and closes it without a request."""

from urllib.parse import SplitResult, urlsplit

import trio

from monitor.notify.channels.origin import origin
from monitor.notify.channels.protocol import too_slow, unreachable
from monitor.runtime.certificates import trust
from monitor.runtime.proxies import proxies
from monitor.runtime.proxy_tunnel import open_to_proxy, open_tunnel


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
    async with await _opened(host, port, proxy, tunnel=secure) as stream:
        if secure:
            await _shake_hands(stream, host)


async def _opened(host: str, port: int, proxy: str | None, *, tunnel: bool) -> trio.SocketStream:
    if proxy is None:
        return await trio.open_tcp_stream(host, port)
    return await open_tunnel(proxy, host, port) if tunnel else await open_to_proxy(urlsplit(proxy))


async def _shake_hands(stream: trio.SocketStream, host: str) -> None:
    """Performs the TLS handshake and checks the certificate. Raises OSError."""
    secured = trio.SSLStream(stream, trust(), server_hostname=host, https_compatible=True)
    try:
        await secured.do_handshake()
    except trio.BrokenResourceError as error:
        raise error.__cause__ or error from None
