"""The morning report: once for each date, late after downtime, then left out; through restarts, reloads, failures and daylight saving time."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.config.settings import Settings
from monitor.daemon.morning_report import MorningReport
from monitor.dispatch.scheduled_report import KEY, LATEST
from monitor.model.notification import Notification
from monitor.runtime.clock import DAY, HOUR, MINUTE, Instant, iso, parse_iso
from monitor.runtime.errors import StoreError
from monitor.store.sqlite import SqliteStore, open_sqlite
from tests.fakes.hand_clock import HandClock
from tests.fakes.pipeline_harness import PipelineHarness, traffic
from tests.fakes.written import CONFIG, settings

RULES = "rules: [{name: Failing, kind: rate, by: [operator], window: 5m, above: 20%}]"
REPORT = 'report: {receiver: ops, at: "08:00", weekdays: [monday], time_zone: Europe/Athens}'
TWO = """receivers:
  - {name: ops, console: [{}]}
  - {name: people, console: [{}], webhook: [{url: "http://127.0.0.1:9/"}]}"""
SUNDAY: Instant = parse_iso("2026-11-29T12:00:00Z")
MONDAY: Instant = parse_iso("2026-11-30T06:00:00Z")
"""08:00 in Athens."""


class World:
    """A daemon's pipeline over a real store; each `restart` begins as after kill -9."""

    def __init__(self, path: Path, store: SqliteStore, now: Instant, report: str) -> None:
        self.path, self.clock = path, HandClock()
        self.clock.at = now
        self.harness = PipelineHarness(self.settings(report), self.clock, store)
        self.configure(report)

    def settings(self, report: str) -> Settings:
        config = CONFIG.replace("receivers:\n  - {name: ops, console: [{}]}", TWO)
        return settings(RULES, f"{config}store: sqlite://{self.path}\n{report}\n")

    def configure(self, report: str) -> None:
        self.now_settings = self.settings(report)
        configured = self.now_settings.config.report
        assert configured is not None
        self.report = MorningReport(configured, lambda: self.now_settings, self.harness.pipeline)

    async def reload(self, report: str) -> None:
        await self.harness.reload(self.settings(report))
        self.configure(report)

    async def restart(self, report: str = REPORT) -> None:
        await self.harness.restart(self.settings(report))
        self.configure(report)

    async def at(self, instant: Instant) -> int:
        """How many reports there are after the task has looked at that time, as often as it wants to look."""
        self.clock.at = instant
        while not await self.report.step():
            pass
        return len(self.sent)

    @property
    def sent(self) -> list[Notification]:
        """The reports in the outbox, oldest first."""
        rows = self.harness.store.outbox_rows(None, 100)
        return [row.notification for row in reversed(rows) if row.notification.group_key == KEY]


@contextmanager
def world(folder: Path, report: str = REPORT, now: Instant = SUNDAY) -> Iterator[World]:
    store = open_sqlite(folder / "monitor.db")
    try:
        yield World(folder / "monitor.db", store, now, report)
    finally:
        store.close()


async def test_it_is_sent_at_its_time_once_and_on_its_weekday_only(tmp_path: Path) -> None:
    with world(tmp_path) as one:
        await one.harness.poll(traffic(3, country="GR", operator="Cosmote"))
        assert await one.at(MONDAY - MINUTE) == 0
        assert await one.at(MONDAY) == 1
        assert await one.at(MONDAY + MINUTE) == 1
        assert await one.at(MONDAY + 6 * DAY) == 1
        assert await one.at(MONDAY + 7 * DAY) == 2
        first, second = one.sent
        assert first.digest is not None
        assert first.digest.document["since"] == iso(MONDAY - 7 * DAY)
        assert first.digest.document["until"] == iso(MONDAY)
        assert first.digest.document["total"]["failed"] == 3
        assert "70% of 10 messages delivered" in first.digest.summary
        assert first.key != second.key
        assert first.episode != second.episode
        assert one.harness.woken == 2


async def test_each_channel_of_the_receiver_gets_it(tmp_path: Path) -> None:
    with world(tmp_path, REPORT.replace("ops", "people")) as one:
        await one.at(SUNDAY)
        await one.at(MONDAY)
        channels = [row.channel for row in one.harness.store.outbox_rows(None, 100)]
        assert sorted(channels) == ["console/0", "webhook/0"]


async def test_a_restart_sends_it_neither_twice_nor_never(tmp_path: Path) -> None:
    with world(tmp_path) as one:
        assert await one.at(SUNDAY) == 0
        await one.restart()
        assert await one.at(MONDAY + HOUR) == 1, "the daemon was down when it was due"
        await one.restart()
        assert await one.at(MONDAY + 2 * HOUR) == 1


async def test_after_long_downtime_it_is_left_out_with_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with world(tmp_path) as one:
        await one.at(SUNDAY)
        with caplog.at_level(logging.WARNING, "monitor"):
            assert await one.at(MONDAY + LATEST + MINUTE) == 0
        assert caplog.messages == [f"the report of {iso(MONDAY)} is left out: it is 6h1m late"]
        assert await one.at(MONDAY + LATEST + 2 * MINUTE) == 0
        assert await one.at(MONDAY + 7 * DAY) == 1


async def test_of_several_that_were_missed_only_the_latest_is_sent(tmp_path: Path) -> None:
    with world(tmp_path, 'report: {receiver: ops, at: "06:00"}') as one:
        await one.at(SUNDAY)
        assert await one.at(MONDAY + 5 * DAY + HOUR) == 1
        [sent] = one.sent
        assert sent.digest is not None
        assert sent.digest.document["until"] == iso(MONDAY + 5 * DAY)
        assert sent.digest.document["since"] == iso(MONDAY + 4 * DAY), "a day, since it comes each day"


async def test_what_was_due_before_it_was_configured_is_not_sent(tmp_path: Path) -> None:
    with world(tmp_path, now=MONDAY + HOUR) as one:
        assert await one.at(MONDAY + HOUR) == 0
        assert await one.at(MONDAY + 7 * DAY) == 1


async def test_a_later_time_or_another_receiver_gives_no_second_report_on_a_date(tmp_path: Path) -> None:
    with world(tmp_path) as one:
        await one.at(SUNDAY)
        assert await one.at(MONDAY) == 1
        await one.reload(REPORT.replace("08:00", "09:00").replace("ops", "people"))
        assert await one.at(MONDAY + 2 * HOUR) == 1
        await one.restart(REPORT.replace("ops", "people"))
        assert await one.at(MONDAY + 3 * HOUR) == 1
        await one.at(MONDAY + 7 * DAY)
        assert [sent.receiver for sent in one.sent] == ["ops", "people", "people"], "two channels"
        await one.restart()
        assert len([group for group in one.harness.store.load().groups if group.key == KEY]) == 1


async def test_a_clock_that_is_set_back_sends_nothing_twice(tmp_path: Path) -> None:
    with world(tmp_path) as one:
        await one.at(SUNDAY)
        assert await one.at(MONDAY) == 1
        assert await one.at(MONDAY - 2 * HOUR) == 1
        assert await one.at(MONDAY) == 1


async def test_a_store_that_fails_leaves_it_due(tmp_path: Path) -> None:
    with world(tmp_path) as one:
        await one.at(SUNDAY)
        moved = tmp_path / "elsewhere.db"
        one.path.rename(moved)
        with pytest.raises(StoreError):
            await one.at(MONDAY)
        moved.rename(one.path)
        assert await one.at(MONDAY + MINUTE) == 1


@pytest.mark.parametrize(
    ("at", "day", "instants"),
    [
        ("03:30", "2026-03-28T12:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        ("03:30", "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
    ],
)
async def test_on_the_days_on_which_the_clocks_change_it_comes_once(
    tmp_path: Path, at: str, day: str, instants: list[str]
) -> None:
    start = parse_iso(day)
    with world(tmp_path, f'report: {{receiver: ops, at: "{at}", time_zone: Europe/Athens}}', start) as one:
        for minute in range(0, 2 * 24 * 60, 15):
            await one.at(start + minute * MINUTE)
        assert [iso(sent.alerts[0].starts_at) for sent in one.sent] == [iso(parse_iso(one)) for one in instants]


async def test_its_span_can_be_chosen(tmp_path: Path) -> None:
    with world(tmp_path, REPORT.replace("}", ", since: 1d}")) as one:
        await one.at(SUNDAY)
        await one.at(MONDAY)
        assert one.sent[0].digest is not None
        assert one.sent[0].digest.document["since"] == iso(MONDAY - DAY)


async def test_the_task_waits_no_longer_than_until_it_is_due(tmp_path: Path) -> None:
    with world(tmp_path) as one:
        assert await one.report.step() == MONDAY - SUNDAY
