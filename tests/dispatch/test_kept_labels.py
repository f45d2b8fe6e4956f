"""An alert keeps the labels with which receivers were told of it until it is over, whatever becomes of its rule meanwhile."""

from monitor.model.label_fingerprint import label_fingerprint
from monitor.notify.render.alertmanager_payload import alertmanager
from monitor.runtime.clock import DAY, HOUR, MINUTE
from tests.fakes.operator_harness import RULES, TWO, OperatorHarness
from tests.fakes.written import settings

EDITED = RULES + "    labels: {team: sms}\n"


def told_of(world: OperatorHarness) -> dict[tuple[tuple[str, str], ...], list[str]]:
    """Returns, by labels, what a receiver heard that knows alerts by them."""
    told: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for notification in world.told:
        for one in alertmanager(notification)["alerts"]:
            told.setdefault(tuple(sorted(one["labels"].items())), []).append(one["status"])
    return told


async def test_it_keeps_them_when_its_rule_gets_others() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.restart(EDITED)
    await world.poll(Cosmote=8, Nova=4)
    await world.flush(5 * MINUTE)
    await world.poll(Cosmote=0, Nova=0)
    await world.flush(5 * MINUTE)
    told = told_of(world)
    assert {states[-1] for states in told.values()} == {"resolved"}, told
    teams = {labels["operator"]: labels.get("team") for labels in map(dict, told)}
    assert teams == {"Cosmote": None, "Nova": "sms"}
    await world.poll(Cosmote=4)
    assert world.last.alerts[0].labels["team"] == "sms", "the next time it begins it has the new ones"


async def test_it_keeps_them_where_it_ends_and_begins_again_before_its_end_was_told() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.poll(Cosmote=0)
    await world.restart(EDITED)
    await world.poll(Cosmote=8)
    await world.poll(Cosmote=0)
    await world.flush(5 * HOUR)
    told = told_of(world)
    assert {states[-1] for states in told.values()} == {"resolved"}, told
    assert all("team" not in dict(labels) for labels in told)


async def test_everything_knows_it_by_them() -> None:
    """A message's link for a silence has its labels, and tools that know alerts by labels ask for it by their fingerprint."""
    world = OperatorHarness(EDITED)
    await world.poll(Cosmote=4)
    await world.restart(EDITED.replace("sms", "ops"))
    await world.poll(Cosmote=4, Nova=4)
    await world.flush(5 * MINUTE)
    labels = next(view.labels for view in world.last.alerts if view.labels["operator"] == "Cosmote")
    assert labels["team"] == "sms"
    status = await world.harness.actions.status()
    found = status.find(label_fingerprint(labels))
    assert found is not None
    assert found.view.labels == labels
    await world.silence(", ".join(f'{name}="{value}"' for name, value in labels.items()), DAY)
    after = (await world.harness.actions.status()).find(label_fingerprint(labels))
    assert after is not None
    assert after.is_suppressed


async def test_the_next_time_it_goes_along_the_routes_of_the_new_ones() -> None:
    routed = TWO.replace(
        "route: {receiver: ops,", "route: {routes: [{matchers: [team=sms], receiver: oncall}], receiver: ops,"
    )
    world = OperatorHarness(config=routed)
    await world.poll(Cosmote=4)
    await world.harness.reload(settings(EDITED, routed))
    await world.poll(Cosmote=4)
    await world.poll(Cosmote=0)
    await world.flush(2 * HOUR)
    assert (world.last.receiver, world.last.reason) == ("ops", "all resolved")
    await world.poll(DAY, Cosmote=4)
    assert (world.last.receiver, world.last.reason) == ("oncall", "first")


async def test_one_that_waits_to_fire_again_keeps_them_no_longer_than_until_its_end_was_told() -> None:
    waiting = RULES + "    for: 20m\n"
    world = OperatorHarness(waiting)
    for _ in range(22):
        await world.poll(Cosmote=8)
    await world.poll(Cosmote=0)
    await world.poll(Cosmote=8)
    await world.restart(waiting + "    labels: {team: sms}\n")
    for _ in range(8):
        await world.poll(Cosmote=8)
    assert [one.status for one in world.told] == ["firing", "resolved"]
    for _ in range(14):
        await world.poll(Cosmote=8)
    assert (world.last.status, world.last.alerts[0].labels.get("team")) == ("firing", "sms")
