"""A network of its own for a server, and cables to it whose packets may vanish, as when a switch fails or a firewall forgets.

Nobody is told that a packet vanished: there is no reset and no refusal. Only the two kernels' own timers notice, and sessions stay open on the
side that has nothing to send. Needs root, iproute2 and a network namespace that the tests may change (`.ci/network`).
"""

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Final

_TUN: Final = "/dev/net/tun"
_SET_INTERFACE: Final = 0x400454CA
_PACKETS_ALONE: Final = 0x1001
"""IFF_TUN and IFF_NO_PI: packets of IP, with nothing before them."""
_LARGEST: Final = 1 << 16
_ACKNOWLEDGEMENT: Final = 100
"""Bytes that a packet without data has at most."""


def now() -> float:
    """Seconds of a clock that nobody sets."""
    return time.monotonic()  # noqa: TID251 - a real network's delays take real time


class Cable:
    """A network of two addresses: ``here``, and ``there`` in the server's namespace. Every packet passes through this process.

    ``requests_vanish`` and ``answers_vanish``: packets to the server, or from it, get lost. ``loss``: so many of all do, by chance.
    ``delay``: seconds that each one takes. `cut_within` cuts it in the middle of what is sent.
    """

    def __init__(self, number: int, server: int) -> None:
        self.here, self.there = f"10.77.{number}.1", f"10.77.{number}.2"
        self.requests_vanish = self.answers_vanish = False
        self.loss = self.delay = 0.0
        self.cut_at: float | None = None
        self._cut_after: int | None = None
        self._unanswered = 0
        self._luck, self._numbers = random.Random(number), count()
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self._near, self._far = _interface(f"near{number}"), _interface(f"far{number}")
        for command in (
            f"ip address add {self.here} peer {self.there} dev near{number}",
            f"ip link set near{number} up",
            f"ip link set far{number} netns {server}",
            f"nsenter --target {server} --net ip address add {self.there} peer {self.here} dev far{number}",
            f"nsenter --target {server} --net ip link set far{number} up",
        ):
            subprocess.run(command.split(), check=True)
        self._end, self._ended = os.pipe()
        self._thread = threading.Thread(target=self._run, name="cable")
        self._thread.start()

    def cut(self) -> None:
        """From now on all packets vanish."""
        self.requests_vanish = self.answers_vanish = True
        self.cut_at = now()

    def cut_within(self, size: int) -> None:
        """Cuts it once so many bytes went to the server to which it said nothing."""
        self._cut_after = size

    def heal(self) -> None:
        self.requests_vanish = self.answers_vanish = False

    def close(self) -> None:
        os.close(self._ended)
        self._thread.join(10)
        for one in (self._near, self._far, self._end):
            os.close(one)

    def _run(self) -> None:
        other = {self._near: self._far, self._far: self._near}
        while True:
            wait = max(self._under_way[0][0] - now(), 0) if self._under_way else None
            ready, _, _ = select.select([*other, self._end], [], [], wait)
            if self._end in ready:
                return
            for one in ready:
                packet = os.read(one, _LARGEST)
                if not self._vanishes(one, packet):
                    heapq.heappush(self._under_way, (now() + self.delay, next(self._numbers), other[one], packet))
            while self._under_way and self._under_way[0][0] <= now():
                _, _, to, packet = heapq.heappop(self._under_way)
                with suppress(OSError):  # an interface that is not up yet
                    os.write(to, packet)

    def _vanishes(self, came_from: int, packet: bytes) -> bool:
        if came_from == self._near:
            self._unanswered += len(packet)
        elif len(packet) > _ACKNOWLEDGEMENT:
            self._unanswered = 0
        if self._cut_after is not None and self._unanswered > self._cut_after:
            self._cut_after = None
            self.cut()
        cut = self.requests_vanish if came_from == self._near else self.answers_vanish
        return cut or self._luck.random() < self.loss


def _interface(name: str) -> int:
    """Makes a network interface; returns the descriptor at which its packets are read and written."""
    descriptor = os.open(_TUN, os.O_RDWR)
    fcntl.ioctl(descriptor, _SET_INTERFACE, struct.pack("16sH22x", name.encode(), _PACKETS_ALONE))
    return descriptor


class ServerNetwork:
    """A network namespace; it is gone with the process that holds it, and with it all interfaces."""

    def __init__(self, holder: int) -> None:
        self._holder, self._numbers = holder, count(1)

    @property
    def inside(self) -> list[str]:
        """What runs a command in it: ``… COMMAND``."""
        return ["nsenter", "--target", str(self._holder), "--net"]

    @contextmanager
    def cable(self) -> Iterator[Cable]:
        """One more cable from here to there."""
        cable = Cable(next(self._numbers), self._holder)
        try:
            yield cable
        finally:
            cable.close()


@contextmanager
def server_network() -> Iterator[ServerNetwork]:
    """A network for a server."""
    command = ["setpriv", "--pdeathsig=KILL", "unshare", "--net", "sh", "-c"]
    holding = subprocess.Popen(
        [*command, "ip link set lo up && echo up && exec sleep infinity"], stdout=subprocess.PIPE
    )
    assert holding.stdout is not None
    try:
        assert holding.stdout.readline() == b"up\n", "no network namespace can be made here"
        yield ServerNetwork(holding.pid)
    finally:
        holding.kill()
        holding.wait()
        holding.stdout.close()
