"""A first start where no resweep looks as far back as the rules: what they look at is read once, and until then they wait."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from e2e_folder import Written, account, message, write
from e2e_folder import hook as receivers
from e2e_hook import Hook, hook
from e2e_stage import FAILING, fast_clock, routee, running, until_polled

from monitor.daemon.main import Running
from monitor.daemon.reload import Reloads
from monitor.model.message import DELIVERED, FAILED
from monitor.runtime.clock import HOUR, MINUTE, SECOND, Clock, Duration
from monitor.simulation.sandbox import Sandbox
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

SHALLOW = {"name": "all", "every": "30s", "resweep": [{"back": "5m", "every": "30s"}]}
OFTEN = {"window": "2h", "above": "60%"}
SELDOM = {"window": "2h", "above": "40%"}
TOO_FEW = {"name": "TooFew", "kind": "count", "window": "2h", "below": 15}
TRULY_TOO_FEW = {"name": "TrulyTooFew", "kind": "count", "window": "2h", "below": 100}
SHORT = {"name": "Short", "kind": "rate", "window": "10m", "above": "60%"}


@dataclass
class Town:
    """A Routee with ten messages of this minute, which failed, and ten of an hour ago, which were delivered."""

    clock: Clock
    sandbox: Sandbox
    told: Hook
    url: str
    folder: Path

    def put(self, name: str, status: str, ago: Duration) -> None:
        for number in range(10):
            date = self.sandbox.now() - ago - number * SECOND
            self.sandbox.put(message(f"{name}-{number}", status, date), sent=date)

    def write(self, *rules: Written, **changed: Any) -> Path:
        """Only what ``changed`` says is unlike the usual; the last rules stay where none are given."""
        search = SHALLOW | changed
        if not rules:
            rules = tuple(json.loads((self.folder / "rules.yaml").read_text())["rules"])
        return write(
            self.folder,
            list(rules),
            accounts=[account(self.url)],
            searches=[search],
            receivers=receivers(self.told.url),
            route={"group_wait": "1s", "group_interval": "10s"},
        )

    async def slow_past(self) -> None:
        """Reading the past lasts until the faults are cleared; polls complete."""
        self.sandbox.fault("delay", seconds=0.2)


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    clock = fast_clock()
    sandbox = Sandbox(clock)
    async with routee(sandbox) as url, hook() as told:
        it = Town(clock, sandbox, told, url, tmp_path)
        it.put("good", DELIVERED, HOUR)
        it.put("bad", FAILED, SECOND)
        yield it


async def read(daemon: Running, town: Town, back: Duration = 2 * HOUR) -> None:
    """Until the daemon has judged what came since the rules' windows were read."""
    cursors = daemon.pipeline.accounts["main"].evaluator.coverage.cursors
    await until(
        lambda: "all" in cursors and cursors["all"].covered_since <= cursors["all"].as_of - back,
        "what the rules look at to be read",
    )
    await until_polled(daemon, town.clock.now() + 2 * MINUTE)


async def test_a_rule_says_nothing_false_and_what_is_true(town: Town) -> None:
    """From the newest quarter of an hour alone, all fail, and there are fewer than 15."""
    rules = [FAILING | OFTEN, FAILING | SELDOM | {"name": "TrulyFailing"}, TOO_FEW, TRULY_TOO_FEW, SHORT]
    async with running(town.write(*rules), town.clock) as daemon:
        await until(lambda: town.told.names("firing")["TrulyFailing"], "what is so of all messages to be told")
        await read(daemon, town)
        values = {
            rule: [one.value for one in alerts.values()]
            for rule, alerts in daemon.pipeline.accounts["main"].evaluator.alerts.items()
        }
    assert (values["TrulyFailing"], values["TrulyTooFew"]) == ([0.5], [20.0]), "as of all messages"
    assert set(town.told.names("firing")) == {"TrulyFailing", "TrulyTooFew", "Short"}
    assert not town.told.names("resolved")


async def test_a_rule_of_what_is_read_already_does_not_wait_for_others(town: Town) -> None:
    await town.slow_past()
    async with running(
        town.write(FAILING | OFTEN, FAILING | SELDOM | {"name": "TrulyFailing"}, SHORT), town.clock
    ) as daemon:
        await until(lambda: town.told.names("firing")["Short"], "the short rule to speak")
        [cursor] = daemon.pipeline.cursors()
        assert cursor.covered_since > cursor.as_of - HOUR, "the rest is not read yet"
        assert set(town.told.names("firing")) == {"Short"}


async def test_over_restarts_in_the_middle_nothing_false_is_told(town: Town) -> None:
    path = town.write(FAILING | OFTEN, TOO_FEW, FAILING | SELDOM | {"name": "TrulyFailing"})
    await town.slow_past()
    for _ in range(2):
        async with running(path, town.clock) as daemon:
            await until_polled(daemon, town.clock.now())
            [cursor] = daemon.pipeline.cursors()
            assert cursor.covered_since > town.clock.now() - HOUR, "the rest is not read yet"
    town.sandbox.faults.clear()
    async with running(path, town.clock) as daemon:
        await read(daemon, town)
        await until(lambda: town.told.names("firing")["TrulyFailing"], "what is so of all messages to be told")
    assert set(town.told.names("firing")) == {"TrulyFailing"}
    assert not town.told.names("resolved")


@pytest.mark.parametrize("changed", [{"name": "renamed"}, {"filters": [{"field": "direction", "is": "Outbound"}]}])
async def test_what_fires_goes_on_while_a_search_that_was_renamed_or_asks_something_else_is_read(
    town: Town, changed: dict[str, Any]
) -> None:
    path = town.write(FAILING | SELDOM, FAILING | OFTEN | {"name": "Often"}, TRULY_TOO_FEW, TOO_FEW)
    async with running(path, town.clock) as daemon:
        await until(lambda: len(town.told.names("firing")) == 2, "what is so of all messages to be told")
        await read(daemon, town)
    town.write(**changed)
    async with running(path, town.clock) as daemon:
        await until_polled(daemon, town.clock.now() + 5 * MINUTE, search=changed.get("name", "all"))
    assert dict(town.told.names("firing")) == {"Failing": 1, "TrulyTooFew": 1}
    assert not town.told.names("resolved")


async def test_a_rule_that_a_reload_adds_waits_for_what_only_it_looks_at_and_the_others_go_on(
    town: Town,
) -> None:
    path = town.write(SHORT)
    reloads = Reloads(path, {})
    async with running(path, town.clock, reloads) as daemon:
        await until(lambda: town.told.names("firing")["Short"], "the incident to be told")
        [cursor] = daemon.pipeline.cursors()
        assert cursor.covered_since > cursor.as_of - HOUR, "no rule looks further back"
        town.write(SHORT, FAILING | OFTEN, TOO_FEW, FAILING | SELDOM | {"name": "TrulyFailing"})
        reloads.request()
        await until(lambda: town.told.names("firing")["TrulyFailing"], "what is so of all messages to be told")
    assert dict(town.told.names("firing")) == {"Short": 1, "TrulyFailing": 1}
