"""A backup that is made while the daemon works, and a daemon that goes on from it."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner
from e2e_folder import account, write
from e2e_folder import hook as receivers
from e2e_hook import Hook, hook
from e2e_stage import EACH_ALONE, FAILING, SEARCH, fast_clock, put_operator, routee, running, until_polled

from monitor.cli import cli
from monitor.runtime.clock import MINUTE, Clock
from monitor.simulation.sandbox import Sandbox
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e


class Town:
    """A daemon's folder, and one for backups."""

    def __init__(self, folder: Path, clock: Clock, sandbox: Sandbox, url: str, told: Hook) -> None:
        self.folder, self.clock, self.sandbox, self.told = folder, clock, sandbox, told
        self.copy = folder / "copy.db"
        self.config = write(
            folder,
            [FAILING],
            accounts=[account(url)],
            searches=[SEARCH],
            receivers=receivers(told.url),
            route=EACH_ALONE,
        )

    async def back_up(self) -> None:
        """As a person would, beside the running daemon."""
        command = ["backup", str(self.copy), "--config", str(self.config)]
        outcome = await trio.to_thread.run_sync(lambda: CliRunner().invoke(cli, command))
        assert outcome.exit_code == 0, outcome.output
        assert "MB, checked" in outcome.stdout

    def restore(self) -> None:
        """As docs/running.md says."""
        for name in ("monitor.db-wal", "monitor.db-shm"):
            (self.folder / name).unlink(missing_ok=True)
        shutil.copy(self.copy, self.folder / "monitor.db")


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    clock = fast_clock()
    sandbox = Sandbox(clock)
    async with routee(sandbox) as url, hook() as told:
        yield Town(tmp_path, clock, sandbox, url, told)


async def test_a_daemon_goes_on_from_a_backup_and_tells_nobody_what_they_know(town: Town) -> None:
    put_operator(town.sandbox, "Cosmote", failed=5)
    async with running(town.config, town.clock):
        await until(lambda: town.told.told, "the incident to be told")
        await town.back_up()
    town.restore()
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
    town.restore()
    async with running(town.config, town.clock) as daemon:
        await until_polled(daemon, town.clock.now() + MINUTE)
    assert (town.told.names("firing"), town.told.names("resolved")) == ({"Failing": 1}, {"Failing": 1})
    assert len({one.id for one in town.told.taken}) == 2
