"""A store that is damaged while the daemon is down: an incident that goes on is not told as over, and its real end is told.

A SQLite file is set aside and salvaged. PostgreSQL looks after its own files; a row there that cannot be read is in tests/store/test_postgresql.py.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e_folder import account, message, write
from e2e_folder import hook as receivers
from e2e_hook import Hook, hook
from e2e_stage import FAILING, fast_clock, routee, running, until_polled

from monitor.daemon.main import Running
from monitor.model.message import DELIVERED, FAILED
from monitor.runtime.clock import MINUTE, SECOND, Clock, Duration
from monitor.simulation.sandbox import Sandbox
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

SEARCH = {"name": "all", "every": "30s", "resweep": [{"back": "2h", "every": "10m"}]}
SLOW = 0.15
"""Seconds that Routee takes for each answer: nine of the searches' seconds."""


@dataclass
class Town:
    """What fails is older than the first poll looks: only who has read further back knows that the incident goes on."""

    folder: Path
    clock: Clock
    sandbox: Sandbox
    config: Path
    told: Hook

    def put(self, name: str, status: str, ago: Duration) -> None:
        """Ten messages, one a second, the last of them that long ago."""
        for number in range(10):
            date = self.sandbox.now() - ago - number * SECOND
            self.sandbox.put(message(f"{name}-{number}", status, date), sent=date)

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Running]:
        """A daemon that has polled twice, and read the past in between."""
        async with running(self.config, self.clock) as daemon:
            evaluator = daemon.pipeline.accounts["main"].evaluator
            await until(
                lambda: "all" in evaluator.coverage.cursors and bool(evaluator.coverage.cursors["all"].swept),
                "the past to be read",
            )
            await until_polled(daemon, self.clock.now() + 2 * MINUTE)
            yield daemon

    def change(self, statement: str) -> None:
        """Something in the file that no daemon would write."""
        with closing(sqlite3.connect(self.folder / "monitor.db")) as file:
            file.execute(statement)
            file.commit()


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    clock = fast_clock()
    sandbox = Sandbox(clock)
    async with routee(sandbox) as url, hook() as told:
        config = write(
            tmp_path,
            [FAILING | {"window": "2h"}],
            accounts=[account(url)],
            searches=[SEARCH],
            receivers=receivers(told.url),
            route={"group_wait": "1s", "group_interval": "10s"},
        )
        it = Town(tmp_path, clock, sandbox, config, told)
        it.put("bad", FAILED, 40 * MINUTE)
        it.put("good", DELIVERED, 2 * MINUTE)
        yield it


def header_of_another_program(town: Town) -> None:
    town.change("PRAGMA application_id = 99")


def unreadable_messages(town: Town) -> None:
    town.change("UPDATE journal SET rows = CAST(substr(rows, 1, length(rows) - 1) || x'77' AS BLOB)")


def messages_in_a_format_of_the_future(town: Town) -> None:
    town.change("UPDATE journal SET rows = CAST(x'ff525703' || substr(rows, 5) AS BLOB)")


@pytest.mark.parametrize("damage", [header_of_another_program, unreadable_messages, messages_in_a_format_of_the_future])
async def test_an_incident_that_goes_on_is_not_told_as_over_and_its_end_is_told(
    town: Town, damage: Callable[[Town], None]
) -> None:
    async with town.started():
        await until(lambda: town.told.failing() == {"Cosmote"}, "the incident to be told")
    damage(town)
    town.sandbox.fault("delay", seconds=SLOW)  # several polls come before the past is read
    async with town.started() as daemon:
        assert len(town.told.taken) == 1, "nothing new to be told"
        [alert] = daemon.pipeline.accounts["main"].evaluator.alerts["Failing"].values()
        assert (alert.state, alert.value) == ("firing", 0.5), "as of all messages"
        town.sandbox.faults.clear()
        town.put("bad", DELIVERED, SECOND)
        await until(lambda: not town.told.failing(), "the end to be told")
    assert town.told.names("firing") == {"Failing": 1}
    assert town.told.names("resolved") == {"Failing": 1}


async def test_where_nothing_can_be_read_an_incident_is_told_anew_and_no_end_before(town: Town) -> None:
    async with town.started():
        await until(lambda: town.told.failing() == {"Cosmote"}, "the incident to be told")
    database = town.folder / "monitor.db"
    database.write_bytes(os.urandom(database.stat().st_size))
    async with town.started():
        await until(lambda: len(town.told.taken) == 2, "the incident to be told anew")
    assert town.told.names("firing") == {"Failing": 2}
    assert town.told.names("resolved") == {}
    assert len(list(town.folder.glob("monitor.db.corrupt-*"))) == 1
