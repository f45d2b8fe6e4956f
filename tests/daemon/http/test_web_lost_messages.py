"""An alert that goes on because messages were lost says so wherever it is shown, and so do the probe and the first page."""

from pathlib import Path

from plain_client import ask, served

from monitor.config.monitor import Web
from monitor.daemon.http.reloadable_app import ReloadableApp
from monitor.daemon.unread_messages import unread_messages
from monitor.model.format import datetime
from monitor.runtime.clock import MINUTE, Instant
from monitor.store.protocol import Cursor
from tests.fakes.daemon_reading import RULES, Reading

LOST = "were lost from the store, and are not read again from Routee yet"
UNREAD = "are not read from Routee yet"


async def lose(reading: Reading) -> Instant:
    """Loses all messages until now, and covers again what comes from then on."""
    harness, now = reading.harness, reading.clock.at
    evaluator = harness.pipeline.accounts["main"].evaluator
    harness.health.unread_messages(lambda: unread_messages(harness.pipeline.accounts.values()))
    evaluator.coverage.lost_to = now
    reading.clock.at += MINUTE
    await harness.sinks["main"].complete("all", Cursor("main", "all", reading.clock.at, now))
    return now


async def test_until_what_its_rule_looks_at_is_read_again_an_alert_says_why_it_goes_on(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "monitor.db", RULES.replace("    for: 1m\n", "    forget_after: 30m\n"))
    await reading.poll(Cosmote=5)
    reading.harness.health.searches([])
    app = ReloadableApp(
        Web(), reading.harness.settings.config, reading.harness.pipeline, reading.harness.front, reading.reader
    )
    async with served(app) as url:
        for lost in (False, True):
            before = await lose(reading) if lost else 0
            [alert] = (await reading.reader.alerts.page()).items
            assert alert.missing_before == (before or None)
            pages = [
                (await ask(url, path, Accept="text/html")).body.decode()
                for path in ("/", f"/alerts/{alert.fingerprint}", "/rules/Failing")
            ]
            assert [UNREAD in page for page in pages] == [lost] * 3
            ready = await ask(url, "/readyz")
            assert ready.status == 200
            assert (LOST in ready.body.decode()) == lost
        assert f"Messages of account main before {datetime(before)} {LOST}" in pages[0]
        assert "no alert of rules Failing, Volume ends" in pages[0]
        reading.clock.at += 5 * MINUTE
        await reading.harness.sinks["main"].complete("all", Cursor("main", "all", reading.clock.at, before))
        assert LOST not in (await ask(url, "/readyz")).body.decode(), "nothing is missing any more"
    reading.harness.store.close()


async def test_until_then_it_is_not_said_when_an_alert_ends_for_lack_of_data(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "monitor.db", RULES.replace("    for: 1m\n", "    forget_after: 30m\n"))
    await reading.poll(Cosmote=5)
    await reading.poll(10 * MINUTE)
    [alert] = (await reading.reader.alerts.page()).items
    assert alert.forgotten_at is not None
    await lose(reading)
    [alert] = (await reading.reader.alerts.page()).items
    assert (alert.forgotten_at, alert.no_data_since is None) == (None, False)
    reading.harness.store.close()
