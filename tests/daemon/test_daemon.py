"""The daemon as a whole, in one loop with a local Routee and a receiver, on a clock that runs sixty times as fast."""

import functools
import io
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from monitor.config.monitor import Search
from monitor.config.settings import load
from monitor.daemon import main as daemon
from monitor.daemon.main import Running
from monitor.daemon.search_plan import plan_of
from monitor.daemon.wiring import watched
from monitor.notify.render import Templates
from monitor.runtime.clock import MINUTE, TrioClock
from monitor.runtime.errors import StoreError
from tests.fakes.forms import hidden_fields, submit
from tests.fakes.http import Answer
from tests.fakes.listener import ask
from tests.fakes.routee import APPLICATION_ID, APPLICATION_SECRET, START, LocalRoutee, local_routee, sms
from tests.fakes.waiting import GUARD, guarded, until
from tests.fakes.webhook import FakeWebhook, webhook

CONFIG = """
accounts:
  - {{name: main, application_id: "{id}", application_secret: "{secret}", api_url: "{url}", auth_url: "{url}", requests_per_second: 100}}
searches: [{{name: all, every: 20s}}]
rules: [rules.yaml]
store: sqlite:monitor.db
receivers: [{{name: ops, webhook: [{{url: "{hook}"}}]}}]
route: {{group_wait: 1s, group_interval: 1m}}
web: {{listen: "127.0.0.1:0"}}
"""
RULES = """
rules:
  - {name: Failing, kind: rate, by: [operator], window: 3m, above: 20%, min_messages: 5}
"""


@dataclass
class World:
    """A Routee, a receiver, and a daemon that can be started between them as often as one likes."""

    folder: Path
    routee: LocalRoutee
    hook: FakeWebhook
    clock: TrioClock

    @asynccontextmanager
    async def daemon(self, **more: Any) -> AsyncIterator[Running]:
        """A daemon that is told to stop at the end, and has to do so soon."""
        settings, stop = load(self.folder / "monitor.yaml", {}), trio.Event()
        run = functools.partial(
            daemon.run, settings, Templates(), stop=stop, clock=self.clock, stream=io.StringIO(), **more
        )
        async with trio.open_nursery() as nursery:
            yield await nursery.start(run)
            stop.set()
            nursery.cancel_scope.deadline = trio.current_time() + GUARD
        assert not nursery.cancel_scope.cancelled_caught, "it did not stop"

    def report(self, status: str, count: int = 20) -> None:
        """So many messages fare like that now."""
        for _ in range(count):
            self.routee.sandbox.put(sms(status, self.clock.now()))

    @property
    def told(self) -> list[tuple[str, str]]:
        """(alert, status) of each that the receiver was told of."""
        payloads = [json.loads(asked.body) for asked in self.hook.asked]
        return [(one["labels"]["alertname"], one["status"]) for payload in payloads for one in payload["alerts"]]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    clock = TrioClock(START, speed=60)
    async with local_routee(clock) as routee, webhook() as hook:
        text = CONFIG.format(url=routee.url, hook=hook.url, id=APPLICATION_ID, secret=APPLICATION_SECRET)
        (tmp_path / "monitor.yaml").write_text(text)
        (tmp_path / "rules.yaml").write_text(RULES)
        yield World(tmp_path, routee, hook, clock)


async def test_from_a_report_at_routee_to_the_receiver_and_over_a_restart_to_the_end(world: World) -> None:
    world.report("Undelivered")
    async with world.daemon():
        await until(lambda: ("Failing", "firing") in world.told, "the alert")
    world.report("Delivered", 200)
    async with world.daemon() as running:
        assert [alert.state for alert in running.pipeline.accounts["main"].evaluator.alerts["Failing"].values()] == [
            "firing"
        ]
        await until(lambda: ("Failing", "resolved") in world.told, "its end")
    assert world.told == [("Failing", "firing"), ("Failing", "resolved")]


async def test_a_receiver_that_refuses_is_told_of_on_another_and_the_watchdog_barks(world: World) -> None:
    path = world.folder / "monitor.yaml"
    async with webhook(*(Answer(404) for _ in range(99))) as gone:
        text = path.read_text().replace(world.hook.url, gone.url).replace("route: {", "route: {receiver: ops, ")
        oncall = f'receivers: [{{name: oncall, webhook: [{{url: "{world.hook.url}"}}]}}, '
        path.write_text(text.replace("receivers: [", oncall) + "watchdog: {receiver: oncall, every: 1m}\n")
        world.report("Undelivered")
        async with world.daemon() as running:
            await until(lambda: ("NotificationFailing", "firing") in world.told, "what fails, told to the other")
            await until(lambda: world.told.count(("Watchdog", "firing")) >= 3, "the watchdog")
            ready = await ask(running.url, "/readyz")
            metrics = await ask(running.url, "/metrics")
    assert ready.status == 200
    assert "Receiver ops (webhook/0) gets no notifications" in ready.body
    assert 'routee_monitor_channel_failing{channel="webhook/0",receiver="ops"} 1.0' in metrics.body
    assert ("Failing", "firing") not in world.told


async def test_blindness_is_told_and_ends_while_nothing_else_does(world: World) -> None:
    world.report("Undelivered")
    async with world.daemon():
        await until(lambda: ("Failing", "firing") in world.told, "the alert")
        world.routee.sandbox.fault("status", status=503)
        await until(lambda: ("MonitorBlind", "firing") in world.told, "blindness")
        assert ("Failing", "resolved") not in world.told
        world.routee.sandbox.faults.clear()
        world.report("Delivered", 200)
        await until(lambda: ("MonitorBlind", "resolved") in world.told, "sight")
        await until(lambda: ("Failing", "resolved") in world.told, "the end")


async def test_a_search_and_a_rule_that_are_gone_take_their_alerts_with_them(world: World) -> None:
    world.report("Undelivered")
    async with world.daemon():
        await until(lambda: ("Failing", "firing") in world.told, "the alert")
        world.routee.sandbox.fault("status", status=503)
        await until(lambda: ("MonitorBlind", "firing") in world.told, "blindness")
    for file, old, new in [("monitor.yaml", "name: all", "name: other"), ("rules.yaml", "name: Failing", "name: New")]:
        path = world.folder / file
        path.write_text(path.read_text().replace(old, new))
    async with world.daemon() as running:
        ended = {("MonitorBlind", "resolved"), ("Failing", "resolved")}
        await until(lambda: ended <= set(world.told), "both ends")
        assert "all" not in running.pipeline.accounts["main"].evaluator.coverage.cursors


async def test_it_is_ready_after_the_first_poll_and_says_how_it_does(world: World) -> None:
    async with world.daemon() as running:
        await until(lambda: running.pipeline.accounts["main"].evaluator.coverage.cursors, "a poll")
        ready = await ask(running.url, "/readyz")
        metrics = await ask(running.url, "/metrics")
    assert ready.status == 200
    assert 'routee_monitor_polls_total{account="main",outcome="complete",search="all"}' in metrics.body


async def test_dead_letters_are_shown_over_a_restart(world: World) -> None:
    line = 'routee_monitor_dead_letters{channel="webhook/0",receiver="ops"} '

    async def dead_letters(running: Running) -> str:
        body = (await ask(running.url, "/metrics")).body
        return next((one.removeprefix(line) for one in body.splitlines() if one.startswith(line)), "none")

    world.hook.script = [Answer(410)]
    world.report("Undelivered")
    async with world.daemon() as running:
        assert await dead_letters(running) == "0.0"
        await until(lambda: world.hook.asked, "the alert")
        with guarded():
            while await dead_letters(running) != "1.0":
                await trio.sleep(0.02)
    async with world.daemon() as running:
        assert await dead_letters(running) == "1.0"


async def test_secrets_are_in_no_line_of_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.report("Undelivered")
    world.routee.sandbox.fault("status", status=401)
    with caplog.at_level(logging.DEBUG, "monitor"):
        async with world.daemon():
            await until(lambda: ("MonitorBlind", "firing") in world.told, "blindness")
    text = " ".join(record.getMessage() for record in caplog.records) + repr(world.told)
    assert APPLICATION_SECRET not in text
    assert "very-secret-path" not in text


async def test_who_is_logged_in_is_so_after_a_restart_too_and_a_form_from_before_is_taken(world: World) -> None:
    config = world.folder / "monitor.yaml"
    listen = '"127.0.0.1:0"'
    config.write_text(
        config.read_text().replace(listen, f"{listen}, token: a-token-of-many-letters, protect_reads: true")
    )
    html = {"accept": "text/html"}
    async with world.daemon() as running, httpx.AsyncClient(base_url=running.url, headers=html) as browser:
        assert (await submit(browser, "/login", {"token": "a-token-of-many-letters"})).status_code == 303
        form = await browser.get("/silences/new")
        cookies = {"cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
    async with world.daemon() as running, httpx.AsyncClient(base_url=running.url, headers=html | cookies) as browser:
        assert (await browser.get("/silences/new")).status_code == 200
        out = await browser.post("/logout", data=hidden_fields(form.text))
        assert (out.status_code, out.headers["location"]) == (303, "/login")


async def test_a_second_daemon_on_the_same_store_is_refused(world: World) -> None:
    async with world.daemon():
        settings = load(world.folder / "monitor.yaml", {})
        with pytest.raises(StoreError):
            await daemon.run(settings, Templates(), stop=trio.Event(), clock=world.clock)


async def test_it_can_be_stopped_in_the_middle_of_many_polls(world: World) -> None:
    path = world.folder / "monitor.yaml"
    many = ", ".join(f"{{name: s{i}, every: 1s}}" for i in range(12))
    path.write_text(path.read_text().replace("{name: all, every: 20s}", many))
    for _ in range(4):
        async with world.daemon() as running:
            await until(lambda of=running: of.pipeline.accounts["main"].evaluator.coverage.cursors, "a poll")


def test_a_search_is_polled_as_it_is_written() -> None:
    text = {"name": "all", "account": "main", "every": "1m", "resweep": [{"back": "1h", "every": "5m"}], "settle": "2s"}
    plan = plan_of(Search.model_validate(text))
    assert (plan.account, plan.name, plan.every, plan.settle) == ("main", "all", MINUTE, MINUTE // 30)
    assert plan.resweeps == ((60 * MINUTE, 5 * MINUTE),)


def test_names_that_moved_are_still_found_where_they_were() -> None:
    assert all(hasattr(daemon, name) for name in daemon.__all__)


def test_what_is_watched_is_counted_in_words(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        "rules: [{name: A, kind: count, window: 1h, above: 1}, {name: B, kind: count, window: 1h, above: 1, enabled: false}]"
    )
    (tmp_path / "monitor.yaml").write_text(
        "accounts: [{name: main, application_id: a, application_secret: b}]\nrules: [rules.yaml]\n"
        "receivers: [{name: ops, console: [{}]}]\nstore: sqlite:monitor.db\n"
    )
    assert watched(load(tmp_path / "monitor.yaml", {})) == ("watching 1 search with 1 rule (1 more is switched off)")
