"""The tree in use: who is told through which route, and what becomes of it when routes, receivers and severities change."""

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


async def test_a_receiver_that_was_removed_and_came_back_hears_of_the_end() -> None:
    world = OperatorHarness(config=BY_SEVERITY)
    await world.poll(Cosmote=8)
    await world.restart(config=AT_ONCE)
    await world.poll(MINUTE, Cosmote=8)
    await world.restart(config=BY_SEVERITY)
    await world.poll(5 * MINUTE, Cosmote=0)
    assert world.to("oncall") == [("first", [("Cosmote", "firing")]), ("all resolved", [("Cosmote", "resolved")])]
