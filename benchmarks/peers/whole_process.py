"""Measures whole processes: processor time and peak memory from their start to their end."""

import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks.figure import Figure

LAUNCHER = Path(__file__).with_name("launcher.py")


class Usage(msgspec.Struct, frozen=True):
    """What one process used: ``cpu`` in seconds (user and system), ``memory`` in bytes at its peak; ``code`` is its exit code."""

    code: int
    cpu: float
    memory: int


@dataclass
class Measured:
    """A process that is being measured; ``usage`` is set once it has ended."""

    process: subprocess.Popen[str]
    log: Path
    usage: Usage | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def wait(self, seconds: float) -> Usage:
        """Waits for its end. Raises TimeoutExpired."""
        if self.usage is None:
            self.process.wait(seconds)
            assert self.process.stdout is not None
            self.usage = msgspec.json.decode(self.process.stdout.read(), type=Usage)
        return self.usage

    def stop(self, seconds: float = 30) -> Usage:
        """Ends it with SIGTERM."""
        self.process.terminate()
        return self.wait(seconds)


@contextmanager
def measured(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Measured]:
    """Starts a command in ``folder``, where its output goes to ``log``; ends it with the block."""
    log = folder / "log"
    launcher = [sys.executable, "-S", str(LAUNCHER), str(log), *command]
    with subprocess.Popen(launcher, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment) as process:
        one = Measured(process, log)
        assert process.stdout is not None
        process.stdout.readline()  # now it passes SIGTERM on
        try:
            yield one
        finally:
            if one.usage is None:
                one.stop()


@dataclass
class Rounds:
    """What several runs of one program used."""

    name: str
    usages: list[Usage] = field(default_factory=list)

    def add(self, usage: Usage) -> None:
        """Adds a run."""
        self.usages.append(usage)

    @property
    def cpu(self) -> float:
        """The median of the processor time, in seconds."""
        return statistics.median(one.cpu for one in self.usages)

    @property
    def memory(self) -> float:
        """The median of the peak memory, in MB."""
        return statistics.median(one.memory for one in self.usages) / 1e6

    def figures(self) -> list[Figure]:
        """Returns medians, with the least and the most of all rounds in the names."""
        cpu, memory = [one.cpu for one in self.usages], [one.memory / 1e6 for one in self.usages]
        return [
            Figure(f"{self.name}: processor time ({min(cpu):.3g} to {max(cpu):.3g})", self.cpu, "s"),
            Figure(f"{self.name}: memory at its peak ({min(memory):.0f} to {max(memory):.0f})", self.memory, "MB"),
        ]


def compared(peer: Rounds, here: Rounds, cpu: float, memory: float) -> list[Figure]:
    """Returns how many times as much the peer used, with the ratios that are aimed at."""
    return [
        Figure(f"{peer.name}: times the processor time", peer.cpu / here.cpu, "times", at_least=cpu),
        Figure(f"{peer.name}: times the memory", peer.memory / here.memory, "times", at_least=memory),
    ]
