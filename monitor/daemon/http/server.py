"""Serves an ASGI application with hypercorn under trio, and keeps hypercorn's known weaknesses from reaching the daemon.

The socket and the accepting are our own: a busy port is one plain error, connections are bounded in number, each is answered under a
guard of its own, and a client that has stopped reading is dropped by the kernel (TCP_USER_TIMEOUT) instead of holding up the shutdown.
hypercorn gets one connection at a time (`monitor.daemon.http.http1`).
"""

import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.daemon.http.address import Address
from monitor.daemon.http.connections import Connection, OpenConnections, turn_away
from monitor.daemon.http.fair_queue import PROBES, Turns, path_of
from monitor.daemon.http.guards import DEFAULT_LIMITS, Guards, Limits
from monitor.daemon.http.http1 import Http1Connection, TimedStream
from monitor.daemon.http.probe import Probe
from monitor.daemon.http.rate_limited_log import RateLimitedLog
from monitor.runtime.errors import ListenError
from monitor.runtime.file_descriptors import connections_possible
from monitor.runtime.transport_errors import trouble

STALLED_MILLISECONDS = 1_000
"""Time without the client taking data after which a connection is dropped. Bounds the shutdown, so it is under 2 s."""

DRAIN_SECONDS = 1.0
"""Time that requests being answered may take once the listener is stopped."""

SHORTAGE_SECONDS = 0.1
"""Wait before the next connection is accepted, where the machine or the process is short of descriptors or memory."""

BACKLOG = 1024
"""The most connections that wait in the kernel to be accepted; a client beyond it tries again a second later."""

FIRST_BYTES = 4096
"""The bytes that are read of a connection before its request begins: enough to see what it asks for."""

END_OF_HEAD = b"\r\n\r\n"

AT_ONCE = 8
"""The most connections that are accepted in one turn of the loop. In the kernel's queue a probe cannot overtake others, so it is kept short."""

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
        self._turns = Turns()
        self._failures, self._shortages = RateLimitedLog(5), RateLimitedLog()

    async def run(self, listening: socket.socket) -> None:
        """Serves until ``stop`` is set, then until the running requests are answered or their time is over."""
        async with trio.open_nursery() as answering:
            async with trio.open_nursery() as accepting:
                accepting.start_soon(self._accept, listening, answering, name="web: accept")
                await self._stop.wait()
                accepting.cancel_scope.cancel()
            await self._context.terminated.set()
            self._connections.end_idle()
            answering.cancel_scope.deadline = trio.current_time() + DRAIN_SECONDS

    async def _accept(self, listening: socket.socket, answering: trio.Nursery) -> None:
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening))
        while True:
            # Without a free descriptor the kernel refuses to accept also where nobody waits; nobody is to give way for that.
            await trio.lowlevel.wait_readable(listening)
            try:
                first = await listener.accept()
            except OSError as error:
                await self._short_of(error)
                continue
            for stream in (first, *_waiting(listening)):
                self._admit(stream, answering)

    def _admit(self, stream: trio.SocketStream, answering: trio.Nursery) -> None:
        connection = self._connections.admit(stream)
        if connection is None:
            turn_away(stream)
        else:
            answering.start_soon(self._answer, connection, name="web: a connection")

    async def _short_of(self, error: OSError) -> None:
        """Handles a lack of descriptors or memory: closes an idle connection, and accepts the next ones after a pause."""
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
        try:
            with connection.scope:
                first = await self._first_bytes(connection)
                if first:
                    await self._serve(connection, first)
        except* OSError:
            pass  # the client has gone
        except* Exception:
            # There are requests that make hypercorn raise. The daemon's work does not need this connection.
            if not connection.was_closed and self._failures.passes():
                log.exception("A request broke its connection", extra={"address": self._url})
        finally:
            self._connections.end(connection)

    async def _first_bytes(self, connection: Connection) -> bytes:
        """What the client sends first, once it is its turn; nothing where it sends nothing. All that is dearer comes later."""
        first = b""
        with (
            trio.move_on_after(self._limits.idle_seconds),
            suppress(trio.BrokenResourceError, trio.ClosedResourceError),
        ):
            first = await connection.stream.receive_some(FIRST_BYTES)
        if first:
            await self._turn(connection, path_of(first))
        if END_OF_HEAD not in first:
            connection.idles()
        return bytes(first)

    async def _serve(self, connection: Connection, first: bytes) -> None:
        stream = TimedStream(connection.stream, first)
        probe = Probe.read(first) if path_of(first) else None
        if probe is not None:
            await probe.answer(self._app, self._config.response_headers("h11"), stream)
            return
        app = ASGIWrapper(_Requests(self._app, connection, self._turn))  # type: ignore[arg-type]
        await Http1Connection(app, self._config, self._context, ConnectionState({}), stream).run()  # type: ignore[arg-type]

    async def _turn(self, connection: Connection, path: str) -> None:
        if path in PROBES:
            connection.answers()  # a probe is not closed to make room
        else:
            connection.asks()
        await self._turns.next(path)
        connection.answers()


class _Requests:
    """The application for one connection. Each request but the first, which has had its turn, waits for its own."""

    def __init__(
        self, app: ASGIApp, connection: Connection, turn: Callable[[Connection, str], Awaitable[None]]
    ) -> None:
        self._app, self._connection, self._turn = app, connection, turn
        self._is_first = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_first:
            await self._turn(self._connection, scope["path"])
        self._is_first = False
        self._connection.answers()  # also where the first request's head came in pieces
        try:
            await self._app(scope, self._connection.receiving(receive), send)
        finally:
            self._connection.idles()


def _waiting(listening: socket.socket) -> Iterator[trio.SocketStream]:
    """The connections that wait to be accepted, some at most. What goes wrong is left to the next one that is waited for."""
    with suppress(OSError):
        for _ in range(AT_ONCE - 1):
            accepted, _ = listening.accept()
            yield trio.SocketStream(trio.socket.from_stdlib_socket(accepted))


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
