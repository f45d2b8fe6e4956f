"""One incident as Alertmanager's own tools see it: pushed to a real Alertmanager, asked of the daemon by the real amtool."""

import json
from pathlib import Path
from typing import Any

import pytest
from e2e_folder import account, write
from e2e_stage import FAILING, put_operator, routee, running

from monitor.runtime.clock import SystemClock
from monitor.simulation.sandbox import Sandbox
from tests.fakes.alertmanager import alertmanager, amtool
from tests.fakes.waiting import until
from tests.fakes.webhook import FakeWebhook, webhook

pytestmark = pytest.mark.e2e

SEARCH = {"name": "all", "every": "1s", "resweep": [{"back": "30m", "every": "1s"}]}
ROUTE = {
    "receiver": "ops",
    "group_by": ["alertname", "operator"],
    "group_interval": "1s",
    "routes": [
        {"matchers": ['severity=~".+"'], "receiver": "am", "continue": True},
        {"matchers": ['alertname="Failing"'], "receiver": "ops"},
    ],
}


async def query(url: str, *options: str) -> list[dict[str, Any]]:
    """The alerts that amtool sees."""
    found: list[dict[str, Any]] = json.loads(await amtool(url, "alert", "query", "-o", "json", *options))
    return found


def statuses(hook: FakeWebhook) -> list[tuple[str, str]]:
    """Of each notification: the operator, and whether it fires."""
    return [(one.json["groupLabels"]["operator"], one.json["status"]) for one in hook.asked]


async def test_an_incident_is_pushed_silenced_and_ended_with_alertmanagers_own_tools(
    tmp_path: Path, store_in: dict[str, Any]
) -> None:
    sandbox = Sandbox(SystemClock())
    (tmp_path / "am").mkdir()
    async with (
        routee(sandbox) as url,
        webhook() as theirs,
        webhook() as ours,
        alertmanager(tmp_path / "am", theirs.url) as am,
    ):
        receivers = [
            {"name": "ops", "webhook": [{"url": ours.url}]},
            {"name": "am", "alertmanager": [{"url": am.url}]},
        ]
        given = {"accounts": [account(url)], "searches": [SEARCH], "receivers": receivers, "route": ROUTE}
        config = write(tmp_path, [FAILING], **(given | store_in))
        async with running(config) as daemon:
            put_operator(sandbox, "Cosmote", failed=5)
            await until(lambda: ours.asked and theirs.asked, "both to be told")
            (pushed,) = await am.alerts()
            (shown,) = await query(daemon.url)
            assert pushed["labels"] == shown["labels"]
            assert pushed["fingerprint"] == shown["fingerprint"], "the same to whoever knows alerts by their labels"
            assert [one["name"] for one in shown["receivers"]] == ["am", "ops"]

            silence = await amtool(daemon.url, "silence", "add", "--author=ann", "--comment=known", "alertname=Failing")
            assert await query(daemon.url, "--active") == []
            put_operator(sandbox, "Nova", failed=5)
            await until(
                lambda: len(list(daemon.pipeline.every_alert())) == 2,
                "the second operator to be seen",
            )
            silenced = await query(daemon.url, "--silenced")
            assert {one["labels"]["operator"] for one in silenced} == {"Cosmote", "Nova"}
            assert [one["status"]["silencedBy"] for one in silenced] == [[silence.strip()]] * 2

            put_operator(sandbox, "Cosmote", failed=0)
            await until(lambda: len(theirs.asked) == 2 and len(ours.asked) == 2, "its end to be told, silenced or not")
            assert await am.alerts() == []

            await amtool(daemon.url, "silence", "expire", silence.strip())
            await until(lambda: len(theirs.asked) == 3 and len(ours.asked) == 3, "what still fires to be told")
            (left,) = await am.alerts()
            assert left["labels"]["operator"] == "Nova"
    assert statuses(ours) == [("Cosmote", "firing"), ("Cosmote", "resolved"), ("Nova", "firing")]
    assert [one.json["status"] for one in theirs.asked] == ["firing", "resolved", "firing"]


async def test_the_daemon_shows_its_routing_as_alertmanager_would_write_it(tmp_path: Path) -> None:
    sandbox = Sandbox(SystemClock())
    async with routee(sandbox) as url:
        receivers = [{"name": "ops", "console": [{}]}, {"name": "am", "alertmanager": [{"url": "http://127.0.0.1:9"}]}]
        config = write(
            *(tmp_path, [FAILING]), accounts=[account(url)], searches=[SEARCH], receivers=receivers, route=ROUTE
        )
        async with running(config) as daemon:
            told = await amtool(daemon.url, "config", "routes", "test", "severity=warning", "alertname=Failing")
            assert told.strip() == "am,ops"
            assert (await amtool(daemon.url, "config", "routes", "test", "severity=")).strip() == "ops"
