"""A store in SQLite that cannot be written for a while: said, outlived, and nothing lost.

What locks and fills a file does so to no server: PostgreSQL's troubles are in test_e2e_postgresql.py and tests/faults/test_postgresql_trouble.py.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import trio
from e2e_process import daemon
from e2e_store import as_of, counted, window
from e2e_trouble import Town, troubled_town
from e2e_turns import recount

from tests.fakes.http import Answer
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

IN_TROUBLE = 10.0
"""Seconds."""


ON_A_SMALL_DISK = ("unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=3m none "$0" && exec "$@"')
"""Runs a command where a folder is a disk of its own that nobody else sees: ``… FOLDER COMMAND``."""


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with troubled_town() as made:
        yield made


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
