"""A backup that is made while the daemon works, and a daemon that goes on from it."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner
from e2e_folder import account, write
from e2e_folder import hook as receivers
from e2e_hook import Hook, hook
from e2e_stage import EACH_ALONE, FAILING, SEARCH, fast_clock, put_operator, routee, running, until_polled

from monitor.cli import cli
from monitor.runtime.clock import MINUTE, Clock
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.simulation.sandbox import Sandbox
from tests.fakes.postgresql import programs
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e


class Dumps:
    """PostgreSQL's own backups, as docs/install/postgresql.md says."""

    def __init__(self, address: PostgresqlAddress) -> None:
        self._address = address

    async def dump(self, path: Path) -> None:
        await self._run("pg_dump", "--schema=routee_monitor", "--format=custom", f"--file={path}")

    async def restore(self, path: Path) -> None:
        await self._run(
            "pg_restore",
            "--clean",
            "--if-exists",
            "--single-transaction",
            f"--dbname={self._address.database}",
            str(path),
        )

    async def _run(self, program: str, *options: str) -> None:
        binaries, it = programs(), self._address
        assert binaries is not None
        where = {"PGHOST": it.host, "PGPORT": str(it.port), "PGUSER": it.user, "PGDATABASE": it.database}
        await trio.run_process(
            [str(binaries / program), *options], env=os.environ | where | {"PGPASSWORD": it.password}
        )


class Town:
    """A daemon's folder, and one for backups. ``dumps`` where the store is in PostgreSQL."""

    dumps: Dumps | None = None

    def __init__(
        self, folder: Path, clock: Clock, sandbox: Sandbox, url: str, told: Hook, store_in: dict[str, Any]
    ) -> None:
        self.folder, self.clock, self.sandbox, self.told = folder, clock, sandbox, told
        self.copy = folder / "copy.db"
        self.config = write(
            folder,
            [FAILING],
            accounts=[account(url)],
            searches=[SEARCH],
            receivers=receivers(told.url),
            route=EACH_ALONE,
            **store_in,
        )

    async def back_up(self) -> None:
        """As a person would, beside the running daemon."""
        if self.dumps is not None:
            await self.dumps.dump(self.copy)
            return
        command = ["backup", str(self.copy), "--config", str(self.config)]
        outcome = await trio.to_thread.run_sync(lambda: CliRunner().invoke(cli, command))
        assert outcome.exit_code == 0, outcome.output
        assert "MB, checked" in outcome.stdout

    async def restore(self) -> None:
        """As docs/install/backup.md says."""
        if self.dumps is not None:
            await self.dumps.restore(self.copy)
            return
        for name in ("monitor.db-wal", "monitor.db-shm"):
            (self.folder / name).unlink(missing_ok=True)
        shutil.copy(self.copy, self.folder / "monitor.db")


@pytest.fixture
async def town(request: pytest.FixtureRequest, tmp_path: Path, store_in: dict[str, Any]) -> AsyncIterator[Town]:
    clock = fast_clock()
    sandbox = Sandbox(clock)
    async with routee(sandbox) as url, hook() as told:
        town = Town(tmp_path, clock, sandbox, url, told, store_in)
        if store_in:
            town.dumps = Dumps(request.getfixturevalue("postgresql"))
        yield town


async def test_a_daemon_goes_on_from_a_backup_and_tells_nobody_what_they_know(town: Town) -> None:
    put_operator(town.sandbox, "Cosmote", failed=5)
    async with running(town.config, town.clock):
        await until(lambda: town.told.told, "the incident to be told")
        await town.back_up()
    await town.restore()
    async with running(town.config, town.clock) as daemon:
        await until_polled(daemon, town.clock.now() + MINUTE)
        # The copy may have been made between the sending and its receipt: then the same comes again, under the same id.
        assert len({one.id for one in town.told.taken}) == 1
        put_operator(town.sandbox, "Cosmote", failed=0)
        await until(lambda: not town.told.failing(), "the end to be told")
    assert (town.told.names("firing"), town.told.names("resolved")) == ({"Failing": 1}, {"Failing": 1})


async def test_an_end_that_was_told_after_the_backup_is_told_again_under_the_same_id(town: Town) -> None:
    """The backup cannot know of it; whoever keeps to the ids hears it once."""
    put_operator(town.sandbox, "Cosmote", failed=5)
    async with running(town.config, town.clock):
        await until(lambda: town.told.told, "the incident to be told")
        await town.back_up()
        put_operator(town.sandbox, "Cosmote", failed=0)
        await until(lambda: not town.told.failing(), "the end to be told")
    await town.restore()
    async with running(town.config, town.clock) as daemon:
        await until_polled(daemon, town.clock.now() + MINUTE)
    assert (town.told.names("firing"), town.told.names("resolved")) == ({"Failing": 1}, {"Failing": 1})
    assert len({one.id for one in town.told.taken}) == 2
