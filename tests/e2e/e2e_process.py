"""The real command as a process of its own: started, watched by what it logs, stopped or killed."""

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from tests.fakes.waiting import until


class Daemon:
    """A running ``routee-monitor run``. ``logged`` are its log's entries so far; ``noise`` are lines that are none."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.logged: list[dict[str, Any]] = []
        self.noise: list[str] = []

    async def read(self) -> None:
        """Take in what it writes to standard error, until it ends."""
        assert self.process.stderr is not None
        rest = b""
        async for piece in self.process.stderr:
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self._take(line.decode())

    def _take(self, line: str) -> None:
        try:
            self.logged.append(json.loads(line))
        except ValueError:
            self.noise.append(line)

    def said(self, words: str) -> list[str]:
        """The messages in its log that have these words."""
        return [entry["message"] for entry in self.logged if words in entry["message"]]

    async def watching(self) -> None:
        """Until it has started."""
        await until(lambda: self.said("watching ") or self.process.poll() is not None, "the daemon to start")
        assert self.process.poll() is None, (self.logged, self.noise)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.said("listening on ")[0].removeprefix("listening on ")

    async def kill(self) -> None:
        """``kill -9``."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self, within: float = 10.0) -> int:
        """SIGTERM; its exit code, which has to come within so many seconds."""
        self.process.send_signal(signal.SIGTERM)
        with trio.fail_after(within):  # measured on purpose: the daemon promises to be gone within 10 seconds
            return await self.process.wait()


@asynccontextmanager
async def daemon(config: Path, *, inside: Sequence[str] = (), level: str = "info") -> AsyncIterator[Daemon]:
    """A daemon that is gone after the block, killed if need be. ``inside``: a command that runs the command behind it."""
    command = [*inside, sys.executable, "-m", "monitor", "run", "--config", str(config), "--log-format", "json"]
    command += ["--log-level", level]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    running = Daemon(process)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(running.read)
        try:
            yield running
        finally:
            with trio.CancelScope(shield=True):
                if process.poll() is None:
                    await running.kill()
