"""While messages that rules wait for stay unread, although polls complete, an alert says so after a quarter of an hour."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from monitor.daemon.search_plan import plan_of
from monitor.ingest.poll.search_tasks import poll_search
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration, Instant, TrioClock
from monitor.runtime.errors import RouteeUnavailable
from monitor.store.protocol import Commit
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.tracking import FakeTracking
from tests.fakes.written import CONFIG, settings

NOW: Instant = 1_800_000_000 * SECOND
EVERY = "every: 30s"
SHALLOW = CONFIG.replace(EVERY, f"{EVERY}, resweep: [{{back: 5m, every: 30s}}]")
RULES = """\
rules:
  - {name: Day, kind: rate, window: 1d, above: 20%}
  - {name: Short, kind: count, window: 20m, above: 0}
"""
SHORT = RULES.replace("  - {name: Day, kind: rate, window: 1d, above: 20%}\n", "")


class Account:
    """An account of 5,000 messages a day, on a pipeline of its own, and a Routee that may refuse what is older than ``refused``."""

    def __init__(self, search: str = SHALLOW, rules: str = RULES) -> None:
        self.clock = TrioClock(NOW)
        self.search = search
        self.harness = PipelineHarness(settings(rules, search), self.clock)
        self.tracking = FakeTracking(self.clock)
        self.refused: Duration = 9 * DAY
        self.tracking.drift = self._refuse
        for number in range(5_000):
            self.tracking.send(f"m{number}", NOW - number * (DAY // 5_000) - SECOND, "Delivered")

    def _refuse(self) -> None:
        if self.tracking.asked[-1].start < self.clock.now() - self.refused:
            raise RouteeUnavailable("Routee answers 503", "503")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        evaluator = self.harness.pipeline.accounts["main"].evaluator
        [search] = self.harness.settings.config.searches
        poll = partial(poll_search, unread=partial(evaluator.unread, search.name))
        async with trio.open_nursery() as nursery:
            cursor = evaluator.coverage.cursors.get(search.name)
            nursery.start_soon(poll, plan_of(search), self.tracking, self.harness.sinks["main"], self.clock, cursor)
            yield
            nursery.cancel_scope.cancel()

    def firing(self) -> dict[str, str]:
        """By name, why each alert fires."""
        alerts = self.harness.pipeline.accounts["main"].evaluator.alerts
        return {rule: one.why for rule, some in alerts.items() for one in some.values() if one.state == "firing"}


@pytest.mark.parametrize("search", [SHALLOW, CONFIG], ids=["no resweep looks so far", "the default resweeps"])
async def test_what_stays_unread_is_told_after_a_quarter_of_an_hour_and_other_rules_go_on(
    autojump_clock: MockClock, search: str
) -> None:
    one = Account(search)
    one.refused = HOUR
    async with one.running():
        await one.clock.sleep(14 * MINUTE)
        assert set(one.firing()) == {"Short"}
        await one.clock.sleep(3 * MINUTE)
        assert set(one.firing()) == {"Short", "HistoryUnread"}
        assert "which rules look at, stay unread: Routee answers 503" in one.firing()["HistoryUnread"]
        assert " times)" not in one.firing()["HistoryUnread"], "these are the tries of one request of hundreds"
        await one.clock.sleep(10 * MINUTE)
        assert set(one.firing()) == {"HistoryUnread"}, "a rule of twenty minutes ends meanwhile"
        one.refused = 9 * DAY
        await one.clock.sleep(5 * MINUTE)
        assert one.firing() == {}


async def test_it_goes_on_over_a_restart_and_ends_once_all_is_read(autojump_clock: MockClock) -> None:
    one = Account()
    one.refused = HOUR
    async with one.running():
        await one.clock.sleep(20 * MINUTE)
    await one.harness.restart(settings(RULES, SHALLOW))
    async with one.running():
        await one.clock.sleep(5 * MINUTE)
        assert set(one.firing()) == {"HistoryUnread"}
        one.refused = 9 * DAY
        await one.clock.sleep(2 * MINUTE)
        assert one.firing() == {}


async def test_it_ends_where_no_rule_looks_at_it_any_more(autojump_clock: MockClock) -> None:
    one = Account()
    one.refused = HOUR
    async with one.running():
        await one.clock.sleep(20 * MINUTE)
        await one.harness.reload(settings(SHORT, SHALLOW))
        await one.clock.sleep(MINUTE)
        assert "HistoryUnread" not in one.firing()


async def test_messages_that_the_store_lost_are_missed_in_the_same_way(autojump_clock: MockClock) -> None:
    one = Account()
    async with one.running():
        await one.clock.sleep(5 * MINUTE)
    now = one.clock.now()
    one.harness.store.commit(Commit(forgotten=["main"], lost={"main": now}))
    await one.harness.restart(settings(RULES, SHALLOW))
    one.refused = HOUR
    async with one.running():
        await one.clock.sleep(17 * MINUTE)
        assert "HistoryUnread" in one.firing()


async def test_a_read_that_goes_on_for_long_is_no_trouble(autojump_clock: MockClock) -> None:
    one = Account()
    for number in range(40_000):
        one.tracking.send(f"more {number}", NOW - number * (DAY // 40_000) - SECOND, "Delivered")
    one.tracking.longest_page, one.tracking.latency = 300, 12.0
    async with one.running():
        for _ in range(12):
            await one.clock.sleep(2 * MINUTE)
            assert "HistoryUnread" not in one.firing()
        cursor = one.harness.pipeline.accounts["main"].evaluator.coverage.cursors["all"]
        assert cursor.covered_since > cursor.as_of - DAY, "it lasts"


@pytest.mark.parametrize("reach", ["7d", "30m"])
async def test_what_routee_has_no_more_is_not_waited_for(autojump_clock: MockClock, reach: str) -> None:
    one = Account(SHALLOW.replace(EVERY, f"{EVERY}, settle: 20m", 1), RULES.replace("1d", reach))
    async with one.running():
        await one.clock.sleep(19 * MINUTE)
        assert "HistoryUnread" not in one.firing()


async def test_a_read_that_begins_again_after_a_restart_is_no_trouble_while_it_comes_to_older_messages(
    autojump_clock: MockClock,
) -> None:
    narrow = CONFIG.replace("every: 30s", "every: 30s, filters: [{field: status, is: Delivered}]")
    one = Account(narrow, "rules:\n  - {name: Day, kind: count, window: 1d, above: 2000000, search: all}\n")
    one.tracking.longest_page, one.tracking.latency = 20, 9.0
    async with one.running():
        await one.clock.sleep(60 * MINUTE)
    await one.harness.restart(one.harness.settings)
    async with one.running():
        for _ in range(15):
            await one.clock.sleep(4 * MINUTE)
            assert "HistoryUnread" not in one.firing()
