"""The pages of campaigns: their ids are Routee's data, and each is reached by its link."""

import re
from html import unescape
from urllib.parse import quote, unquote

import httpx
from markupsafe import escape
from plain_client import served

from monitor.config.monitor import Web
from monitor.daemon.http.reloadable_app import ReloadableApp
from monitor.model.routee_query import AccountBalance, CampaignState
from monitor.runtime.clock import MINUTE
from tests.fakes.daemon_reading import Reading
from tests.fakes.pipeline_harness import traffic

IDS = (
    "c-1",
    "spring/2026",
    "/begins/and/ends/",
    "100%",
    "a%2Fb",
    "%",
    "two words",
    " spaces ",
    "Ελλάδα-☃",
    "a?b=c&d#e",
    "a;b\\c",
    "<b>'\"",
    "..a",
    "+30~1",
)


async def campaigns(tmp_path) -> tuple[Reading, ReloadableApp]:
    reading = Reading(tmp_path / "monitor.db")
    rows = [row for one in IDS for row in traffic(1, 4, operator="Nova", campaign="Spring", campaignTrackingId=one)]
    await reading.harness.poll(rows)
    harness = reading.harness
    web = Web(external_url="https://sms.example.org/monitor")
    return reading, ReloadableApp(web, harness.settings.config, harness.pipeline, harness.front, reading.reader)


async def test_each_campaign_is_reached_by_its_link_whatever_its_id_is(tmp_path):
    reading, app = await campaigns(tmp_path)
    async with served(app) as url, httpx.AsyncClient(base_url=url, headers={"accept": "text/html"}) as browser:
        page = (await browser.get("/campaigns")).text
        links = [unescape(one) for one in re.findall(r'href="/monitor(/campaigns/[^"]*)"', page)]
        for link in links:
            answer = await browser.get(link)
            shown = str(escape(unquote(link.removeprefix("/campaigns/"))))
            assert (answer.status_code, shown in answer.text) == (200, True), link
    reading.harness.store.close()
    assert sorted(one.removeprefix("/campaigns/") for one in links) == sorted(quote(one, safe="") for one in IDS)


async def test_the_api_has_each_under_its_encoded_id(tmp_path):
    reading, app = await campaigns(tmp_path)
    async with served(app) as url, httpx.AsyncClient(base_url=url) as client:
        listed = (await client.get("/api/v1/campaigns")).json()["items"]
        for wanted in IDS:
            one = await client.get(f"/api/v1/campaigns/{quote(wanted, safe='')}")
            assert (one.status_code, one.json()["summary"]["trackingId"]) == (200, wanted)
    reading.harness.store.close()
    assert {each["trackingId"] for each in listed} == set(IDS)


async def test_a_cost_is_as_of_the_latest_poll_and_says_how_many_prices_are_missing(tmp_path):
    reading = Reading(tmp_path / "monitor.db")
    rows = [{"campaignTrackingId": "c", "price": price} for price in (0.05, 0.07, None)]
    free = {"campaignTrackingId": "c", "direction": "Inbound", "price": None}
    await reading.harness.poll([row | {"messageId": f"m{n}"} for n, row in enumerate([*rows, free])])
    harness = reading.harness
    app = ReloadableApp(Web(), harness.settings.config, harness.pipeline, harness.front, reading.reader)
    async with served(app) as url, httpx.AsyncClient(base_url=url, headers={"accept": "text/html"}) as browser:
        early = (await browser.get("/campaigns/c")).text
        reading.clock.at += MINUTE
        await harness.poll([rows[2] | {"messageId": "m2", "price": 0.08}])
        account = harness.pipeline.accounts["main"].evaluator
        late = (await browser.get("/campaigns/c")).text
        account.account_state = account.account_state.with_balance(reading.clock.at, AccountBalance(9.0, "EUR"))
        named = (await browser.get("/campaigns/c")).text
        shown = (await browser.get("/api/v1/campaigns/c")).json()
    reading.harness.store.close()
    assert "at least 0.12 as of 18 Nov 12:00 UTC; 1 message has no price yet" in early
    assert "<dd>0.20 as of 18 Nov 12:01 UTC</dd>" in late
    assert "<dd>0.20 EUR as of 18 Nov 12:01 UTC</dd>" in named
    assert (shown["cost"], shown["unpriced"]) == (0.2, 0)


async def test_a_campaign_is_not_done_before_its_recipients_have_messages(tmp_path):
    reading = Reading(tmp_path / "monitor.db")
    rows = [{"status": status} for status in ("Delivered", "Undelivered", "Undelivered", "Queued")]
    await reading.harness.poll([row | {"operator": "Nova", "campaignTrackingId": "c"} for row in rows])
    harness = reading.harness
    state = CampaignState("c", "Spring", "Running", {}, recipients=12)
    account = harness.pipeline.accounts["main"]
    account.evaluator.account_state = account.evaluator.account_state.with_campaign(reading.clock.at, state)
    app = ReloadableApp(Web(), harness.settings.config, harness.pipeline, harness.front, reading.reader)
    async with served(app) as url, httpx.AsyncClient(base_url=url, headers={"accept": "text/html"}) as browser:
        listed, one = [(await browser.get(path)).text for path in ("/campaigns", "/campaigns/c")]
    harness.store.close()
    assert '25%</progress> 25% <span class="soft">of 12</span>' in listed
    assert ">25%</progress>" in one
    assert re.findall(r"<dt>(Final.*?)</dt><dd[^>]*>(.*?)</dd>", one) == [("Final of 12", "25%")]
    assert one.count("33.3%") == 5, "what was delivered: at the top, and of the one value of each field"
    heads = re.findall(r"<th[^>]*>([^<]*(?:elivered|all messages|Share)[^<]*)</th>", listed + one)
    shares = set(heads) - {"Delivered", "Undelivered"}  # those are statuses
    assert shares == {"Delivered, of final", "Of all messages"}
