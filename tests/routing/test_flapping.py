"""Alerts that begin and end over and over: told as flapping, and over only once they have been calm."""

from monitor.model.alert import Alert
from monitor.routing.flapping import NEVER, USUAL, FlappingPolicy, RecentStarts, flapping, held_until
from monitor.runtime.clock import HOUR, MINUTE, SECOND
from monitor.runtime.pieces import at_once
from tests.fakes.operator_harness import OperatorHarness

NOW = 1_780_000_000_000_000


def alert(firing_at: int, resolved_at: int | None = None) -> Alert:
    state = "firing" if resolved_at is None else "resolved"
    because = None if resolved_at is None else "recovered"
    return Alert("main", "R", (), state, (), NOW, NOW, 1, firing_at, resolved_at, because)  # type: ignore[arg-type]  # the states are literals


def test_beginnings_within_an_hour_up_to_the_last_are_counted() -> None:
    one = alert(NOW)
    begun = RecentStarts([(one.fingerprint, NOW - HOUR), (one.fingerprint, NOW - HOUR + 1), (one.fingerprint, NOW - 1)])
    assert begun.times(one) == 3
    for _ in range(2):
        begun.take(at_once(begun.noting([one])))
    assert begun.times(one) == 3
    assert begun.times(alert(NOW + MINUTE)) == 3


def test_what_has_fired_for_an_hour_flaps_no_more_and_neither_does_what_begins_seldom() -> None:
    often = RecentStarts([(alert(0).fingerprint, NOW - i * MINUTE) for i in range(int(USUAL.begins))])
    assert flapping(often, alert(NOW), NOW) == int(USUAL.begins)
    assert flapping(often, alert(NOW), NOW + HOUR - 1) == int(USUAL.begins)
    assert flapping(often, alert(NOW), NOW + HOUR) == 0
    seldom = RecentStarts([(alert(0).fingerprint, NOW - i * MINUTE) for i in range(int(USUAL.begins) - 1)])
    assert flapping(seldom, alert(NOW), NOW) == 0


def test_what_flaps_is_the_configurations_to_say() -> None:
    times = [(alert(0).fingerprint, NOW - i * MINUTE) for i in range(6)]
    twice = RecentStarts(times, FlappingPolicy(begins=2, within=90 * SECOND, calm_for=MINUTE))
    assert flapping(twice, alert(NOW), NOW) == 2
    assert flapping(RecentStarts(times, NEVER), alert(NOW), NOW) == 0


def test_the_end_of_what_flapped_is_held_back_for_a_quarter_of_an_hour_or_one_round() -> None:
    begun = RecentStarts([(alert(0).fingerprint, NOW - i * 16 * MINUTE) for i in range(int(USUAL.begins))])
    over = alert(NOW, NOW + MINUTE)
    assert held_until(begun, over, NOW + MINUTE) == NOW + MINUTE + USUAL.calm_for
    assert held_until(begun, over, NOW + MINUTE + USUAL.calm_for) is None
    assert held_until(begun, over, NOW) is None  # a clock that was set back holds nothing up
    assert held_until(begun, alert(NOW, NOW + HOUR), NOW + HOUR) is None
    assert held_until(RecentStarts(), over, NOW + MINUTE) is None
    moments = (NOW - 50 * MINUTE, NOW - 6 * MINUTE, NOW - 4 * MINUTE, NOW - MINUTE, NOW)
    quick = RecentStarts([(alert(0).fingerprint, at) for at in moments])
    assert held_until(quick, over, NOW + MINUTE) == NOW + 4 * MINUTE
    assert held_until(quick, over, NOW + 4 * MINUTE) is None


def test_what_is_long_ago_is_forgotten() -> None:
    begun = RecentStarts([(alert(0).fingerprint, NOW - i * MINUTE) for i in range(int(USUAL.begins))])
    begun.sweep(NOW + HOUR)
    assert begun.times(alert(NOW)) == int(USUAL.begins)
    begun.sweep(NOW + 3 * HOUR)
    assert begun.times(alert(NOW)) == 1


ROUND = 10 * MINUTE


async def flap(world: OperatorHarness, times: int) -> None:
    """Begin and end so often, each told before the other comes."""
    for _ in range(times):
        await world.poll(5 * MINUTE, Cosmote=4)
        await world.poll(5 * MINUTE, Cosmote=0)


async def test_the_fourth_beginning_is_told_as_flapping_and_then_nothing_until_it_has_been_calm() -> None:
    world = OperatorHarness()
    await flap(world, 3)
    assert world.harness.reasons() == ["first", "all resolved"] * 3
    assert [view.flapping for one in world.told for view in one.alerts] == [0] * 6
    await flap(world, 3)
    assert world.harness.reasons()[6:] == ["first"]
    assert world.last.alerts[0].flapping == 4
    await world.flush(10 * MINUTE - 1)
    assert len(world.told) == 7
    await world.flush(1)
    assert world.harness.reasons()[7:] == ["all resolved"]
    assert world.harness.pipeline.dispatcher.groups == {}


async def test_flapping_is_seen_after_the_clock_was_set_back() -> None:
    world = OperatorHarness()
    await flap(world, 3)
    world.clock.at -= 24 * HOUR
    await flap(world, 1 + int(USUAL.begins))
    assert world.last.alerts[0].flapping == int(USUAL.begins)
    assert world.harness.reasons()[-1] == "first"


async def test_flapping_goes_on_over_a_restart_and_its_end_is_waited_for_exactly() -> None:
    world = OperatorHarness()
    await flap(world, 4)
    await world.restart()
    assert world.harness.reasons()[6:] == ["first"]
    assert world.harness.pipeline.next_flush == world.clock.at + ROUND
    await world.poll(10 * MINUTE - SECOND, Cosmote=4)
    await world.restart()
    assert len(world.told) == 7
    await world.poll(MINUTE, Cosmote=0)
    await world.flush(15 * MINUTE)
    assert world.harness.reasons()[7:] == ["all resolved"]


async def test_an_alert_that_flapped_and_then_fires_for_an_hour_ends_as_any_other() -> None:
    world = OperatorHarness()
    await flap(world, 3)
    await world.poll(5 * MINUTE, Cosmote=4)
    await world.poll(HOUR, Cosmote=4)
    await world.poll(5 * MINUTE, Cosmote=0)
    assert world.last.reason == "all resolved"


async def test_other_alerts_of_the_group_are_told_meanwhile_and_the_flapping_one_stands_there_as_firing() -> None:
    world = OperatorHarness()
    await flap(world, 4)
    await world.poll(MINUTE, Cosmote=0, Nova=4)
    assert world.to("ops")[-1] == ("new alerts", [("Nova", "firing"), ("Cosmote", "firing")])
    await world.poll(5 * MINUTE, Cosmote=0, Nova=0)
    assert world.to("ops")[-1] == ("some resolved", [("Cosmote", "firing"), ("Nova", "resolved")])
    await world.flush(USUAL.calm_for + SECOND)
    assert world.to("ops")[-1] == ("all resolved", [("Cosmote", "resolved")])


async def test_what_began_often_while_it_was_silenced_is_announced_as_flapping() -> None:
    world = OperatorHarness()
    await world.silence("operator=Cosmote")
    await flap(world, 5)
    assert world.told == []
    await world.poll(10 * MINUTE, Cosmote=4)
    assert [view.flapping for view in world.last.alerts] == [6]
