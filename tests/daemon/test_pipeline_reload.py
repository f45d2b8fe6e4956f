"""What a reload keeps and what it changes between polls and the outbox, on a store that can refuse."""

import msgspec
import pytest
import trio
import trio.testing

from monitor.config.settings import Settings
from monitor.daemon.flush_timer import flush_when_due
from monitor.daemon.metrics import Metrics
from monitor.notify.render import plain_text
from monitor.routing.matchers import parse_matchers
from monitor.routing.silences import Silence
from monitor.runtime.clock import HOUR, MINUTE, SECOND, TrioClock
from monitor.runtime.errors import StoreError
from monitor.store.protocol import Commit
from tests.fakes.hand_clock import HandClock
from tests.fakes.pipeline_harness import PipelineHarness, traffic
from tests.fakes.written import CONFIG, settings

RULES = "rules:\n  - {name: Failing, kind: rate, by: [operator, country], window: 5m, above: 20%}\n"
AT_ONCE = CONFIG.replace("group_wait: 10s", "group_wait: 0s")
TWO_SEARCHES = AT_ONCE.replace(
    "  - {name: all, account: main, every: 30s}\n",
    "  - {name: all, account: main, every: 30s}\n  - {name: more, account: main, every: 30s}\n",
)


def written(rules: str = RULES, config: str = AT_ONCE) -> Settings:
    return settings(rules, config)


def harness(config: str = AT_ONCE) -> PipelineHarness:
    return PipelineHarness(written(config=config), HandClock())


async def fail(world: PipelineHarness) -> None:
    world.clock.at += MINUTE  # type: ignore[attr-defined]  # these tests' clock is set by hand
    await world.poll(traffic(9, operator="Cosmote", country="GR"))


async def test_the_window_and_the_alerts_are_the_very_same_afterwards() -> None:
    world = harness()
    await fail(world)
    evaluator = world.pipeline.accounts["main"].evaluator
    window, alerts, ring = evaluator.window, dict(evaluator.alerts["Failing"]), evaluator.history.groups("Failing")
    await world.reload(written("# another text, the same rule\n" + RULES))
    evaluator = world.pipeline.accounts["main"].evaluator
    assert evaluator.window is window
    assert evaluator.alerts["Failing"] == alerts
    assert evaluator.history.groups("Failing") == ring
    assert world.reasons() == ["first"]


def recorded(world: PipelineHarness) -> list[tuple[str, str]]:
    return [(one.what, one.about.severity if one.about else "") for one in world.store.transitions]


async def test_a_severity_that_is_edited_while_an_alert_fires_is_recorded_when_it_changes_and_once() -> None:
    world = harness()
    await fail(world)
    for severity in ("critical", "critical", "info"):
        world.clock.at += MINUTE  # type: ignore[attr-defined]  # as above
        await world.reload(written(RULES.replace("above: 20%", f"above: 20%, severity: {severity}")))
    assert recorded(world) == [("fired", "warning"), ("escalated", "critical"), ("eased", "info")]
    assert [one.at for one in world.store.transitions][2] == world.clock.now()
    await fail(world)
    assert len(recorded(world)) == 3, "the next evaluation changes nothing"
    [stored] = world.store.load().alerts
    assert (stored.severity, stored.level) == ("info", 1)


async def test_a_notification_says_how_long_an_alert_fires_when_it_is_made_also_where_it_was_not_evaluated_again() -> (
    None
):
    world = harness()
    await fail(world)
    world.clock.at += 17 * SECOND  # type: ignore[attr-defined]  # as above
    await world.reload(written(RULES.replace("above: 20%", "above: 20%, severity: critical")))
    assert world.reasons() == ["first", "escalated"]
    assert [
        line.rpartition(", ")[2] for one in world.told for line in plain_text(one).splitlines() if "since" in line
    ] == ["0s", "17s"]
    [stored] = world.store.load().alerts
    assert stored.view is not None
    assert stored.view.notified_at == 0, "what an alert keeps is not how it was notified once"


async def test_a_severity_that_was_edited_while_the_daemon_was_down_is_recorded_at_its_start() -> None:
    world = harness()
    await fail(world)
    await world.restart(written(RULES.replace("above: 20%", "above: 20%, severity: critical")))
    assert recorded(world) == [("fired", "warning"), ("escalated", "critical")]


async def forget_severities(world: PipelineHarness) -> None:
    """Stores the alerts as older versions did, which recorded no severity."""
    alerts = [msgspec.structs.replace(one, severity="") for one in world.store.load().alerts]
    assert alerts
    world.store.commit(Commit(alerts=alerts))
    await world.restart(written())


async def test_of_an_alert_of_an_older_version_no_change_of_severity_is_recorded_at_the_start() -> None:
    world = harness()
    await fail(world)
    await forget_severities(world)
    await world.reload(written(RULES + "# the same\n"))
    assert recorded(world) == [("fired", "warning")]


@pytest.mark.parametrize("is_older", [False, True])
async def test_the_end_of_an_alert_of_which_the_rule_is_gone_has_the_severity_that_it_had(is_older: bool) -> None:
    world = harness()
    await fail(world)
    if is_older:
        await forget_severities(world)
    await world.reload(written("rules: []\n"))
    assert recorded(world) == [("fired", "warning"), ("resolved", "warning")]


async def test_alerts_keep_their_place_where_a_rule_writes_its_fields_in_another_order() -> None:
    world = harness()
    await fail(world)
    await world.reload(written(RULES.replace("operator, country", "country, operator")))
    [group] = world.pipeline.accounts["main"].evaluator.alerts["Failing"]
    assert group == (("country", "GR"), ("operator", "Cosmote"))
    await fail(world)
    assert world.reasons() == ["first"]


async def test_silences_acknowledgements_and_the_watchdogs_beat_go_on() -> None:
    config = AT_ONCE + "watchdog: {receiver: ops, every: 5m}\n"
    world = harness(config)
    await fail(world)
    now = world.clock.now()
    await world.actions.put_silence(Silence("s", parse_matchers("a=b"), now, now + HOUR, "Ann", "why", now))
    [alert] = world.pipeline.accounts["main"].evaluator.alerts["Failing"].values()
    await world.actions.acknowledge(alert.fingerprint, "Ann")
    told, barks = len(world.told), world.pipeline.dispatcher.watchdog
    assert barks is not None
    for turn in range(3):
        await world.reload(written(config=config + f"retention: {10 + turn}d\n"))
    assert len(world.told) == told
    assert [one.id for one in world.pipeline.dispatcher.silences.all()] == ["s"]
    assert set(world.pipeline.dispatcher.acks) == {alert.fingerprint}
    world.clock.at += 5 * MINUTE  # type: ignore[attr-defined]  # as above
    await world.pipeline.flush()
    [first, second] = [one for one in world.told if one.group_key == "{watchdog}"]
    assert first.episode == second.episode


async def test_a_store_that_refuses_the_ends_of_what_is_gone_is_asked_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = PipelineHarness(written(), TrioClock(HandClock().at))
    await world.poll(traffic(9, operator="Cosmote", country="GR"))
    world.store.failures = 1
    with pytest.raises(StoreError):
        await world.reload(written("rules: []"))
    assert not world.pipeline.accounts["main"].evaluator.rules
    assert world.reasons() == ["first"]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(flush_when_due, world.pipeline)
        await trio.sleep(400)
        nursery.cancel_scope.cancel()
    assert world.reasons() == ["first", "all resolved"]


async def test_what_a_search_that_is_gone_still_brings_counts_for_nothing() -> None:
    world = harness(TWO_SEARCHES)
    await world.poll(search="all")
    await world.poll(search="more")
    sink, evaluator = world.sinks["main"], world.pipeline.accounts["main"].evaluator
    await world.reload(written())
    known = evaluator.window.messages
    world.clock.at += MINUTE  # type: ignore[attr-defined]  # as above
    await world.poll(traffic(9), search="more")
    await sink.blind("more", world.clock.now(), "no answer")
    await sink.gap("more", 0, world.clock.now())
    assert (evaluator.window.messages, list(evaluator.coverage.cursors), world.told) == (known, ["all"], [])
    assert 'search="more"' not in _gauges(world.metrics)
    await world.poll(search="all")
    await sink.blind("all", world.clock.now(), "no answer")
    assert 'search="all"' in _gauges(world.metrics)


def _gauges(metrics: Metrics) -> str:
    lines = metrics.exposition()[0].decode().splitlines()
    return "\n".join(line for line in lines if line.startswith("routee_monitor_blind{"))


async def test_rules_wait_for_a_search_that_was_added_or_asks_something_else() -> None:
    world = harness()
    await fail(world)
    await world.reload(written(config=TWO_SEARCHES))
    evaluator = world.pipeline.accounts["main"].evaluator
    before = dict(evaluator.alerts["Failing"])
    world.clock.at += 10 * MINUTE  # type: ignore[attr-defined]  # as above
    await world.poll(traffic(0, operator="Cosmote", country="GR"), search="all")
    assert evaluator.alerts["Failing"] == before, "what the other search would show is not known yet"
    await world.poll(search="more")
    assert not any(alert.state == "firing" for alert in evaluator.alerts["Failing"].values())


async def test_numbers_are_kept_as_privacy_says_from_then_on() -> None:
    world = harness()
    window = world.pipeline.accounts["main"].evaluator.window
    await world.poll([{"to": "+306912345678"}])
    await world.reload(written(config=AT_ONCE + "privacy: {recipients: hash}\n"))
    world.clock.at += SECOND  # type: ignore[attr-defined]  # as above
    await world.poll([{"to": "+306912345678"}])
    used = window.columns.length
    texts = [window.dictionaries["recipient"].texts[code] for code in window.columns["recipient"][:used].tolist()]
    assert texts == ["+30691•••••78", "•" * 8]
    assert len(set(window.columns["to"][:used].tolist())) == 1, "both can be compared"


async def test_the_accounts_time_zone_is_that_of_the_configuration_at_the_start_and_after_a_reload() -> None:
    world = harness(AT_ONCE.replace("name: main,", "name: main, time_zone: Asia/Kolkata,", 1))
    assert world.pipeline.accounts["main"].evaluator.time_zone == "Asia/Kolkata"
    await world.reload(written(config=AT_ONCE.replace("name: main,", "name: main, time_zone: Europe/Athens,", 1)))
    assert world.pipeline.accounts["main"].evaluator.time_zone == "Europe/Athens"


async def test_the_incident_that_a_silenced_alert_gets_with_a_reload_is_stored_at_once() -> None:
    world = harness()
    now = world.clock.now()
    await world.actions.put_silence(
        Silence("s", parse_matchers("alertname=Failing"), now, now + HOUR, "Ann", "why", now)
    )
    await fail(world)
    await world.reload(written(RULES.replace("above: 20%", "above: 20%, incident: {}")))
    [alert] = world.pipeline.every_alert()
    assert alert.incident is not None
    assert list(world.store.load().alerts) == [alert]
