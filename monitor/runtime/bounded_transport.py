"""A transport of httpx that reads a few interim answers (``100 Continue``, RFC 9110, 15.2) before an answer, and no more; and bodies in large pieces.

httpcore reads any number of them. It takes 64 KiB at a time and parses all 2,600 that fit without letting other tasks run: a server that
sends many makes every other answer of the daemon late by seconds. httpx has no option for another network backend, so the pool's is wrapped.
"""

import re
import ssl
from collections.abc import Iterable
from typing import Any, Final

import httpcore
import httpx

MOST_INTERIM: Final = 20
"""The most interim answers to one request. Usual servers send one, or none."""
AT_ONCE: Final = 512 * 1024
"""The most bytes of an answer's body that are read at once. httpcore reads 64 KiB, and takes a tenth more processor time for a page of Routee's."""
_STATUS_LINE: Final = re.compile(rb"\nHTTP/1\.[01] (\d)")
_LONGEST: Final = len(b"\nHTTP/1.1 1")


def bounded_transport(verify: ssl.SSLContext, proxy: str | None = None, **options: Any) -> httpx.AsyncHTTPTransport:
    """Returns a transport whose requests raise httpx.RemoteProtocolError after MOST_INTERIM interim answers. ``options`` are those of httpx."""
    transport = httpx.AsyncHTTPTransport(verify=verify, proxy=proxy, trust_env=False, **options)
    pool: Any = getattr(transport, "_pool", None)
    backend = getattr(pool, "_network_backend", None)
    if backend is not None:
        pool._network_backend = _Backend(backend)
    return transport


class _Backend(httpcore.AsyncNetworkBackend):
    """Opens connections of another backend and looks at what is read from them."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._backend = backend

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._backend.connect_tcp(host, port, timeout, local_address, socket_options))

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection. After each request the status lines are counted, up to that of the answer itself."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._is_awaited = False
        self._interim = 0
        self._rest = b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's interface
        most = max_bytes if self._is_awaited else max(max_bytes, AT_ONCE)
        data = await self._stream.read(most, timeout)
        if self._is_awaited:
            self._count(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's interface
        self._is_awaited, self._interim, self._rest = True, 0, b"\n"
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _count(self, data: bytes) -> None:
        """Raises httpcore.RemoteProtocolError if there were too many interim answers."""
        text = self._rest + data
        self._rest = text[1 - _LONGEST :]
        for found in _STATUS_LINE.finditer(text):
            if found[1] != b"1":
                self._is_awaited = False
                return
            self._interim += 1
            if self._interim > MOST_INTERIM:
                raise httpcore.RemoteProtocolError(f"more than {MOST_INTERIM} interim answers (HTTP 1xx) and no answer")
