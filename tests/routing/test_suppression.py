"""Silenced, inhibited, muted: never announced while so, left as it was told, and its end told all the same."""

import pytest

from monitor.routing.time_intervals import TimeInterval
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, parse_iso
from monitor.runtime.errors import NothingThere, StoreError
from tests.fakes.operator_harness import AT_ONCE, RULES, OperatorHarness

OUTAGE = (
    RULES
    + """
  - {name: Outage, kind: count, match: {status: Undelivered}, by: [operator], window: 1m, above: 6, severity: critical}
"""
)
INHIBITING = (
    AT_ONCE
    + """
inhibit_rules:
  - {source_matchers: ['alertname="Outage"'], target_matchers: ['alertname="Failing"'], equal: [operator]}
"""
)
MUTED = (
    AT_ONCE.replace(
        "group_wait: 0s",
        "group_wait: 0s, routes: [{matchers: ['alertname=\"Failing\"'], mute_time_intervals: [night]}]",
    )
    + """
time_intervals:
  - {name: night, time_intervals: [{times: [{start_time: "12:02", end_time: "12:30"}]}]}
"""
)


async def test_what_is_silenced_before_it_was_told_is_not_announced_and_is_when_the_silence_ends() -> None:
    world = OperatorHarness()
    await world.silence('operator="Cosmote"', 10 * MINUTE)
    await world.poll(Cosmote=8, Nova=4)
    assert world.to("ops") == [("first", [("Nova", "firing")])]
    await world.flush(9 * MINUTE - 1)
    assert len(world.told) == 1
    await world.flush(1)
    assert world.to("ops")[-1] == ("new alerts", [("Cosmote", "firing"), ("Nova", "firing")])


async def test_what_is_over_before_the_silence_ends_is_never_told() -> None:
    world = OperatorHarness()
    await world.silence('operator="Cosmote"')
    await world.poll(Cosmote=8)
    await world.poll(Cosmote=0)
    await world.flush(2 * HOUR)
    assert world.told == []
    assert world.harness.pipeline.dispatcher.groups == {}


async def test_what_was_told_and_is_silenced_is_neither_repeated_nor_changed_and_its_end_is_told() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.silence("operator=Cosmote", 20 * HOUR)
    await world.poll(5 * HOUR, Cosmote=8)
    await world.flush(5 * HOUR)
    assert len(world.told) == 1
    await world.poll(MINUTE, Cosmote=0)
    assert world.to("ops")[1:] == [("all resolved", [("Cosmote", "resolved")])]
    assert world.last.alerts[0].severity == "warning"


async def test_what_is_silenced_stands_in_its_groups_messages_as_it_was_told() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.silence("operator=Cosmote")
    await world.poll(5 * MINUTE, Cosmote=8, Nova=4)
    shown = {view.labels["operator"]: (view.labels["severity"], view.suppressed) for view in world.last.alerts}
    assert shown == {"Cosmote": ("warning", "silenced"), "Nova": ("warning", "")}
    await world.poll(5 * MINUTE, Cosmote=8, Nova=0)
    assert (world.last.reason, world.last.status) == ("some resolved", "firing")


async def test_when_the_silence_ends_an_escalation_is_told_at_once_and_a_repeat_that_was_due_too() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    silence = await world.silence("operator=Cosmote", 20 * HOUR)
    await world.poll(5 * HOUR, Cosmote=4)
    await world.harness.actions.expire_silence(silence)
    assert world.last.reason == "repeat"
    silence = await world.silence("operator=Cosmote", 20 * HOUR)
    await world.poll(MINUTE, Cosmote=8)
    await world.harness.actions.expire_silence(silence)
    assert world.last.reason == "escalated"


async def test_a_silence_changes_nothing_while_the_store_refuses_it() -> None:
    world = OperatorHarness()
    world.harness.store.failures = 1
    with pytest.raises(StoreError):
        await world.silence("operator=Cosmote")
    assert world.harness.pipeline.dispatcher.silences.all() == ()
    await world.poll(Cosmote=4)
    assert len(world.told) == 1


async def test_silences_come_back_after_a_restart_and_are_forgotten_five_days_after_their_end() -> None:
    world = OperatorHarness()
    one = await world.silence("operator=Cosmote", HOUR)
    await world.restart()
    await world.poll(Cosmote=4)
    assert world.told == []
    await world.flush(HOUR + 5 * DAY - 2 * MINUTE)
    assert [silence.id for silence in world.harness.pipeline.dispatcher.silences.all()] == [one]
    await world.flush(MINUTE)
    assert world.harness.pipeline.dispatcher.silences.all() == ()
    assert world.harness.store.load().silences == []


async def test_expiring_a_silence_that_is_not_there_says_so_and_one_that_is_over_stays_as_it_is() -> None:
    world = OperatorHarness()
    with pytest.raises(NothingThere):
        await world.harness.actions.expire_silence("nowhere")
    one = await world.silence("operator=Cosmote", MINUTE)
    world.clock.at += HOUR
    before = world.harness.pipeline.dispatcher.silences.get(one)
    await world.harness.actions.expire_silence(one)
    assert world.harness.pipeline.dispatcher.silences.get(one) == before


async def test_a_recurring_silence_is_looked_at_when_its_time_begins_and_ends() -> None:
    world = OperatorHarness()
    noon = parse_iso("2026-11-18T12:00:00Z")
    await world.silence("operator=Cosmote", DAY, during=TimeInterval(times=((0, 12 * 60 + 5),)))
    await world.poll(Cosmote=4)
    assert world.told == []
    assert world.harness.pipeline.next_flush == noon + 2 * MINUTE
    await world.flush(4 * MINUTE)
    assert world.to("ops") == [("first", [("Cosmote", "firing")])]


async def test_an_inhibited_alert_is_not_announced_until_what_inhibits_it_is_over() -> None:
    world = OperatorHarness(OUTAGE, INHIBITING)
    await world.poll(Cosmote=8, Nova=4)
    assert {(view.name, view.labels["operator"]) for one in world.told for view in one.alerts} == {
        ("Outage", "Cosmote"),
        ("Failing", "Nova"),
    }
    await world.poll(5 * MINUTE, Cosmote=4, Nova=4)
    assert ("new alerts", [("Cosmote", "firing"), ("Nova", "firing")]) in world.to("ops")


async def test_an_alert_that_was_told_and_is_inhibited_then_tells_its_end() -> None:
    world = OperatorHarness(OUTAGE, INHIBITING)
    await world.poll(Cosmote=4)
    await world.poll(Cosmote=8)
    assert [one.group_labels["alertname"] for one in world.told] == ["Failing", "Outage"]
    await world.poll(HOUR, Cosmote=0)
    assert {(one.group_labels["alertname"], one.reason) for one in world.told[2:]} == {
        ("Failing", "all resolved"),
        ("Outage", "all resolved"),
    }


async def test_a_route_at_its_quiet_time_announces_nothing_and_is_looked_at_each_minute() -> None:
    world = OperatorHarness(config=MUTED)
    await world.poll(MINUTE, Cosmote=4)
    await world.poll(MINUTE, Cosmote=4, Nova=4)
    await world.flush(10 * MINUTE)
    assert world.to("ops") == [("first", [("Cosmote", "firing")])]
    assert world.harness.pipeline.next_flush == world.clock.at + MINUTE
    await world.poll(MINUTE, Cosmote=0, Nova=4)
    assert world.to("ops")[-1] == ("all resolved", [("Cosmote", "resolved")])
    await world.flush(20 * MINUTE + 30 * SECOND)
    assert world.to("ops")[-1] == ("first", [("Nova", "firing")])
