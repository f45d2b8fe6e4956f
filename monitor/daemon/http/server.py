"""Serves an ASGI application with hypercorn under trio, and keeps hypercorn's known weaknesses from reaching the daemon.

The socket and the accepting are our own: a busy port is one plain error, connections are bounded in number, each is answered under a
guard of its own, and a client that has stopped reading is dropped by the kernel (TCP_USER_TIMEOUT) instead of holding up the shutdown.
hypercorn gets one connection at a time (`monitor.daemon.http.http1`).
"""

import errno
import logging
import os
import socket
from contextlib import suppress
from functools import partial

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.daemon.http.address import Address
from monitor.daemon.http.connections import Connection, OpenConnections
from monitor.daemon.http.guards import DEFAULT_LIMITS, Guards, Limits
from monitor.daemon.http.http1 import Http1Connection, TimedStream
from monitor.daemon.http.seldom import RateLimitedLog
from monitor.runtime.errors import ListenError
from monitor.runtime.file_descriptors import connections_possible
from monitor.runtime.transport_errors import trouble

STALLED_MILLISECONDS = 1_000
"""A connection on which the other side takes no data for so long is dropped. Bounds the shutdown, so it is under 2 s."""

DRAIN_SECONDS = 1.0
"""How long requests that are being answered may go on once the listener is told to stop."""

SHORTAGE_SECONDS = 0.1
"""Wait before the next connection is accepted, where the machine or the process is short of descriptors or memory."""

BACKLOG = 1024
"""So many connections may wait in the kernel to be accepted; in a crowd the others would have to try again a second later."""

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

log = logging.getLogger(__name__)


async def serve(
    app: ASGIApp,
    listen: str,
    *,
    stop: trio.Event,
    limits: Limits = DEFAULT_LIMITS,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve ``app`` at ``listen`` (``127.0.0.1:9465``; port 0: any) until ``stop`` is set, and at most 2 seconds longer.

    ``nursery.start`` hands back the URL that was bound, with its real port. Raises ListenError where the address cannot be had.
    """
    with await bind(Address.parse(listen)) as listening:
        url = bound_url(listening)
        task_status.started(url)
        await _Listener(app, limits, stop, url).run(listening)


class _Listener:
    """Accepts connections on one socket and answers each under a guard of its own: what breaks one ends that one alone."""

    def __init__(self, app: ASGIApp, limits: Limits, stop: trio.Event, url: str) -> None:
        self._app = Guards(app, limits)
        self._limits = limits
        self._config = _config(limits)
        self._stop = stop
        self._url = url
        self._context = WorkerContext(None)
        self._connections = OpenConnections(min(limits.connections, connections_possible()))
        self._failures, self._shortages = RateLimitedLog(5), RateLimitedLog()

    async def run(self, listening: socket.socket) -> None:
        """Until ``stop`` is set, and then until what is being answered is answered, or the time for that is over."""
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening))
        async with trio.open_nursery() as answering:
            async with trio.open_nursery() as accepting:
                accepting.start_soon(self._accept, listener, answering, name="web: accept")
                await self._stop.wait()
                accepting.cancel_scope.cancel()
            await self._context.terminated.set()
            answering.cancel_scope.deadline = trio.current_time() + DRAIN_SECONDS

    async def _accept(self, listener: trio.SocketListener, answering: trio.Nursery) -> None:
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                await self._short_of(error)
                continue
            connection = self._connections.admit(stream)
            if connection is None:
                _turn_away(stream)
            else:
                answering.start_soon(self._answer, connection, name="web: a connection")

    async def _short_of(self, error: OSError) -> None:
        """Out of descriptors or memory: an idle connection gives up its own, and the next are accepted a moment later."""
        if self._shortages.passes():
            log.error(
                "The listener cannot accept a connection (%s); it tries again, and closes idle connections; "
                "raise the limit of open files (LimitNOFILE)",
                error.strerror or error,
                extra={"address": self._url},
            )
        self._connections.make_room()
        await trio.sleep(SHORTAGE_SECONDS)

    async def _answer(self, connection: Connection) -> None:
        stream = TimedStream(connection.stream)
        app = ASGIWrapper(partial(self._request, connection))
        try:
            with connection.scope:
                await Http1Connection(app, self._config, self._context, ConnectionState({}), stream).run()  # type: ignore[arg-type]
        except* OSError:
            pass  # the client has gone
        except* Exception:
            # There are requests that make hypercorn raise. The daemon's work does not need this connection.
            if self._failures.passes():
                log.exception("A request broke its connection", extra={"address": self._url})
        finally:
            self._connections.end(connection)

    async def _request(self, connection: Connection, scope: Scope, receive: Receive, send: Send) -> None:
        connection.answers()
        try:
            await self._app(scope, connection.receiving(receive), send)
        finally:
            connection.idles()


def _turn_away(stream: trio.SocketStream) -> None:
    """All connections are being answered: say so to the newest, without waiting for its client."""
    with suppress(OSError):
        os.write(stream.socket.fileno(), BUSY)
        stream.socket.shutdown(socket.SHUT_WR)
    stream.socket.close()


def _config(limits: Limits) -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.h11_max_incomplete_size = 16 * 1024
    config.keep_alive_timeout = limits.idle_seconds
    return config


async def bind(address: Address) -> socket.socket:
    """A listening socket at ``address``. Raises ListenError: one line that names the address and what to do."""
    family, sockaddr = await _resolve(address)
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        _set_options(listening)
        listening.bind(sockaddr)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise ListenError(f"Cannot listen on {address}: {_explain(error)}") from error
    return listening


async def _resolve(address: Address) -> tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]:
    try:
        found = await trio.socket.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise ListenError(
            f"Cannot listen on {address}: the name {address.host!r} is not known; write an address of this machine in web.listen"
        ) from error
    family, *_, sockaddr = found[0]
    return family, sockaddr


def _set_options(listening: socket.socket) -> None:
    """Accepted connections inherit these."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux only
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_MILLISECONDS)


def _explain(error: OSError) -> str:
    match error:
        case OSError(errno=errno.EADDRINUSE):
            return "another program uses this port; stop it, or write another address in web.listen"
        case PermissionError():
            return "this user may not use that port; write one above 1023 in web.listen"
        case OSError(errno=errno.EADDRNOTAVAIL):
            return "it is not an address of this machine; write 127.0.0.1 or one of its own in web.listen"
        case _:
            return f"{trouble(error)}; write another address in web.listen"


def bound_url(listening: socket.socket) -> str:
    """``http://host:port`` as it was bound."""
    host, port = listening.getsockname()[:2]
    return f"http://{Address(host, port)}"
