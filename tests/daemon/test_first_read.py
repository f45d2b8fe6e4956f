"""How many requests a first start takes: where resweeps look as far back as the rules none more than before, else a few, once."""

import pytest
from test_unread_history import RULES, SHALLOW, Account
from trio.testing import MockClock

from monitor.runtime.clock import DAY, HOUR, MINUTE
from tests.fakes.written import CONFIG, settings

PAGES_OF_A_DAY = 3
NONE = "rules: []"
WEEK = RULES.replace("kind: rate, window: 1d", "kind: spike, window: 1h, baseline: {same_hour: 7d}").replace(
    "20%", "5x"
)


async def requests(search: str, rules: str) -> tuple[int, int]:
    """How many the first ten minutes take, and the three hours after them."""
    one = Account(search, rules)
    async with one.running():
        await one.clock.sleep(10 * MINUTE)
        first = len(one.tracking.asked)
        await one.clock.sleep(3 * HOUR)
        return first, len(one.tracking.asked) - first


@pytest.mark.parametrize("rules", [RULES, WEEK])
async def test_with_the_default_resweeps_rules_cost_no_request(autojump_clock: MockClock, rules: str) -> None:
    assert await requests(CONFIG, rules) == await requests(CONFIG, NONE)


async def test_with_shorter_resweeps_what_rules_look_at_is_read_once(autojump_clock: MockClock) -> None:
    (usual, usual_later), (first, later) = await requests(SHALLOW, NONE), await requests(SHALLOW, RULES)
    assert later == usual_later
    assert PAGES_OF_A_DAY <= first - usual <= PAGES_OF_A_DAY + 1


async def test_after_a_restart_nothing_is_read_a_second_time(autojump_clock: MockClock) -> None:
    found = []
    for rules in (NONE, RULES):
        one = Account(SHALLOW, rules)
        async with one.running():
            await one.clock.sleep(10 * MINUTE)
        before = len(one.tracking.asked)
        await one.harness.restart(settings(rules, SHALLOW))
        async with one.running():
            await one.clock.sleep(10 * MINUTE)
        found.append(len(one.tracking.asked) - before)
    assert found[0] == found[1]


async def test_a_rule_of_a_day_is_judged_by_the_day_at_the_end_of_that_read(autojump_clock: MockClock) -> None:
    one = Account(SHALLOW, RULES)
    evaluator = one.harness.pipeline.accounts["main"].evaluator
    one.tracking.latency = 1.0
    async with one.running():
        await one.clock.sleep(2 * MINUTE)
        cursor = evaluator.coverage.cursors["all"]
        assert cursor.covered_since <= cursor.as_of - DAY
        assert not evaluator.waits_for("all", one.clock.now())
