"""A store that cannot be written for a while: said, outlived, and nothing lost."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio
from e2e_folder import account, write
from e2e_folder import hook as receivers
from e2e_hook import Hook, hook
from e2e_process import Daemon, daemon
from e2e_stage import EACH_ALONE, FAILING, SEARCH, put_operator, routee
from e2e_store import as_of, counted, window
from e2e_turns import recount

from monitor.runtime.clock import SystemClock
from monitor.simulation.sandbox import Sandbox
from tests.fakes.http import Answer
from tests.fakes.listener import ask
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

IN_TROUBLE = 10.0
"""Seconds."""


ON_A_SMALL_DISK = ("unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=3m none "$0" && exec "$@"')
"""Runs a command where a folder is a disk of its own that nobody else sees: ``… FOLDER COMMAND``."""


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

    async def live_through(self, process: Daemon, trouble: str) -> None:
        """While the store is in trouble one operator's incident ends and another's begins: nobody is told yet, but polling goes on."""
        until_then = len(self.told.taken)
        put_operator(self.sandbox, "Ends", failed=0)
        put_operator(self.sandbox, "Begins", failed=5)
        asked = self.sandbox.requests["search"]
        await until(lambda: process.said(trouble), "the daemon to say so")
        assert (await ask(process.url, "/healthz")).status == 200, "a restart would not help"
        ready = await ask(process.url, "/readyz")
        assert ready.status == 503
        assert trouble in ready.body
        await until(lambda: self.sandbox.requests["search"] >= asked + 2, "polling to go on")
        metrics = (await ask(process.url, "/metrics")).body
        [errors] = [line for line in metrics.splitlines() if line.startswith("routee_monitor_store_errors_total")]
        assert float(errors.split()[1]) > 0
        assert len(self.told.taken) == until_then

    async def recovered(self, process: Daemon) -> None:
        """Afterwards everything is told that had to be."""
        await until(lambda: self.told.failing() == {"Begins"}, "the true state")
        await until(lambda: len(self.told.firing()) == 1, "the end of the blindness, where that was told")
        assert (await ask(process.url, "/readyz")).status == 200
        assert self.told.names("firing")["Failing"] == 2
        assert self.told.names("resolved")["Failing"] == 1


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    sandbox = Sandbox(SystemClock())
    put_operator(sandbox, "Ends", failed=5)
    async with routee(sandbox) as url, hook() as told:
        yield Town(sandbox, url, told)


async def test_a_store_that_is_locked_for_ten_seconds_is_outlived(town: Town, tmp_path: Path) -> None:
    config = town.config(tmp_path)
    async with daemon(config) as process:
        await town.begun(process)
        with closing(sqlite3.connect(tmp_path / "monitor.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            free_at = trio.current_time() + IN_TROUBLE
            await town.live_through(process, "is locked by another program")
            await trio.sleep_until(free_at)
            other.execute("ROLLBACK")
        await town.recovered(process)
        assert await process.stop() == 0
    end = as_of(config)
    assert counted(window(config), end) == recount(town.sandbox, end)


async def test_a_full_disk_is_outlived(town: Town, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if (await trio.run_process([*ON_A_SMALL_DISK, str(disk), "true"], check=False, capture_stderr=True)).returncode:
        pytest.skip("this machine does not let its users mount a disk in a namespace of their own")
    async with daemon(
        town.config(tmp_path, store=f"sqlite://{disk}/monitor.db"), inside=[*ON_A_SMALL_DISK, str(disk)]
    ) as process:
        await town.begun(process)
        filler = Path(f"/proc/{process.process.pid}/root{disk}/filler")
        fill(filler)
        await town.live_through(process, "its disk is full")
        filler.unlink()
        await town.recovered(process)
        assert await process.stop() == 0


def fill(filler: Path) -> None:
    """Leave no room on its disk."""
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


async def test_sigterm_ends_in_time_while_the_store_is_locked_and_several_receipts_are_to_be_kept(
    town: Town, tmp_path: Path
) -> None:
    town.told.answer = lambda asked: Answer(delay=0.5)
    three = [{"name": "ops", "webhook": [{"url": f"{town.told.url}/{number}"} for number in range(3)]}]
    async with daemon(town.config(tmp_path, receivers=three)) as process:
        await process.watching()
        await until(lambda: len(town.told.taken) == 3, "three webhooks to take the first incident")
        with closing(sqlite3.connect(tmp_path / "monitor.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            asked = town.sandbox.requests["search"]
            await until(lambda: town.sandbox.requests["search"] > asked, "a poll that has something to keep")
            assert await process.stop(within=10) == 0
