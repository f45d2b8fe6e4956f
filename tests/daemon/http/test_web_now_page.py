"""The first page, through the listener: many viewers cost the store no more than one, and it is shown without the store too."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import trio
from plain_client import ask, served

from monitor.config.monitor import Web
from monitor.daemon.http.reloadable_app import ReloadableApp
from monitor.daemon.read.daemon_reader import DaemonReader
from monitor.model.format import datetime
from monitor.runtime.clock import MINUTE
from monitor.runtime.errors import StoreError
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import Store
from monitor.store.sqlite import open_sqlite
from tests.fakes.daemon_reading import AT_ONCE, RULES, Reading
from tests.fakes.hand_clock import HandClock
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.written import settings

T = TypeVar("T")


class CountingStore(AsyncStore):
    """Counts the calls; all of them take a moment, and fail once it is ``broken``."""

    calls = 0
    broken = False

    async def run(self, call: Callable[[Store], T]) -> T:
        self.calls += 1
        await trio.sleep(0.05)
        if self.broken:
            raise StoreError("the disk was full")
        return call(self._store)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[tuple[ReloadableApp, CountingStore]]:
    made = PipelineHarness(settings(), HandClock(), open_sqlite(tmp_path / "monitor.db"), fronted=CountingStore)
    assert isinstance(made.front, CountingStore)
    reader = DaemonReader(made.pipeline, made.front, lambda: made.settings)
    yield ReloadableApp(Web(), made.settings.config, made.pipeline, made.front, reader), made.front
    made.store.close()


async def test_many_viewers_cost_the_store_no_more_than_one(daemon: tuple[ReloadableApp, CountingStore]) -> None:
    app, store = daemon
    statuses = list[int]()

    async def view() -> None:
        statuses.append((await ask(url, "/", Accept="text/html")).status)

    async with served(app) as url, trio.open_nursery() as viewing:
        for _ in range(30):
            viewing.start_soon(view)
    assert statuses == [200] * 30
    assert store.calls == 2, "the latest changes, and what waits"


async def test_the_page_is_shown_while_the_store_cannot_be_read(daemon: tuple[ReloadableApp, CountingStore]) -> None:
    app, store = daemon
    store.broken = True
    async with served(app) as url:
        for number in ("1", "999999999999", "x"):
            answer = await ask(url, f"/?page={number}", Accept="text/html")
            assert answer.status == 200
            assert b"Nothing is firing" in answer.body


async def test_who_takes_care_of_an_alert_is_said_once(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "monitor.db")
    await reading.fail()
    harness = reading.harness
    [fingerprint] = [one.fingerprint for one in harness.pipeline.every_alert() if one.state == "firing"]
    await harness.actions.acknowledge(fingerprint, "Ann", "called them", None)
    app = ReloadableApp(Web(), harness.settings.config, harness.pipeline, harness.front, reading.reader)
    async with served(app) as url:
        page = (await ask(url, "/", Accept="text/html")).body.decode()
    harness.store.close()
    assert "Acknowledged by <strong>Ann</strong>: called them" in page
    assert page.count("called them") == 1


async def test_alerts_of_an_incident_that_nobody_takes_care_of_are_counted_beside_one_that_somebody_does(
    tmp_path: Path,
) -> None:
    reading = Reading(tmp_path / "monitor.db")
    for _ in range(3):
        await reading.poll(Cosmote=10, Nova=5)
    harness = reading.harness
    app = ReloadableApp(Web(), harness.settings.config, harness.pipeline, harness.front, reading.reader)
    async with served(app) as url:
        before = (await ask(url, "/", Accept="text/html")).body.decode()
        for name in ("Cosmote", "Nova"):
            [fingerprint] = [
                one.fingerprint for one in harness.pipeline.every_alert() if ("operator", name) in one.group
            ]
            await harness.actions.acknowledge(fingerprint, "Ann", "called them", None)
            if name == "Cosmote":
                during = (await ask(url, "/", Accept="text/html")).body.decode()
        after = (await ask(url, "/", Accept="text/html")).body.decode()
    harness.store.close()
    assert "1 more alert of this incident</summary>" in before
    assert "1 more alert of this incident, <strong>1 not acknowledged</strong></summary>" in during
    assert "1 more alert of this incident</summary>" in after


async def test_an_alert_below_its_threshold_says_on_the_first_page_why_it_fires_on(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "monitor.db", RULES.replace("    for: 1m\n", "    keep_firing_for: 10m\n"))
    await reading.poll(Cosmote=5)
    app = ReloadableApp(
        Web(), reading.harness.settings.config, reading.harness.pipeline, reading.harness.front, reading.reader
    )
    async with served(app) as url:
        crossed = await ask(url, "/", Accept="text/html")
        await reading.poll(6 * MINUTE, Cosmote=0)
        after = await ask(url, "/", Accept="text/html")
        [alert] = (await reading.reader.alerts.page()).items
        of_alert = await ask(url, f"/alerts/{alert.fingerprint}", Accept="text/html")
        of_incident = await ask(url, f"/incidents/{alert.incident}", Accept="text/html")
    assert alert.sentence.endswith("threshold 20%; no longer crossed, keeps firing")
    assert b"Threshold first crossed" in of_alert.body
    assert b"Threshold first crossed" in of_incident.body
    assert (b"Crossed for" in of_incident.body, b"Has lasted" in of_incident.body) == (False, True)
    assert b"Threshold crossed since" not in of_alert.body
    assert of_alert.body.count(b"although its threshold is no longer crossed (keep_firing_for)") == 1
    assert b"1 alert fires" in crossed.body
    assert b"keeps firing until" not in crossed.body
    assert b"keeps firing until" in after.body
    assert after.body.count(b"although its threshold is no longer crossed (keep_firing_for)") == 1
    assert b"threshold crossed since" in crossed.body
    assert b"threshold first crossed" in after.body
    assert b"threshold crossed since" not in after.body
    assert (b"<dt>Crossed for</dt>" in crossed.body, b"<dt>Crossed for</dt>" in after.body) == (True, False)
    reading.harness.store.close()


async def test_an_alert_that_is_held_for_lack_of_data_says_so_on_its_pages(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "monitor.db", RULES.replace("    for: 1m\n", "    forget_after: 30m\n"))
    await reading.poll(Cosmote=5)
    app = ReloadableApp(
        Web(), reading.harness.settings.config, reading.harness.pipeline, reading.harness.front, reading.reader
    )
    async with served(app) as url:
        seen = await ask(url, "/", Accept="text/html")
        await reading.poll(10 * MINUTE)
        after = await ask(url, "/", Accept="text/html")
        [alert] = (await reading.reader.alerts.page()).items
        of_alert = await ask(url, f"/alerts/{alert.fingerprint}", Accept="text/html")
        of_incident = await ask(url, f"/incidents/{alert.incident}", Accept="text/html")
        [present] = [one.present for one in [await reading.reader.alerts.one(alert.fingerprint)]]
    reading.harness.store.close()
    assert b"Threshold first crossed" in of_incident.body
    ends = reading.clock.at + 30 * MINUTE
    assert (present.no_data_since, present.forgotten_at) == (reading.clock.at, ends)
    assert b"ot enough data" not in seen.body
    assert f", ends at {datetime(ends, '%H:%M UTC')} unless there is again" in after.body.decode()
    assert b"crossed since" not in after.body
    assert f"the alert ends at {datetime(ends)} unless there is enough again" in of_alert.body.decode()
    assert b"Threshold first crossed" in of_alert.body


async def test_a_built_in_alert_has_its_severity_everywhere_and_no_link_to_a_rule(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "monitor.db")
    await reading.poll(Cosmote=0)
    harness = reading.harness
    await harness.sinks["main"].blind("all", harness.clock.now(), "503 from Routee")
    (alert,) = [one for one in harness.pipeline.every_alert() if one.rule == "MonitorBlind"]
    app = ReloadableApp(Web(), harness.settings.config, harness.pipeline, harness.front, reading.reader)
    async with served(app) as url:
        page = await ask(url, f"/alerts/{alert.fingerprint}", Accept="text/html")
        course = await ask(url, f"/api/v1/alerts/{alert.fingerprint}")
        await reading.poll(5 * MINUTE, Cosmote=0)
        await harness.sinks["main"].sighted("all")
        now = await ask(url, "/", Accept="text/html")
        over = await ask(url, f"/alerts/{alert.fingerprint}", Accept="text/html")
    assert b"MonitorBlind (critical)" in now.body
    assert b"MonitorBlind (warning)" not in now.body
    assert b"built in" in page.body
    assert b"This alert is over" in over.body
    assert b"/rules/MonitorBlind" not in now.body + page.body + over.body
    assert b'"severity":"critical"' in course.body.replace(b": ", b":")
    harness.store.close()


async def test_the_chart_has_an_alert_under_the_severity_that_it_had(tmp_path: Path) -> None:
    rules = RULES.replace("    for: 1m\n", "")
    reading = Reading(tmp_path / "monitor.db", rules)
    harness = reading.harness
    await reading.poll(Cosmote=5)
    await reading.poll(10 * MINUTE, Cosmote=0)
    await harness.reload(settings(rules.replace("severity: warning", "severity: critical"), AT_ONCE))
    app = ReloadableApp(Web(), harness.settings.config, harness.pipeline, harness.front, reading.reader)
    async with served(app) as url:
        page = (await ask(url, "/", Accept="text/html")).body
    harness.store.close()
    assert (b"Failing (warning)" in page, b"Failing (critical)" in page) == (True, False)
