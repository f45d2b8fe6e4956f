"""SIGHUP and the real process: bad files, good files, early, often, and under load."""

import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from e2e_folder import account, write
from e2e_folder import hook as receivers
from e2e_hook import Hook, hook
from e2e_process import Daemon, daemon
from e2e_stage import EACH_ALONE, FAILING, put_operator, routee
from e2e_store import waiting

from monitor.cli import cli
from monitor.runtime.clock import SystemClock
from monitor.simulation.sandbox import Sandbox
from tests.fakes.http import Answer
from tests.fakes.listener import ask
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e


@dataclass
class Place:
    """A folder with what is written, a Routee, and whoever is told."""

    folder: Path
    url: str
    sandbox: Sandbox
    told: Hook
    store_in: dict[str, Any]
    rules: list[dict[str, Any]] = field(default_factory=lambda: [FAILING])
    config: dict[str, Any] = field(default_factory=dict)

    def write(self) -> Path:
        search = {"name": "all", "every": "1s", "resweep": [{"back": "30m", "every": "1s"}]}
        usual: dict[str, Any] = {
            "accounts": [account(self.url)],
            "searches": [search],
            "receivers": receivers(self.told.url),
            "route": EACH_ALONE | {"group_wait": "1s", "group_interval": "1s"},
        }
        return write(self.folder, self.rules, **(usual | self.store_in | self.config))


@pytest.fixture
async def place(tmp_path: Path, store_in: dict[str, Any]) -> AsyncIterator[Place]:
    sandbox = Sandbox(SystemClock())
    async with routee(sandbox) as url, hook() as told:
        yield Place(tmp_path, url, sandbox, told, store_in)


async def hang_up(process: Daemon, answer: str = "reloaded: ") -> None:
    """SIGHUP, until it says that it has done so."""
    before = len(process.said(answer))
    process.process.send_signal(signal.SIGHUP)
    await until(lambda: len(process.said(answer)) > before, lambda: f"the reload: {process.logged[-3:]}")


async def test_a_wrong_file_is_said_with_its_place_and_a_right_one_is_taken_up(place: Place) -> None:
    path = place.write()
    async with daemon(path) as process:
        await process.watching()
        place.rules = [FAILING | {"above": "twenty"}]
        place.write()
        await hang_up(process, "the changed configuration has errors, the previous one stays in use: ")
        [said] = process.said("has errors")
        assert "rules.yaml:1:" in said
        assert "rules[0].above" in said
        metrics = (await ask(process.url, "/metrics")).body
        assert "routee_monitor_config_last_reload_successful 0.0" in metrics
        put_operator(place.sandbox, "Cosmote", failed=5)
        await until(lambda: place.told.failing() == {"Cosmote"}, "the rule of before to go on")
        place.rules = [FAILING, FAILING | {"name": "Second", "by": ["country"]}]
        place.write()
        await hang_up(process, "reloaded: rule Second added")
        await until(lambda: place.told.names("firing")["Second"], "the rule that was added")
        assert await process.stop() == 0
        assert not process.noise
    assert place.told.names("firing") == {"Failing": 1, "Second": 1}


async def test_a_severity_edited_while_an_alert_fires_is_in_its_history(place: Place) -> None:
    async with daemon(place.write()) as process:
        await process.watching()
        put_operator(place.sandbox, "Cosmote", failed=5)
        await until(lambda: place.told.failing() == {"Cosmote"}, "the alert")
        place.rules = [FAILING | {"severity": "critical"}]
        place.write()
        await hang_up(process)
        assert await process.stop() == 0
    done = CliRunner().invoke(cli, ["history", "--json", "--config", str(place.folder / "monitor.yaml")])
    [one] = json.loads(done.stdout)
    assert [(event["what"], event["severity"]) for event in one["events"]] == [
        ("fired", "warning"),
        ("escalated", "critical"),
    ]


async def test_sighup_before_it_is_up_does_not_end_it_and_is_done_once_it_is(place: Place) -> None:
    path = place.write()
    async with daemon(path) as process:
        ignoring = Path(f"/proc/{process.process.pid}/status")
        await until(lambda: _catches_sighup(ignoring.read_text()), "the handler of signals")
        process.process.send_signal(signal.SIGHUP)
        await process.watching()
        await until(lambda: process.said("reloaded: nothing has changed"), "the reload")
        assert await process.stop() == 0


def _catches_sighup(status: str) -> bool:
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & 1 << signal.SIGHUP - 1)


async def test_an_alert_that_was_told_before_the_routes_changed_gets_one_resolve_and_is_not_told_anew(
    place: Place,
) -> None:
    of_country = {"matchers": ['alertname="Failing"'], "receiver": "ops", "group_by": ["country"]}
    async with daemon(place.write()) as process:
        await process.watching()
        put_operator(place.sandbox, "Cosmote", failed=5)
        await until(lambda: place.told.failing() == {"Cosmote"}, "the alert")
        place.config = {"route": EACH_ALONE | {"group_wait": "1s", "group_interval": "1s", "routes": [of_country]}}
        place.write()
        await hang_up(process)
        put_operator(place.sandbox, "Nova", failed=5)
        await until(lambda: "Nova" in place.told.failing(), "an alert along the new route")
        for operator in ("Cosmote", "Nova"):
            put_operator(place.sandbox, operator, failed=0)
        await until(lambda: not place.told.failing(), lambda: f"the ends: {place.told.failing()}", within=40)
        await until(lambda: not waiting(place.folder / "monitor.yaml"), "nothing to wait")
        assert await process.stop() == 0
    said = [
        (entry["labels"]["operator"], entry["status"]) for one in place.told.told for entry in one.payload["alerts"]
    ]
    assert sorted(said) == [(name, status) for name in ("Cosmote", "Nova") for status in ("firing", "resolved")]
    assert all(episode.end is not None for episode in place.told.episodes())


async def test_fifty_reloads_in_a_row_under_load_lose_and_repeat_nothing(place: Place) -> None:
    """Operators begin to fail and recover while rules, searches, routes and the receiver's entry change, and a third of all sends fail."""
    tries = 0

    def flaky(asked: object) -> Answer:
        nonlocal tries
        tries += 1
        return Answer(503 if tries % 3 == 2 else 200)

    place.told.answer = flaky
    operators = [f"Operator{number}" for number in range(10)]
    async with daemon(place.write()) as process:
        await process.watching()
        for turn in range(50):
            operator = operators[turn // 2 % len(operators)]
            if turn % 2 == 0:
                failing = operator in place.told.failing()
                put_operator(place.sandbox, operator, failed=0 if failing else 5)
            place.rules = [
                FAILING,
                *([{"name": "NowAndThen", "kind": "count", "window": "5m", "above": 10**6}] * (turn % 2)),
            ]
            place.config = {"route": EACH_ALONE | {"group_wait": "1s", "group_interval": f"{1 + turn % 2}s"}}
            search = {"name": "all", "every": "1s", "resweep": [{"back": f"{30 + turn % 3}m", "every": "1s"}]}
            place.config["searches"] = [search, *([search | {"name": "more", "campaign": True}] * (turn % 2))]
            place.config["receivers"] = receivers(place.told.url, timeout=f"{5 + turn % 2}s")
            place.write()
            await hang_up(process)
        for operator in operators:
            put_operator(place.sandbox, operator, failed=5 if operator < "Operator5" else 0)
        wanted = {operator for operator in operators if operator < "Operator5"}
        await until(lambda: place.told.failing() == wanted, lambda: f"{place.told.failing()}", within=40)
        assert len(process.said("reloaded: ")) == 50
        assert (await ask(process.url, "/healthz")).status == 200
        for operator in operators:
            put_operator(place.sandbox, operator, failed=0)
        await until(lambda: not place.told.failing(), lambda: f"{place.told.failing()}", within=40)
        config = place.folder / "monitor.yaml"
        await until(lambda: not waiting(config), lambda: f"nothing to wait: {waiting(config)}", within=90)
        assert not place.told.failing()
        assert await process.stop() == 0
        assert not process.noise
    told = Counter(one.id for one in place.told.taken)
    assert max(told.values()) == 1, "nothing that was taken is sent again"
    assert not waiting(place.folder / "monitor.yaml")
    assert all(episode.end is not None for episode in place.told.episodes())
    _each_begins_before_it_begins_again(place.told)


def _each_begins_before_it_begins_again(told: Hook) -> None:
    """No alert that is believed to fire is told as new once more, with another beginning."""
    firing: dict[str, str] = {}
    for one in told.told:
        for entry in one.payload["alerts"]:
            if entry["status"] == "resolved":
                firing.pop(entry["fingerprint"], None)
            else:
                assert firing.setdefault(entry["fingerprint"], entry["startsAt"]) == entry["startsAt"]
