"""Serves an ASGI application with hypercorn under trio, and keeps hypercorn's known weaknesses from reaching the daemon.

The listening socket is made here and handed over by its descriptor. So a busy port is one plain error, a client that has
stopped reading is dropped by the kernel (TCP_USER_TIMEOUT) instead of holding up the shutdown, and the address stays ours
when one connection brings the server down: it is started again on the same socket.
"""

import errno
import logging
import os
import socket
from functools import partial

import hypercorn.trio
import trio
from hypercorn.config import Config
from starlette.types import ASGIApp

from monitor.errors import ListenError
from monitor.transport import trouble
from monitor.web.address import Address
from monitor.web.guards import DEFAULT_LIMITS, Guards, Limits

STALLED_MILLISECONDS = 1_000
"""A connection on which the other side takes no data for so long is dropped. Bounds the shutdown, so it is under 2 s."""

DRAIN_SECONDS = 1.0
"""How long requests that are being answered may go on once the listener is told to stop."""

RESTART_SECONDS = (0.05, 0.2, 1.0, 5.0)
"""Waits before the first, second, ... start after a failure; a listener that lasted longer than the last begins anew."""

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
        await _Listener(app, limits, listening, stop, url).run(task_status)


class _Listener:
    """Keeps hypercorn running on one socket. Connections that come while it starts again wait in the kernel's queue."""

    def __init__(self, app: ASGIApp, limits: Limits, listening: socket.socket, stop: trio.Event, url: str) -> None:
        self._app = Guards(app, limits)
        self._limits = limits
        self._listening = listening
        self._stop = stop
        self._url = url
        self._starts = 0
        self._failures = 0

    async def run(self, task_status: trio.TaskStatus[str]) -> None:
        """Until ``stop`` is set. Where not even the first start succeeds, the error goes on to the caller."""
        while not (self._starts and self._stop.is_set()):
            began = trio.current_time()
            try:
                await self._serve(task_status)
            except* Exception:
                # There are requests that make hypercorn raise out of its server (a broken upgrade to HTTP/2 is one).
                # The daemon's work does not need the listener, so they must not end it.
                if not self._starts:
                    raise
                log.exception("A request broke the listener; it starts again", extra={"address": self._url})
            await self._pause(trio.current_time() - began)

    async def _serve(self, task_status: trio.TaskStatus[str]) -> None:
        """hypercorn closes the descriptor that it is given, so it gets one of its own."""
        config = _config(os.dup(self._listening.fileno()), self._limits)
        hypercorn_serve = partial(hypercorn.trio.serve, shutdown_trigger=self._stop.wait, mode="asgi")
        async with trio.open_nursery() as nursery:
            await nursery.start(hypercorn_serve, self._app, config)
            self._starts += 1
            if self._starts == 1:
                task_status.started(self._url)

    async def _pause(self, lasted: float) -> None:
        short_lived = lasted < RESTART_SECONDS[-1]
        self._failures = min(self._failures + 1, len(RESTART_SECONDS)) if short_lived else 1
        with trio.move_on_after(RESTART_SECONDS[self._failures - 1]):
            await self._stop.wait()


def _config(descriptor: int, limits: Limits) -> Config:
    config = Config()
    config.bind = [f"fd://{descriptor}"]
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.h11_max_incomplete_size = 16 * 1024
    config.keep_alive_timeout = limits.idle_seconds
    config.graceful_timeout = DRAIN_SECONDS
    config.shutdown_timeout = DRAIN_SECONDS
    return config


async def bind(address: Address) -> socket.socket:
    """A listening socket at ``address``. Raises ListenError: one line that names the address and what to do."""
    family, sockaddr = await _resolve(address)
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        _set_options(listening)
        listening.bind(sockaddr)
        listening.listen(100)
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
