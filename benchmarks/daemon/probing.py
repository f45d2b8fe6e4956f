"""Asks for /healthz ten times a second, in a process of its own, and says how long the answers took.

A program of its own: ``python -m benchmarks.daemon.probing HOST PORT``. It ends when its input is closed, and prints the seconds as JSON.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.daemon.daemon_process import Address, ask
from benchmarks.figure import Figure

EVERY = 0.1
FAILED = 60.0
"""Seconds that count for a probe without an answer, or with another one than 200."""


@dataclass(slots=True)
class Probes:
    """The seconds that each answer took, in ascending order; empty until the probing is over."""

    seconds: list[float] = field(default_factory=list)

    def figures(self, during: str = "") -> list[Figure]:
        """Returns the figures of /healthz: median, 99th percentile and the slowest answer."""
        middle, late = percentile(self.seconds, 50), percentile(self.seconds, 99)
        slowest = max(self.seconds, default=FAILED)
        return [
            Figure(f"/healthz{during}, in the middle", 1e3 * middle, "ms"),
            Figure(f"/healthz{during}, 99 of 100 within", 1e3 * late, "ms"),
            Figure(f"/healthz{during}, the slowest of {len(self.seconds)}", 1e3 * slowest, "ms", at_most=100),
        ]


def percentile(ordered: list[float], percent: int) -> float:
    """Returns the percentile of ascending values by nearest rank; 0 of none."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else 0.0


@contextmanager
def probing(address: Address) -> Iterator[Probes]:
    """Probes inside the block; what is yielded is filled after it."""
    command = [sys.executable, "-m", "benchmarks.daemon.probing", address[0], str(address[1])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        found = Probes()
        assert process.stdout is not None
        process.stdout.readline()  # it has begun
        try:
            yield found
        finally:
            said, _ = process.communicate()
        found.seconds = sorted(json.loads(said))


def _probe(address: Address) -> list[float]:
    over = threading.Event()
    threading.Thread(target=lambda: over.set() if not sys.stdin.read() else None, daemon=True).start()
    seconds = []
    print(flush=True)
    while not over.wait(EVERY):
        began = time.perf_counter()
        try:
            status, _ = ask(address, "/healthz")
        except OSError:
            status = 0
        seconds.append(time.perf_counter() - began if status == 200 else FAILED)
    return seconds


if __name__ == "__main__":
    print(json.dumps(_probe((sys.argv[1], int(sys.argv[2])))))
