"""A longer rule that is added together with a longer ``retention`` waits until what was dropped before is read again."""

import pytest
import trio
from trio.testing import MockClock

from monitor.runtime.clock import DAY, HOUR, MINUTE, TrioClock
from tests.daemon.test_unread_history import NOW, SHALLOW, Account
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.written import CONFIG, settings

ONE = "rules:\n  - {name: Short, kind: count, window: 20m, above: 100000}\n"
TWO = (
    ONE
    + "  - {name: TooFew, kind: count, window: 4h, below: 700}\n  - {name: Many, kind: count, window: 4h, above: 820}\n"
)
BRIEF = "\nretention: 1h\n"


async def _sends(one: Account) -> None:
    for number in range(10_000, 20_000):
        one.tracking.send(f"m{number}", one.clock.now(), "Delivered")
        await one.clock.sleep(DAY // 5_000)


@pytest.mark.parametrize("how", ["reload", "restart"])
@pytest.mark.parametrize("search", [SHALLOW, CONFIG], ids=["no resweep looks so far", "the default resweeps"])
async def test_what_was_dropped_is_read_again_before_a_longer_rule_is_judged(
    autojump_clock: MockClock, search: str, how: str
) -> None:
    one = Account(search + BRIEF, ONE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_sends, one)
        async with one.running():
            await one.clock.sleep(3 * HOUR + 17 * MINUTE)
            if how == "reload":
                await one.harness.reload(settings(TWO, search))
                await _is_judged_truly(one)
        if how == "restart":
            await one.harness.restart(settings(TWO, search))
            async with one.running():
                await _is_judged_truly(one)
        nursery.cancel_scope.cancel()


async def _is_judged_truly(one: Account) -> None:
    for _ in range(20):
        await one.clock.sleep(MINUTE)
        assert "TooFew" not in one.firing(), one.firing()
    assert "Many" in one.firing(), "all of them are there again"
    asked = len(one.tracking.asked)
    await one.clock.sleep(20 * MINUTE)
    again = [each for each in one.tracking.asked[asked:] if each.start < one.clock.now() - 3 * HOUR]
    assert not again, "it is read once"


async def test_a_rule_that_looks_back_as_far_as_messages_are_kept_never_waits(autojump_clock: MockClock) -> None:
    clock = TrioClock(NOW)
    slow = "  - {name: slow, account: main, every: 30s}\n"
    two = CONFIG.replace("rules: [", f"{slow}rules: [") + "retention: 4h\n"
    rules = "rules:\n  - {name: TooFew, kind: count, window: 4h, below: 1}\n"
    harness = PipelineHarness(settings(rules, two), clock)
    evaluator = harness.pipeline.accounts["main"].evaluator
    for _ in range(2 * 60):
        now = clock.now()
        await harness.poll([{}], "slow", as_of=now - 20 * MINUTE)
        await harness.poll([{}], "all", as_of=now)
        assert all(evaluator.coverage.is_settled(rule) for rule in evaluator.rules.values())
        assert [evaluator.unread(search, now) for search in ("all", "slow")] == [0, 0]
        await clock.sleep(MINUTE)
    covered = [cursor.covered_since for cursor in evaluator.coverage.cursors.values()]
    assert max(covered) > NOW - 4 * HOUR, "older messages were dropped"
    for _ in range(5):  # nobody can poll the other one
        await clock.sleep(HOUR)
        await harness.poll([{}], "all")
        assert evaluator.unread("all", clock.now()) == 0, "what is dropped at once is not read"
        assert not evaluator.waits_for("all", clock.now())
