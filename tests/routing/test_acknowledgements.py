"""Acknowledged: not repeated, and everything else is told as ever."""

import pytest

from monitor.runtime.clock import HOUR, MINUTE, SECOND
from monitor.runtime.errors import NothingThere, StoreError
from tests.fakes.operator_harness import AT_ONCE, OperatorHarness

SLACK = AT_ONCE.replace(
    "console: [{}]", 'slack: [{channel: "#ops", token: xoxb-1}, {webhook_url: "https://hooks.example.org/1"}]'
)


async def test_an_acknowledged_alert_is_not_repeated_and_its_end_is_told() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.ack("Cosmote")
    await world.poll(9 * HOUR, Cosmote=4)
    assert len(world.told) == 1
    await world.poll(MINUTE, Cosmote=0)
    assert world.to("ops")[1:] == [("all resolved", [("Cosmote", "resolved")])]
    assert world.harness.store.load().acks == []


async def test_an_acknowledgement_for_a_time_ends_then_and_the_repeat_that_is_due_comes() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    until = world.clock.at + 5 * HOUR
    await world.ack("Cosmote", until)
    assert world.harness.pipeline.next_flush == until
    await world.flush(5 * HOUR - 1)
    assert len(world.told) == 1
    await world.flush(1)
    assert world.harness.reasons() == ["first", "repeat"]


async def test_a_group_is_repeated_for_the_sake_of_those_that_nobody_has_acknowledged() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4, Nova=4)
    await world.ack("Cosmote")
    await world.flush(4 * HOUR)
    assert world.last.reason == "repeat"
    assert {view.labels["operator"]: view.acknowledged_by for view in world.last.alerts} == {
        "Cosmote": "Ann",
        "Nova": "",
    }


async def test_new_alerts_of_the_group_are_told() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.ack("Cosmote")
    await world.poll(5 * MINUTE, Cosmote=4, Nova=4)
    assert world.last.reason == "new alerts"


async def test_an_escalation_is_told_and_ends_the_acknowledgement_for_good() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.ack("Cosmote")
    await world.poll(Cosmote=8)
    assert (world.last.reason, world.last.alerts[0].acknowledged_by) == ("escalated", "")
    await world.poll(5 * MINUTE, Cosmote=4)
    await world.flush(4 * HOUR)
    assert world.harness.reasons() == ["first", "escalated", "eased", "repeat"]


async def test_a_new_episode_is_not_acknowledged() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.ack("Cosmote")
    await world.poll(Cosmote=0)
    await world.poll(Cosmote=4)
    await world.flush(4 * HOUR)
    assert world.harness.reasons() == ["first", "repeat"]


async def test_it_comes_back_after_a_restart() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.ack("Cosmote")
    await world.restart()
    await world.flush(9 * HOUR)
    assert len(world.told) == 1


async def test_who_acknowledged_is_shown_where_a_message_can_be_edited_and_nowhere_else() -> None:
    world = OperatorHarness(config=SLACK)
    await world.poll(Cosmote=4)
    await world.ack("Cosmote")
    quiet = world.harness.store.outbox[2:]
    assert [(one.channel, one.notification.reason) for one in quiet] == [("slack/0", "acknowledged")]
    assert quiet[0].notification.alerts[0].acknowledged_by == "Ann"
    await world.harness.actions.unacknowledge(world.alert("Cosmote").fingerprint)
    assert [one.notification.alerts[0].acknowledged_by for one in world.harness.store.outbox[3:]] == [""]
    assert len({one.notification.key for one in world.harness.store.outbox}) == 3
    await world.flush(4 * HOUR - 1)
    assert world.last.reason == "acknowledged"
    await world.flush(SECOND)
    assert world.last.reason == "repeat"


async def test_what_does_not_fire_cannot_be_acknowledged_and_what_nobody_acknowledged_not_taken_back() -> None:
    world = OperatorHarness()
    with pytest.raises(NothingThere):
        await world.harness.actions.acknowledge("0123456789abcdef", "Ann")
    await world.poll(Cosmote=4)
    with pytest.raises(NothingThere):
        await world.harness.actions.unacknowledge(world.alert("Cosmote").fingerprint)
    with pytest.raises(ValueError, match="who gives it"):
        await world.harness.actions.acknowledge(world.alert("Cosmote").fingerprint, " ")
    with pytest.raises(ValueError, match="in the past"):
        await world.ack("Cosmote", world.clock.at)


async def test_nothing_is_acknowledged_while_the_store_refuses() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    world.harness.store.failures = 1
    with pytest.raises(StoreError):
        await world.ack("Cosmote")
    await world.flush(4 * HOUR)
    assert world.harness.reasons() == ["first", "repeat"]
