"""Serves an ASGI application with hypercorn under trio, and shields the daemon from hypercorn's known weaknesses.

The socket and the accepting are our own. A busy port is one plain error, the number of connections is limited, each connection is served under
a guard of its own, and the kernel drops a client that has stopped reading (TCP_USER_TIMEOUT) instead of letting it delay the shutdown.
hypercorn gets one connection at a time (`monitor.daemon.http.http1`).
"""

import errno
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.daemon.http.address import Address
from monitor.daemon.http.callback_connection import CallbackConnection
from monitor.daemon.http.callbacks import CallbackApi
from monitor.daemon.http.connections import Connection, OpenConnections, turn_away
from monitor.daemon.http.fair_queue import CALLBACKS, PROBES, FairQueue, path_of
from monitor.daemon.http.guards import DEFAULT_LIMITS, Guards, Limits
from monitor.daemon.http.http1 import LONGEST_HEAD, Http1Connection, TimedStream
from monitor.daemon.http.probe import Probe
from monitor.daemon.http.rate_limited_log import RateLimitedLog
from monitor.daemon.http.tls import Stream, encrypted
from monitor.runtime.errors import ListenError
from monitor.runtime.file_descriptors import connections_possible
from monitor.runtime.transport_errors import trouble

STALLED_MILLISECONDS = 1_000
"""Time without the client taking data after which a connection is dropped; it delays the shutdown, so it is under 2 s."""

DRAIN_SECONDS = 1.0
"""Seconds that requests being answered may take once the listener is stopped."""

SHORTAGE_SECONDS = 0.1
"""Seconds before the next connection is accepted while descriptors or memory are short."""

BACKLOG = 1024
"""The most connections that wait in the kernel to be accepted; a client beyond that tries again a second later."""

FIRST_BYTES = 4096
"""The most bytes that are read of a connection before its request begins: enough to recognize a probe."""

MOST_UNREAD = 65536
"""The most bytes that are read and dropped of a request that is turned away."""

END_OF_HEAD = b"\r\n\r\n"

AT_ONCE = 8
"""The most connections admitted per iteration of the loop. A probe cannot overtake others in the kernel's queue, so that queue is kept short."""

TURNED_AWAY_AT_ONCE = 64
"""The most connections accepted per iteration of the loop. To turn one away takes a fraction of what it takes to admit one."""

_GONE = frozenset(
    {
        errno.EAGAIN,
        errno.ECONNABORTED,
        errno.EPROTO,
        errno.ENETDOWN,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EPERM,
    }
)
"""Errors of accepting which say that this client has gone; the next one can be accepted."""

log = logging.getLogger(__name__)


async def serve(
    app: ASGIApp,
    listen: str,
    *,
    stop: trio.Event,
    limits: Limits = DEFAULT_LIMITS,
    callbacks: Callable[[], CallbackApi] | None = None,
    tls: Callable[[], ssl.SSLContext | None] = lambda: None,
    answered: Callable[[int], None] = lambda _: None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves ``app`` at ``listen`` (``127.0.0.1:9465``; port 0: any) until ``stop`` is set, and at most 2 seconds longer.

    ``callbacks`` returns what answers Routee's callbacks now; without it ``app`` does. ``tls`` is asked for each new connection; with a context
    that connection speaks HTTPS. ``answered`` counts each answer by its status. ``nursery.start`` returns the bound URL, with its real port.
    Raises ListenError if the address cannot be bound.
    """
    with await bind(Address.parse(listen)) as listening:
        url = bound_url(listening, "http" if tls() is None else "https")
        task_status.started(url)
        await _Listener(app, limits, stop, url, callbacks, tls, answered).run(listening)


class _Listener:
    """Accepts connections on one socket and serves each under a guard of its own, so that an error ends only its own connection."""

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        stop: trio.Event,
        url: str,
        callbacks: Callable[[], CallbackApi] | None,
        tls: Callable[[], ssl.SSLContext | None],
        answered: Callable[[int], None],
    ) -> None:
        self._app = Guards(app, limits, answered)
        self._answered = answered
        self._callbacks = callbacks
        self._limits = limits
        self._config = _config(limits)
        self._stop = stop
        self._url = url
        self._tls = tls
        self._context = WorkerContext(None)
        self._connections = OpenConnections(min(limits.connections, connections_possible()), answered)
        self._fair_queue, self._handshakes = FairQueue(), FairQueue()
        self._failures, self._shortages = RateLimitedLog(5), RateLimitedLog()

    async def run(self, listening: socket.socket) -> None:
        """Serves until ``stop`` is set, and then until the running requests are answered or their time is over."""
        async with trio.open_nursery() as answering:
            async with trio.open_nursery() as accepting:
                accepting.start_soon(self._accept, listening, answering, name="web: accept")
                await self._stop.wait()
                accepting.cancel_scope.cancel()
            await self._context.terminated.set()
            self._connections.end_idle()
            answering.cancel_scope.deadline = trio.current_time() + DRAIN_SECONDS

    async def _accept(self, listening: socket.socket, answering: trio.Nursery) -> None:
        listening.setblocking(False)
        while True:
            # Without a free descriptor accepting fails even if no connection waits; then none must be closed to make room.
            await trio.lowlevel.wait_readable(listening)
            try:
                self._accept_some(listening, answering)
            except OSError as error:
                if error.errno not in _GONE:
                    await self._short_of(error)

    def _accept_some(self, listening: socket.socket, answering: trio.Nursery) -> None:
        """Accepts some of the connections that wait. Raises OSError if the first one cannot be accepted: descriptors are short, or it has gone."""
        are_all_wanted = self._connections.are_all_wanted and self._tls() is None
        admitted = 0
        for accepted in _accepted(listening):
            if are_all_wanted and _asks_for_no_probe(accepted):
                self._turn_away(accepted)
            else:
                self._admit(accepted, answering)
                admitted += 1
            if admitted == AT_ONCE:
                break

    def _admit(self, accepted: socket.socket, answering: trio.Nursery) -> None:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(accepted))
        connection = self._connections.admit(stream)
        if connection is not None:
            answering.start_soon(self._answer, connection, name="web: a connection")
        elif self._tls() is None:
            self._turn_away(accepted)
        else:
            accepted.close()

    def _turn_away(self, accepted: socket.socket) -> None:
        with accepted, suppress(OSError):
            turn_away(accepted.fileno())
            self._answered(503)
            accepted.recv(
                MOST_UNREAD, socket.MSG_DONTWAIT
            )  # the kernel resets a connection that is closed with something unread

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
                stream = await self._opened(connection)
                first = b"" if stream is None else await self._first_bytes(connection, stream)
                if stream is not None and first:
                    await self._serve(connection, stream, first)
        except* (OSError, trio.BrokenResourceError):
            pass  # the client has gone
        except* Exception:
            # Some requests make hypercorn raise. The daemon's work does not need this connection.
            if not connection.was_closed and self._failures.passes():
                log.exception("A request broke its connection", extra={"address": self._url})
        finally:
            self._connections.end(connection)

    async def _opened(self, connection: Connection) -> Stream | None:
        """Returns the stream of a connection, after its TLS handshake if there is one; None if the client does not complete that in time."""
        context = self._tls()
        if context is None:
            return connection.stream
        connection.is_encrypted = True
        with trio.move_on_after(self._limits.idle_seconds):
            return await encrypted(connection.stream, context, partial(self._handshakes.next, ""))
        return None

    async def _first_bytes(self, connection: Connection, stream: Stream) -> bytes:
        """Returns the first bytes that the client sends, after waiting for its turn; empty if it sends nothing. Expensive work comes later."""
        first = b""
        with (
            trio.move_on_after(self._limits.idle_seconds),
            suppress(trio.BrokenResourceError, trio.ClosedResourceError),
        ):
            first = bytes(await stream.receive_some(FIRST_BYTES))
        if first:
            await self._turn(connection, path_of(first))
        if END_OF_HEAD not in first:
            connection.idles()
        return first

    async def _serve(self, connection: Connection, opened: Stream, first: bytes) -> None:
        path = path_of(first)
        if path == CALLBACKS and self._callbacks is not None:
            timed = TimedStream(opened)
            pushing = CallbackConnection(
                self._callbacks, self._app.bodies, self._limits, connection, timed, self._fair_queue, self._answered
            )
            first = await pushing.run(first)
            if not first:
                return
        stream = TimedStream(opened, first)
        probe = Probe.read(first) if path in PROBES else None
        if probe is not None:
            await probe.answer(self._app, self._config.response_headers("h11"), stream)
            return
        app = ASGIWrapper(_Requests(self._app, connection, self._turn))  # type: ignore[arg-type]  # hypercorn's own types of ASGI
        http1 = Http1Connection(app, self._config, self._context, ConnectionState({}), stream)  # type: ignore[arg-type]  # hypercorn's own types of ASGI
        http1.answered = self._answered
        await http1.run()

    async def _turn(self, connection: Connection, path: str) -> None:
        if path in PROBES:
            connection.answers()  # a probe is not closed to make room
        else:
            connection.asks()
        await self._fair_queue.next(path)
        connection.answers()


class _Requests:
    """The application for one connection. Each request waits for its turn, except the first, which has already had it."""

    def __init__(
        self, app: ASGIApp, connection: Connection, turn: Callable[[Connection, str], Awaitable[None]]
    ) -> None:
        self._app, self._connection, self._turn = app, connection, turn
        self._is_first = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_first:
            await self._turn(self._connection, scope["path"])
        self._is_first = False
        self._connection.answers()  # also if the first request's head came in pieces
        has_ended = False

        async def sent(message: Message) -> None:
            nonlocal has_ended
            await send(message)
            has_ended = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await self._app(scope, self._connection.receiving(receive), sent)
        finally:
            self._connection.idles()
        if not has_ended:  # hypercorn would not read the next request of this connection
            self._connection.close()


def _accepted(listening: socket.socket) -> Iterator[socket.socket]:
    """Yields the next connections. Raises OSError if the first one cannot be accepted; an error of a later one only ends them."""
    yield listening.accept()[0]
    with suppress(OSError):
        for _ in range(TURNED_AWAY_AT_ONCE - 1):
            yield listening.accept()[0]


def _asks_for_no_probe(accepted: socket.socket) -> bool:
    """Returns whether a connection's first bytes are there, and ask for something else than a probe."""
    try:
        first = accepted.recv(FIRST_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return False
    return bool(first) and path_of(first) not in PROBES


def _config(limits: Limits) -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.h11_max_incomplete_size = LONGEST_HEAD
    config.keep_alive_timeout = limits.idle_seconds
    return config


async def bind(address: Address) -> socket.socket:
    """Returns a listening socket at ``address``. Raises ListenError: one line that names the address and what to do."""
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
    """Sets options that accepted connections inherit."""
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


def bound_url(listening: socket.socket, scheme: str = "http") -> str:
    """Returns ``scheme://host:port`` as it was bound."""
    host, port = listening.getsockname()[:2]
    return f"{scheme}://{Address(host, port)}"
