"""Messages that cannot be read from the store any more, where no resweep looks as far back as the rule: the incident goes on, over restarts."""

import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from e2e_folder import account, message, write
from e2e_folder import hook as receivers
from e2e_hook import Hook, hook
from e2e_stage import FAILING, fast_clock, routee, running, until_polled
from e2e_store import store_keys

from monitor.model.message import DELIVERED, FAILED
from monitor.runtime.clock import HOUR, MINUTE, SECOND, Clock, Duration
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.simulation.sandbox import Sandbox
from tests.fakes.postgresql import PostgresqlServer
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

SHALLOW = {"name": "all", "every": "30s", "resweep": [{"back": "5m", "every": "30s"}]}
DEEP = SHALLOW | {"resweep": [{"back": "2h", "every": "10m"}]}
BROKEN = "UPDATE journal SET rows = substr(rows, 1, length(rows) / 2)"
MISSING = "DELETE FROM entry WHERE field = 'operator'"
FORGOTTEN = "DELETE FROM journal; DELETE FROM cursor"
FLIPPED = "UPDATE entry SET value = CAST(x'e43132' AS TEXT) WHERE field = 'operator'"
SET_ASIDE = "PRAGMA application_id = 99"

Change = Callable[[str], None]


@dataclass
class Town:
    """What fails is older than the first poll looks, and than any sweep."""

    clock: Clock
    sandbox: Sandbox
    config: Path
    told: Hook
    change: Change

    def put(self, name: str, status: str, ago: Duration) -> None:
        """Ten messages, one a second, the last of them that long ago."""
        for number in range(10):
            date = self.sandbox.now() - ago - number * SECOND
            self.sandbox.put(message(f"{name}-{number}", status, date), sent=date)

    def search(self, **changed: Any) -> None:
        whole = json.loads(self.config.read_text())
        self.config.write_text(json.dumps(whole | {"searches": [changed]}))


@pytest.fixture
async def town(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    clock, keys = fast_clock(), dict[str, str]()
    sandbox, change = Sandbox(clock), _in_file(tmp_path / "monitor.db")
    if request.param == "postgresql":
        address: PostgresqlAddress = request.getfixturevalue("postgresql")
        keys, change = store_keys(address), _in_database(request.getfixturevalue("postgresql_server"), address)
    async with routee(sandbox) as url, hook() as told:
        config = write(
            tmp_path,
            [FAILING | {"window": "2h"}],
            accounts=[account(url)],
            searches=[DEEP],
            receivers=receivers(told.url),
            route={"group_wait": "1s", "group_interval": "10s"},
            **keys,
        )
        it = Town(clock, sandbox, config, told, change)
        it.put("bad", FAILED, 40 * MINUTE)
        it.put("good", DELIVERED, 2 * MINUTE)
        yield it


def _in_file(path: Path) -> Change:
    def change(statement: str) -> None:
        with closing(sqlite3.connect(path)) as file:
            file.executescript(statement)

    return change


def _in_database(server: PostgresqlServer, address: PostgresqlAddress) -> Change:
    def change(statement: str) -> None:
        server.administer("SET search_path = routee_monitor", statement, database=address.database)

    return change


@pytest.mark.parametrize(
    ("town", "damage"),
    [
        ("sqlite", BROKEN),
        ("sqlite", MISSING),
        ("sqlite", FORGOTTEN),
        ("sqlite", FLIPPED),
        ("sqlite", SET_ASIDE),
        ("postgresql", BROKEN),
        ("postgresql", MISSING),
        ("postgresql", FORGOTTEN),
    ],
    indirect=["town"],
)
async def test_an_incident_goes_on_until_what_its_rule_looks_at_is_read_again(town: Town, damage: str) -> None:
    async with running(town.config, town.clock) as daemon:
        await until(lambda: town.told.failing() == {"Cosmote"}, "the incident to be told")
    town.change(damage)
    town.search(**SHALLOW)
    town.sandbox.fault("delay", seconds=0.2)
    for _ in range(2):  # the second time nothing is damaged, and only the store knows that something was
        async with running(town.config, town.clock) as daemon:
            await until_polled(daemon, 0)
            [cursor] = daemon.pipeline.cursors()
            assert cursor.covered_since > town.clock.now() - HOUR, "the rest is not read yet"
    town.sandbox.faults.clear()
    async with running(town.config, town.clock) as daemon:
        cursors = daemon.pipeline.accounts["main"].evaluator.coverage.cursors
        await until(
            lambda: "all" in cursors and cursors["all"].covered_since < town.clock.now() - 100 * MINUTE,
            "what the rule looks at to be read",
        )
        await until_polled(daemon, town.clock.now() + 2 * MINUTE)
        assert len(town.told.taken) == 1, "nothing new to be told"
        [alert] = daemon.pipeline.accounts["main"].evaluator.alerts["Failing"].values()
        assert (alert.state, alert.value) == ("firing", 0.5), "as of all messages"
        town.put("bad", DELIVERED, SECOND)
        await until(lambda: not town.told.failing(), "the end to be told")
    assert town.told.names("firing") == {"Failing": 1}
    assert town.told.names("resolved") == {"Failing": 1}
