"""Floods a daemon with one kind of request, as fast as it answers, until the process is ended.

A program of its own: ``python -m benchmarks.daemon.flooding HOST PORT KIND``. It asks on `CONNECTIONS` connections at once and opens another one
where the daemon has closed one. When its input is closed it prints, as JSON, how many answers of each status came.
"""

import http.client
import json
import os
import re
import select
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlencode

from benchmarks.daemon.daemon_process import SECRET, TOKEN, Address
from benchmarks.daemon.pushing import request as callback
from monitor.runtime.clock import SystemClock, iso

CONNECTIONS, CONNECTING = 50, 400
STREAMS = 1_000
NICE = 5
"""A client elsewhere would not take the daemon's processor."""

BEARER = f"Authorization: Bearer {TOKEN}"
JSON = "Content-Type: application/json"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_HIDDEN = re.compile(r'name="form_token" value="([^"]*)"')

Statuses = dict[str, int]


def get(path: str, *headers: str) -> bytes:
    """Returns a request for a page."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


def post(path: str, body: bytes, *headers: str) -> bytes:
    """Returns a request with a body."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def _login(address: Address) -> bytes:
    """Returns a login with a wrong token, sent by a browser that has loaded the form."""
    connection = http.client.HTTPConnection(*address)
    connection.request("GET", "/login")
    answer = connection.getresponse()
    cookie = (answer.getheader("set-cookie") or "").partition(";")[0]
    found = _HIDDEN.search(answer.read().decode())
    connection.close()
    assert found is not None
    form = urlencode({"form_token": found[1], "token": "a guess"}).encode()
    return post("/login", form, f"Cookie: {cookie}", "Content-Type: application/x-www-form-urlencoded")


_PUSH, _WRONG = f"/callbacks/routee/main?secret={SECRET}", "/callbacks/routee/main?secret=guess"
REQUESTS: dict[str, Callable[[Address], bytes]] = {
    "oversized callbacks": lambda _: post(_PUSH, b" " * 300_000, JSON),
    "malformed callbacks": lambda _: post(_PUSH, b"[" * 200_000, JSON),
    "replayed callbacks": lambda _: callback(1, iso(SystemClock().now()).encode()),
    "unauthenticated callbacks": lambda _: post(_WRONG, b"{}", JSON),
    "oversized API calls": lambda _: post("/api/v2/silences", b" " * 1_100_000, JSON, BEARER),
    "malformed API calls": lambda _: post("/api/v2/silences", b"[" * 1_000_000, JSON, BEARER),
    "unauthenticated API calls": lambda _: post("/api/v2/silences", b"{}", JSON),
    "wrong tokens": lambda _: get("/api/v1/alerts", "Authorization: Bearer guess"),
    "logins": _login,
    "reads of the API": lambda _: get("/api/v1/rules", BEARER),
    "new connections": lambda _: get("/page.css", "Connection: close"),
    "loads of the page": lambda _: get("/", BEARER, "Accept: text/html"),
}
"""The requests of each flood, by its name."""

STREAMING = "event streams"
NOT_READING = "clients that never read"
NOTHING = "no flood"
KINDS = (NOTHING, *REQUESTS, STREAMING, NOT_READING)


@contextmanager
def flooding(address: Address, kind: str) -> Iterator[Statuses]:
    """Floods inside the block; after it, what is yielded says how many answers of each status came."""
    command = [sys.executable, "-m", "benchmarks.daemon.flooding", address[0], str(address[1]), kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        found: Statuses = {}
        assert process.stdout is not None
        process.stdout.readline()  # it has begun
        try:
            yield found
        finally:
            said, _ = process.communicate()
        found.update(json.loads(said))


class _Flood:
    """Asks on many connections at once, on each of them again as soon as it is answered."""

    def __init__(self, address: Address, asked: bytes, connections: int) -> None:
        self._address, self._asked, self._most = address, asked, connections
        self._poll = select.epoll()
        self._poll.register(sys.stdin, select.EPOLLIN)
        self._open: dict[int, tuple[socket.socket, bytearray, bytearray]] = {}
        self.statuses = Counter[str]()

    def run(self) -> None:
        """Asks until the input is closed."""
        while True:
            for _ in range(min(self._most - len(self._open), 20)):
                self._connect()
            for descriptor, event in self._poll.poll(0.05):
                if descriptor == sys.stdin.fileno():
                    return
                self._happened(descriptor, event)

    def _connect(self) -> None:
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(self._address)
        self._open[one.fileno()] = one, bytearray(self._asked), bytearray()
        self._poll.register(one, select.EPOLLIN | select.EPOLLOUT)

    def _happened(self, descriptor: int, event: int) -> None:
        one, unsent, received = self._open[descriptor]
        try:
            if event & select.EPOLLOUT and unsent:
                del unsent[: one.send(unsent)]
                if not unsent:
                    self._poll.modify(descriptor, select.EPOLLIN)
            if event & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                self._receive(descriptor, one, unsent, received)
        except BlockingIOError:
            pass
        except OSError:
            self._close(descriptor, "cut off")

    def _receive(self, descriptor: int, one: socket.socket, unsent: bytearray, received: bytearray) -> None:
        piece = one.recv(256 * 1024)
        received += piece
        head, end, body = received.partition(b"\r\n\r\n")
        found = _LENGTH.search(head)
        if not piece:
            self._close(descriptor, head[9:12].decode() or "closed")
        elif end and found is not None and len(body) >= int(found[1]):
            closes = b"connection: close" in head.lower()
            if closes or unsent:
                self._close(descriptor, head[9:12].decode())
            else:
                self.statuses[head[9:12].decode()] += 1
                received.clear()
                unsent += self._asked
                self._poll.modify(descriptor, select.EPOLLIN | select.EPOLLOUT)

    def _close(self, descriptor: int, how: str) -> None:
        self.statuses[how] += 1
        with suppress(OSError):
            self._poll.unregister(descriptor)
        self._open.pop(descriptor)[0].close()


class _Silent(_Flood):
    """Connections that ask and never read."""

    def _receive(self, descriptor: int, one: socket.socket, unsent: bytearray, received: bytearray) -> None:
        self._poll.modify(descriptor, 0)  # an error is still told


def _streams(address: Address) -> Counter[str]:
    """Keeps a thousand event streams open, as pages do: one that is told to come again does so after three seconds."""
    poll, statuses = select.epoll(), Counter[str]()
    poll.register(sys.stdin, select.EPOLLIN)
    streams, later = dict[int, socket.socket](), [0.0] * STREAMS
    while True:
        now = time.monotonic()
        due, later = [at for at in later if at <= now], [at for at in later if at > now]
        later += due[20:]
        for _ in due[:20]:
            one = socket.create_connection(address)
            one.sendall(get("/events", BEARER))
            streams[one.fileno()] = one
            poll.register(one, select.EPOLLIN)
        for descriptor, _ in poll.poll(0.01):
            if descriptor == sys.stdin.fileno():
                return statuses
            try:
                piece = streams[descriptor].recv(64 * 1024)
            except OSError:
                piece = b""
            statuses["news"] += piece.count(b"event: news")
            statuses["again"] += piece.count(b"event: again")
            if piece.startswith(b"HTTP/1.1 "):
                statuses[piece[9:12].decode()] += 1
            if not piece:
                poll.unregister(descriptor)
                streams.pop(descriptor).close()
                later.append(now + 3)


def _flood(address: Address, kind: str) -> Statuses:
    if kind == NOTHING:
        sys.stdin.read()
        return {}
    if kind == STREAMING:
        return dict(_streams(address))
    if kind == NOT_READING:
        flood: _Flood = _Silent(address, get("/api/v1/rules", BEARER) * 50 + get("/events", BEARER), STREAMS)
    else:
        flood = _Flood(address, REQUESTS[kind](address), CONNECTING if kind == "new connections" else CONNECTIONS)
    flood.run()
    return dict(flood.statuses)


if __name__ == "__main__":
    os.nice(NICE)
    print(flush=True)
    print(json.dumps(_flood((sys.argv[1], int(sys.argv[2])), sys.argv[3])))
