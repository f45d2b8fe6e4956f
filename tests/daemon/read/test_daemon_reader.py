"""What pages and the API read of a running daemon."""

import pytest

from monitor.daemon.http.rule_pages import rule_look
from monitor.daemon.read.incident_reader import MOST_MEMBERS
from monitor.model.account_state import AccountState
from monitor.model.alert import Transition, TransitionSubject
from monitor.model.batch import batch_of
from monitor.model.complete_read import POLL, CompleteRead, ReadOrigin
from monitor.model.label_fingerprint import label_fingerprint
from monitor.model.routee_query import CampaignState
from monitor.runtime.clock import HOUR, MINUTE, SECOND
from monitor.store.protocol import Commit, Cursor, NotificationFilter
from tests.fakes.daemon_reading import RULES, Reading
from tests.fakes.written import CONFIG


@pytest.fixture
async def reading(tmp_path):
    made = Reading(tmp_path / "monitor.db")
    yield made
    made.harness.store.close()


async def test_a_rule_says_what_its_groups_do(reading):
    await reading.fail()
    failing, off, volume = await reading.reader.rules.all()
    assert (failing.states.firing, failing.states.inactive, failing.state) == (1, 1, "firing")
    assert failing.condition == "above 20% / 60% in 5m, for 1m, with at least 5 messages"
    assert failing.evaluated_as_of == reading.clock.at
    assert (failing.severities, failing.error, failing.blind) == (("warning", "critical"), "", "")
    assert (failing.severity, volume.severity) == ("warning", "")
    assert rule_look(failing) == ("warning", "firing")
    assert failing.evaluation_seconds is not None
    assert (off.enabled, off.states.total, off.next_at) == (False, 0, None)
    assert (volume.states.inactive, volume.states.total) == (1, 1)


async def test_the_groups_of_a_rule_come_worst_first_and_are_searched(reading):
    await reading.fail()
    page = await reading.reader.rules.groups("Failing")
    assert [(one.labels["operator"], one.state) for one in page.items] == [("Cosmote", "firing"), ("Nova", "inactive")]
    worst = page.items[0]
    assert (worst.value, worst.threshold, worst.messages, worst.matching) == (0.5, 0.2, 30, 15)
    assert worst.severity == "warning"
    assert [one.labels for one in (await reading.reader.rules.groups("Failing", text="NOV")).items] == [
        {"operator": "Nova"}
    ]
    second = await reading.reader.rules.groups("Failing", offset=1, limit=1)
    assert ([one.labels["operator"] for one in second.items], second.total, second.has_more) == (["Nova"], 2, False)
    assert (await reading.reader.rules.groups("Failing", states=["pending"])).total == 0
    assert await reading.reader.rules.groups("None") is None


async def test_a_group_has_its_recent_evaluations(reading):
    await reading.fail()
    found = reading.reader.rules.evaluations("Failing", {"operator": "Cosmote"})
    assert [(one.value, one.threshold) for one in found.points] == [(0.5, 0.2)] * 3
    assert [one.as_of for one in found.points] == [reading.clock.at - back * MINUTE for back in (2, 1, 0)]
    with pytest.raises(ValueError, match="groups by operator"):
        reading.reader.rules.evaluations("Failing", {"country": "GR"})


async def test_an_alert_is_read_while_it_fires_and_after_it_is_over(reading):
    await reading.fail()
    page = await reading.reader.alerts.page()
    [alert] = page.items
    assert (alert.state, alert.severity, alert.account, alert.value) == ("firing", "warning", "main", 0.5)
    assert alert.sentence.startswith("Failing: 50% of 30 messages to Cosmote")
    await reading.harness.actions.acknowledge(alert.fingerprint, "Ann", "calls them")
    during = await reading.reader.alerts.one(alert.fingerprint)
    assert during.present.acknowledgement.by == "Ann"
    assert [one.what for one in during.events] == ["pending", "fired", "acknowledged"]
    assert [(one.receiver, one.channel, one.reason) for one in during.notifications] == [("ops", "console/0", "first")]
    for _ in range(7):
        await reading.poll(Cosmote=0)
    reading.clock.at += HOUR
    await reading.harness.pipeline.flush()
    after = await reading.reader.alerts.one(alert.fingerprint)
    assert (after.state, after.because, after.present) == ("resolved", "recovered", None)
    assert after.labels["operator"] == "Cosmote"
    assert [one.what for one in after.events][-1] == "resolved"
    assert after.ended_at is not None
    assert await reading.reader.alerts.one("0123") is None


async def test_an_alert_is_found_by_both_fingerprints_and_by_the_beginning_of_either(reading):
    await reading.fail()
    [alert] = (await reading.reader.alerts.page()).items
    assert alert.label_fingerprint == label_fingerprint(alert.labels) != alert.fingerprint
    for name in (alert.fingerprint, alert.label_fingerprint, alert.fingerprint[:4], alert.label_fingerprint[:4]):
        found = await reading.reader.alerts.one(name)
        assert (found.fingerprint, found.label_fingerprint) == (alert.fingerprint, alert.label_fingerprint)
        assert (await reading.harness.actions.status()).find(name).view.fingerprint == alert.fingerprint


async def test_an_alert_that_is_over_says_so_also_while_its_end_is_still_to_be_notified(reading):
    await reading.fail()
    [alert] = (await reading.reader.alerts.page()).items
    found = await reading.reader.alerts.one(alert.fingerprint)
    for _ in range(7):
        if found.state == "firing":
            await reading.poll(Cosmote=0)
            found = await reading.reader.alerts.one(alert.fingerprint)
    assert (found.state, found.because, found.present.state) == ("resolved", "recovered", "resolved")
    assert found.ended_at == found.events[-1].at


async def test_an_incident_has_its_alerts_and_what_was_told(reading):
    await reading.fail()
    page = await reading.reader.incidents.page()
    [incident] = page.items
    assert (incident.is_open, incident.firing, incident.alerts, incident.family) == (True, 1, 1, "delivery")
    found = await reading.reader.incidents.one(incident.id)
    assert [one.labels["operator"] for one in found.alerts] == ["Cosmote"]
    assert found.alerts[0].present.state == "firing"
    assert [one.reason for one in found.notifications] == ["first"]
    assert (
        await reading.reader.notifications.page(NotificationFilter(incident=incident.id))
    ).items == found.notifications
    assert await reading.reader.incidents.one("none") is None


async def test_an_incident_of_very_many_alerts_says_how_many_there_are_and_when_the_first_began(reading):
    await reading.fail()
    [incident] = (await reading.reader.incidents.page()).items
    about, began = TransitionSubject("main", (), 1, incident=incident.id), incident.began_at
    many = [
        Transition(f"f{number}", "Failing", began - 500 + number, "fired", about=about)
        for number in range(MOST_MEMBERS + 50)
    ]
    reading.harness.store.commit(Commit(transitions=many))
    found = await reading.reader.incidents.one(incident.id)
    assert (found.summary.alerts, found.summary.began_at) == (MOST_MEMBERS + 51, began - 500)
    assert len(found.alerts) == MOST_MEMBERS


async def test_an_incident_says_what_it_cost_up_to_the_latest_poll(reading):
    for _ in range(24):
        await reading.poll(Cosmote=0, Nova=0)
    await reading.fail()
    await reading.fail()
    [incident] = (await reading.reader.incidents.page()).items
    cost = (await reading.reader.incidents.one(incident.id)).cost
    assert (cost.failed, cost.until, cost.whole) == (30, reading.clock.at, True)
    assert (cost.lost, cost.usual_share, cost.spent) == (30, 0.0, None), "the messages have no price"
    assert cost.unpriced == 30
    await reading.poll(Cosmote=5, Nova=5)
    assert (await reading.reader.incidents.one(incident.id)).cost.failed == 35


async def test_what_was_told_is_paged_and_filtered(reading):
    await reading.fail()
    page = await reading.reader.notifications.page()
    [told] = page.items
    assert (told.receiver, told.outcome, told.alerts[0].labels["operator"]) == ("ops", "waiting", "Cosmote")
    wanted = NotificationFilter(fingerprint=told.alerts[0].fingerprint)
    assert (await reading.reader.notifications.page(wanted)).total == 1
    assert (await reading.reader.notifications.page(NotificationFilter(receiver="other"))).total == 0


async def test_receivers_show_what_waits_and_what_is_dead(reading):
    await reading.fail()
    [told] = (await reading.reader.notifications.page()).items
    [ops] = await reading.reader.notifications.receivers()
    [channel] = ops.channels
    assert (channel.channel, channel.waiting, channel.dead_letters, channel.last_sent_at) == ("console/0", 1, 0, None)
    reading.harness.store.sent(told.id, {}, reading.clock.at + SECOND)
    [ops] = await reading.reader.notifications.receivers()
    assert (ops.channels[0].waiting, ops.channels[0].last_sent_at) == (0, reading.clock.at + SECOND)


async def test_searches_show_how_fresh_their_messages_are(reading):
    await reading.fail()
    reading.clock.at += MINUTE
    [search] = reading.reader.searches.all()
    assert (search.age, search.is_stale, search.blind, search.pages) == (MINUTE, False, "", 3)
    reading.clock.at += HOUR
    assert reading.reader.searches.all()[0].is_stale


async def test_a_campaign_has_its_statuses_and_its_breakdown(reading):
    await reading.fail()
    evaluator = reading.harness.pipeline.accounts["main"].evaluator
    evaluator.account_state = AccountState().with_campaign(
        reading.clock.at, CampaignState("c-1", "Autumn sale", "Running", {}, recipients=100)
    )
    page = await reading.reader.campaigns.page(text="autumn")
    [campaign] = page.items
    assert (campaign.tracking_id, campaign.name, campaign.state) == ("c-1", "Autumn sale", "Running")
    assert (campaign.messages, campaign.delivered, campaign.failed, campaign.progress) == (60, 45, 15, 0.6)
    found = await reading.reader.campaigns.one("c-1")
    assert found.recipients == 100
    assert [(one.value, one.messages, one.failed) for one in found.breakdown["operator"]] == [
        ("Cosmote", 30, 15),
        ("Nova", 30, 0),
    ]
    assert sum(one.messages for one in found.timeline) == 60
    assert sum(one.failed for one in found.timeline) == 15
    assert await reading.reader.campaigns.one("c-2") is None


async def test_delivery_is_counted_by_place_and_over_time(reading):
    await reading.fail()
    found = await reading.reader.delivery.by_place()
    assert [(one.country, one.operator, one.messages, one.delivered_share) for one in found.cells] == [
        ("GR", "Cosmote", 30, 0.5),
        ("GR", "Nova", 30, 1.0),
    ]
    series = await reading.reader.delivery.over_time(10 * MINUTE, MINUTE, {"operator": "Cosmote"})
    assert sum(one.messages for one in series.points) == 30
    assert {one.delivered_share for one in series.points if one.messages} == {0.5}
    with pytest.raises(ValueError, match="steps"):
        await reading.reader.delivery.over_time(HOUR, SECOND)


async def test_pushed_reports_are_in_the_groups_and_in_the_numbers_of_delivery(tmp_path):
    reading = Reading(tmp_path / "monitor.db", RULES.replace("for: 1m", "for: 0s"))
    await reading.poll(Cosmote=0)
    pipeline, reader = reading.harness.pipeline, reading.reader

    async def push(status):
        reading.clock.at += MINUTE
        pushed = {"operator": "Cosmote", "date": reading.clock.at, "status": status}
        rows = [pushed | {"messageId": f"pushed-{number}"} for number in range(5)]
        await pipeline.push("main", lambda account: account.push(batch_of(rows), (), reading.clock.at))
        await pipeline.evaluate_pushed("main", reading.clock.at)

    async def shown():
        [group] = (await reader.rules.groups("Failing")).items
        cells, points = (await reader.delivery.by_place()).cells, (await reader.delivery.over_time(HOUR, MINUTE)).points
        return group.state, group.messages, sum(one.messages for one in cells), sum(one.messages for one in points)

    assert await shown() == ("inactive", 10, 10, 10)
    await push("Sent")
    assert await shown() == ("inactive", 10, 15, 15)
    await push("Failed")
    assert await shown() == ("firing", 15, 15, 15)
    reading.harness.store.close()


async def test_messages_that_have_left_every_search_are_not_in_the_numbers_of_delivery(tmp_path):
    queued = CONFIG.replace("every: 30s", "filters: [{field: status, is: Queued}]")
    reading = Reading(tmp_path / "monitor.db", "rules: []", queued)
    harness, sink, start = reading.harness, reading.harness.sinks["main"], reading.clock.at - HOUR
    found = []
    for rows in ([{"status": "Queued", "messageId": "m", "country": "GR"}], []):
        reading.clock.at += MINUTE
        now = reading.clock.at
        sink.begin("all", POLL)
        batch = batch_of([{"date": now, **row} for row in rows])
        await sink.page("all", batch, (), ReadOrigin(start, start))
        read = CompleteRead("all", POLL, ((start, now),), now, now, certain=True)
        await sink.complete("all", Cursor("main", "all", now, 0), read)
        sink.end("all", POLL)
        cells = (await reading.reader.delivery.by_place()).cells
        points = (await reading.reader.delivery.over_time(HOUR, MINUTE)).points
        found.append((sum(one.messages for one in cells), sum(one.messages for one in points)))
    harness.store.close()
    assert found == [(1, 1), (0, 0)]


async def test_what_is_counted_is_kept_until_the_next_poll(reading):
    await reading.fail()
    first = await reading.reader.delivery.by_place()
    assert await reading.reader.delivery.by_place() is first
    await reading.poll(Nova=1)
    assert await reading.reader.delivery.by_place() is not first
