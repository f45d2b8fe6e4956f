"""Serves an ASGI application with hypercorn under trio, and keeps hypercorn's known weaknesses from reaching the daemon.

The listening socket is made here and handed over by its descriptor. So a busy port is one plain error, a client that has
stopped reading is dropped by the kernel (TCP_USER_TIMEOUT) instead of holding up the shutdown, and the address stays ours
when one connection brings the server down: it is started again on the same socket.
"""

import errno
import logging
import os
import socket
from collections.abc import Callable
from functools import partial

import hypercorn.trio
import trio
from hypercorn.config import Config
from starlette.types import ASGIApp

from monitor.errors import ListenError
from monitor.web.address import Address
from monitor.web.guards import Guards, Limits

STALLED_MILLISECONDS = 1_500
"""A connection on which the other side takes no data for so long is dropped. Bounds the shutdown, so it is under 2 s."""

DRAIN_SECONDS = 1.0
"""How long requests that are being answered may go on once the listener is told to stop."""

RESTART_SECONDS = 1.0

log = logging.getLogger(__name__)


async def serve(
    app: ASGIApp,
    listen: str,
    *,
    stop: trio.Event,
    limits: Limits | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve ``app`` at ``listen`` (``127.0.0.1:9465``; port 0: any) until ``stop`` is set, and at most 2 seconds longer.

    ``nursery.start`` hands back the URL that was bound, with its real port. Raises ListenError where the address cannot be had.
    """
    with await bind(Address.parse(listen)) as listening:
        url = bound_url(listening)
        starts = 0

        def announce() -> None:
            nonlocal starts
            starts += 1
            if starts == 1:
                task_status.started(url)
            else:
                log.info("The listener is back", extra={"address": url})

        while not (starts and stop.is_set()):
            try:
                await _hypercorn(Guards(app, limits), listening, stop, announce)
            except* (
                Exception
            ):  # whatever a connection made hypercorn raise must not end the daemon, which works without a listener
                if not starts:
                    raise
                log.exception("The listener failed and starts again", extra={"address": url})
            with trio.move_on_after(RESTART_SECONDS):
                await stop.wait()


async def _hypercorn(app: ASGIApp, listening: socket.socket, stop: trio.Event, announce: Callable[[], None]) -> None:
    config = _config(os.dup(listening.fileno()))
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(hypercorn.trio.serve, app, config, shutdown_trigger=stop.wait, mode="asgi"))  # type: ignore[arg-type]  # hypercorn's own ASGI types, the same protocol
        announce()


def _config(descriptor: int) -> Config:
    config = Config()
    config.bind = [f"fd://{descriptor}"]
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.h11_max_incomplete_size = 16 * 1024
    config.keep_alive_timeout = 15.0
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
            return f"{error.strerror or repr(error)}; write another address in web.listen"


def bound_url(listening: socket.socket) -> str:
    """``http://host:port`` as it was bound."""
    host, port = listening.getsockname()[:2]
    return f"http://{Address(host, port)}"
