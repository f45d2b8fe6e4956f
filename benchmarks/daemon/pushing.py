"""Pushes callbacks at an even rate, as cheaply as it can: the daemon's speed is to be measured, not this one's.

A program of its own: ``python -m benchmarks.daemon.pushing HOST PORT RATE SECONDS FIRST``. Connections stay open and carry one callback at a
time, as those of a proxy do; the requests are made before. An answer's time counts from when its callback was due, so a daemon that falls
behind is not spared. It ends when all are answered, or when the daemon is gone, and prints `Pushed` as JSON.
"""

import select
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from benchmarks.daemon.daemon_process import SECRET, Address
from benchmarks.daemon.probing import percentile
from monitor.runtime.clock import SystemClock, iso

CONNECTIONS = 100
LATEST = 30.0
"""Seconds after the last callback was due at which no more answers are waited for."""


class Pushed(msgspec.Struct):
    """What came back. ``taken`` are the numbers of the callbacks that were answered 200; ``statuses`` counts all answers."""

    taken: list[int]
    statuses: dict[int, int]
    seconds: float
    """From the first one until the last answer."""
    middle: float
    late: float
    """Seconds within which half of the answers, and 99 of 100 came."""


def message_id(number: int) -> str:
    """Returns the messageId of a callback."""
    return f"{number:08x}-0000-4000-8000-000000000000"


@contextmanager
def pushing(address: Address, rate: int, seconds: float, first: int = 0) -> Iterator["subprocess.Popen[bytes]"]:
    """Starts the program; `result` waits for what it says. The numbers of the callbacks begin at ``first``."""
    numbers = [str(rate), str(seconds), str(first)]
    command = [sys.executable, "-m", "benchmarks.daemon.pushing", address[0], str(address[1]), *numbers]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.terminate()


def result(process: "subprocess.Popen[bytes]") -> Pushed:
    """Waits until all callbacks are answered."""
    said, _ = process.communicate()
    return msgspec.json.decode(said, type=Pushed)


class _Client:
    """All connections of the program. ``requests`` have a number each, and are due one after the other."""

    def __init__(self, address: Address, requests: dict[int, bytes], rate: int) -> None:
        self._requests, self._rate = requests, rate
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        for _ in range(CONNECTIONS):
            one = socket.create_connection(address)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets[one.fileno()] = one
            self._poll.register(one, select.EPOLLIN)
        self._free, self._asked = deque(self._sockets), dict[int, tuple[int, float]]()
        self.waits: list[float] = []
        self.taken: list[int] = []
        self.statuses = Counter[int]()

    def run(self) -> float:
        """Pushes everything; returns the seconds until the last answer."""
        began, todo = time.perf_counter(), deque(enumerate(self._requests))
        end = began + len(todo) / self._rate + LATEST
        while (todo or self._asked) and self._sockets and (now := time.perf_counter()) < end:
            while todo and self._free and began + todo[0][0] / self._rate <= now:
                place, number = todo.popleft()
                self._send(self._free.popleft(), number, began + place / self._rate)
            for descriptor, _ in self._poll.poll(0.001):
                self._receive(descriptor)
        return time.perf_counter() - began

    def _send(self, descriptor: int, number: int, due: float) -> None:
        try:
            self._sockets[descriptor].sendall(self._requests[number])
        except OSError:
            self._drop(descriptor)
        else:
            self._asked[descriptor] = number, due

    def _receive(self, descriptor: int) -> None:
        try:
            received = self._sockets[descriptor].recv(4096)
        except OSError:
            received = b""
        if not received:
            self._drop(descriptor)
            return
        number, due = self._asked.pop(descriptor)
        status = int(received[9:12])
        self.statuses[status] += 1
        if status == 200:
            self.waits.append(time.perf_counter() - due)
            self.taken.append(number)
        self._free.append(descriptor)

    def _drop(self, descriptor: int) -> None:
        """Forgets a connection that the daemon has closed."""
        self._asked.pop(descriptor, None)
        self._poll.unregister(descriptor)
        self._sockets.pop(descriptor).close()
        if descriptor in self._free:
            self._free.remove(descriptor)


def request(number: int, date: bytes) -> bytes:
    """Returns a callback of a message that was delivered at ``date``."""
    operator = (b"Cosmote", b"Wind", b"Vodafone")[number % 3]
    body = _BODY % (number, message_id(number).encode(), number % 10_000_000, operator, date)
    return _HEAD % (SECRET.encode(), len(body)) + body


_HEAD = b"POST /callbacks/routee/main?secret=%b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_BODY = (
    b'{"smsId": "sms-%d", "messageId": "%b", "to": "+30690%07d", "from": "Shop", "groups": ["vip"],'
    b' "country": "GR", "operator": "%b", "message": "Hello", "applicationName": "app", "originatingService": "Sms", "latency": 3, "parts": 1,'
    b' "part": 1, "price": 0.045, "label": "promo", "direction": "Outbound", "status": {"name": "Delivered", "updatedDate": "%b",'
    b' "reason": {"detailedStatus": "Delivered", "description": "as it says"}}}'
)


def _push(address: Address, rate: int, seconds: float, first: int) -> Pushed:
    date = iso(SystemClock().now()).encode()
    requests = {number: request(number, date) for number in range(first, first + int(rate * seconds))}
    client = _Client(address, requests, rate)
    lasted = client.run()
    waits = sorted(client.waits)
    return Pushed(client.taken, dict(client.statuses), lasted, percentile(waits, 50), percentile(waits, 99))


if __name__ == "__main__":
    host, port, rate, seconds, first = sys.argv[1:]
    sys.stdout.write(msgspec.json.encode(_push((host, int(port)), int(rate), float(seconds), int(first))).decode())
