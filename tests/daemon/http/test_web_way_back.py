"""The pages below the first one lead back to it, and do not say that they are it."""

from pathlib import Path

import httpx
from plain_client import served

from monitor.config.monitor import Web
from monitor.daemon.http.reloadable_app import ReloadableApp
from tests.fakes.daemon_reading import Reading


async def test_the_pages_of_alerts_and_incidents_lead_back_to_the_first_page(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "monitor.db")
    await reading.fail()
    [alert] = (await reading.reader.alerts.page()).items
    paths = [f"/alerts/{alert.fingerprint}", f"/incidents/{alert.incident}"]
    harness = reading.harness
    app = ReloadableApp(Web(), harness.settings.config, harness.pipeline, harness.front, reading.reader)
    async with served(app) as url, httpx.AsyncClient(base_url=url, headers={"accept": "text/html"}) as browser:
        pages = [(await browser.get(path)).text for path in paths]
        while (await reading.reader.alerts.one(alert.fingerprint)).present is not None:
            await reading.poll(Cosmote=0)
        pages += [(await browser.get(path)).text for path in paths]
        first = (await browser.get("/")).text
    harness.store.close()
    assert "This alert is over" in pages[2]
    assert ['<p class="crumb"><a href="/">Now</a></p>' in page for page in pages] == [True] * 4
    assert ['aria-current="page"' in page for page in [*pages, first]] == [False] * 4 + [True]
