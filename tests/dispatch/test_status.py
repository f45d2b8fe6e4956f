"""How things stand: what API and commands are shown of alerts, groups and silences."""

from monitor.model.label_fingerprint import label_fingerprint
from monitor.runtime.clock import HOUR, MINUTE
from tests.fakes.operator_harness import RULES, TWO, OperatorHarness

INHIBITING = (
    TWO
    + """
inhibit_rules:
  - {source_matchers: ['operator="Cosmote"'], target_matchers: ['operator="Nova"']}
"""
)
MUTED = TWO.replace(
    "repeat_interval: 4h}",
    "repeat_interval: 4h, routes: [{receiver: oncall, mute_time_intervals: [always]}]}\ntime_intervals: [{name: always, time_intervals: [{}]}]",
)


async def test_an_alert_stands_with_its_receivers_and_all_that_keeps_it_quiet() -> None:
    world = OperatorHarness(config=INHIBITING)
    await world.poll(Cosmote=4, Nova=8)
    one = await world.silence("operator=Nova")
    await world.ack("Cosmote")
    standing = {one.view.labels["operator"]: one for one in list((await world.harness.actions.status()).alerts())}
    cosmote, nova = standing["Cosmote"], standing["Nova"]
    assert (cosmote.state, cosmote.receivers, cosmote.is_suppressed) == ("firing", ("ops",), False)
    assert cosmote.ack is not None
    assert (cosmote.ack.by, cosmote.view.acknowledged_by) == ("Ann", "Ann")
    assert (nova.silenced_by, nova.inhibited_by) == ((one,), (cosmote.view.fingerprint,))
    assert (nova.is_suppressed, nova.view.suppressed, nova.muted_by) == (True, "silenced", ())


async def test_an_alert_that_is_pending_or_waits_for_its_end_to_be_told_stands_too() -> None:
    world = OperatorHarness(RULES.replace("    levels", "    for: 2m\n    levels"))
    await world.poll(Cosmote=4, Nova=4)
    for _ in range(2):
        await world.poll(MINUTE, Cosmote=4, Nova=0)
    assert [one.state for one in list((await world.harness.actions.status()).alerts())] == ["firing"]
    await world.poll(Cosmote=0, Nova=4)
    states = {one.view.labels["operator"]: one.state for one in list((await world.harness.actions.status()).alerts())}
    assert states == {"Cosmote": "resolved", "Nova": "pending"}


async def test_a_pending_alert_that_gets_worse_stands_with_the_receivers_of_its_present_severity() -> None:
    config = TWO.replace(
        "repeat_interval: 4h}", "repeat_interval: 4h, routes: [{receiver: oncall, matchers: ['severity=critical']}]}"
    )
    world = OperatorHarness(RULES.replace("    levels", "    for: 30m\n    levels"), config)
    found = []
    for failing in (4, 8):
        await world.poll(Cosmote=failing)
        [one] = (await world.harness.actions.status()).alerts()
        found.append((one.state, one.view.severity, one.receivers))
        fingerprint = label_fingerprint(one.view.labels)
        assert (await world.harness.actions.status()).find(fingerprint) is not None
    assert found == [("pending", "warning", ("ops",)), ("pending", "critical", ("oncall",))]


async def test_a_muted_alert_says_by_which_intervals() -> None:
    world = OperatorHarness(config=MUTED)
    await world.poll(Cosmote=4)
    [one] = list((await world.harness.actions.status()).alerts())
    assert (one.muted_by, one.is_suppressed, one.receivers) == (("always",), True, ("oncall",))


async def test_alerts_stand_in_groups_by_receiver() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4, Nova=4)
    [group] = (await world.harness.actions.status()).groups()
    assert (group.receiver, group.labels) == ("ops", {"alertname": "Failing"})
    assert {one.view.labels["operator"] for one in group.alerts} == {"Cosmote", "Nova"}


async def test_a_silence_that_matches_nothing_or_is_about_to_end_is_marked() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.silence("operator=Cosmote", 15 * MINUTE)
    await world.silence("operator=Csomote", HOUR)
    await world.silence("operator=Nova", starts_at=world.clock.at + MINUTE, ends_at=world.clock.at + HOUR)
    shown = [(one.state, one.matching, one.ends_soon) for one in (await world.harness.actions.status()).silences()]
    assert shown == [("active", 1, True), ("active", 0, False), ("pending", 0, False)]
    world.clock.at += 15 * MINUTE
    [first, *_] = (await world.harness.actions.status()).silences()
    assert (first.state, first.ends_soon) == ("expired", False)


async def test_looking_changes_nothing() -> None:
    world = OperatorHarness(config=INHIBITING)
    await world.poll(Cosmote=4, Nova=4)
    commits, groups = len(world.harness.store.commits), dict(world.harness.pipeline.dispatcher.groups)
    list((await world.harness.actions.status()).alerts())
    (await world.harness.actions.status()).groups()
    await world.flush(MINUTE)
    assert (len(world.harness.store.commits), world.harness.pipeline.dispatcher.groups) == (commits, groups)


async def test_who_is_told_the_state_hears_of_nothing_that_gets_worse_under_a_silence() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    silence = await world.silence("operator=Cosmote")
    await world.poll(Cosmote=8, Nova=4)
    assert await firing(world) == {("Cosmote", "warning", "warning", False), ("Nova", "warning", "warning", False)}
    await world.restart()
    assert ("Cosmote", "warning", "warning", False) in await firing(world)
    await world.harness.actions.expire_silence(silence)
    assert ("Cosmote", "critical", "critical", False) in await firing(world)


async def test_what_was_silenced_before_it_was_told_is_quiet() -> None:
    world = OperatorHarness()
    await world.silence("operator=Cosmote")
    await world.poll(Cosmote=8)
    assert await firing(world) == {("Cosmote", "critical", "critical", True)}


async def firing(world: OperatorHarness, receiver: str = "ops") -> set[tuple[str, str, str, bool]]:
    """Operator, severity, the severity that its labels say, and whether it is quiet."""
    found = [(one, one.view()) for one in (await world.harness.actions.status()).firing(receiver)]
    return {(view.labels["operator"], one.severity, view.labels["severity"], one.is_quiet) for one, view in found}


async def test_an_alert_is_found_by_its_own_fingerprint_and_by_that_of_its_labels() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4, Nova=4)
    stock = await world.harness.actions.status()
    for one in stock.alerts():
        assert stock.find(one.view.fingerprint) == stock.find(label_fingerprint(one.view.labels)) == one
    assert stock.find("0000") is None


async def test_the_watchdogs_receiver_has_its_sign_of_life_among_what_fires_while_all_is_well() -> None:
    world = OperatorHarness(config=TWO + "\nwatchdog: {receiver: oncall, every: 5m}\n")
    await world.flush(MINUTE)
    began = world.clock.at
    await world.flush(HOUR)
    [sign] = (await world.harness.actions.status()).firing("oncall")
    assert (sign.view().labels["alertname"], sign.view().starts_at, sign.is_quiet) == ("Watchdog", began, False)
    assert list((await world.harness.actions.status()).firing("ops")) == []
    assert list((await world.harness.actions.status()).alerts()) == []
    world.harness.health.expect("deliveries", -1)
    assert list((await world.harness.actions.status()).firing("oncall")) == []
