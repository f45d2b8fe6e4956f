"""Commits that fail, timers, several accounts, and what memory is allowed to know before the store does."""

import logging
from dataclasses import dataclass

import pytest
import trio
from trio.testing import MockClock

from monitor.daemon.account_sink import note_campaign
from monitor.daemon.flush_timer import flush_when_due
from monitor.daemon.pipeline import ROWS_AT_ONCE
from monitor.daemon.reporting import MOST_LOGGED
from monitor.daemon.window_restore import restored_window
from monitor.model.batch import batch_of
from monitor.model.message import Unread
from monitor.model.routee_query import RejectedRecord
from monitor.runtime.clock import HOUR, MINUTE, SECOND, Duration, Instant, TrioClock
from monitor.runtime.errors import RouteeUnavailable, StoreError
from monitor.store.protocol import Cursor
from monitor.window import Query, WindowReader
from tests.fakes.hand_clock import HandClock
from tests.fakes.pipeline_harness import PipelineHarness, traffic
from tests.fakes.written import CONFIG, settings

NOW: Instant = 1_795_280_824 * SECOND
RULES = """
rules:
  - {name: Failing, kind: rate, by: [operator], window: 5m, above: 20%}
"""
TWO = CONFIG.replace(
    "searches:",
    "  - {name: second, application_id: id2, application_secret: secret2}\nsearches:\n  - {name: more, account: second}",
)
BAD = traffic(5, operator="Cosmote")
GOOD = traffic(0, operator="Cosmote")


def harness(config: str = CONFIG, rules: str = RULES) -> PipelineHarness:
    return PipelineHarness(settings(rules, config), HandClock())


def stored(one: PipelineHarness) -> int:
    """How many messages a restart would find."""
    window = restored_window(one.store, "main", settings(RULES).config, b"")
    return int(WindowReader(window).tally(Query(0, 1 << 62)).counts.sum())


async def test_a_poll_is_one_commit_with_all_that_came_of_it() -> None:
    one = harness(CONFIG.replace("group_wait: 10s", "group_wait: 0s"))
    rejected = RejectedRecord("no date", "{}")
    await one.sinks["main"].page("all", batch_of([]), (rejected,))
    await one.poll(BAD)
    [commit] = one.store.commits
    assert len(commit.journal) == len(commit.cursors) == len(commit.alerts) == len(commit.groups) == 1
    assert [transition.what for transition in commit.transitions] == ["fired"]
    assert len(commit.outbox) == len(commit.quarantined) == 1
    assert commit.alerts[0].view is not None
    assert one.woken == 1


async def test_values_that_cannot_be_read_are_counted_and_kept_to_be_looked_at() -> None:
    one = harness()
    batch = batch_of([{"messageId": "m", "date": one.clock.at, "status": "Delivered"}])
    batch.unread = (Unread("price", '"1_000"', 3),)
    for _ in range(2):
        await one.sinks["main"].page("all", batch, ())
    await one.poll()
    first, _ = one.store.commits[-1].quarantined
    assert (first.record, first.seen) == ('{"price": "1_000"}', 3)
    exposed = one.metrics.exposition()[0].decode()
    assert 'values_unread_total{account="main",field="price",search="all"} 6.0' in exposed


async def test_what_of_a_campaign_cannot_be_read_is_counted_and_kept_too() -> None:
    one = harness()
    note_campaign(one.pipeline.accounts["main"], one.services, "c-1", [Unread("numberOfRecipients", '"1_000"', 1)])
    await one.poll()
    [kept] = one.store.commits[-1].quarantined
    assert (kept.search, kept.record) == ("", '{"campaignTrackingId": "c-1", "numberOfRecipients": "1_000"}')
    assert (
        'values_unread_total{account="main",field="numberOfRecipients",search=""} 1.0'
        in one.metrics.exposition()[0].decode()
    )


async def test_what_is_told_holds_when_it_began_and_the_accounts_time_zone() -> None:
    athens = CONFIG.replace("group_wait: 10s", "group_wait: 0s").replace(
        "{name: main,", "{name: main, time_zone: Europe/Athens,"
    )
    one = harness(athens, RULES.replace("above: 20%", "above: 20%, for: 2m"))
    await one.poll(BAD)
    began = one.clock.at
    for _ in range(2):
        one.clock.at += MINUTE
        await one.poll(BAD)
    [pending] = one.store.commits[-1].outbox
    (view,) = pending.notification.alerts
    assert (view.time_zone, view.since, view.starts_at, view.duration) == (
        "Europe/Athens",
        began,
        one.clock.at,
        2 * MINUTE,
    )


async def test_what_becomes_of_an_alert_is_logged_with_its_labels(caplog: pytest.LogCaptureFixture) -> None:
    one = harness()
    caplog.set_level(logging.INFO, "monitor")
    await one.poll(BAD)
    (record,) = [record for record in caplog.records if "fired" in record.getMessage()]
    assert record.getMessage().startswith("Failing fired at ")
    assert record.getMessage().endswith("Z (operator=Cosmote, severity=warning)")
    assert vars(record)["label_operator"] == "Cosmote"


async def test_an_event_has_the_severity_that_its_level_had_and_none_before_it_fires() -> None:
    config = CONFIG.replace("group_wait: 10s", "group_wait: 0s").replace("group_interval: 5m", "group_interval: 1h")
    one = harness(config, RULES.replace("above: 20%", "above: 20%, for: 1m"))
    for later, rows in ((1, BAD), (1, BAD), (6, GOOD), (6, BAD)):
        one.clock.at += later * MINUTE
        await one.poll(rows)
    found = [transition for commit in one.store.commits for transition in commit.transitions]
    said = [(event.what, event.about and event.about.severity) for event in found]
    assert said == [("pending", ""), ("fired", "warning"), ("resolved", "warning"), ("pending", "")]


async def test_of_a_storm_the_first_alerts_are_logged_and_the_others_counted(caplog: pytest.LogCaptureFixture) -> None:
    one = harness()
    caplog.set_level(logging.INFO, "monitor")
    await one.poll([row for number in range(MOST_LOGGED + 7) for row in traffic(5, operator=f"op{number}")])
    said = [record.getMessage() for record in caplog.records]
    assert len([line for line in said if line.startswith("Failing fired")]) == MOST_LOGGED
    assert len([line for line in said if line.startswith("7 more alerts fired")]) == 1


async def test_the_incident_of_an_alert_is_in_its_log_line_and_in_its_history(caplog: pytest.LogCaptureFixture) -> None:
    one = harness(rules=RULES.replace("above: 20%", "above: 20%, incident: {}"))
    caplog.set_level(logging.INFO, "monitor")
    await one.poll(BAD)
    [alert] = one.pipeline.every_alert()
    assert alert.incident is not None
    (record,) = [record for record in caplog.records if "fired" in record.getMessage()]
    assert record.getMessage().endswith(f", severity=warning, incident={alert.incident.id})")
    assert vars(record)["incident"] == alert.incident.id
    [transition] = [transition for commit in one.store.commits for transition in commit.transitions]
    assert transition.about is not None
    assert transition.about.incident == alert.incident.id


async def test_a_commit_that_fails_leaves_memory_as_it_was_and_the_next_carries_all() -> None:
    one = harness(CONFIG.replace("group_wait: 10s", "group_wait: 0s"))
    await one.poll(GOOD)
    account, dispatcher = one.pipeline.accounts["main"], one.pipeline.dispatcher
    cursors = dict(account.evaluator.coverage.cursors)
    one.clock.at += MINUTE
    one.store.failures = 2
    await one.sinks["main"].page("all", batch_of([]), (RejectedRecord("no date", "{}"),))
    for _ in range(2):
        with pytest.raises(StoreError):
            await one.poll(BAD)
        assert (account.evaluator.coverage.cursors, account.evaluator.alerts, dispatcher.groups) == (cursors, {}, {})
        assert (len(account.quarantined), stored(one), one.woken) == (1, 10, 0)
    await one.poll(BAD)
    assert (stored(one), len(account.quarantined), one.woken) == (40, 0, 1)
    assert len(one.store.commits[-1].quarantined) == 1
    assert one.reasons() == ["first"]


async def test_what_is_told_of_ourselves_is_all_or_nothing_too() -> None:
    one = harness(CONFIG.replace("group_wait: 10s", "group_wait: 0s"))
    one.store.failures = 1
    with pytest.raises(StoreError):
        await one.sinks["main"].blind("all", one.clock.at, "no answer")
    assert one.pipeline.accounts["main"].evaluator.alerts == {}
    await one.sinks["main"].blind("all", one.clock.at, "no answer")
    assert one.reasons() == ["first"]


async def test_many_rows_are_committed_on_the_way_and_again_where_that_failed() -> None:
    one = harness()
    many = [{"operator": "Cosmote"}] * ROWS_AT_ONCE
    one.store.failures = 1
    with pytest.raises(StoreError):
        await one.page(many, "all", "main", one.clock.at)
    assert stored(one) == 0
    await one.page([{"operator": "Cosmote"}], "all", "main", one.clock.at)
    assert stored(one) == ROWS_AT_ONCE + 1
    assert one.store.commits[-1].cursors == []


async def test_a_commit_without_news_is_not_made() -> None:
    one = harness()
    await one.poll(GOOD)
    await one.pipeline.flush()
    await one.sinks["main"].sighted("all")
    assert len(one.store.commits) == 1


async def test_one_account_goes_on_while_the_other_is_blind() -> None:
    one = harness(TWO.replace("group_wait: 10s", "group_wait: 0s"))
    await one.poll(BAD)
    await one.poll(BAD, "more", "second")
    await one.sinks["second"].blind("more", one.clock.at, "no answer")
    one.clock.at += 6 * MINUTE
    await one.poll(GOOD)
    failing = [view for view in one.told[-1].alerts if view.name == "Failing"]
    assert {view.labels["account"]: view.status for view in failing} == {"main": "resolved", "second": "firing"}


async def test_alerts_of_an_account_that_is_gone_end_all_of_them() -> None:
    two = TWO.replace("group_wait: 10s", "group_wait: 0s")
    one = harness(two)
    await one.poll(BAD, "more", "second")
    await one.sinks["second"].blind("more", one.clock.at, "no answer")
    one.clock.at += 6 * MINUTE
    await one.restart(settings(RULES, CONFIG))
    ended = {view.labels["alertname"]: view.labels.get("account") for told in one.told for view in told.resolved}
    assert ended == {"Failing": "second", "MonitorBlind": "second"}
    await one.restart(settings(RULES, CONFIG))
    assert one.pipeline.dispatcher.groups == {}


async def test_metrics_know_of_blindness_while_it_lasts() -> None:
    one = harness()
    await one.sinks["main"].blind("all", one.clock.at, "no answer")
    exposed = one.metrics.exposition()[0].decode()
    assert 'routee_monitor_alerts{account="main",rule="MonitorBlind",state="firing"} 1.0' in exposed


async def test_blindness_goes_on_over_a_restart_and_ends_with_the_first_complete_poll() -> None:
    one = harness(CONFIG.replace("group_wait: 10s", "group_wait: 0s"))
    await one.poll(BAD)
    await one.sinks["main"].blind("all", one.clock.at, "no answer")
    one.clock.at += HOUR
    await one.restart(settings(RULES, CONFIG))
    await one.sinks["main"].blind("all", one.clock.at, "still no answer")
    assert one.reasons() == ["first", "first"]
    await one.poll(BAD)
    await one.sinks["main"].sighted("all")
    over = next(view for told in one.told for view in told.resolved)
    assert (over.name, over.duration) == ("MonitorBlind", HOUR)


# Timers


class DyingHarness(PipelineHarness):
    """Hands out its own timer."""

    async def run(self) -> None:
        await flush_when_due(self.pipeline)


@dataclass
class Timed:
    """What was told, and when in virtual seconds."""

    harness: DyingHarness
    start: Instant

    def times(self) -> list[tuple[str, float]]:
        return [(told.reason, (told.created_at - self.start) / SECOND) for told in self.harness.told]


async def timed(nursery: trio.Nursery) -> Timed:
    one = DyingHarness(settings(RULES, CONFIG), TrioClock(NOW))
    nursery.start_soon(one.run)
    return Timed(one, NOW)


async def wait(duration: Duration) -> None:
    await trio.sleep(duration / SECOND)


async def test_waiting_repeating_and_ending_are_exact_without_a_poll_in_between(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        world = await timed(nursery)
        await world.harness.poll(BAD)
        await wait(9 * HOUR)
        await world.harness.poll(GOOD)
        await wait(HOUR)
        nursery.cancel_scope.cancel()
    assert world.times() == [
        ("first", 10),
        ("repeat", 10 + 4 * 3600),
        ("repeat", 10 + 8 * 3600),
        ("all resolved", 9 * 3600),
    ]


async def test_changes_wait_exactly_for_the_interval(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        world = await timed(nursery)
        await world.harness.poll(BAD)
        await wait(30 * SECOND)
        await world.harness.poll([*BAD, *traffic(5, operator="Nova")])
        await wait(6 * MINUTE)
        await world.harness.poll([*GOOD, *traffic(0, operator="Nova")])
        await wait(HOUR)
        nursery.cancel_scope.cancel()
    assert world.times() == [("first", 10), ("new alerts", 310), ("all resolved", 610)]


async def test_a_timer_outlives_a_store_that_fails_and_tells_once_it_works(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        world = await timed(nursery)
        await world.harness.poll(BAD)
        world.harness.store.failures = 3
        await wait(MINUTE)
        nursery.cancel_scope.cancel()
    assert world.times() == [("first", 25)]


async def test_a_group_that_waited_when_the_daemon_died_is_told_by_the_timer_of_the_next(
    autojump_clock: MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        world = await timed(nursery)
        await world.harness.poll(BAD)
        nursery.cancel_scope.cancel()
    await world.harness.restart(settings(RULES, CONFIG))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.harness.run)
        await wait(MINUTE)
        nursery.cancel_scope.cancel()
    assert world.times() == [("first", 10)]


async def test_polls_and_timer_in_each_others_way_tell_each_thing_once(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        world = await timed(nursery)
        for second in range(40):
            await world.harness.poll(BAD if second % 10 < 7 else GOOD)
            await wait(SECOND)
        await wait(HOUR)
        nursery.cancel_scope.cancel()
    assert [reason for reason, _ in world.times()] == ["first"]


# The log


async def test_an_outage_is_logged_at_its_beginning_every_ten_minutes_and_at_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = harness()
    with caplog.at_level(logging.INFO, "monitor"):
        for poll in range(41):
            await one.sinks["main"].failed("all", RouteeUnavailable(f"503, try {poll}"))
            one.clock.at += 30 * SECOND
        await one.poll()
    lines = [record.message for record in caplog.records]
    assert lines == [
        "search all of account main: 503, try 0",
        "search all of account main: 503, try 20 (19 more failures since this was last logged)",
        "search all of account main: 503, try 40 (19 more failures since this was last logged)",
        "search all of account main: works again after 41 failures",
    ]


async def test_a_store_that_fails_is_complained_of_once_and_not_again_for_each_search(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = harness()
    one.store.failures = 5
    with caplog.at_level(logging.INFO, "monitor"):
        for _ in range(5):
            with pytest.raises(StoreError) as caught:
                await one.poll(GOOD)
            await one.sinks["main"].failed("all", caught.value)
        await one.poll(GOOD)
    assert [record.message for record in caplog.records] == [
        "the store: the disk is full",
        "the store: works again after 5 failures",
    ]
    assert one.health.unready() == ["The daemon is starting"]


async def test_a_sweep_is_judged_and_moves_no_moment() -> None:
    one = harness(CONFIG.replace("group_wait: 10s", "group_wait: 0s"))
    await one.poll(GOOD)
    moment = one.clock.at
    one.clock.at += 10 * SECOND
    await one.page([row | {"date": moment} for row in traffic(9, operator="Cosmote")], "all", "main", moment)
    await one.sinks["main"].complete("all", Cursor("main", "all", moment, 0, {"300000000": one.clock.at}))
    assert one.told[-1].alerts[0].as_of == moment
