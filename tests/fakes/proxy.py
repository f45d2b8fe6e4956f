"""A company's proxy: the only way out, by CONNECT, which decrypts TLS with the company's own authority."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import trio
import trustme


@dataclass
class FakeProxy:
    """``behind`` maps each host to the port on this machine that answers for it. ``asked`` lists the requested hosts in order."""

    authority: trustme.CA
    behind: Mapping[str, int]
    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def connection(self, client: trio.SocketStream) -> None:
        """Serves one CONNECT."""
        try:
            host = await self._connect(client)
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.authority.issue_cert(host).configure_cert(context)
            opened = trio.SSLStream(client, context, server_side=True, https_compatible=True)
            async with await trio.open_tcp_stream("127.0.0.1", self.behind[host]) as server:
                await _relay(opened, server)
        except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError):
            return  # the client has disconnected

    async def _connect(self, client: trio.SocketStream) -> str:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await client.receive_some(1)
        method, target = head.split()[:2]
        assert method == b"CONNECT", head
        host = target.decode().rpartition(":")[0]
        self.asked.append(host)
        await client.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return host


async def _relay(one: trio.abc.Stream, other: trio.abc.Stream) -> None:
    async with trio.open_nursery() as nursery:

        async def pump(source: trio.abc.ReceiveStream, target: trio.abc.SendStream) -> None:
            try:
                while piece := await source.receive_some(65536):
                    await target.send_all(piece)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # one end has disconnected, so the other does too
            nursery.cancel_scope.cancel()

        nursery.start_soon(pump, one, other)
        nursery.start_soon(pump, other, one)


@asynccontextmanager
async def company_proxy(behind: Mapping[str, int]) -> AsyncIterator[FakeProxy]:
    """Runs the proxy on a free port; ``behind`` maps the hosts that it reaches to local ports."""
    proxy = FakeProxy(trustme.CA(), behind)
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, proxy.connection, 0, host="127.0.0.1")
        listeners = await nursery.start(serve)
        proxy.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        yield proxy
        nursery.cancel_scope.cancel()
