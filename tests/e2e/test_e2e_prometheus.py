"""A real Prometheus scrapes a running daemon and answers all that docs/grafana asks of it."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import yaml
from e2e_folder import account, hook, write
from e2e_stage import FAILING, put_operator, routee, running

from monitor.daemon.metrics import Metrics
from monitor.runtime.clock import SystemClock
from monitor.simulation.sandbox import Sandbox
from tests.fakes.prometheus import Prometheus, needs_prometheus, prometheus, promtool
from tests.fakes.waiting import GUARD, guarded, until
from tests.fakes.webhook import webhook

pytestmark = pytest.mark.e2e

GRAFANA = Path(__file__).parents[2] / "docs" / "grafana"
SEARCH = {"name": "all", "every": "1s", "resweep": [{"back": "30m", "every": "1s"}]}
VARIABLES = {
    "$__rate_interval": "1m",
    "$__range": "1h",
    "$account": "main",
    "$country": ".*",
    "$operator": "Cosmote|Vodafone",
}
LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")
PENDING = FAILING | {"name": "Pending", "for": "1h"}
OURS = re.compile(r"\b(?:routee_monitor|process)_\w+")


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GRAFANA / "dashboard.json").read_text())
    return found


def filled(expression: str) -> str:
    """What Grafana asks, with the variables' values."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


def drawn() -> Iterator[str]:
    """Every expression of the dashboard's panels."""
    for panel in dashboard()["panels"]:
        yield from (filled(target["expr"]) for target in panel.get("targets", ()))


def offered() -> Iterator[tuple[str, str]]:
    """The series and the label of every variable that Grafana offers to choose from."""
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            found = LABEL_VALUES.fullmatch(filled(variable["query"]["query"]))
            assert found is not None, variable
            yield found[1], found[2]


def alerted() -> Iterator[tuple[str, str]]:
    """The name and the expression of every rule."""
    for group in yaml.safe_load((GRAFANA / "alerts.yaml").read_text())["groups"]:
        yield from ((rule["alert"], rule["expr"]) for rule in group["rules"])


def of_several_daemons() -> set[str]:
    """The names of the series that a daemon has only where others share its store."""
    metrics = Metrics(SystemClock())
    alone = set(OURS.findall(metrics.exposition()[0].decode()))
    metrics.fleet(2, lambda: 0.0, lambda: {"main": True})
    return set(OURS.findall(metrics.exposition()[0].decode())) - alone


async def eventually(asked: Prometheus, expression: str) -> dict[tuple[str, ...], float]:
    """The answer as soon as it is not empty."""
    with guarded():
        while not (found := await asked.query(expression)):
            await trio.sleep(0.1)
    return found


async def until_counted(asked: Prometheus, expected: dict[tuple[str, ...], float]) -> None:
    """Until the counters of final reports, by operator and status, are exactly these."""
    found: dict[tuple[str, ...], float] = {}
    query = 'sum by (operator, status) (routee_monitor_messages_total{status=~"Delivered|Failed"}) > 0'
    with trio.move_on_after(GUARD):
        while (found := await asked.query(query)) != expected:
            await trio.sleep(0.1)
    assert found == expected


async def test_prometheus_answers_every_query_of_the_dashboard_and_every_alert(tmp_path: Path) -> None:
    needs_prometheus()
    sandbox = Sandbox(SystemClock())
    async with routee(sandbox) as url, webhook() as told:
        config = write(tmp_path, [FAILING], accounts=[account(url)], searches=[SEARCH], receivers=hook(told.url))
        async with running(config) as daemon:
            metrics = f"{daemon.url}/metrics"
            async with prometheus(tmp_path, daemon.url.removeprefix("http://"), GRAFANA / "alerts.yaml") as asked:
                await eventually(asked, "routee_monitor_polls_total > 1")
                put_operator(sandbox, "Cosmote", failed=3)
                put_operator(sandbox, "Vodafone", failed=0, country="DE")
                counted = {("Cosmote", "Failed"): 3, ("Cosmote", "Delivered"): 7, ("Vodafone", "Delivered"): 10}
                await until_counted(asked, counted)
                await until(lambda: told.asked, "an alert")
                put_operator(sandbox, "Cosmote", failed=3, of=12)  # the ten as before, and two more
                await until_counted(asked, counted | {("Cosmote", "Delivered"): 9})

                names = set(await asked.ask("label/__name__/values")) | of_several_daemons()
                for expression in (*drawn(), *(one for _, one in alerted())):
                    await asked.query(expression)
                    missing = set(OURS.findall(expression)) - names
                    assert not missing, (missing, expression)
                firing = await eventually(asked, 'sum by (rule) (routee_monitor_alerts{state="firing"}) > 0')
                assert firing == {("Failing",): 1}
                [share] = (await eventually(asked, next(drawn()))).values()
                assert share == 1, "all that was counted since the series began was delivered"

                [group] = (await asked.ask("rules"))["groups"]
                assert {rule["name"] for rule in group["rules"]} == {name for name, _ in alerted()}
                assert {rule["health"] for rule in group["rules"]} <= {"ok", "unknown"}
                assert not any(rule["alerts"] for rule in group["rules"]), "nothing is wrong with the monitor"
            async with httpx.AsyncClient() as client:
                exposition = (await client.get(metrics)).content
    code, said = promtool("check", "metrics", given=exposition)
    assert (code, said) == (0, "")


async def traffic(sandbox: Sandbox) -> None:
    """Messages come all the time, and each second another operator begins to fail, of which the receiver is told."""
    for number in range(1, 1000):
        put_operator(sandbox, "Cosmote", failed=number, of=10 * number)
        put_operator(sandbox, "Vodafone", failed=number, of=10 * number, country="DE")
        put_operator(sandbox, f"Operator {number}", failed=10)
        await trio.sleep(1)


async def gives_numbers(asked: Prometheus, expression: str) -> None:
    """Waits until the answer has a number: neither nothing, nor a share of nothing."""
    found: dict[tuple[str, ...], float] = {}
    with trio.move_on_after(GUARD):
        while not any(map(math.isfinite, found.values())):
            await trio.sleep(0.1)
            found = await asked.query(expression)
        return
    raise AssertionError(f"{expression} gives {found}")


async def test_every_query_of_the_dashboard_gives_numbers_while_there_is_traffic(tmp_path: Path) -> None:
    needs_prometheus()
    sandbox = Sandbox(SystemClock())
    route = {"receiver": "ops", "group_by": ["alertname", "operator"], "group_wait": "0s"}
    async with routee(sandbox) as url, webhook() as told, trio.open_nursery() as nursery:
        config = write(
            *(tmp_path, [FAILING, PENDING]),
            accounts=[account(url)],
            searches=[SEARCH],
            receivers=hook(told.url),
            route=route,
        )
        async with running(config) as daemon:
            scraped = prometheus(tmp_path, daemon.url.removeprefix("http://"), GRAFANA / "alerts.yaml")
            async with scraped as asked:
                nursery.start_soon(traffic, sandbox)
                for expression in drawn():
                    await gives_numbers(asked, expression)
                for series, label in offered():
                    values = await asked.ask(f"label/{label}/values", **{"match[]": series})
                    assert set(values) & {"main", "GR", "Cosmote"}, (series, values)
        nursery.cancel_scope.cancel()


def test_promtool_accepts_the_rules_and_their_tests() -> None:
    assert promtool("check", "rules", str(GRAFANA / "alerts.yaml"))[0] == 0
    code, said = promtool("test", "rules", str(GRAFANA / "alerts_test.yaml"))
    assert (code, "SUCCESS" in said) == (0, True), said


def test_every_alert_is_tested_and_documented() -> None:
    names = {name for name, _ in alerted()}
    tested = yaml.safe_load((GRAFANA / "alerts_test.yaml").read_text())["tests"]
    raised = {one["alertname"] for test in tested for one in test["alert_rule_test"] if one["exp_alerts"]}
    page = (GRAFANA.parent / "metrics.md").read_text()
    assert raised == names == set(re.findall(r"^\| `(RouteeMonitor\w+)` \|", page, re.MULTILINE))


def test_the_dashboard_has_what_grafana_needs_to_import_it() -> None:
    board = dashboard()
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(numbers) == len(set(numbers))
    assert [one["name"] for one in board["templating"]["list"]] == ["datasource", "account", "country", "operator"]
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["type"] == "row" or panel["targets"], panel["title"]
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"
