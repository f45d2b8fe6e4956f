"""The morning report where several daemons share the accounts: each date has one, whichever account leads, and whoever holds it."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from monitor.config.settings import Settings
from monitor.daemon.morning_report import MorningReport
from monitor.daemon.pipeline import Pipeline
from monitor.dispatch.scheduled_report import KEY
from monitor.runtime.clock import DAY, HOUR, MINUTE, parse_iso
from monitor.store.sqlite import open_sqlite
from tests.daemon.test_shared_pipeline import CONFIG, RULES, Pair, reload
from tests.fakes.shared_worker import SHARED
from tests.fakes.written import settings

WITH_PEOPLE = CONFIG.replace("receivers: [", "receivers: [{name: people, console: [{}]}, ")
SEVEN = parse_iso("2026-11-18T07:00:00Z")
"""An hour before the report is due."""


class Stage:
    """Two daemons, the first with the account a and the second with b. What their reports are about is read from an empty store in a file."""

    def __init__(self, path: Path) -> None:
        self.path, self.pair = path, Pair()
        self.pair.clock.at = SEVEN

    async def start(self) -> "Stage":
        await self.pair.start()
        self.reports = [self.report_of(one.pipeline) for one in (self.pair.first, self.pair.second)]
        return self

    def report_of(self, pipeline: Pipeline, receiver: str = "ops") -> MorningReport:
        config = WITH_PEOPLE.replace("report: {receiver: ops", f"report: {{receiver: {receiver}")
        written: Settings = settings(RULES, config.replace(SHARED, f"store: sqlite://{self.path}"))
        assert written.config.report is not None
        return MorningReport(written.config.report, lambda: written, pipeline)

    async def led_by(self, account: str) -> None:
        for one in (self.pair.first, self.pair.second):
            await one.pipeline.led_by(account)

    async def sent(self, reports: Sequence[MorningReport] | None = None) -> list[str]:
        """Returns for which accounts reports were sent, after each daemon's task has done what there is to do now."""
        for report in self.reports if reports is None else reports:
            while not await report.step():
                pass
        return [one.account for one in self.pair.store.outbox if one.notification.group_key == KEY]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "monitor.db"
    with closing(open_sqlite(path)) as store:
        store.secret("recipients")
    return path


async def test_one_that_is_due_while_another_account_comes_to_lead_is_sent(path: Path) -> None:
    stage = await Stage(path).start()
    assert await stage.sent() == []
    await stage.pair.first.pipeline.release("a")
    stage.pair.clock.at += HOUR + MINUTE
    await stage.led_by("b")
    assert await stage.sent() == ["b"]


async def test_a_date_has_one_whichever_account_leads(path: Path) -> None:
    stage = await Stage(path).start()
    await stage.sent()
    stage.pair.clock.at += HOUR
    assert await stage.sent() == ["a"]
    for leading in ("b", "a", "b"):
        stage.pair.clock.at += MINUTE
        await stage.led_by(leading)
        assert await stage.sent() == ["a"]
    stage.pair.clock.at += DAY
    assert await stage.sent() == ["a", "b"]


async def test_another_receiver_gives_no_second_one_on_a_date_when_an_account_leads_again(path: Path) -> None:
    stage = await Stage(path).start()
    await stage.sent()
    await stage.led_by("b")
    stage.pair.clock.at += HOUR
    assert await stage.sent() == ["b"]
    await stage.pair.first.pipeline.release("a")
    await stage.pair.second.adopt("a")
    await stage.led_by("a")
    await reload(stage.pair.second, WITH_PEOPLE)
    later = stage.report_of(stage.pair.second.pipeline, "people")
    assert await stage.sent([later]) == ["b"]
    stage.pair.clock.at += DAY
    assert await stage.sent([later]) == ["b", "a"]


async def test_a_reload_reads_nothing_of_it_again(path: Path) -> None:
    stage = await Stage(path).start()
    await stage.sent()
    dispatcher = stage.pair.first.pipeline.dispatcher
    assert dispatcher.reported is not None
    await reload(stage.pair.first, CONFIG)
    assert stage.pair.first.pipeline.dispatcher is not dispatcher
    assert stage.pair.first.pipeline.dispatcher.reported is dispatcher.reported
