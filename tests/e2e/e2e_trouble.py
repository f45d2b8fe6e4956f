"""A daemon whose store is in trouble for a while: what it has to say, to go on with, and to tell afterwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio
from e2e_folder import account, write
from e2e_folder import hook as receivers
from e2e_hook import Hook, hook
from e2e_process import Daemon
from e2e_stage import EACH_ALONE, FAILING, SEARCH, put_operator, routee

from monitor.runtime.clock import SystemClock
from monitor.simulation.sandbox import Sandbox
from tests.fakes.listener import ask
from tests.fakes.waiting import guarded, until


@dataclass
class Town:
    """A sandbox, a webhook, and a configuration for a daemon that looks every second."""

    sandbox: Sandbox
    url: str
    told: Hook

    def config(self, folder: Path, **more: Any) -> Path:
        """Written into that folder."""
        return write(
            folder,
            [FAILING],
            accounts=[account(self.url)],
            searches=[SEARCH | {"every": "1s"}],
            route=EACH_ALONE | {"group_interval": "1s"},
            **({"receivers": receivers(self.told.url)} | more),
        )

    async def begun(self, process: Daemon) -> None:
        """The first incident is told, and that is written down."""
        await process.watching()
        await until(lambda: process.said("was sent (first)"), "the first incident to be told")

    def ends_and_begins(self) -> None:
        """One operator's incident ends and another's begins."""
        put_operator(self.sandbox, "Ends", failed=0)
        put_operator(self.sandbox, "Begins", failed=5)

    async def live_through(self, process: Daemon, trouble: str) -> None:
        """While the store is in trouble one operator's incident ends and another's begins: nobody is told yet, but polling goes on."""
        until_then = len(self.told.taken)
        self.ends_and_begins()
        asked = self.sandbox.requests["search"]
        await until(lambda: process.said(trouble), "the daemon to say so")
        assert (await ask(process.url, "/healthz")).status == 200, "a restart would not help"
        await self._until_unready(process, trouble)
        await until(lambda: self.sandbox.requests["search"] >= asked + 2, "polling to go on")
        metrics = (await ask(process.url, "/metrics")).body
        [errors] = [line for line in metrics.splitlines() if line.startswith("routee_monitor_store_errors_total")]
        assert float(errors.split()[1]) > 0
        assert len(self.told.taken) == until_then

    async def _until_unready(self, process: Daemon, trouble: str) -> None:
        """Until a write has failed, too: of a server that is gone a reader may be the first to say so."""
        with guarded():
            while True:
                ready = await ask(process.url, "/readyz")
                if ready.status == 503 and trouble in ready.body:
                    return
                await trio.sleep(0.05)

    async def recovered(self, process: Daemon) -> None:
        """Afterwards everything is told that had to be."""
        await until(lambda: self.told.failing() == {"Begins"}, "the true state")
        await until(lambda: len(self.told.firing()) == 1, "the end of the blindness, where that was told")
        ready = await ask(process.url, "/readyz")
        assert ready.status == 200, ready.body
        assert self.told.names("firing")["Failing"] == 2
        assert self.told.names("resolved")["Failing"] == 1


@asynccontextmanager
async def troubled_town() -> AsyncIterator[Town]:
    """A town in which one operator's messages fail."""
    sandbox = Sandbox(SystemClock())
    put_operator(sandbox, "Ends", failed=5)
    async with routee(sandbox) as url, hook() as told:
        yield Town(sandbox, url, told)
