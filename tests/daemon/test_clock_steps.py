"""A machine's clock that is set, set right again, corrected by leap seconds, or put to sleep: nothing false is told, and no timer is lost."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import trio.testing

from monitor.routing.matchers import parse_matchers
from monitor.routing.silences import Silence
from monitor.runtime.clock import HOUR, MINUTE, SECOND, iso
from tests.fakes.town import EVERY, NOW, Town
from tests.fakes.written import CONFIG

RULES = """
rules:
  - {name: Failing, kind: rate, window: 10m, above: 20%, for: 2m}
  - {name: Few, kind: count, window: 10m, below: 5}
  - {name: Silent, kind: absence, by: [status], window: 10m, active_in: 1h}
  - {name: Many, kind: spike, window: 5m, baseline: {window: 30m, ago: 5m}, above: 3x}
"""
ROUTES = CONFIG.replace("repeat_interval: 4h", "repeat_interval: 20m") + "watchdog: {receiver: ops, every: 10m}\n"
Step = Callable[[Town], None]


def set_by(off: int) -> Step:
    def act(town: Town) -> None:
        town.wall.off += off

    return act


def asleep(duration: int) -> Step:
    return lambda town: town.sleep_through(duration)


STORIES: dict[str, list[Step]] = {
    "three hours ahead": [set_by(3 * HOUR)],
    "three hours back": [set_by(-3 * HOUR)],
    "ahead and right again": [set_by(3 * HOUR), set_by(-3 * HOUR)],
    "back and right again": [set_by(-3 * HOUR), set_by(3 * HOUR)],
    "to local time and back, as some do in spring and autumn": [set_by(HOUR), set_by(-HOUR), set_by(-HOUR), set_by(HOUR)],
    "a leap second": [set_by(-SECOND), set_by(SECOND)],
    "years": [set_by(-50 * 365 * 24 * HOUR), set_by(50 * 365 * 24 * HOUR)],
    "asleep": [asleep(2 * HOUR)],
    "asleep, and set at waking": [lambda town: (asleep(HOUR)(town), set_by(-HOUR)(town))[0]],
}  # fmt: skip


@pytest.fixture(params=STORIES)
def story(request: pytest.FixtureRequest) -> list[Step]:
    return STORIES[request.param]


async def test_where_all_is_well_only_the_watchdog_barks_and_polls_go_on_in_their_rhythm(
    story: list[Step], autojump_clock: trio.testing.MockClock
) -> None:
    town = Town(RULES, ROUTES)
    async with town.running():
        for step in story:
            await town.pass_(25 * MINUTE)
            step(town)
        await town.pass_(25 * MINUTE)
        slept = town.true.slept
    assert {view.name for one in town.harness.told for view in one.alerts} == {"Watchdog"}
    barked = [at for _, at in town.told("Watchdog")]
    assert all(after - before <= 10 * MINUTE + slept + SECOND for before, after in pairwise(barked))
    assert len(barked) >= 2.5 * (len(story) + 1) - 1
    assert all(after - before <= EVERY + slept + SECOND for before, after in pairwise(town.polls))
    assert len(town.polls) >= 24 * (len(story) + 1)


async def test_an_alert_is_told_once_repeated_in_time_and_over_in_time(
    story: list[Step], autojump_clock: trio.testing.MockClock
) -> None:
    town = Town(RULES, ROUTES)
    async with town.running():
        await town.pass_(2 * MINUTE)
        town.failing = True
        await town.pass_(12 * MINUTE)
        for step in story:
            step(town)
            await town.pass_(15 * MINUTE)
        slept = town.true.slept
        await town.pass_(20 * MINUTE)
        town.failing = False
        over = town.true.now()
        await town.pass_(20 * MINUTE)
    told = town.told("Failing")
    reasons = [reason for reason, _ in told]
    assert reasons == ["first", *["repeat"] * (len(told) - 2), "all resolved"]
    assert told[0][1] <= 12 * MINUTE
    assert 0 < NOW + told[-1][1] - over <= 16 * MINUTE
    gaps = [after - before for (_, before), (_, after) in pairwise(told[:-1])]
    assert gaps
    assert all(20 * MINUTE <= gap <= 20 * MINUTE + slept + EVERY for gap in gaps)
    assert not town.told("MonitorBlind")


@pytest.mark.parametrize("name", STORIES)
async def test_a_silence_lasts_as_long_as_it_was_meant_to(name: str, autojump_clock: trio.testing.MockClock) -> None:
    story = STORIES[name]
    town = Town(RULES)
    async with town.running():
        ends_at = NOW + (3 * HOUR if "asleep" in name else 80 * MINUTE)
        matchers = parse_matchers('alertname="Failing"')
        await town.harness.actions.put_silence(Silence("s", matchers, NOW, ends_at, "Ann", "why", NOW))
        town.failing = True
        await town.pass_(20 * MINUTE)
        for step in story:
            step(town)
            await town.pass_(8 * MINUTE)
        await town.pass_(ends_at + MINUTE - town.true.now())
    [(reason, at)] = town.told("Failing")
    assert (reason, iso(NOW + at)[:16]) == ("first", iso(ends_at)[:16])


@pytest.mark.parametrize("off", [3 * HOUR, -3 * HOUR])
async def test_a_clock_that_was_wrong_from_the_start_is_put_right_and_judging_goes_on_at_once(
    off: int, autojump_clock: trio.testing.MockClock
) -> None:
    town = Town(RULES.replace("  - {name: Few, kind: count, window: 10m, below: 5}\n", ""), off=off)
    async with town.running():
        await town.pass_(10 * MINUTE)
        town.wall.off = 0
        await town.pass_(10 * MINUTE)
        assert town.clock.is_sure
        town.failing = True
        await town.pass_(10 * MINUTE)
        assert [reason for reason, _ in town.told("Failing")] == ["first"]
        town.failing = False
        await town.pass_(20 * MINUTE)
    assert [reason for reason, _ in town.told("Failing")] == ["first", "all resolved"]
