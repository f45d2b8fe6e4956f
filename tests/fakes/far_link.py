"""A TCP link to a server that is far away: everything takes half a round trip in each direction, and it can be cut in the middle of a message.

It keeps the order and the throughput: what is sent one after the other without waiting for an answer is delayed once.
"""

import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final

from monitor.runtime.postgresql_address import PostgresqlAddress

_CHUNK: Final = 1 << 16


def now() -> float:
    """Seconds of a clock that nobody sets."""
    return time.monotonic()  # noqa: TID251 - what is far takes real time


@dataclass(frozen=True)
class Cut:
    """The whole link is cut once so many bytes have passed from where ``after`` begins, which is looked for in requests, or in ``answers``."""

    after: bytes
    size: int
    answers: bool = False


@dataclass(eq=False)
class _Way:
    """One direction of one connection."""

    source: socket.socket
    target: socket.socket
    is_request: bool
    under_way: deque[tuple[float, bytes]] = field(default_factory=deque)
    passed: int | None = None
    """The bytes since the place from which a cut counts; None before it."""
    has_ended: bool = False


class FarLink:
    """Forwards connections. ``round_trip``: seconds; may be changed at any time.

    ``turns``: how often a client had to wait for an answer before it went on: requests that follow an answer. ``requests`` and ``answers`` are
    the bytes in each direction.
    """

    def __init__(self, address: PostgresqlAddress, round_trip: float = 0.0) -> None:
        assert address.port is not None
        self._target = (address.host, address.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = replace(address, port=self._listener.getsockname()[1])
        self.round_trip = round_trip
        self.turns = self.requests = self.answers = 0
        self.cut_at: Cut | None = None
        self.is_cut = False
        self._cut_now = threading.Event()
        self._ways: dict[socket.socket, _Way] = {}
        self._answered: dict[socket.socket, bool] = {}
        """By the client's socket, whether something came back since it asked last."""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._wakes, self._wake = socket.socketpair()
        self._selector.register(self._wakes, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="far link")
        self._thread.start()

    def cut(self) -> None:
        """From now on nothing comes through, and nobody is told."""
        self.is_cut = True

    def heal(self) -> None:
        """New connections come through again; those from before are closed, as by a firewall that has forgotten them."""
        self._wake.send(b"h")

    def close(self) -> None:
        self._wake.send(b"e")
        self._thread.join(10)
        self._wake.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select(self._next_in()):
                if key.fileobj is self._wakes:
                    if self._wakes.recv(1) == b"e":
                        self._end()
                        return
                    self._close_all()
                    self.is_cut = False
                elif key.fileobj is self._listener:
                    self._accept()
                elif way := self._ways.get(key.fileobj):  # type: ignore[call-overload]  # unless it was just closed
                    self._read(way)
            self._deliver()

    def _next_in(self) -> float | None:
        due = [way.under_way[0][0] for way in self._ways.values() if way.under_way]
        return max(min(due) - now(), 0) if due and not self.is_cut else None

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._target)
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(one, selectors.EVENT_READ)
        self._ways[client], self._ways[server] = _Way(client, server, True), _Way(server, client, False)
        self._answered[client] = False

    def _read(self, way: _Way) -> None:
        try:
            chunk = way.source.recv(_CHUNK)
        except OSError:
            chunk = b""
        self._count(way, chunk)
        way.under_way.append((now() + self.round_trip / 2, chunk))
        if not chunk:
            self._selector.unregister(way.source)

    def _count(self, way: _Way, chunk: bytes) -> None:
        if not way.is_request:
            self.answers += len(chunk)
            self._answered[way.target] = True
            return
        self.requests += len(chunk)
        self.turns += self._answered[way.source] and bool(chunk)
        self._answered[way.source] = False

    def _deliver(self) -> None:
        for way in list(self._ways.values()):
            while way.source in self._ways and way.under_way and way.under_way[0][0] <= now() and not self.is_cut:
                _, chunk = way.under_way.popleft()
                self._pass(way, self._until_cut(way, chunk))

    def _until_cut(self, way: _Way, chunk: bytes) -> bytes:
        """Returns what still comes through of a chunk."""
        cut = self.cut_at
        if cut is None or cut.answers == way.is_request:
            return chunk
        begin = 0
        if way.passed is None:
            begin = chunk.find(cut.after)
            if begin < 0:
                return chunk
            way.passed = 0
        left = cut.size - way.passed
        way.passed += len(chunk) - begin
        if way.passed < cut.size:
            return chunk
        self.is_cut, self.cut_at = True, None
        return chunk[: begin + left]

    def _pass(self, way: _Way, chunk: bytes) -> None:
        with suppress(OSError):
            if chunk:
                way.target.sendall(chunk)
                return
            if self.is_cut:
                return
            way.target.shutdown(socket.SHUT_WR)
        way.has_ended = True
        other = self._ways.get(way.target)
        if other is not None and other.has_ended:
            self._forget(way, other)

    def _forget(self, *ways: _Way) -> None:
        for way in ways:
            with suppress(KeyError, ValueError):
                self._selector.unregister(way.source)
            self._ways.pop(way.source, None)
            way.source.close()

    def _close_all(self) -> None:
        self._forget(*self._ways.values())

    def _end(self) -> None:
        self._close_all()
        self._listener.close()
        self._wakes.close()
        self._selector.close()


@contextmanager
def far_link(address: PostgresqlAddress, round_trip: float = 0.0) -> Iterator[FarLink]:
    """A link that is gone at the end."""
    link = FarLink(address, round_trip)
    try:
        yield link
    finally:
        link.close()
