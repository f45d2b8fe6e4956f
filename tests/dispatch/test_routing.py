"""The tree in use: who is told through which route, and what becomes of it when routes, receivers and severities change."""

from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.runtime.clock import HOUR, MINUTE
from tests.fakes.operator_harness import AT_ONCE, TWO, OperatorHarness, payload

BY_SEVERITY = TWO.replace(
    "repeat_interval: 4h}", "repeat_interval: 4h, routes: [{matchers: ['severity=\"critical\"'], receiver: oncall}]}"
)
CONTINUED = BY_SEVERITY.replace("receiver: oncall}]", "receiver: oncall, continue: true}, {receiver: ops}]")


async def test_the_key_of_a_group_names_its_place_in_the_tree() -> None:
    world = OperatorHarness(config=BY_SEVERITY)
    await world.poll(Cosmote=8)
    assert world.last.group_key == '{}/{severity="critical"}:{alertname="Failing"}'
    assert [one.receiver for one in world.told] == ["oncall"]


async def test_an_alert_goes_to_every_route_that_continues() -> None:
    world = OperatorHarness(config=CONTINUED)
    await world.poll(Cosmote=8)
    assert {one.receiver for one in world.told} == {"ops", "oncall"}
    await world.poll(5 * MINUTE, Cosmote=0)
    assert (
        world.to("ops")
        == world.to("oncall")
        == [("first", [("Cosmote", "firing")]), ("all resolved", [("Cosmote", "resolved")])]
    )


async def test_an_alert_that_gets_worse_is_followed_where_it_was_told_and_told_where_it_goes_now() -> None:
    world = OperatorHarness(config=BY_SEVERITY)
    await world.poll(Cosmote=4)
    await world.poll(Cosmote=8)
    assert world.to("oncall") == [("first", [("Cosmote", "firing")])]
    assert [reason for reason, _ in world.to("ops")] == ["first", "escalated"]
    await world.poll(HOUR, Cosmote=8, Nova=8)
    await world.poll(5 * HOUR, Cosmote=0, Nova=8)
    assert world.to("ops")[2:] == [("all resolved", [("Cosmote", "resolved")])]
    ends = [payload(one) for one in world.told if one.receiver == "ops"][-1]
    assert ends == [("resolved", "Cosmote", "critical")]


async def test_two_routes_of_one_receiver_hand_an_alert_over_from_one_group_to_the_other() -> None:
    world = OperatorHarness(config=BY_SEVERITY.replace("receiver: oncall}]", "receiver: ops}]"))
    await world.poll(Cosmote=4)
    await world.poll(Cosmote=8)
    await world.flush(5 * MINUTE)
    assert [payload(one) for one in world.told] == [
        [("firing", "Cosmote", "warning")],
        [("firing", "Cosmote", "critical")],
        [("resolved", "Cosmote", "warning")],
    ]
    assert world.last.alerts[0].resolved_because == "moved"


async def test_an_alert_that_is_silenced_is_not_handed_over_and_stays_as_it_was_told() -> None:
    world = OperatorHarness(config=BY_SEVERITY.replace("receiver: oncall}]", "receiver: ops}]"))
    await world.poll(Cosmote=4)
    await world.silence("operator=Cosmote")
    await world.poll(Cosmote=8)
    await world.flush(5 * MINUTE)
    assert [payload(one) for one in world.told] == [[("firing", "Cosmote", "warning")]]


async def test_a_route_that_is_gone_tells_the_end_and_a_restart_with_the_same_routes_tells_nobody() -> None:
    world = OperatorHarness(config=BY_SEVERITY)
    await world.poll(Cosmote=8)
    await world.restart()
    await world.flush(MINUTE)
    assert len(world.told) == 1
    await world.restart(config=TWO)
    await world.poll(5 * MINUTE, Cosmote=0)
    assert world.to("oncall")[-1] == ("all resolved", [("Cosmote", "resolved")])
    assert world.harness.pipeline.dispatcher.groups == {}


EACH = AT_ONCE.replace("[alertname]", "[operator]")
OTHERS = (
    AT_ONCE,
    EACH,
    EACH.replace(
        "repeat_interval: 4h}", "repeat_interval: 4h, routes: [{matchers: [operator=Cosmote], receiver: ops}]}"
    ),
    AT_ONCE.replace(
        "repeat_interval: 4h}", "repeat_interval: 4h, routes: [{matchers: [operator=~.+], receiver: ops}]}"
    ),
)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("routes"), st.sampled_from(OTHERS)),
            st.tuples(st.just("poll"), st.sampled_from([0, 4])),
            st.tuples(st.just("later"), st.sampled_from([MINUTE, 5 * MINUTE, HOUR])),
        ),
        max_size=14,
    )
)
@settings(deadline=None, max_examples=60)
def test_each_firing_that_was_told_gets_one_end_however_the_routes_change(steps: list[tuple[str, Any]]) -> None:
    trio.run(_one_end_each, [*steps, ("poll", 0), ("later", HOUR), ("later", HOUR)])


async def _one_end_each(steps: list[tuple[str, Any]]) -> None:
    world = OperatorHarness()
    firing: set[str] = set()
    for what, how in steps:
        if what == "routes":
            await world.restart(config=how)
        elif what == "poll":
            await world.poll(Cosmote=how, Nova=4 - how)
        else:
            await world.flush(how)
    await world.poll(Cosmote=0, Nova=0)
    await world.flush(HOUR)
    for told in world.told:
        for status, operator, _ in payload(told):
            assert status == "firing" or operator in firing, f"{operator} gets a second end"
            firing = firing | {operator} if status == "firing" else firing - {operator}
    assert not firing
    assert world.harness.pipeline.dispatcher.groups == {}


async def test_a_receiver_that_was_removed_and_came_back_hears_of_the_end() -> None:
    world = OperatorHarness(config=BY_SEVERITY)
    await world.poll(Cosmote=8)
    await world.restart(config=AT_ONCE)
    await world.poll(MINUTE, Cosmote=8)
    await world.restart(config=BY_SEVERITY)
    await world.poll(5 * MINUTE, Cosmote=0)
    assert world.to("oncall") == [("first", [("Cosmote", "firing")]), ("all resolved", [("Cosmote", "resolved")])]
