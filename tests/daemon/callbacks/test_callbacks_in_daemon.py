"""Callbacks and the daemon as a whole: in one loop with a local Routee and a receiver."""

import base64
import functools
import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from click.testing import CliRunner

from monitor.cli import cli
from monitor.config.settings import load
from monitor.daemon import main as daemon
from monitor.daemon.http import server
from monitor.daemon.http.guards import Limits
from monitor.daemon.main import Running
from monitor.daemon.reload import Reloads
from monitor.notify.render import Templates
from monitor.runtime.clock import SECOND, SystemClock
from monitor.simulation.sandbox.callbacks import CallbackPusher
from monitor.store.open import open_store
from tests.daemon.http.plain_client import connect
from tests.fakes.http import Answer
from tests.fakes.pushed import campaign, pushed
from tests.fakes.routee import APPLICATION_ID, APPLICATION_SECRET, LocalRoutee, local_routee, sms
from tests.fakes.waiting import GUARD, guarded, until
from tests.fakes.webhook import FakeWebhook, webhook

SECRET = "callback-secret-of-the-test"
CONFIG = """
accounts:
  - {{name: main, application_id: "{id}", application_secret: "{secret}", api_url: "{url}", auth_url: "{url}", callback_secret: "{callback}"}}
  - {{name: other, application_id: "{id}", application_secret: "{secret}", api_url: "{url}", auth_url: "{url}"}}
searches: [{{name: all, account: main, every: 1h}}, {{name: all, account: other, every: 1h}}]
rules: [rules.yaml]
store: sqlite:monitor.db
receivers: [{{name: ops, webhook: [{{url: "{hook}"}}]}}]
route: {{group_wait: 0s}}
web: {{listen: "127.0.0.1:0", token: "the-token-of-the-listener", protect_reads: true}}
"""
RULES = """
rules:
  - {name: Failing, kind: rate, by: [operator], window: 15m, above: 20%, min_messages: 5}
"""


@dataclass
class Stage:
    """A Routee whose polls come once an hour, a receiver, and a daemon between them."""

    folder: Path
    routee: LocalRoutee
    hook: FakeWebhook
    clock: SystemClock = field(default_factory=SystemClock)

    @asynccontextmanager
    async def daemon(self, reloads: Reloads | None = None, *, polled: bool = True) -> AsyncIterator["Pushing"]:
        """A daemon that has polled once, and a client that pushes to it."""
        settings, stop = load(self.folder / "monitor.yaml", {}), trio.Event()
        run = functools.partial(daemon.run, settings, Templates(), stop=stop, stream=io.StringIO(), reloads=reloads)
        async with trio.open_nursery() as nursery:
            running: Running = await nursery.start(run)
            if polled:
                await until(lambda: len(list(running.pipeline.cursors())) == 2, "the first polls")
            async with httpx.AsyncClient(base_url=running.url, timeout=GUARD) as client:
                yield Pushing(running, client)
            stop.set()
            nursery.cancel_scope.deadline = trio.current_time() + GUARD
        assert not nursery.cancel_scope.cancelled_caught, "it did not stop"

    @property
    def told(self) -> list[tuple[str, str]]:
        """(alert, status) of each that the receiver was told of."""
        payloads = [json.loads(asked.body) for asked in self.hook.asked]
        return [(one["labels"]["alertname"], one["status"]) for payload in payloads for one in payload["alerts"]]


@dataclass
class Pushing:
    """A running daemon and Routee's hand."""

    running: Running
    client: httpx.AsyncClient

    async def push(self, body: Any, account: str = "main", secret: str = SECRET, **more: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json"} | more.pop("headers", {})
        path = f"/callbacks/routee/{account}" + (f"?secret={secret}" if secret else "")
        return await self.client.post(path, content=content, headers=headers, **more)

    async def metrics(self) -> str:
        bearer = {"authorization": "Bearer the-token-of-the-listener"}
        return (await self.client.get("/metrics", headers=bearer)).text

    async def counted(self, outcome: str) -> float:
        return self._value(await self.metrics(), f'callbacks_total{{account="main",outcome="{outcome}"}}')

    async def answered(self, status: int) -> float:
        return self._value(await self.metrics(), f'http_answers_total{{status="{status}"}}')

    @staticmethod
    def _value(text: str, series: str) -> float:
        return float(text.partition(f"routee_monitor_{series} ")[2].split("\n")[0] or 0)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with local_routee(SystemClock()) as routee, webhook() as hook:
        text = CONFIG.format(
            url=routee.url, hook=hook.url, id=APPLICATION_ID, secret=APPLICATION_SECRET, callback=SECRET
        )
        (tmp_path / "monitor.yaml").write_text(text)
        (tmp_path / "rules.yaml").write_text(RULES)
        yield Stage(tmp_path, routee, hook)


async def test_what_is_pushed_is_told_without_a_poll(stage: Stage) -> None:
    with guarded():
        async with stage.daemon() as daemon:
            for _ in range(10):
                assert (await daemon.push(pushed("Undelivered", stage.clock.now()))).status_code == 200
            await until(lambda: ("Failing", "firing") in stage.told, "the alert")
            assert not len(stage.routee.sandbox.messages), "a poll can have seen it"
            assert await daemon.counted("taken") == 10


async def test_explain_beside_the_daemon_and_a_restart_see_what_was_pushed(stage: Stage) -> None:
    asked = ["explain", "Failing", "--json", "--config", str(stage.folder / "monitor.yaml")]
    with guarded():
        async with stage.daemon() as daemon:
            await daemon.push([pushed("Undelivered", stage.clock.now()) for _ in range(10)])
            await until(lambda: ("Failing", "firing") in stage.told, "the alert")
            done = await trio.to_thread.run_sync(CliRunner().invoke, cli, asked)
            [group] = json.loads(done.output)["groups"]
            assert (group["state"], group["value"], group["messages"]) == ("firing", 1.0, 10)
        stage.routee.sandbox.fault("status", status=503)
        async with stage.daemon(polled=False) as daemon:
            account = daemon.running.pipeline.accounts["main"]
            [(alert, views, context)] = [one for one in daemon.running.pipeline.alerts() if one[0].rule == "Failing"]
            assert views.view(alert, context).value == 1.0
            assert account.evaluator.coverage.pushed_to is not None


async def test_what_was_answered_is_in_the_store_and_masked(stage: Stage) -> None:
    report = pushed("Undelivered", stage.clock.now(), to="+306900001234", message="a secret text")
    with guarded():
        async with stage.daemon() as daemon:
            assert (await daemon.push(report)).json() == {"status": "taken"}
            with open_store(stage.folder / "monitor.db", read_only=True) as store:
                assert list(store.journal("main"))
                assert "Undelivered" in {entry.value for entry in store.entries("main")}
    files = b"".join(path.read_bytes() for path in stage.folder.glob("monitor.db*"))
    assert b"0001234" not in files
    assert b"a secret text" not in files


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"7", 400, "neither an object nor a list"),
        (b"[]", 400, "no record"),
        (b"{}", 400, "no record can be used"),
        (b"[1, null]", 400, "it is not an object"),
        (b'{"status": {"name": "Sent"}}', 400, "neither messageId nor smsId"),
        (b'{"messageId": "a", "status": {"name": "Sent"}}', 400, "no date"),
        (b'{"messageId": "a", "status": {"name": "Sent", "updatedDate": "2999-01-01T00:00:00Z"}}', 400, "ahead"),
        (b'{"campaignStatus": "Running"}', 400, "trackingId"),
        (b"[" + b",".join([b"{}"] * 1001) + b"]", 413, "1000 records"),
        (b" " * 300_000, 413, "larger than"),
    ],
)
async def test_what_cannot_be_used_gets_a_reason(stage: Stage, body: bytes, status: int, why: str) -> None:
    with guarded():
        async with stage.daemon() as daemon:
            answer = await daemon.push(body)
            assert (answer.status_code, why in answer.json()["error"]) == (status, True), answer.text
            assert await daemon.counted("taken") == 0
            assert await daemon.counted("refused") + await daemon.counted("set_aside") >= 1
            assert await daemon.answered(status) == 1
            assert (await daemon.push(pushed())).status_code == 200, "the next one suffers for it"


async def test_a_bad_record_of_a_list_is_set_aside_and_the_others_are_taken(stage: Stage) -> None:
    now = stage.clock.now()
    bad = [{"to": "+306900001234"}, pushed(date="never"), 7, pushed(date=now, price="dear")]
    with guarded():
        async with stage.daemon() as daemon:
            answer = await daemon.push([pushed("Sent", now), *bad, pushed("Failed", now)])
            assert answer.status_code == 200
            assert (await daemon.counted("taken"), await daemon.counted("set_aside")) == (3, 3)
            assert daemon.running.pipeline.accounts["main"].evaluator.window.messages == 3
    with open_store(stage.folder / "monitor.db", read_only=True) as store:
        kept = [(one.why, one.record) for one in store.quarantined()]
    assert len(kept) == 4
    assert "1234" not in str(kept), "a number was stored in full"


async def test_a_replayed_callback_is_taken_and_changes_nothing(stage: Stage) -> None:
    earlier, later = stage.clock.now() - 2 * SECOND, stage.clock.now() - SECOND
    sent = pushed("Sent", earlier)
    delivered = sent | pushed("Delivered", later, messageId=sent["messageId"], smsId=sent["smsId"])
    with guarded():
        async with stage.daemon() as daemon:
            for body in [sent, delivered, sent, delivered, [sent] * 100, delivered]:
                assert (await daemon.push(body)).status_code == 200, "Routee repeats what it has not seen answered"
            window = daemon.running.pipeline.accounts["main"].evaluator.window
            assert window.messages == 1
            counted = re.findall(
                r'^routee_monitor_messages_total\{.*status="(\w+)"\} (\S+)$', await daemon.metrics(), re.MULTILINE
            )
            assert {status: float(count) for status, count in counted if float(count)} == {"Sent": 1, "Delivered": 1}
            assert await daemon.counted("taken") == 105


async def test_only_the_secret_opens_it(stage: Stage) -> None:
    basic = {"authorization": "Basic " + base64.b64encode(f"routee:{SECRET}".encode()).decode()}
    wrong = {"authorization": "Basic cm91dGVlOm5v"}
    bearer = {"authorization": "Bearer the-token-of-the-listener"}
    with guarded():
        async with stage.daemon() as daemon:
            assert (await daemon.push(pushed(), secret="", headers=basic)).status_code == 200
            for headers, secret in [({}, ""), ({}, "no"), (wrong, ""), (bearer, ""), (basic, "no"), ({}, SECRET + "x")]:
                answer = await daemon.push(pushed(), secret=secret, headers=headers)
                assert answer.status_code == 401, (headers, secret)
                assert "callback_secret" in answer.json()["error"]
                assert answer.headers["www-authenticate"].startswith("Basic")
            assert await daemon.counted("unauthorized") == await daemon.answered(401) == 6
            assert (await daemon.push(pushed(), account="other")).status_code == 404
            assert (await daemon.push(pushed(), account="none")).status_code == 404
            assert (await daemon.client.get(f"/callbacks/routee/main?secret={SECRET}")).status_code == 405
            form = {"content-type": "application/x-www-form-urlencoded"}
            assert (await daemon.push(b"a=b", headers=form)).status_code == 415
            host = await daemon.push(pushed(), headers={"host": "evil.example"})
            assert host.status_code == 403


async def test_a_campaign_callback_is_what_the_account_knows(stage: Stage) -> None:
    with guarded():
        async with stage.daemon() as daemon:
            one = daemon.running.pipeline.accounts["main"].evaluator
            for body in [campaign(Sent=10), campaign(Delivered=40), campaign(Sent=10)]:
                assert (await daemon.push(body)).status_code == 200
            state = one.account_state.campaigns["c-1"].state
            assert (state.name, state.state, state.recipients) == ("Spring", "Running", 100)
            assert state.statuses == {"Delivered": 40}, "an older state has replaced a later one"
            await daemon.push(campaign(status="Finished", Delivered=100))
            await daemon.push(campaign(Delivered=100))
            assert one.account_state.campaigns["c-1"].is_over
    with open_store(stage.folder / "monitor.db", read_only=True) as store:
        assert store.load().account_states["main"].campaigns["c-1"].is_over


def _raw(
    body: bytes, *more: str, version: str = "1.1", target: str = f"/callbacks/routee/main?secret={SECRET}"
) -> bytes:
    lines = [f"POST {target} HTTP/{version}", "Host: 127.0.0.1", "Content-Type: application/json", *more]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _plain(status: str = "Sent") -> bytes:
    body = json.dumps(pushed(status)).encode()
    return _raw(body, f"Content-Length: {len(body)}")


async def _answers(url: str, *pieces: bytes) -> list[int]:
    """The statuses of all that comes back for what is sent piece by piece, until the listener closes or a second has passed."""
    received = bytearray()
    async with await connect(url) as stream, trio.open_nursery() as nursery:

        async def read() -> None:
            with suppress(trio.BrokenResourceError):
                async for piece in stream:
                    received.extend(piece)
            nursery.cancel_scope.cancel()

        nursery.start_soon(read)
        for piece in pieces:
            await stream.send_all(piece)
            await trio.sleep(0.01)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    return [int(one) for one in re.findall(rb"HTTP/1\.1 (\d{3}) ", bytes(received))]


async def test_a_connection_takes_callbacks_in_every_form_that_http_has(stage: Stage) -> None:
    one, body = _plain(), json.dumps(pushed()).encode()
    chunked = _raw(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body), "Transfer-Encoding: chunked")
    expecting = _raw(b"", "Expect: 100-continue", f"Content-Length: {len(body)}")
    health = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with guarded():
        async with stage.daemon() as daemon:
            url = daemon.running.url
            assert await _answers(url, one) == [200]
            assert await _answers(url, one + _plain() + _plain()) == [200] * 3, "one after the other, sent at once"
            assert await _answers(url, *(one[at : at + 40] for at in range(0, len(one), 40))) == [200], "in pieces"
            assert await _answers(url, chunked, _plain()) == [200, 200]
            assert await _answers(url, one, health, _plain()) == [200, 200, 200], "another page on the same connection"
            assert (await _answers(url, expecting, body))[-1] == 200
            assert await _answers(url, _raw(body, f"Content-Length: {len(body)}", version="1.0")) == [200]
            assert await _answers(url, _raw(body, f"Content-Length: {len(body)}", "Connection: close"), one) == [200]
            assert await daemon.counted("taken") == 12


async def test_what_a_proxy_could_understand_differently_is_refused(stage: Stage) -> None:
    length = "Content-Length: 4"
    with guarded():
        async with stage.daemon() as daemon:
            url = daemon.running.url
            for more in [
                (length, "Content-Length: 5"),
                (length, "Transfer-Encoding: chunked"),
                (length, "Host: other"),
                (length, "Upgrade: h2c"),
                ("Content-Length: +4",),
                (length, "Bad header: 1"),
                (length, " folded"),
            ]:
                answers = await _answers(url, _raw(b"null", *more))
                assert answers[:1] in ([400], [403]), (more, answers)
            assert await _answers(url, _raw(b"null", "Content-Length: 99999999")) == [413]
            assert await _answers(url, _raw(b"", "Padding: " + "x" * 90_000)[:-4]) == [431]
            assert await daemon.counted("taken") == 0


async def test_a_wrong_secret_ends_the_connection_and_is_told_to_no_redirect(stage: Stage) -> None:
    wrong = _raw(b"", "Content-Length: 0", target="/callbacks/routee/main?secret=no")
    with guarded():
        async with stage.daemon() as daemon:
            assert await _answers(daemon.running.url, wrong, wrong, wrong) == [401]
            answer = await daemon.client.post(f"/callbacks/routee/main/?secret={SECRET}", content=b"null")
            assert (answer.status_code, "location" in answer.headers) == (404, False)
            bearer = {"authorization": "Bearer the-token-of-the-listener"}
            answer = await daemon.client.get("/rules/", headers=bearer)
            assert (answer.status_code, "location" in answer.headers) == (404, False)


async def test_a_head_that_drips_is_cut_off_also_on_a_connection_of_callbacks(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "DEFAULT_LIMITS", Limits(idle_seconds=0.5))
    monkeypatch.setitem(server.serve.__kwdefaults__, "limits", server.DEFAULT_LIMITS)
    with guarded():
        async with stage.daemon() as daemon:
            for before in (b"", _plain()):
                began = trio.current_time()
                async with await connect(daemon.running.url) as stream:
                    with suppress(trio.BrokenResourceError):
                        await stream.send_all(before + _plain()[:60])
                        while trio.current_time() - began < 5:
                            with trio.move_on_after(0.1):
                                if not await stream.receive_some():
                                    break
                            await stream.send_all(b"x")
                assert trio.current_time() - began < 3


async def test_bare_newlines_are_handed_on_at_once(stage: Stage) -> None:
    with guarded():
        async with stage.daemon() as daemon:
            answers = await _answers(daemon.running.url, _plain().replace(b"\r\n", b"\n"))
            assert answers == [200]


async def test_a_reload_changes_the_secret_and_takes_the_path_away(stage: Stage) -> None:
    path = stage.folder / "monitor.yaml"
    with guarded():
        reloads = Reloads(path, {})
        async with stage.daemon(reloads) as daemon:
            for old, new, expected in [
                (SECRET, "another-secret", 401),
                (', callback_secret: "another-secret"', "", 404),
            ]:
                text = path.read_text()
                assert old in text
                path.write_text(text.replace(old, new))
                reloads.request()
                with trio.fail_after(GUARD):
                    while (await daemon.push(pushed())).status_code != expected:
                        await trio.sleep(0.05)


async def test_the_local_routee_pushes_what_polls_then_find_as_it_is(stage: Stage) -> None:
    with guarded():
        async with stage.daemon() as daemon, trio.open_nursery() as nursery:
            url = f"{daemon.running.url}/callbacks/routee/main?secret={SECRET}"
            pusher = CallbackPusher(stage.routee.sandbox, url, pause=0.01)
            nursery.start_soon(pusher.run)
            await trio.sleep(0.05)
            now = stage.clock.now()
            ids = [stage.routee.sandbox.put(sms("Sent", now + SECOND // 2)) for _ in range(20)]
            await until(lambda: pusher.outcomes["taken"] == 20, "the reports")
            stage.routee.sandbox.change(ids[0], "Undelivered", stage.clock.now() + SECOND // 2)
            await until(lambda: pusher.outcomes["taken"] == 21, "the change")
            assert daemon.running.pipeline.accounts["main"].evaluator.window.messages == 20
            nursery.cancel_scope.cancel()


async def test_the_local_routee_tries_five_times(stage: Stage) -> None:
    with guarded():
        async with (
            webhook(*(Answer(503) for _ in range(3))) as twice,
            webhook(*(Answer(500) for _ in range(9))) as never,
        ):
            for hook, outcome, tries in [(twice, "taken", 4), (never, "lost", 5)]:
                sandbox = stage.routee.sandbox
                async with trio.open_nursery() as nursery:
                    pusher = CallbackPusher(sandbox, hook.url, pause=0.01)
                    nursery.start_soon(pusher.run)
                    await trio.sleep(0.05)
                    sandbox.put(sms("Sent", stage.clock.now() + SECOND // 2))
                    await until(lambda: pusher.outcomes[outcome], outcome)  # noqa: B023 - awaited at once
                    nursery.cancel_scope.cancel()
                assert pusher.outcomes["tries"] == tries
                assert json.loads(hook.asked[-1].body)["status"]["name"] == "Sent"
