"""The page of an incident says what the API says: its alerts, what it cost, and where there is none, why."""

import httpx
from plain_client import served

from monitor.config.monitor import Web
from monitor.daemon.http.reloadable_app import ReloadableApp
from tests.fakes.daemon_reading import Reading


async def test_an_incident_has_a_page_with_what_it_cost(tmp_path):
    reading = Reading(tmp_path / "monitor.db")
    await reading.fail()
    [incident] = (await reading.reader.incidents.page()).items
    config = reading.harness.settings.config
    app = ReloadableApp(Web.model_construct(), config, reading.harness.pipeline, reading.harness.front, reading.reader)
    async with served(app) as url, httpx.AsyncClient(base_url=url, headers={"accept": "text/html"}) as browser:
        page = (await browser.get(f"/incidents/{incident.id}")).text
        missing = await browser.get("/incidents/none")
        nowhere = await browser.get("/nowhere")
    cost = (await reading.reader.incidents.one(incident.id)).cost
    reading.harness.store.close()
    assert cost.failed > 0
    assert "What it cost" in page
    assert f"As of 18 Nov 12:03 UTC. {cost.unpriced} of the failed messages have no price yet" in page
    assert f"{cost.failed} of {cost.final}" in page
    assert "Failing" in page
    assert missing.status_code == nowhere.status_code == 404
    assert "Nothing is known of such an incident." in missing.text
    assert "There is no such page." in nowhere.text
    assert "<main" in nowhere.text, "in the frame of the other pages"
