"""All pages say the same of since when something is wrong, and for how long, whenever it was evaluated last."""

import re
from pathlib import Path

import httpx
from plain_client import served

from monitor.config.monitor import Web
from monitor.daemon.http.reloadable_app import ReloadableApp
from monitor.model.format import datetime
from monitor.runtime.clock import MINUTE, SECOND
from tests.fakes.daemon_reading import AT_ONCE, RULES, Reading


async def test_the_pages_of_an_alert_and_its_incident_agree_on_since_when_and_how_long(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "monitor.db")
    await reading.fail()
    [alert] = (await reading.reader.alerts.page()).items
    reading.clock.at += 40 * SECOND
    harness = reading.harness
    app = ReloadableApp(Web(), harness.settings.config, harness.pipeline, harness.front, reading.reader)
    paths = ("/", f"/alerts/{alert.fingerprint}", f"/incidents/{alert.incident}")
    async with served(app) as url, httpx.AsyncClient(base_url=url, headers={"accept": "text/html"}) as browser:
        now, of_alert, of_incident = [(await browser.get(path)).text for path in paths]
    harness.store.close()
    assert alert.since < alert.starts_at, "it was pending first"
    assert "threshold crossed since 12:01 UTC" in now
    assert "Threshold crossed since</th><td>2026-11-18 12:01 UTC (2m40s)" in of_alert
    assert "Firing since</th><td>2026-11-18 12:02 UTC (1m40s)" in of_alert, "as `alerts` and webhooks count"
    assert "<dt>Threshold crossed since</dt><dd>2026-11-18 12:01:00 UTC</dd>" in of_incident
    assert [re.findall(r"<dt>Crossed for</dt><dd[^>]*>(.*?)</dd>", page) for page in (now, of_incident)] == [
        ["2m40s"]
    ] * 2


async def test_an_alert_that_waits_for_its_group_says_when_it_can_be_sent(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "monitor.db", RULES, AT_ONCE.replace("group_wait: 0s", "group_wait: 2m"))
    await reading.fail()
    fired = (await reading.reader.alerts.page()).items[0].starts_at
    harness = reading.harness
    app = ReloadableApp(Web(), harness.settings.config, harness.pipeline, harness.front, reading.reader)
    async with served(app) as url, httpx.AsyncClient(base_url=url, headers={"accept": "text/html"}) as browser:
        page = (await browser.get("/")).text
    harness.store.close()
    due = datetime(fired + 2 * MINUTE, "%H:%M:%S UTC")
    assert f"Nothing was sent yet; the receivers are ops, at {due} at the earliest" in page
