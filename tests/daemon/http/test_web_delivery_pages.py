"""The pages of searches, receivers and history, through the listener."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from plain_client import served

from monitor.daemon.delivery_actions import DeliveryActions
from monitor.daemon.health import Health
from monitor.daemon.http.app import make_app
from monitor.daemon.http.delivery_pages import PER_PAGE, DeliveryPages
from monitor.daemon.http.html_pages import HtmlPages
from monitor.daemon.http.incident_pages import IncidentPages
from monitor.daemon.http.login_pages import LoginPages
from monitor.daemon.metrics import Metrics
from monitor.daemon.read.daemon_reader import DaemonReader
from monitor.runtime.clock import HOUR, MINUTE
from monitor.store.protocol import Commit, Pending
from monitor.store.sqlite import SqliteStore, open_sqlite
from tests.fakes.forms import hidden_fields, submit
from tests.fakes.hand_clock import HandClock
from tests.fakes.pipeline_harness import PipelineHarness, traffic
from tests.fakes.written import CONFIG, settings
from tests.store.store_samples import notification

RULES = "rules: [{name: Failing, kind: rate, by: [operator], window: 5m, above: 20%, min_messages: 5}]\n"
AT_ONCE = CONFIG.replace("group_wait: 10s", "group_wait: 0s")
HOSTILE = "</td><script>alert(1)</script>'\"&"
TOKEN = "a-web-token-of-many-letters"


class World:
    """A daemon's pipeline with a real store. Its receivers never send: the tests write what came of notifications."""

    def __init__(self, path: Path) -> None:
        self.clock = HandClock()
        self.store: SqliteStore = open_sqlite(path)
        self.harness = PipelineHarness(settings(RULES, AT_ONCE), self.clock, self.store)
        self.reader = DaemonReader(self.harness.pipeline, self.harness.front, lambda: self.harness.settings)

    async def poll(self, later: int = MINUTE, **failing: int) -> None:
        self.clock.at += later
        await self.harness.poll([row for name, bad in failing.items() for row in traffic(bad, operator=name)])

    def refuse_all(self, why: str) -> None:
        for row in self.store.outbox_rows("waiting", 1000):
            self.store.rejected(row.id, why, self.clock.at)

    @asynccontextmanager
    async def browser(self, token: str = "", *, protect: bool = False) -> AsyncIterator[httpx.AsyncClient]:
        html = HtmlPages()
        retry = DeliveryActions(self.harness.front, self.harness.pipeline.services).retry_dead_letters
        pages = DeliveryPages(self.reader, retry, token, html=html)
        own = [*pages.routes(), *IncidentPages(self.reader, html).routes()]
        apis = [*html.routes(), *LoginPages(token, html=html).routes(), *own]
        app = make_app(Health(), Metrics(self.clock), token=token, protect_reads=protect, apis=apis)
        async with (
            served(app) as url,
            httpx.AsyncClient(
                base_url=url, headers={"Accept": "text/html"}, follow_redirects=True, timeout=60
            ) as browser,
        ):
            yield browser


@pytest.fixture
async def world(tmp_path):
    made = World(tmp_path / "monitor.db")
    yield made
    made.store.close()


def text_of(answer: httpx.Response) -> str:
    assert len(answer.content) < 100_000
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", answer.text))


async def test_searches_say_how_fresh_they_are_and_stale_ones_are_shown_as_stale(world):
    async with world.browser() as browser:
        before = text_of(await browser.get("/searches"))
        await world.poll(Cosmote=0)
        fresh = text_of(await browser.get("/searches"))
        world.clock.at += 2 * HOUR
        stale = text_of(await browser.get("/searches"))
    assert "not polled yet" in before
    assert "stale" not in fresh
    assert "0s ago" in fresh
    assert " stale " in stale
    assert "2h ago older than it should be" in stale


async def test_receivers_say_what_waits_since_when_and_what_is_dead(world):
    await world.poll(Cosmote=5)
    async with world.browser() as browser:
        waiting = text_of(await browser.get("/receivers"))
        world.clock.at += 5 * MINUTE
        world.refuse_all(HOSTILE)
        dead = await browser.get("/receivers")
    assert "ops console/0 nothing sent yet – 1 0s ago 0" in waiting
    assert "There are none." in waiting
    assert "dead letters" in text_of(dead)
    assert "Failing" in text_of(dead)
    assert "<script>alert" not in dead.text
    assert "&lt;script&gt;alert(1)" in dead.text


@pytest.mark.parametrize("fields", ["notification", "channel", "receiver", "all"])
async def test_dead_letters_are_sent_again_by_a_button(world, fields):
    await world.poll(Cosmote=5)
    world.refuse_all("channel_not_found")
    [row] = world.store.outbox_rows("dead")
    data = {
        "notification": {"notification": str(row.id)},
        "channel": {"receiver": "ops", "channel": "console/0"},
        "receiver": {"receiver": "ops"},
        "all": {"do": "all"},
    }[fields]
    async with world.browser() as browser:
        page = await browser.get("/receivers")
        token = {"form_token": hidden_fields(page.text)["form_token"]}
        other = await browser.post("/receivers/retry", data=token | {"receiver": "other"})
        assert "0 notifications will be sent again." in text_of(other)
        answer = await browser.post("/receivers/retry", data=token | data)
    assert answer.url.path == "/receivers"
    assert "1 notification will be sent again." in text_of(answer)
    assert [one.id for one in world.store.outbox_rows("waiting")] == [row.id]


async def test_a_retry_says_what_cannot_be_sent_because_it_cannot_be_read(world):
    async with world.browser() as browser:
        page = await browser.get("/receivers?waiting=1&superseded=0&unreadable=2")
    assert "1 notification will be sent again. 2 cannot be sent: unreadable in the store." in text_of(page)


async def test_a_retry_that_cannot_be_is_refused_with_the_reason(world):
    await world.poll(Cosmote=5)
    world.refuse_all("channel_not_found")
    async with world.browser() as browser:
        token = {"form_token": hidden_fields((await browser.get("/receivers")).text)["form_token"]}
        for data, status, says in (
            ({"notification": "77"}, 404, "not a dead letter"),
            ({"notification": "1; DROP TABLE"}, 400, "should be the number"),
            ({"notification": "٣"}, 400, "should be the number"),
            ({"notification": "9" * 18}, 404, "not a dead letter"),
            ({}, 400, "ame a notification"),
        ):
            answer = await browser.post("/receivers/retry", data=token | data)
            assert (answer.status_code, says in answer.text) == (status, True), data
        assert (await browser.post("/receivers/retry", data={"do": "all"})).status_code == 403
    assert world.store.outbox_rows("waiting") == []


async def test_where_a_token_is_set_the_buttons_are_for_browsers_that_are_logged_in(world):
    await world.poll(Cosmote=5)
    world.refuse_all("channel_not_found")
    async with world.browser(TOKEN) as browser:
        out = await browser.get("/receivers")
        assert "Retry all" not in out.text
        assert "/login?next=/receivers" in out.text
        assert (await submit(browser, "/receivers/retry", {"do": "all"}, at="/login")).status_code == 403
        page = await submit(browser, "/login?next=/receivers", {"token": TOKEN})
        assert "Retry all" in page.text
        token = {"form_token": hidden_fields(page.text)["form_token"]}
        done = await browser.post("/receivers/retry", data=token | {"do": "all"})
    assert "1 notification will be sent again." in text_of(done)


async def test_the_address_that_the_notifications_had_before_leads_to_them(world):
    async with world.browser() as browser:
        moved = await browser.get("/history?receiver=ops&outcome=dead", follow_redirects=False)
        plain = await browser.get("/history", follow_redirects=False)
    assert (moved.status_code, moved.headers["location"]) == (308, "/notifications?receiver=ops&outcome=dead")
    assert (plain.status_code, plain.headers["location"]) == (308, "/notifications")


async def test_the_notifications_are_filtered_and_paged(world):
    await world.poll(Cosmote=5)
    more = [
        Pending("slack/0", notification(f"k{number}", episode=f"e{number}", receiver="other"))
        for number in range(3 * PER_PAGE)
    ]
    world.store.commit(Commit(outbox=more))
    async with world.browser() as browser:
        first = text_of(await browser.get("/notifications"))
        last = await browser.get("/notifications?page=4")
        beyond = await browser.get("/notifications?page=999")
        ops = text_of(await browser.get("/notifications?receiver=ops"))
        rule = text_of(await browser.get("/notifications?rule=Failing&outcome=waiting"))
        none = text_of(await browser.get("/notifications?outcome=dead"))
        hostile = await browser.get("/notifications", params={"receiver": HOSTILE, "rule": HOSTILE, "page": "x"})
    assert f"{3 * PER_PAGE + 1} notifications" in first
    assert "Page 1 of 4" in first
    assert last.text.count("<tr>") == beyond.text.count("<tr>") == 2
    assert "1 notification," in ops
    assert "Page" not in ops
    assert "1 notification," in rule
    assert "Failing firing, operator=Cosmote" in rule
    assert "No such notification." in none
    assert "<script>alert" not in hostile.text


async def test_a_page_whose_store_cannot_be_read_says_so_and_is_asked_for_again(world):
    world.store.close()
    async with world.browser() as browser:
        for path in ("/receivers", "/notifications", "/incidents/abc"):
            answer = await browser.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert re.search(r"The store .* cannot be used: [^.]*\. ", text_of(answer))
