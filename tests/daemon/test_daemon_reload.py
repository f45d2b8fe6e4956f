"""Reloads of a running daemon, in one loop with a local Routee and receivers, on a clock that runs sixty times as fast."""

import functools
import io
import json
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio

from monitor.cli.listener_request import NothingHeard
from monitor.cli.listener_request import ask as ask_daemon
from monitor.daemon import main as daemon
from monitor.daemon.main import Running
from monitor.daemon.reload import Reloads
from monitor.daemon.validate import load
from monitor.runtime.clock import TrioClock
from monitor.runtime.sd_notify import Systemd
from monitor.runtime.server_certificate import ServerCertificate
from tests.daemon.http.plain_client import ask as ask_with
from tests.fakes.certificates import write_certificate
from tests.fakes.http import Answer, Asked, serving
from tests.fakes.listener import ask
from tests.fakes.routee import APPLICATION_ID, APPLICATION_SECRET, START, LocalRoutee, local_routee, sms
from tests.fakes.waiting import GUARD, until

RULE = {"name": "Failing", "kind": "rate", "by": ["operator"], "window": "3m", "above": "20%", "min_messages": 5}


class Ears(Systemd):
    """Remembers what systemd would be told."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def reloading(self) -> None:
        self.heard.append("reloading")

    def ready(self, status: str = "") -> None:
        self.heard.append("ready")


@dataclass
class World:
    """A Routee, receivers at ``url``/NAME, and what is written."""

    folder: Path
    routee: LocalRoutee
    url: str
    clock: TrioClock
    written: dict[str, Any]
    rules: list[dict[str, Any]]
    asked: list[Asked] = field(default_factory=list)
    answer: dict[str, Answer] = field(default_factory=dict)
    hold: dict[str, trio.Event] = field(default_factory=dict)
    systemd: Ears = field(default_factory=Ears)

    def __post_init__(self) -> None:
        self.reloads = Reloads(self.folder / "monitor.yaml", {}, self.taken_up, check_every=0.02)
        self.reloaded = 0

    def taken_up(self, _: object) -> None:
        self.reloaded += 1

    def write(self) -> None:
        (self.folder / "rules.yaml").write_text(json.dumps({"rules": self.rules}))
        (self.folder / "monitor.yaml").write_text(json.dumps(self.written))

    async def reload(self) -> None:
        """Write all files and have them taken up."""
        self.write()
        done = self.reloaded + 1
        self.reloads.request()
        await until(lambda: self.reloaded == done, "the reload")

    async def refused(self, running: Running) -> str:
        """Ask for a reload that is not to be; gives what is said of it."""
        before = len(self.systemd.heard)
        self.reloads.request()
        await until(lambda: self.systemd.heard[before:] == ["reloading", "ready"], "the reload to be refused")
        ready = await ask(running.url, "/readyz")
        assert ready.status == 200
        return ready.body

    async def receive(self, asked: Asked) -> Answer:
        name = asked.target.strip("/")
        self.asked.append(asked)
        if name in self.hold:
            await self.hold[name].wait()
        return self.answer.get(name, Answer())

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[Running]:
        self.write()
        loaded, stop = load(self.folder / "monitor.yaml", {}), trio.Event()
        run = functools.partial(
            daemon.run,
            loaded.settings,
            loaded.templates,
            stop=stop,
            clock=self.clock,
            stream=io.StringIO(),
            systemd=self.systemd,
            reloads=self.reloads,
        )
        async with trio.open_nursery() as nursery:
            running = await nursery.start(run)
            evaluator = running.pipeline.accounts["main"].evaluator
            await until(lambda: "all" in evaluator.coverage.cursors, "a poll")
            await until(lambda: not running.pipeline.services.health.unready(), "the daemon to be ready")
            yield running
            stop.set()
            nursery.cancel_scope.deadline = trio.current_time() + GUARD
        assert not nursery.cancel_scope.cancelled_caught, "it did not stop"

    def report(self, status: str, count: int = 20, **fields: Any) -> None:
        for _ in range(count):
            self.routee.sandbox.put(sms(status, self.clock.now(), **fields))

    def told(self, receiver: str = "ops") -> list[tuple[str, str]]:
        """(alert, status) of each that the receiver was told of."""
        payloads = [json.loads(asked.body) for asked in self.asked if asked.target == f"/{receiver}"]
        return [(one["labels"]["alertname"], one["status"]) for payload in payloads for one in payload["alerts"]]

    def receiver(self, name: str) -> dict[str, Any]:
        return {"name": name, "webhook": [{"url": f"{self.url}/{name}"}]}


@pytest.fixture
async def world(tmp_path: Path, store_in: dict[str, Any]) -> AsyncIterator[World]:
    clock = TrioClock(START, speed=60)
    async with local_routee(clock) as routee:
        account = {"name": "main", "application_id": APPLICATION_ID, "application_secret": APPLICATION_SECRET}
        account |= {"api_url": routee.url, "auth_url": routee.url, "requests_per_second": 100}
        written = {
            "accounts": [account],
            "searches": [{"name": "all", "every": "20s"}],
            "rules": ["rules.yaml"],
            "store": "sqlite:monitor.db",
            "route": {"receiver": "ops", "group_wait": "1s", "group_interval": "1m"},
            "web": {"listen": "127.0.0.1:0"},
        } | store_in
        found: list[World] = []
        async with serving(lambda asked: found[0].receive(asked)) as url:
            world = World(tmp_path, routee, url, clock, written, [RULE])
            world.written["receivers"] = [world.receiver("ops")]
            found.append(world)
            yield world


async def test_a_reload_of_what_is_written_already_tells_nobody_and_disturbs_no_poll(world: World) -> None:
    world.report("Undelivered")
    async with world.daemon() as running:
        await until(lambda: ("Failing", "firing") in world.told(), "the alert")
        tokens, window = world.routee.requests("token"), running.pipeline.accounts["main"].evaluator.window
        for _ in range(5):
            await world.reload()
        cursor = running.pipeline.accounts["main"].evaluator.coverage.cursors["all"]
        await until(
            lambda: running.pipeline.accounts["main"].evaluator.coverage.cursors["all"].as_of > cursor.as_of, "a poll"
        )
        assert running.pipeline.accounts["main"].evaluator.window is window
    assert world.told() == [("Failing", "firing")]
    assert world.routee.requests("token") == tokens
    assert world.systemd.heard == ["ready"] + ["reloading", "ready"] * 5


async def test_rules_are_added_changed_and_removed(world: World) -> None:
    world.report("Undelivered")
    async with world.daemon() as running:
        await until(lambda: ("Failing", "firing") in world.told(), "the alert")
        world.rules = [RULE | {"above": "30%"}, RULE | {"name": "Second", "by": []}]
        await world.reload()
        await until(lambda: ("Second", "firing") in world.told(), "the rule that was added")
        assert world.told().count(("Failing", "firing")) == 1
        world.rules = [RULE | {"name": "Second", "by": []}]
        await world.reload()
        await until(lambda: ("Failing", "resolved") in world.told(), "the end of what is gone")
        assert list(running.pipeline.accounts["main"].evaluator.rules) == ["Second"]
    assert Counter(world.told()) == {("Failing", "firing"): 1, ("Second", "firing"): 1, ("Failing", "resolved"): 1}


async def test_wrong_files_change_nothing_and_are_shown_until_they_are_right(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with world.daemon() as running:
        world.rules = [RULE | {"abvoe": "30%"}]
        world.write()
        with caplog.at_level(logging.INFO, "monitor"):
            said = await world.refused(running)
        metrics, status = await ask(running.url, "/metrics"), await ask(running.url, "/api/v2/status")
        assert "abvoe" in said
        assert "abvoe" in caplog.text
        assert "routee_monitor_config_last_reload_successful 0.0" in metrics.body
        assert "abvoe" in status.body
        assert "abvoe" in (await ask(running.url, "/")).body
        assert running.pipeline.accounts["main"].evaluator.rules["Failing"].name == "Failing"
        world.rules = [RULE]
        await world.reload()
        await until(lambda: len(world.systemd.heard) == 5, "the reload to be over")
        assert "routee_monitor_config_last_reload_successful 1.0" in (await ask(running.url, "/metrics")).body
        assert "warnings" not in (await ask(running.url, "/readyz")).body


@pytest.mark.parametrize("name", ["monitor.yaml", "rules.yaml", "secret", "body.json.j2"])
async def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(
    world: World, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    world.written["receivers"][0]["webhook"][0] |= {"secret_file": "secret", "template": "body.json.j2"}
    world.written["templates"] = ["body.json.j2"]
    (world.folder / "secret").write_text("a secret of the hook")
    (world.folder / "body.json.j2").write_text('{"text": {{ sentence | tojson }}}')
    async with world.daemon() as running:
        content = (world.folder / name).read_bytes()
        (world.folder / name).unlink()
        os.mkfifo(world.folder / name)
        said = await world.refused(running)
        assert name in said
        assert "a named pipe, not a file" in said
        (world.folder / name).unlink()
        (world.folder / name).write_bytes(content)
        await world.reload()


async def test_of_very_many_errors_the_first_are_logged_and_the_others_counted(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with world.daemon() as running:
        world.rules = [RULE | {"name": f"R{number}", "abvoe": "30%"} for number in range(1_101)]
        world.write()
        with caplog.at_level(logging.ERROR, "monitor"):
            said = await world.refused(running)
        logged = [line for line in caplog.messages if "stays in use" in line]
        assert len(logged) == 101
        assert all("abvoe" in line for line in logged[:-1])
        assert logged[-1].endswith("in use: 1,001 more errors: `routee-monitor check` shows them all")
        assert "(and 1,100 more; `routee-monitor check` shows them)" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"store": "postgresql://db.example.org/other"}, "a change of the store needs a restart"),
        ({"web": {"listen": "127.0.0.1:9"}}, "a change of the listener needs a restart"),
        ({"web": "off"}, "a change of the listener needs a restart"),
    ],
)
async def test_what_only_a_restart_can_change_is_refused(world: World, change: dict[str, Any], said: str) -> None:
    async with world.daemon() as running:
        world.written |= change | {"receivers": [world.receiver("ops"), world.receiver("other")]}
        world.write()
        assert said in await world.refused(running)
        assert list(running.pipeline.dispatcher.channels) == ["ops"]


async def test_searches_come_go_and_change_while_the_others_go_on(world: World) -> None:
    async with world.daemon() as running:
        evaluator = running.pipeline.accounts["main"].evaluator
        world.written["searches"].append({"name": "campaigns", "every": "20s", "campaign": True})
        await world.reload()
        assert (await ask(running.url, "/readyz")).status == 200
        await until(lambda: "campaigns" in evaluator.coverage.cursors, "the first poll of the search that was added")
        reached = evaluator.coverage.cursors["campaigns"].as_of
        world.written["searches"][1]["every"] = "10s"
        await world.reload()
        await until(
            lambda: evaluator.coverage.cursors["campaigns"].as_of > reached, "a poll of the search that was changed"
        )
        del world.written["searches"][1]
        await world.reload()
        assert list(evaluator.coverage.cursors) == ["all"]
        assert (
            'search="campaigns"' not in (await ask(running.url, "/metrics")).body.split("routee_monitor_blind{", 1)[1]
        )
        gone_on = evaluator.coverage.cursors["all"].as_of
        await until(lambda: evaluator.coverage.cursors["all"].as_of > gone_on, "the search that stayed")
        world.written["searches"].append({"name": "campaigns", "every": "20s", "campaign": True})
        await world.reload()
        assert evaluator.coverage.cursors["campaigns"].as_of >= reached, "it goes on where it was left"


async def test_an_account_that_is_taken_out_ends_its_alerts_and_has_its_messages_when_it_returns(world: World) -> None:
    account = world.written["accounts"][0]
    two = [account, account | {"name": "second"}]
    searches = [{"name": "all", "every": "20s", "account": name} for name in ("main", "second")]
    world.written |= {"accounts": two, "searches": searches}
    world.report("Undelivered")
    async with world.daemon() as running:
        await until(lambda: world.told().count(("Failing", "firing")) == 2, "both accounts")
        known = running.pipeline.accounts["second"].evaluator.window.messages
        world.written |= {"accounts": two[:1], "searches": searches[:1]}
        await world.reload()
        await until(lambda: ("Failing", "resolved") in world.told(), "the end of what is gone")
        assert running.pipeline.accounts["second"].evaluator.window.messages == 0
        world.written |= {"accounts": two, "searches": searches}
        await world.reload()
        assert running.pipeline.accounts["second"].evaluator.window.messages == known == 20
        reached = running.pipeline.accounts["second"].evaluator.coverage.cursors["all"].as_of
        await until(
            lambda: running.pipeline.accounts["second"].evaluator.coverage.cursors["all"].as_of > reached, "its polls"
        )


async def test_an_account_with_other_credentials_is_polled_with_those(world: World) -> None:
    account = dict(world.written["accounts"][0])
    async with world.daemon() as running:
        evaluator = running.pipeline.accounts["main"].evaluator
        world.written["accounts"] = [account | {"application_secret": "not this one"}]
        await world.reload()
        await until(lambda: world.routee.requests("token") > 1, "the other secret to be tried")
        reached = evaluator.coverage.cursors["all"].as_of
        world.written["accounts"] = [account]
        await world.reload()
        await until(lambda: evaluator.coverage.cursors["all"].as_of > reached, "polls with the right one")


async def test_a_send_under_way_ends_and_a_receiver_that_is_gone_hears_of_the_end_when_it_returns(world: World) -> None:
    world.report("Undelivered")
    world.hold["ops"] = trio.Event()
    world.answer["ops"] = Answer()
    async with world.daemon():
        await until(lambda: world.asked, "the send to begin")
        world.written |= {
            "receivers": [world.receiver("other")],
            "route": world.written["route"] | {"receiver": "other"},
        }
        await world.reload()
        world.hold.pop("ops").set()
        await until(lambda: ("Failing", "firing") in world.told("other"), "the other receiver")
        world.report("Delivered", 400)
        await until(lambda: ("Failing", "resolved") in world.told("other"), "the end, there")
        assert world.told("ops") == [("Failing", "firing")], "taken once, and nothing since"
        world.written["receivers"] = [world.receiver("ops"), world.receiver("other")]
        await world.reload()
        await until(lambda: world.told("ops") == [("Failing", "firing"), ("Failing", "resolved")], "the end, here")


async def test_a_receiver_with_another_address_gets_there_what_waited(world: World) -> None:
    world.report("Undelivered")
    world.answer["ops"] = Answer(503)
    async with world.daemon():
        await until(lambda: world.asked, "a send that fails")
        world.written["receivers"] = [{"name": "ops", "webhook": [{"url": f"{world.url}/elsewhere"}]}]
        await world.reload()
        await until(lambda: ("Failing", "firing") in world.told("elsewhere"), "what waited")


async def test_the_listener_asks_for_another_token_and_shows_other_routes(world: World) -> None:
    async with world.daemon() as running:
        first = json.loads((await ask(running.url, "/api/v2/status")).body)
        world.written["web"] |= {"token": "a-new-token", "protect_reads": True}
        world.written["receivers"] += [world.receiver("other")]
        await world.reload()
        assert (await ask(running.url, "/api/v2/status")).status == 401
        status = (await ask_with(running.url, "/api/v2/status", Authorization="Bearer a-new-token")).json
        assert "name: other" in status["config"]["original"]
        assert (status["uptime"], status["cluster"]["name"]) == (first["uptime"], first["cluster"]["name"])


async def test_changed_files_are_taken_up_by_themselves_where_that_is_wished(world: World) -> None:
    world.written["reload"] = {"watch": True}
    (world.folder / "secret").write_text("first")
    world.written["receivers"][0]["webhook"][0]["secret_file"] = "secret"
    async with world.daemon() as running:
        await trio.sleep(0.1)
        (world.folder / "secret").write_text("the second one")
        await until(lambda: world.reloaded == 1, "the secret to be read again")
        (world.folder / "rules.yaml").write_text("rules: [")
        await until(lambda: world.systemd.heard.count("reloading") == 2, "the wrong file to be read")
        world.rules.append(RULE | {"name": "Second"})
        world.write()
        await until(lambda: "Second" in running.pipeline.accounts["main"].evaluator.rules, "the rule to be taken up")


async def test_a_renewed_certificate_is_taken_up_and_a_broken_one_is_not(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    write_certificate(world.folder)
    world.written["web"] |= {"tls": {"cert_file": "tls.crt", "key_file": "tls.key"}}
    world.written["reload"] = {"watch": True}

    async def speaks(file: str) -> bool:
        """Whether the listener speaks with the certificate of that file."""
        der = ServerCertificate.load(world.folder / f"{file}.crt", world.folder / f"{file}.key").der
        asking = functools.partial(ask_daemon, running.url + "/healthz", certificate=der)
        try:
            return (await trio.to_thread.run_sync(asking, abandon_on_cancel=True)).status == 200
        except NothingHeard:
            return False

    async with world.daemon() as running:
        assert running.url.startswith("https://")
        assert await speaks("tls")
        write_certificate(world.folder, "kept")
        (world.folder / "tls.crt").write_bytes((world.folder / "kept.crt").read_bytes())
        await until(
            lambda: "does not belong to the certificate" in caplog.text, "the half-renewed certificate to be refused"
        )
        assert not await speaks("kept")
        (world.folder / "tls.key").write_bytes((world.folder / "kept.key").read_bytes())
        await until(lambda: world.reloaded == 1, "the certificate to be taken up")
        assert await speaks("kept")


async def test_what_was_asked_for_before_the_daemon_was_up_is_done_once_it_is(world: World) -> None:
    world.reloads.request()
    world.reloads.request()
    async with world.daemon():
        await until(lambda: world.reloaded == 1, "the reload")
        await until(lambda: world.systemd.heard == ["ready", "reloading", "ready"], "its end")
    assert world.reloaded == 1
