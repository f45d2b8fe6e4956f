"""Who is told what, and when: groups, escalation, limits, and the end of every alert that was told."""

from typing import Any

import pytest

from monitor.model.notification import Notification
from monitor.notify.render.alertmanager_payload import alertmanager
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND
from tests.fakes.hand_clock import HandClock
from tests.fakes.pipeline_harness import PipelineHarness, traffic
from tests.fakes.written import CONFIG, settings

RULES = """
rules:
  - name: Failing
    kind: rate
    by: [operator]
    window: 1m
    levels: [{above: 20%, severity: warning}, {above: 60%, severity: critical}]
"""
AT_ONCE = CONFIG.replace("group_wait: 10s", "group_wait: 0s")
WAITING = RULES.replace("    levels", "    for: 2m\n    levels")


class World:
    """A harness whose operators fail as the test says, a minute a poll."""

    def __init__(self, rules: str = RULES, config: str = AT_ONCE) -> None:
        self.clock = HandClock()
        self.harness = PipelineHarness(settings(rules, config), self.clock)

    async def poll(self, later: int = MINUTE, **failing: int | None) -> None:
        self.clock.at += later
        await self.harness.poll([row for name, bad in failing.items() for row in traffic(bad or 0, operator=name)])

    async def flush(self, later: int) -> None:
        self.clock.at += later
        await self.harness.pipeline.flush()

    async def restart(self, rules: str = RULES, config: str = AT_ONCE) -> None:
        await self.harness.restart(settings(rules, config))

    @property
    def told(self) -> list[Notification]:
        return self.harness.told

    @property
    def last(self) -> Notification:
        return self.told[-1]


def payload(notification: Notification) -> list[tuple[str, str, str]]:
    """(status, operator, severity) of each alert, as receivers that know alerts by their labels see it."""
    alerts: list[dict[str, Any]] = alertmanager(notification)["alerts"]
    return [(one["status"], one["labels"]["operator"], one["labels"]["severity"]) for one in alerts]


async def test_an_alert_that_is_over_before_its_first_notification_is_never_told() -> None:
    world = World(config=CONFIG.replace("group_wait: 10s", "group_wait: 2m"))
    await world.poll(Cosmote=4)
    await world.poll(Cosmote=0)
    await world.flush(HOUR)
    assert world.told == []
    assert world.harness.pipeline.dispatcher.groups == {}


async def test_an_alert_that_flaps_between_notifications_is_told_once() -> None:
    world = World()
    for bad in (4, 0, 4, 0, 4):
        await world.poll(Cosmote=bad)
    await world.flush(5 * MINUTE)
    assert world.harness.reasons() == ["first"]


async def test_the_end_is_told_where_the_group_is_pending_again_by_then() -> None:
    world = World(WAITING)
    for _ in range(3):
        await world.poll(Cosmote=4)
    await world.poll(Cosmote=0)
    await world.poll(5 * MINUTE, Cosmote=4)
    assert world.harness.reasons() == ["first", "all resolved"]
    assert payload(world.last) == [("resolved", "Cosmote", "warning")]
    assert world.last.alerts[0].ends_at == world.clock.at - 5 * MINUTE
    await world.poll(Cosmote=4)
    await world.poll(Cosmote=4)
    assert world.harness.reasons() == ["first", "all resolved", "first"]


async def test_the_end_is_told_where_a_pending_alert_came_and_went_before() -> None:
    world = World(WAITING)
    for bad in (4, 4, 4, 0, 4, 0):
        await world.poll(Cosmote=bad)
    await world.restart(WAITING)
    await world.flush(5 * MINUTE)
    assert payload(world.last) == [("resolved", "Cosmote", "warning")]


async def test_a_pending_alert_keeps_the_untold_end_over_a_restart() -> None:
    world = World(WAITING)
    for bad in (4, 4, 4, 0, 4):
        await world.poll(Cosmote=bad)
    await world.restart(WAITING)
    await world.flush(5 * MINUTE)
    assert payload(world.last) == [("resolved", "Cosmote", "warning")]


async def test_a_worse_level_is_told_at_once_and_ends_the_old_severity_in_the_same_payload() -> None:
    world = World()
    await world.poll(Cosmote=4)
    await world.poll(Cosmote=8)
    assert world.last.reason == "escalated"
    assert world.last.alerts[0].was_severity == "warning"
    assert payload(world.last) == [("resolved", "Cosmote", "warning"), ("firing", "Cosmote", "critical")]


async def test_after_the_clock_was_set_back_a_group_waits_for_its_interval_from_then_on() -> None:
    world = World()
    await world.poll(Cosmote=4)
    await world.poll(10 * MINUTE, Cosmote=4, Nova=4)
    await world.poll(Cosmote=4, Nova=4, Vodafone=4)
    assert world.harness.reasons() == ["first", "new alerts"]
    await world.flush(-5 * MINUTE)
    await world.flush(5 * MINUTE - SECOND)
    assert world.harness.reasons() == ["first", "new alerts"]
    await world.flush(SECOND)
    assert world.harness.reasons() == ["first", "new alerts", "new alerts"]


async def test_easing_waits_for_the_interval() -> None:
    world = World()
    await world.poll(Cosmote=8)
    await world.poll(Cosmote=4)
    assert world.harness.reasons() == ["first"]
    await world.flush(4 * MINUTE)
    assert world.last.reason == "eased"
    assert payload(world.last) == [("resolved", "Cosmote", "critical"), ("firing", "Cosmote", "warning")]


async def test_levels_of_ones_own_words_escalate_at_once_too() -> None:
    words = RULES.replace("severity: warning", "severity: annoying").replace("severity: critical", "severity: awful")
    world = World(words)
    await world.poll(Cosmote=4)
    await world.poll(Cosmote=8)
    assert world.harness.reasons() == ["first", "escalated"]


async def test_what_explains_an_escalation_is_of_the_poll_that_brought_it() -> None:
    world = World()
    await world.poll(Cosmote=4)
    await world.poll(Cosmote=8)
    view = world.last.alerts[0]
    assert (view.value, view.history[-1]) == (0.8, 0.8)
    assert len(view.samples) == 5
    assert all(sample.date == world.clock.at for sample in view.samples)


async def test_an_alert_that_ends_is_told_as_it_was_told_last_although_labels_have_changed_since() -> None:
    world = World(RULES + "    labels: {team: sms}\n")
    await world.poll(Cosmote=4)
    await world.restart(RULES + "    labels: {team: voice}\n")
    await world.poll(5 * MINUTE, Cosmote=0)
    assert world.last.alerts[0].labels["team"] == "sms"


async def test_a_rule_that_is_gone_ends_its_alerts_under_the_labels_they_had() -> None:
    world = World(RULES + "    labels: {team: sms}\n")
    await world.poll(Cosmote=8)
    world.clock.at += 5 * MINUTE
    await world.restart("rules: []")
    assert world.last.reason == "all resolved"
    view = world.last.alerts[0]
    assert view.labels == {"alertname": "Failing", "operator": "Cosmote", "severity": "critical", "team": "sms"}
    assert (view.status, view.resolved_because) == ("resolved", "removed")


async def test_an_alert_told_by_a_timer_remembers_its_labels_too() -> None:
    world = World(RULES + "    labels: {team: sms}\n", CONFIG)
    await world.poll(Cosmote=8)
    await world.flush(10 * SECOND)
    world.clock.at += 5 * MINUTE
    await world.restart("rules: []", CONFIG)
    assert world.last.alerts[0].labels["team"] == "sms"


async def test_the_receiver_of_before_still_hears_of_the_end_and_of_nothing_new() -> None:
    two = AT_ONCE.replace("receivers:\n", "receivers:\n  - {name: oncall, console: [{}]}\n")
    world = World(config=two)
    await world.poll(Cosmote=4)
    await world.restart(config=two.replace("receiver: ops", "receiver: oncall"))
    await world.poll(HOUR, Cosmote=4, Nova=4)
    await world.flush(5 * HOUR)
    assert world.harness.reasons("ops") == ["first"]
    await world.poll(Cosmote=0, Nova=4)
    assert world.harness.reasons("ops") == ["first", "all resolved"]
    assert [payload(one) for one in world.told if one.receiver == "ops"][-1] == [("resolved", "Cosmote", "warning")]
    assert world.harness.reasons("oncall")[0] == "first"


async def test_a_receiver_that_is_gone_is_told_nothing_and_of_the_ends_when_it_comes_back() -> None:
    two = AT_ONCE.replace("receivers:\n", "receivers:\n  - {name: oncall, console: [{}]}\n")
    gone = AT_ONCE.replace("name: ops", "name: oncall").replace("receiver: ops", "receiver: oncall")
    world = World(config=two)
    await world.poll(Cosmote=4)
    await world.restart(config=gone)
    await world.poll(5 * MINUTE, Cosmote=0)
    await world.flush(DAY)
    assert world.harness.reasons("ops") == ["first"]
    await world.restart(config=two)
    assert world.harness.reasons("ops") == ["first", "all resolved"]
    assert world.harness.pipeline.dispatcher.groups == {}


async def test_a_receiver_that_stays_away_is_forgotten_after_a_week() -> None:
    two = AT_ONCE.replace("receivers:\n", "receivers:\n  - {name: oncall, console: [{}]}\n")
    world = World(config=two)
    await world.poll(Cosmote=4)
    await world.restart(
        config=AT_ONCE.replace("name: ops", "name: oncall").replace("receiver: ops", "receiver: oncall")
    )
    await world.poll(5 * MINUTE, Cosmote=0)
    await world.flush(7 * DAY - 1)
    assert len(world.harness.pipeline.dispatcher.groups) == 1
    await world.flush(1)
    assert world.harness.pipeline.dispatcher.groups == {}


async def test_grouping_by_severity_moves_an_alert_from_one_group_to_the_other() -> None:
    world = World(config=AT_ONCE.replace("[alertname]", "[alertname, severity]"))
    await world.poll(Cosmote=4)
    await world.poll(Cosmote=8)
    assert payload(world.last) == [("firing", "Cosmote", "critical")]
    await world.flush(5 * MINUTE)
    assert payload(world.last) == [("resolved", "Cosmote", "warning")]
    assert world.last.alerts[0].resolved_because == "moved"
    assert world.last.status == "resolved"


async def test_other_grouping_leaves_what_was_told_where_it_was_told_and_its_end_is_told_once() -> None:
    world = World()
    await world.poll(Cosmote=4)
    await world.restart(config=AT_ONCE.replace("[alertname]", "[operator]"))
    await world.poll(Cosmote=4, Nova=4)
    assert [payload(one) for one in world.told] == [
        [("firing", "Cosmote", "warning")],
        [("firing", "Nova", "warning")],
    ]
    old, new = (one.group_key for one in world.told)
    assert new != old
    await world.poll(10 * MINUTE, Cosmote=0, Nova=0)
    await world.flush(DAY)
    assert [(one.group_key, payload(one)) for one in world.told[2:]] == [
        (old, [("resolved", "Cosmote", "warning")]),
        (new, [("resolved", "Nova", "warning")]),
    ]
    await world.poll(Cosmote=4)
    assert world.last.group_key != old, "what begins afterwards goes along the new routes"


async def test_what_stays_in_a_group_of_other_routes_is_repeated_and_gets_worse_as_they_say() -> None:
    world = World()
    await world.poll(Cosmote=4)
    await world.restart(
        config=AT_ONCE.replace("[alertname]", "[operator]").replace("repeat_interval: 4h", "repeat_interval: 1h")
    )
    await world.poll(MINUTE, Cosmote=4)
    await world.flush(HOUR - 1 * MINUTE)
    assert world.harness.reasons() == ["first", "repeat"]
    await world.poll(Cosmote=8)
    await world.flush(5 * MINUTE)
    await world.poll(Cosmote=0)
    await world.flush(DAY)
    assert [payload(one) for one in world.told[2:]] == [
        [("firing", "Cosmote", "critical")],
        [("resolved", "Cosmote", "warning")],
        [("resolved", "Cosmote", "critical")],
    ]


async def test_too_many_groups_are_held_back_counted_and_told_when_there_is_room() -> None:
    world = World(RULES + "    limit: 2\n")
    await world.poll(A=3, B=9, C=5, D=0)
    assert {view.labels["operator"] for view in world.last.alerts} == {"B", "C"}
    assert [view.more for view in world.last.alerts] == [1, 1]
    await world.poll(5 * MINUTE, A=3, B=0, C=5)
    assert {view.labels["operator"]: view.status for view in world.last.alerts} == {
        "A": "firing",
        "B": "resolved",
        "C": "firing",
    }
    assert [view.more for view in world.last.firing] == [0, 0]


async def test_a_group_that_was_held_back_and_recovered_never_fires() -> None:
    world = World(RULES + "    limit: 1\n    keep_firing_for: 10m\n")
    await world.poll(A=9, B=5)
    await world.poll(A=9, B=0)
    await world.poll(20 * MINUTE, A=0, B=0)
    assert all(view.labels["operator"] == "A" for one in world.told for view in one.alerts)


async def test_of_more_alerts_than_one_notification_holds_all_that_were_named_end_and_the_others_are_counted() -> None:
    world = World()
    world.harness.pipeline.dispatcher.most = 4
    names = [f"Operator {i}" for i in range(6)]
    await world.poll(**dict.fromkeys(names, 5))
    assert (len(world.last.alerts), world.last.truncated) == (4, 2)
    named = {view.labels["operator"] for view in world.last.alerts}
    await world.poll(5 * MINUTE, **dict.fromkeys(names, 0))
    assert ({view.labels["operator"] for view in world.last.resolved}, world.last.truncated) == (named, 2)
    assert world.harness.pipeline.dispatcher.groups == {}


async def test_an_alert_that_was_only_counted_is_named_when_there_is_room_and_then_ends_by_name() -> None:
    world = World()
    world.harness.pipeline.dispatcher.most = 4
    names = [f"Operator {i}" for i in range(6)]
    await world.poll(**dict.fromkeys(names, 5))
    named = [view.labels["operator"] for view in world.last.alerts]
    await world.poll(5 * MINUTE, **(dict.fromkeys(names, 5) | dict.fromkeys(named[:2], 0)))
    assert {
        view.labels["operator"]: view.status for view in world.last.alerts if view.status == "resolved"
    } == dict.fromkeys(named[:2], "resolved")
    await world.poll(5 * MINUTE, **dict.fromkeys(names, 0))
    await world.flush(5 * MINUTE)
    firing = {view.labels["operator"] for one in world.told for view in one.firing}
    assert firing <= {view.labels["operator"] for one in world.told for view in one.resolved}
    assert world.harness.pipeline.dispatcher.groups == {}


@pytest.mark.parametrize("worse", [True, False])
async def test_of_more_alerts_than_one_notification_holds_each_that_was_named_ends_with_its_old_severity(
    worse: bool,
) -> None:
    """Those that were only counted are worse than those that were named, once all have another severity."""
    before, after, others = (5, 7, 10) if worse else (10, 3, 5)
    world = World()
    world.harness.pipeline.dispatcher.most = 4
    names = [f"Operator {i}" for i in range(10)]
    await world.poll(**dict.fromkeys(names, before))
    named = [view.labels["operator"] for view in world.last.alerts]
    assert len(named) == 4
    await world.poll(5 * MINUTE, **(dict.fromkeys(names, others) | dict.fromkeys(named, after)))
    assert {view.labels["operator"] for view in world.last.alerts} - {*named}, "what is worse is named too"
    for _ in range(3):
        await world.flush(5 * MINUTE)
    believed = dict[tuple[str, str], str]()
    for one in world.told:
        believed |= {(operator, severity): status for status, operator, severity in payload(one)}
    old = "warning" if worse else "critical"
    assert {believed[one, old] for one in named} == {"resolved"}
    await world.poll(5 * MINUTE, **dict.fromkeys(names, 0))
    for _ in range(3):
        await world.flush(5 * MINUTE)
    for one in world.told:
        believed |= {(operator, severity): status for status, operator, severity in payload(one)}
    assert {*believed.values()} == {"resolved"}
    assert world.harness.pipeline.dispatcher.groups == {}


async def test_of_an_alert_that_was_only_counted_no_old_severity_is_ended() -> None:
    world = World()
    world.harness.pipeline.dispatcher.most = 4
    names = [f"Operator {i}" for i in range(6)]
    await world.poll(**dict.fromkeys(names, 5))
    [one, *_] = {*names} - {view.labels["operator"] for view in world.last.alerts}
    await world.poll(5 * MINUTE, **(dict.fromkeys(names, 5) | {one: 9}))
    assert ("firing", one, "critical") in payload(world.last)
    assert [entry for entry in payload(world.last) if entry[0] == "resolved"] == []


async def test_a_clock_that_was_set_back_holds_up_no_repeat() -> None:
    world = World()
    world.clock.at += 48 * HOUR
    await world.poll(Cosmote=4)
    world.clock.at -= 48 * HOUR
    await world.flush(SECOND)
    await world.flush(4 * HOUR)
    assert world.harness.reasons() == ["first", "repeat"]
