"""The dead man's switch: exactly at its interval, over restarts, and only while all is well."""

import trio
from trio.testing import MockClock

from monitor.daemon.flush_timer import flush_when_due
from monitor.runtime.clock import HOUR, MINUTE, SECOND, TrioClock
from tests.fakes.operator_harness import AT_ONCE, TWO, OperatorHarness
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.written import settings

CONFIG = TWO + "watchdog: {receiver: oncall, every: 5m}\n"


async def test_it_comes_at_its_interval_whatever_else_happens_and_is_never_over() -> None:
    world = OperatorHarness(config=CONFIG)
    await world.flush()
    await world.silence("alertname=Watchdog", 5 * HOUR)
    for _ in range(20):
        await world.poll(MINUTE, Cosmote=4)
    assert [reason for reason, _ in world.to("oncall")] == ["first", *["repeat"] * 4]
    assert {one.status for one in world.told} == {"firing"}
    assert len({one.key for one in world.told}) == len(world.told)
    assert world.to("ops") == [("first", [("Cosmote", "firing")])]


async def test_a_restart_neither_repeats_nor_skips_it() -> None:
    world = OperatorHarness(config=CONFIG)
    await world.flush()
    await world.restart()
    await world.restart(config=AT_ONCE)
    world.clock.at += 4 * MINUTE
    await world.restart(config=CONFIG)
    assert len(world.told) == 1
    await world.flush(MINUTE)
    assert len(world.told) == 2
    assert len({one.episode for one in world.told}) == 1


async def test_it_stops_while_a_loop_is_stuck_and_goes_on_afterwards() -> None:
    world = OperatorHarness(config=CONFIG)
    await world.flush()
    health = world.harness.health
    health.expect("search all", MINUTE)
    health._beats["search all"] = -1e9  # as if it had not been heard of for ages
    await world.flush(HOUR)
    assert len(world.told) == 1
    assert world.harness.pipeline.next_flush == world.clock.at + 10 * SECOND
    health.beat("search all")
    await world.flush(10 * SECOND)
    assert len(world.told) == 2
    await world.flush(4 * MINUTE)
    assert len(world.told) == 2, "what was left out is not made up for"


async def test_a_clock_that_was_set_back_does_not_stop_it() -> None:
    world = OperatorHarness(config=CONFIG)
    await world.flush()
    await world.flush(-48 * HOUR)
    await world.flush(5 * MINUTE)
    assert len(world.told) == 3


async def test_it_needs_no_poll_and_keeps_its_beat(autojump_clock: MockClock) -> None:
    start = 1_795_280_824 * SECOND
    harness = PipelineHarness(settings(config=CONFIG), TrioClock(start))
    await harness.pipeline.begin()
    with trio.move_on_after(3600):
        await flush_when_due(harness.pipeline)
    assert [(one.created_at - start) / SECOND for one in harness.told] == [300.0 * i for i in range(12)]
