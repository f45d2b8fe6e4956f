"""Alerts that the store lost, of which receivers were told: they count as firing until they were looked for."""

import pytest

from monitor.dispatch.missing_alerts import MISSING_FOR
from monitor.runtime.clock import DAY, HOUR, MINUTE
from tests.fakes.operator_harness import AT_ONCE, RULES, OperatorHarness, payload
from tests.fakes.written import settings

WAITING = RULES.replace("    levels", "    for: 2m\n    levels")
APART = AT_ONCE.replace("group_by: [alertname]", "group_by: [...]")


async def test_it_is_not_told_as_over_before_it_was_looked_for() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.lose_alerts()
    await world.flush(5 * MINUTE)
    assert world.harness.reasons() == ["first"]
    await world.poll(Cosmote=4, Nova=4)
    await world.flush(5 * MINUTE)
    assert world.harness.reasons() == ["first", "new alerts"], "it goes on as the same alert"
    await world.poll(Cosmote=0, Nova=0)
    await world.flush(5 * MINUTE)
    assert sorted(payload(world.last)) == [("resolved", "Cosmote", "warning"), ("resolved", "Nova", "warning")]


async def test_its_end_is_told_if_it_does_not_come_back() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.lose_alerts()
    await world.flush(MISSING_FOR - 2 * MINUTE)
    await world.poll(Nova=0)
    assert world.harness.reasons() == ["first"]
    await world.flush(MISSING_FOR)
    assert world.harness.reasons() == ["first", "all resolved"]


async def test_it_is_not_told_again_meanwhile() -> None:
    often = AT_ONCE.replace("repeat_interval: 4h", "repeat_interval: 20m")
    world = OperatorHarness(config=often)
    await world.poll(Cosmote=4, Nova=4)
    await world.lose_alerts()
    await world.poll(Nova=4)
    [nova] = [one.fingerprint for one in world.harness.pipeline.every_alert() if one.state == "firing"]
    await world.harness.actions.acknowledge(nova, "Ann")
    for _ in range(2):
        await world.flush(20 * MINUTE)
    assert "repeat" not in world.harness.reasons(), "somebody takes care of the only one that is known to fire"
    await world.harness.actions.unacknowledge(nova)
    await world.flush(MINUTE)
    assert "repeat" in world.harness.reasons()


async def test_its_end_waits_for_the_interval_without_further_flushes() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.lose_alerts()
    began = world.clock.at
    await world.flush(MISSING_FOR - 2 * MINUTE)
    await world.poll(Nova=4)
    assert world.harness.reasons() == ["first", "new alerts"]
    await world.flush(MINUTE)
    assert world.clock.at == began + MISSING_FOR
    assert world.harness.pipeline.next_flush == world.clock.at + 4 * MINUTE
    await world.flush(4 * MINUTE)
    assert world.last.reason == "some resolved"


@pytest.mark.parametrize("then", [[4, 4, 4], [4, 0, 4, 4, 4]], ids=["fails on", "is well for a minute"])
async def test_it_goes_on_although_it_waits_anew_before_it_fires(then: list[int]) -> None:
    world = OperatorHarness(WAITING)
    for _ in range(12):
        await world.poll(Cosmote=4)
    await world.lose_alerts()
    for failing in then:
        await world.poll(Cosmote=failing)
    await world.flush(MISSING_FOR)
    assert world.harness.reasons() == ["first"]
    await world.poll(Cosmote=0)
    assert world.harness.reasons() == ["first", "all resolved"]
    assert payload(world.last) == [("resolved", "Cosmote", "warning")]


async def test_what_ends_beside_it_is_told_as_part_of_what_goes_on() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4, Nova=4)
    await world.lose_alerts("Cosmote")
    await world.flush(MINUTE)
    await world.poll(5 * MINUTE, Nova=0)
    assert (world.last.reason, world.last.status) == ("some resolved", "firing")
    assert payload(world.last) == [("resolved", "Nova", "warning")]
    await world.flush(2 * HOUR)
    assert (world.last.reason, world.last.status) == ("all resolved", "resolved")


async def test_a_storm_goes_on_that_was_told_of_it() -> None:
    world = OperatorHarness(config=APART)
    world.harness.most_groups = 3
    await world.restart()
    await world.poll(**{f"Operator {number}": 4 for number in range(6)})
    [storm] = [group for group in world.harness.pipeline.dispatcher.groups.values() if len(group.told) > 1]
    lost = next(
        dict(one.group)["operator"] for one in world.harness.store.load().alerts if one.fingerprint in storm.told
    )
    await world.lose_alerts(lost)
    await world.poll(**{f"Operator {number}": 8 for number in range(6, 12)})
    told = [(view.labels["operator"], view.severity) for notification in world.told for view in notification.alerts]
    assert {f"Operator {number}" for number in range(6, 12)} <= {operator for operator, _ in told}


async def test_reloads_do_not_put_its_end_off() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.lose_alerts()
    for _ in range(3):
        await world.flush(MISSING_FOR // 2)
        await world.harness.reload(settings(RULES, AT_ONCE))
    await world.flush(MINUTE)
    assert world.harness.reasons() == ["first", "all resolved"]


SHARED = 'store: "postgresql://u@127.0.0.1/db"\n'
OTHER = """  - {name: other, application_id: id2, application_secret: secret2}
searches:
  - {name: all2, account: other, every: 30s}
"""
OF_TWO = AT_ONCE.replace("searches:\n", OTHER)


@pytest.mark.parametrize("config", [AT_ONCE, AT_ONCE + SHARED, OF_TWO, OF_TWO + SHARED], ids=range(4))
async def test_a_message_of_it_that_can_be_edited_is_not_shown_as_over(config: str) -> None:
    slack = config.replace("{name: ops, console: [{}]}", "{name: ops, slack: [{channel: '#ops', token: xoxb-1}]}")
    world = OperatorHarness(config=slack)
    await world.poll(Cosmote=4)
    await world.ack("Cosmote")
    await world.flush(MINUTE)
    await world.lose_alerts()
    await world.flush(MINUTE)
    assert world.harness.reasons() == ["first", "acknowledged"]
    if "other" in config:
        world.clock.at += MINUTE
        await world.harness.poll([], "all2", "other")
        await world.flush(MINUTE)
        assert world.harness.reasons() == ["first", "acknowledged"]
        assert len(world.harness.store.load().acks) == 1
    await world.poll(Cosmote=4)
    assert world.last.status == "firing"
    assert not world.last.alerts[0].acknowledged_by, "it began anew, and has to be acknowledged again"


async def test_one_that_was_found_and_is_lost_once_more_counts_as_firing_for_an_hour_again() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.lose_alerts()
    await world.flush(10 * MINUTE)
    await world.poll(Cosmote=4)
    await world.flush(MISSING_FOR)
    before = world.harness.pipeline.dispatcher.missing
    await world.lose_alerts()
    world.harness.pipeline.dispatcher.missing = before
    await world.flush(5 * MINUTE)
    assert "all resolved" not in world.harness.reasons()
    await world.flush(MISSING_FOR)
    assert world.last.reason == "all resolved"


@pytest.mark.parametrize("back", [HOUR, DAY])
async def test_a_clock_that_is_set_back_does_not_put_its_end_off(back: int) -> None:
    world = OperatorHarness()
    world.clock.at += 10 * DAY
    await world.poll(Cosmote=4)
    await world.lose_alerts()
    await world.flush(MINUTE)
    await world.flush(-back)
    await world.flush(MISSING_FOR)
    assert world.harness.reasons() == ["first", "all resolved"]


async def test_its_end_is_told_although_only_another_account_is_polled() -> None:
    world = OperatorHarness(config=OF_TWO + SHARED)
    await world.poll(Cosmote=4)
    await world.lose_alerts()
    await world.flush(MINUTE)
    for _ in range(13):
        world.clock.at += 5 * MINUTE
        await world.harness.poll([], "all2", "other")
        await world.harness.pipeline.flush_due()
    assert world.harness.reasons() == ["first", "all resolved"]


async def test_its_acknowledgement_goes_with_its_account_to_another_daemon() -> None:
    world = OperatorHarness(config=OF_TWO + SHARED)
    await world.harness.poll([], "all2", "other")
    await world.poll(Cosmote=4)
    await world.ack("Cosmote")
    await world.lose_alerts()
    await world.flush(MINUTE)
    await world.harness.pipeline.release("main")
    world.clock.at += MINUTE
    await world.harness.poll([], "all2", "other")
    await world.flush(MINUTE)
    assert len(world.harness.store.load().acks) == 1
