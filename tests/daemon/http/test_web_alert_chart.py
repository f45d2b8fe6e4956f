"""The chart on an alert's page shows the values of the alert, at the times at which it had them."""

import re
from pathlib import Path

import httpx
from plain_client import served

from monitor.config.monitor import Web
from monitor.daemon.http.reloadable_app import ReloadableApp
from tests.fakes.daemon_reading import AT_ONCE, RULES, Reading

SLOW = AT_ONCE.replace("group_interval: 5m", "group_interval: 1h")


async def page_of(reading: Reading, fingerprint: str) -> str:
    config = reading.harness.settings.config
    app = ReloadableApp(Web.model_construct(), config, reading.harness.pipeline, reading.harness.front, reading.reader)
    async with served(app) as url, httpx.AsyncClient(base_url=url, headers={"accept": "text/html"}) as browser:
        return (await browser.get(f"/alerts/{fingerprint}")).text


async def test_the_chart_of_a_resolved_alert_ends_when_it_resolved_however_much_later_it_is_drawn(
    tmp_path: Path,
) -> None:
    reading = Reading(tmp_path / "monitor.db", RULES, SLOW)
    await reading.fail()
    [alert] = (await reading.reader.alerts.page()).items
    while (over := (await reading.reader.alerts.one(alert.fingerprint)).present).state == "firing":
        await reading.poll(Cosmote=1)
    at_its_end = await page_of(reading, alert.fingerprint)
    for _ in range(4):
        await reading.poll(Cosmote=0)
    later = await page_of(reading, alert.fingerprint)
    reading.harness.store.close()
    assert over.value
    chart = re.compile(r'<svg class="chart".*?</svg>', re.DOTALL)
    assert chart.findall(later) == chart.findall(at_its_end) != []
    assert f">{over.value:.0%}</text>" in later, "its last value is the one in its sentence"


async def test_an_alert_of_which_nobody_was_told_shows_its_values_in_its_rules_unit(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "monitor.db", RULES, AT_ONCE.replace("group_wait: 0s", "group_wait: 6h"))
    await reading.fail()
    [alert] = (await reading.reader.alerts.page()).items
    for _ in range(8):
        await reading.poll(Cosmote=0)
    course = await reading.reader.alerts.one(alert.fingerprint)
    page = await page_of(reading, alert.fingerprint)
    reading.harness.store.close()
    assert course is not None
    assert (course.state, course.notifications) == ("resolved", ())
    [value] = [one.value for one in course.events if one.what == "fired"]
    assert value
    cells = re.findall(r'<td[^>]*class="n"[^>]*>([^<]*)</td>', page)
    assert f"{value:.0%}" in cells, "as the chart above it"
    assert str(value) not in cells
