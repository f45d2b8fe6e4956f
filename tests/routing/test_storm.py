"""Ten thousand alerts at once: few messages, which say how many more, and as few when they are over."""

from monitor.notify.render.alertmanager_payload import alertmanager
from monitor.notify.render.notification_text import title
from monitor.notify.render.text import plain_text
from monitor.routing.storm import MOST, split
from monitor.runtime.clock import MINUTE
from tests.fakes.operator_harness import AT_ONCE, RULES, OperatorHarness

EACH = AT_ONCE.replace("[alertname]", "['...']")
TWO_RULES = (
    RULES
    + """
  - {name: Outage, kind: count, match: {status: Undelivered}, by: [operator], window: 1m, above: 8, severity: critical}
"""
)


def operators(count: int, bad: int = 4) -> dict[str, int]:
    return {f"Operator {i}": bad for i in range(count)}


def believed(world: OperatorHarness) -> set[tuple[str, str]]:
    """What a receiver that knows alerts by their labels takes to be firing."""
    beliefs: set[tuple[str, str]] = set()
    for told in world.told:
        for alert in alertmanager(told)["alerts"]:
            one = (alert["labels"]["alertname"], alert["labels"]["operator"], alert["labels"]["severity"])
            beliefs = beliefs | {one} if alert["status"] == "firing" else beliefs - {one}
    return beliefs


def test_so_many_groups_are_told_one_by_one_and_no_more() -> None:
    keys = list(range(100))
    assert split(keys[:MOST], 0) == (keys[:MOST], ())
    assert split(keys[: MOST + 1], 0) == (keys[: MOST - 1], keys[MOST - 1 : MOST + 1])
    assert split(keys[:5], MOST - 5) == (keys[:5], ())
    assert split(keys[:5], MOST - 4) == (keys[:3], keys[3:5])
    assert split(keys[:5], 3 * MOST) == ([], keys[:5])


async def test_a_storm_is_few_messages_the_worst_by_themselves_and_the_rest_counted_by_name() -> None:
    world = OperatorHarness(TWO_RULES, EACH)
    await world.poll(**operators(60), Worst=9)
    assert len(world.told) == MOST
    overflow = next(one for one in world.told if one.tally)
    assert overflow.group_key == "{}:{...}"
    assert overflow.tally == {"Failing": 62 - (MOST - 1)}
    assert title(overflow) == "Storm: 43 more alerts, in one message: 43 Failing"
    assert "Storm: 43 more alerts" in plain_text(overflow)
    alone = {view.labels["operator"] for one in world.told if not one.tally for view in one.alerts}
    assert "Worst" in alone
    assert len(believed(world)) == 62


async def test_a_storm_is_over_in_few_messages_and_all_that_was_told_ends() -> None:
    world = OperatorHarness(config=EACH)
    await world.poll(**operators(60))
    await world.poll(5 * MINUTE, **(operators(60, 0) | operators(30)))
    assert [one.reason for one in world.told if one.tally] == ["first", "some resolved"]
    await world.poll(5 * MINUTE, **operators(60, 0))
    assert [one.reason for one in world.told if one.group_key == "{}:{...}"] == [
        "first",
        "some resolved",
        "all resolved",
    ]
    assert len(world.told) == 2 * (MOST - 1) + 3
    assert believed(world) == set()
    assert world.harness.pipeline.dispatcher.groups == {}


async def test_what_joins_a_storm_waits_for_the_overflows_interval_and_is_few_messages_too() -> None:
    world = OperatorHarness(config=EACH)
    await world.poll(**operators(60))
    for minutes in range(1, 5):
        await world.poll(**operators(60 + 30 * minutes))
    assert len(world.told) == MOST
    await world.poll(**operators(180))
    assert len(world.told) <= 2 * MOST
    assert len(believed(world)) == 180
    await world.poll(20 * MINUTE, **operators(180, 0))
    assert believed(world) == set()


async def test_what_is_worse_than_the_whole_storm_does_not_wait_behind_it() -> None:
    world = OperatorHarness(TWO_RULES, EACH)
    await world.poll(**operators(60))
    await world.poll(**operators(90))
    assert len(world.told) == MOST
    await world.poll(**operators(90), Worst=9)
    assert ("Outage", "Worst", "critical") in believed(world)
    assert len(world.told) == MOST + 1
    await world.poll(20 * MINUTE, **operators(90, 0), Worst=0)
    assert believed(world) == set()


async def test_what_gets_worse_in_the_overflow_is_told_there_at_once() -> None:
    world = OperatorHarness(config=EACH.replace("['...']", "[operator, severity]"))
    await world.poll(**operators(60))
    await world.poll(**operators(60, 8))
    worse = [one for one in world.told[MOST:] if one.group_key == "{}:{...}"]
    assert [one.reason for one in worse] == ["escalated"]
    await world.flush(6 * MINUTE)
    assert {severity for _, _, severity in believed(world)} == {"critical"}
    await world.poll(20 * MINUTE, **operators(60, 0))
    await world.flush(6 * MINUTE)
    assert believed(world) == set()


async def test_the_overflow_is_kept_over_a_restart_and_the_restart_tells_nobody() -> None:
    world = OperatorHarness(config=EACH)
    await world.poll(**operators(60))
    await world.restart()
    await world.poll(10 * MINUTE, **operators(60))
    assert len(world.told) == MOST
    await world.poll(MINUTE, **operators(60, 0))
    assert believed(world) == set()


async def test_a_storm_that_waits_for_its_group_wait_is_told_when_that_is_over() -> None:
    world = OperatorHarness(config=EACH.replace("group_wait: 0s", "group_wait: 30s"))
    await world.poll(**operators(60))
    assert world.told == []
    await world.restart()
    await world.flush(MINUTE // 2)
    assert len(world.told) == MOST


async def test_the_silenced_ones_of_a_storm_are_neither_told_nor_counted() -> None:
    world = OperatorHarness(config=EACH)
    await world.silence('operator=~"Operator .*[02468]"')
    await world.poll(**operators(60))
    assert len(believed(world)) == 30
    assert sum(next(one.tally for one in world.told if one.tally).values()) == 30 - (MOST - 1)
