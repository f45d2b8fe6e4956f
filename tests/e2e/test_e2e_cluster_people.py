"""What people and Routee do at one worker, for alerts that another one holds: silences, acknowledgements, buttons, callbacks, pages."""

import json
import signal
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from e2e_cluster import ACCOUNTS, ROUTE, Cluster, cluster, taken, until_shared
from e2e_folder import account
from e2e_process import Daemon
from e2e_stage import SEARCH, put_operator
from e2e_store import window

from monitor.runtime.clock import HOUR, Instant, SystemClock, iso
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.open import open_store
from tests.fakes.forms import hidden_fields
from tests.fakes.postgresql import PostgresqlServer
from tests.fakes.slack import APP_TOKEN, TOKEN
from tests.fakes.slack_socket import slack_socket
from tests.fakes.waiting import guarded, until

pytestmark = pytest.mark.e2e

SECRET = "the-secret-of-callbacks"
WEB_TOKEN = "the-token-of-the-pages"


async def answered(url: str, body: object = None, *, method: str | None = None) -> Any:
    """The JSON, or the text, that a worker answers. Raises LookupError for another answer than 200."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)

    def ask() -> Any:
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                text = answer.read().decode()
                return json.loads(text) if "json" in answer.headers.get("content-type", "") else text
        except urllib.error.HTTPError as error:
            with error:
                raise LookupError(f"{error.code} {error.read().decode()}") from None

    return await trio.to_thread.run_sync(ask)


async def shown(process: Daemon, path: str, what: str) -> Any:
    """Waits until a worker's answer has a text; a change elsewhere is seen within seconds."""
    with guarded():
        while True:
            with suppress(LookupError):
                if what in str(found := await answered(process.url + path)):
                    return found
            await trio.sleep(0.1)


async def failing(town: Cluster, first: Daemon, second: Daemon) -> tuple[str, dict[str, Any]]:
    """One alert fires, and is told. Gives the account of the first worker that has it, and the alert as the second one shows it."""
    await until_shared(first, second)
    name = taken(first)[0]
    town.fail("Ends", [name])
    await town.until_firing("Ends", accounts=[name])
    await shown(second, "/api/v2/alerts", "Ends")
    [alert] = await answered(second.url + "/api/v2/alerts")
    assert alert["labels"] == {"alertname": "Failing", "operator": "Ends", "severity": "warning", "account": name}
    return name, alert


def planned_work(operator: str, now: Instant) -> dict[str, object]:
    """A silence as people send it."""
    return {
        "matchers": [{"name": "operator", "value": operator, "isRegex": False, "isEqual": True}],
        "startsAt": iso(now),
        "endsAt": iso(now + HOUR),
        "createdBy": "ann",
        "comment": "planned work",
    }


async def test_a_silence_that_is_made_elsewhere_silences(tmp_path: Path, postgresql: PostgresqlAddress) -> None:
    async with cluster(tmp_path, postgresql) as town, town.worker("first") as first, town.worker("second") as second:
        name, _ = await failing(town, first, second)
        made = await answered(second.url + "/api/v2/silences", planned_work("Begins", SystemClock().now()))
        await shown(first, "/api/v2/silences", made["silenceID"])
        town.fail("Begins", [name])
        await shown(first, "/api/v2/alerts?silenced=true&active=false", "Begins")
        town.mend("Ends", [name])
        await town.until_firing(accounts=[name])
        town.check_once(fired=1, resolved=1)
        await answered(second.url + f"/api/v2/silence/{made['silenceID']}", method="DELETE")
        await town.until_firing("Begins", accounts=[name])


async def test_a_silence_that_is_sent_while_its_worker_stops_is_answered_and_kept(
    tmp_path: Path, postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    def has_left() -> bool:
        return not postgresql_server.administer("SELECT 1 FROM routee_monitor.worker", database=postgresql.database)

    async with cluster(tmp_path, postgresql) as town, town.worker("first") as first:
        await until_shared(first)
        body = json.dumps(planned_work("Begins", SystemClock().now())).encode()
        host, port = first.url.removeprefix("http://").split(":")
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            head = f"POST /api/v2/silences HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            await stream.send_all(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body[:10])
            await shown(first, "/readyz", "ready")  # by now it has read that
            first.process.send_signal(signal.SIGTERM)
            await until(lambda: first.said("stopping"), "the worker to stop")
            with trio.move_on_after(0.5):  # less than what a request may take then
                while not await trio.to_thread.run_sync(has_left):
                    pass
            await stream.send_all(body[10:])
            answer = bytes(await stream.receive_some())
        with trio.fail_after(10):
            assert await first.process.wait() == 0
        assert answer.startswith(b"HTTP/1.1 200")
        with open_store(postgresql, read_only=True) as store:
            assert len(store.load().silences) == 1


async def test_an_acknowledgement_and_a_button_pressed_elsewhere_reach_the_holder(
    tmp_path: Path, postgresql: PostgresqlAddress
) -> None:
    async with slack_socket() as chat, cluster(tmp_path, postgresql) as town:
        chatting = {"channel": "#sms-ops", "token": TOKEN, "app_token": APP_TOKEN, "api_url": chat.web.api_url}
        [told] = json.loads(town.config("probe").read_text())["receivers"]
        town.more["receivers"] = [told, {"name": "chat", "slack": [chatting]}]
        town.more["route"] = ROUTE | {"receiver": "ops"}
        async with town.worker("first") as first, town.worker("second") as second:
            await chat.connected(2)
            _, alert = await failing(town, first, second)
            page = f"/api/v1/alerts/{alert['fingerprint']}/acknowledgement"
            known = await answered(second.url + page, {"by": "joe", "comment": "on it"})
            assert (await shown(first, page, "joe"))["comment"] == "on it"
            await answered(second.url + page, method="DELETE")
            await until_gone(first, page)
            await until_gone(second, page)
            await chat.press("acknowledge", known["fingerprint"])  # over the newest connection: the second worker's
            await shown(first, page, "Ann")


async def until_gone(process: Daemon, path: str) -> None:
    with guarded():
        while True:
            try:
                await answered(process.url + path)
            except LookupError:
                return
            await trio.sleep(0.1)


async def test_a_callback_for_another_workers_account_is_on_the_disk_when_it_is_answered_and_is_counted_there(
    tmp_path: Path, postgresql: PostgresqlAddress
) -> None:
    async with cluster(tmp_path, postgresql) as town:
        town.more["accounts"] = [account(town.urls[one], one) | {"callback_secret": SECRET} for one in ACCOUNTS]
        async with town.worker("first") as first, town.worker("second") as second:
            await until_shared(first, second)
            [name, *_] = taken(first)
            status = {"name": "Failed", "updatedDate": iso(SystemClock().now())}
            pushed = [
                {"messageId": f"m-{one}", "to": "+306900000001", "operator": "Cosmote", "status": status}
                for one in range(7)
            ]
            await answered(f"{second.url}/callbacks/routee/{name}?secret={SECRET}", pushed)
            await town.until_firing("Cosmote", accounts=[name])
            assert (await first.stop(), await second.stop()) == (0, 0)
        assert len(window(town.config("first"), name)) == 7
        with open_store(postgresql, read_only=True) as store:
            assert store.forwarded(ACCOUNTS, 10) == []


async def test_a_logout_at_one_worker_ends_the_session_at_all_and_for_good(
    tmp_path: Path, postgresql: PostgresqlAddress
) -> None:
    web = {"listen": "127.0.0.1:0", "token": WEB_TOKEN, "protect_reads": True}
    async with (
        cluster(tmp_path, postgresql, web=web) as town,
        town.worker("second") as second,
        httpx.AsyncClient(timeout=30) as browser,
    ):
        async with town.worker("first") as first:
            form = await browser.get(first.url + "/login")
            await browser.post(first.url + "/login", data=hidden_fields(form.text) | {"token": WEB_TOKEN})
            copied = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
            page = await browser.get(second.url + "/silences/new")
            assert page.status_code == 200, "who logs in at one is logged in at all"
            out = await browser.post(first.url + "/logout", data=hidden_fields(page.text))
            assert out.status_code == 303
            with guarded():
                while (await browser.get(second.url + "/silences/new", headers=copied)).status_code == 200:
                    await trio.sleep(0.1)
        async with town.worker("first") as first:
            assert (await browser.get(first.url + "/silences/new", headers=copied)).status_code == 401


async def test_every_worker_shows_all_alerts_and_who_holds_what(tmp_path: Path, postgresql: PostgresqlAddress) -> None:
    async with cluster(tmp_path, postgresql) as town, town.worker("first") as first, town.worker("second") as second:
        await until_shared(first, second)
        town.fail("Ends")
        await town.until_firing("Ends")
        for process in (first, second):
            await until_all_shown(process)
            page = await shown(process, "/", "Daemons")
            assert min(page.count(f":{one.process.pid}") for one in (first, second)) >= 1
            health = await answered(process.url + "/healthz")
            held = {one["name"].rpartition(":")[2]: one["accounts"] for one in health["fleet"]["workers"]}
            assert held == {str(first.process.pid): taken(first), str(second.process.pid): taken(second)}
            assert [one["account"] for one in health["fleet"]["accounts"]] == list(ACCOUNTS)
            assert (await answered(process.url + "/readyz"))["status"] == "ready"
            metrics = await answered(process.url + "/metrics")
            assert "routee_monitor_workers 2.0" in metrics
            mine = [name for name in ACCOUNTS if f'routee_monitor_lease_held{{account="{name}"}} 1.0' in metrics]
            assert mine == taken(process)
            config = str(town.config("first"))
            command = [sys.executable, "-m", "monitor", "status", "--config", config, "--url", process.url]
            screen = (await trio.run_process(command, capture_stdout=True)).stdout.decode()
            assert "4 firing" in screen
            assert f":{first.process.pid}" in screen
        alerts = await answered(second.url + "/api/v2/alerts")
        [foreign, *_] = [one for one in alerts if one["labels"]["account"] in taken(first)]
        assert "Ends" in await answered(f"{second.url}/alerts/{foreign['fingerprint']}")


async def until_all_shown(process: Daemon) -> None:
    with guarded():
        while len(await answered(process.url + "/api/v2/alerts")) < len(ACCOUNTS):
            await trio.sleep(0.1)


async def test_a_worker_that_holds_nothing_is_ready_and_shows_everything(
    tmp_path: Path, postgresql: PostgresqlAddress
) -> None:
    async with cluster(tmp_path, postgresql) as town:
        town.more |= {"accounts": [account(town.urls["athens"], "athens")], "searches": [SEARCH | {"every": "1s"}]}
        async with town.worker("first"), town.worker("second") as standby:
            put_operator(town.sandboxes["athens"], "Ends", failed=5)
            await until(town.told.firing, "the alert to be told")
            assert (await answered(standby.url + "/readyz")) == {"status": "ready", "reasons": []}
            page = await shown(standby, "/", "Ends")
            assert ">none<" in page
            for path in ("/rules", "/campaigns", "/silences", "/receivers", "/history"):
                assert "routee-monitor" in await answered(standby.url + path)
            assert "athens" in await answered(standby.url + "/searches")
            assert await standby.stop() == 0
