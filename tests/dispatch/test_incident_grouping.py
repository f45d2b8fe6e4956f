"""Incidents: what fires for one cause is one notification, which names the smallest scope that explains it."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.kind import Group
from monitor.alerts.kinds.result import EvaluationInput
from monitor.dispatch.group_members import KnownAlert
from monitor.dispatch.incident_assigner import MOST_LOCATED, IncidentAssigner
from monitor.model.notification import Notification
from monitor.notify.render.alertmanager_payload import alertmanager
from monitor.notify.render.notification_text import push, shown_views
from monitor.routing.matchers import parse_matchers
from monitor.routing.silences import Silence
from monitor.runtime.clock import MINUTE
from tests.fakes.hand_clock import HandClock
from tests.fakes.pipeline_harness import PipelineHarness, traffic
from tests.fakes.toy_kind import CROWD, Crowd, registered
from tests.fakes.written import CONFIG, settings

RULES = """
rules:
  - {name: OperatorFails, kind: rate, by: [operator, country], window: 1m, above: 20%, severity: warning, incident: {by: [country]}}
  - {name: CountryFails, kind: rate, by: [country], window: 1m, above: 20%, severity: critical, incident: {by: [country]}}
  - {name: AllFail, kind: rate, window: 1m, above: 20%, severity: critical, incident: {by: [country]}}
  - {name: CampaignFails, kind: rate, by: [campaign], where: {campaign: {is_not: unknown}}, window: 1m, above: 20%, incident: {}}
"""
AT_ONCE = CONFIG.replace("group_wait: 10s", "group_wait: 0s")
OPERATORS = {"Cosmote": "GR", "Vodafone": "GR", "Nova": "GR", "Cyta": "CY", "Epic": "CY", "Telekom": "DE", "O2": "DE"}


class Account:
    """Operators of three countries; a test says how many of ten messages of each fail."""

    def __init__(self, rules: str = RULES, config: str = AT_ONCE) -> None:
        self.clock = HandClock()
        self.harness = PipelineHarness(settings(rules, config), self.clock)

    async def poll(self, later: int = MINUTE, rows: Iterable[dict[str, Any]] = (), **failing: int) -> None:
        """A poll in which these operators fail, or those of these countries, and no others. ``rows`` are further messages."""
        self.clock.at += later
        rows = list(rows)
        for operator, country in OPERATORS.items():
            bad = failing.get(operator, failing.get(country, failing.get("everywhere", 0)))
            rows += traffic(bad, operator=operator, country=country)
        await self.harness.poll(rows)

    async def silence(self, matchers: str, lasts: int) -> None:
        now = self.clock.at
        silence = Silence("silence-1", parse_matchers(matchers), now, now + lasts, "Ann", "why", now)
        await self.harness.actions.put_silence(silence)

    async def calm(self, polls: int = 1) -> None:
        for _ in range(polls):
            await self.poll()

    @property
    def told(self) -> list[Notification]:
        return self.harness.told

    @property
    def firsts(self) -> list[Notification]:
        return [one for one in self.told if one.reason == "first"]


def of(notification: Notification) -> list[str]:
    """The alerts of a notification as people would name them, the first one first; those that are over in brackets."""
    named = []
    for view in shown_views(notification):
        group = "/".join(v for k, v in view.labels.items() if k not in ("alertname", "severity")) or "all"
        named.append(f"{view.name} {group}" if view.status == "firing" else f"({view.name} {group})")
    return named


def episodes(account: Account) -> list[str]:
    return list(dict.fromkeys(one.episode for one in account.told))


async def test_a_country_outage_is_one_notification_that_names_the_country() -> None:
    account = Account()
    await account.calm(3)
    await account.poll(GR=9)
    (first,) = account.told
    assert of(first)[0] == "CountryFails GR"
    assert alertmanager(first)["alerts"][0]["labels"]["alertname"] == "CountryFails"
    assert sorted(of(first)[1:]) == [
        "AllFail all",
        *(f"OperatorFails {one}/GR" for one in ("Cosmote", "Nova", "Vodafone")),
    ]
    assert push(first) == (
        "CRITICAL firing: CountryFails: 90% of 30 messages to GR failed in 1m, threshold 20%, "
        "and 4 more alerts of 2 rules: 3 operators, all messages"
    )
    await account.poll(GR=9)
    await account.calm()
    assert account.harness.reasons() == ["first"]
    await account.calm(4)
    assert account.harness.reasons() == ["first", "all resolved"]
    assert of(account.told[1])[0] == "(CountryFails GR)"
    assert len(account.told[1].resolved) == 5


async def test_an_outage_of_one_operator_names_the_operator_although_its_country_and_all_messages_fire_too() -> None:
    account = Account()
    await account.calm(3)
    await account.poll(Cyta=10, Cosmote=1, O2=1, Telekom=1)
    (first,) = account.told
    assert sorted(of(first)[1:]) == ["CountryFails CY"]
    assert push(first).startswith("CRITICAL firing: OperatorFails: 100% of 10 messages to Cyta (CY) failed")


async def test_two_countries_at_once_are_two_notifications() -> None:
    account = Account()
    await account.calm(3)
    await account.poll(GR=9, CY=9)
    assert [of(one)[0] for one in account.told] == ["CountryFails GR", "CountryFails CY"]
    assert len(episodes(account)) == 2
    names = [name for one in account.told for name in of(one)]
    assert sorted(names) == sorted(set(names)), "no alert is told twice"
    assert "AllFail all" in names


async def test_an_outage_of_everything_is_one_notification_that_names_all_messages() -> None:
    account = Account()
    await account.calm(3)
    await account.poll(everywhere=9)
    (first,) = account.told
    assert of(first)[0] == "AllFail all"
    assert len(first.firing) == 1 + 3 + 7
    assert "and 10 more alerts of 2 rules: 7 operators, 3 countries" in push(first)


async def test_an_outage_of_everything_that_is_seen_first_in_one_country_is_one_notification() -> None:
    account = Account(RULES.replace("above: 20%", "above: 20%, min_messages: 30", 2))
    await account.calm(3)
    await account.poll(GR=3)
    assert [of(one)[0] for one in account.told] == ["CountryFails GR"]
    await account.poll(everywhere=8)
    assert len(episodes(account)) == 1


async def test_a_country_that_fails_while_another_has_failed_for_long_is_another_incident() -> None:
    account = Account()
    await account.calm(3)
    await account.poll(GR=9)
    for _ in range(30):
        await account.poll(GR=9)
    await account.poll(GR=9, CY=9)
    assert len(episodes(account)) == 2
    assert of(account.told[-1])[0] == "CountryFails CY"


async def test_a_wider_cause_found_later_is_told_at_once_in_the_same_episode_and_named() -> None:
    rules = RULES.replace("severity: warning", "severity: critical").replace(
        "name: AllFail, ", "name: AllFail, for: 30m, "
    )
    account = Account(rules.replace("name: CountryFails, ", "name: CountryFails, for: 1m, "))
    await account.calm(3)
    await account.poll(Cosmote=9)
    assert [of(one) for one in account.told] == [["OperatorFails Cosmote/GR"]]
    await account.poll(GR=9)
    assert account.harness.reasons() == ["first", "new alerts"]
    assert push(account.told[1]).startswith("CRITICAL firing: CountryFails: 90% of 30 messages to GR")
    assert len(episodes(account)) == 1
    assert len({one.group_key for one in account.told}) == 1


async def test_a_narrower_cause_found_within_the_first_minutes_is_told_at_once_and_named() -> None:
    rules = RULES.replace("severity: warning", "severity: critical").replace(
        "name: OperatorFails, ", "name: OperatorFails, for: LATER, "
    )
    for later, reasons in (("1m", ["first", "new alerts"]), ("7m", ["first"])):
        account = Account(rules.replace("LATER", later), AT_ONCE.replace("interval: 5m", "interval: 20m"))
        await account.calm(3)
        for _ in range(9):
            await account.poll(Cosmote=10)
        assert of(account.told[0])[0] == "CountryFails GR"
        assert account.harness.reasons() == reasons
    account = Account(rules.replace("LATER", "1m"))
    await account.calm(3)
    for _ in range(3):
        await account.poll(Cosmote=10)
    assert push(account.told[1]).startswith("CRITICAL firing: OperatorFails: 100% of 10 messages to Cosmote (GR)")


async def test_a_worse_alert_that_joins_is_told_at_once_and_a_lesser_one_waits() -> None:
    account = Account(
        RULES.replace("name: CountryFails, ", "name: CountryFails, for: 1m, ").replace(
            "name: AllFail, ", "name: AllFail, for: 10m, "
        )
    )
    await account.calm(3)
    await account.poll(Cosmote=9, Vodafone=1)
    assert [of(one) for one in account.told] == [["OperatorFails Cosmote/GR"]]
    await account.poll(Cosmote=9, Vodafone=9)
    assert account.harness.reasons() == ["first", "escalated"]
    assert push(account.told[-1]).startswith("CRITICAL escalated: CountryFails: 60% of 30 messages to GR")
    await account.poll(Cosmote=9, Vodafone=9, Nova=9)
    assert account.harness.reasons() == ["first", "escalated"], "another operator of it waits for group_interval"
    for _ in range(5):
        await account.poll(GR=9)
    assert account.harness.reasons() == ["first", "escalated", "new alerts"]
    assert len(episodes(account)) == 1


async def test_a_campaign_is_of_the_country_in_which_most_of_its_messages_fail() -> None:
    account = Account()
    await account.calm(3)
    await account.poll(GR=9)
    await account.poll(rows=traffic(9, operator="Cosmote", country="GR", campaign="Sale"), GR=9)
    for _ in range(5):
        await account.poll(rows=traffic(9, operator="Cosmote", country="GR", campaign="Sale"), GR=9)
    assert len(episodes(account)) == 1
    assert "CampaignFails Sale" in of(account.told[-1])
    assert "campaign Sale" in push(account.told[-1])


async def test_a_bad_list_in_many_countries_is_not_of_the_outage_in_one() -> None:
    account = Account()
    await account.calm(3)
    await account.poll(GR=9)
    bad = [
        row
        for one in ("DE", "CY", "IT", "FR")
        for row in traffic(3, operator=f"Other {one}", country=one, campaign="Sale")
    ]
    for _ in range(7):
        await account.poll(rows=bad, GR=9)
    sale = [one for one in account.told if "CampaignFails Sale" in of(one)]
    assert {one.episode for one in sale}.isdisjoint({account.told[0].episode})


async def test_operators_that_fail_for_a_campaign_are_of_the_campaigns_incident() -> None:
    account = Account(RULES.replace("name: CountryFails, ", "name: CountryFails, min_messages: 500, "))
    await account.calm(3)
    for bad in (0, 0, 9, 9):
        sale = {one: traffic(bad, operator=f"Op {one}", country=one, campaign="Sale") for one in ("GR", "CY", "IT")}
        await account.poll(rows=[row for some in sale.values() for row in some])
    (first,) = account.firsts
    assert of(first)[0] == "CampaignFails Sale"
    assert sorted(of(first)[1:]) == ["AllFail all", *(f"OperatorFails Op {one}/{one}" for one in ("CY", "GR", "IT"))]


async def test_a_restart_in_the_middle_tells_nobody_and_what_comes_then_joins() -> None:
    account = Account()
    await account.calm(3)
    await account.poll(Cosmote=9, Vodafone=1)
    before = len(account.told)
    await account.harness.restart(account.harness.settings)
    await account.harness.reload(account.harness.settings)
    assert len(account.told) == before
    for _ in range(6):
        await account.poll(GR=9)
    await account.harness.restart(account.harness.settings)
    assert len(episodes(account)) == 1
    await account.calm(6)
    assert account.harness.reasons()[-1] == "all resolved"
    assert not any(one.told for one in account.harness.pipeline.dispatcher.groups.values())


@pytest.mark.parametrize(
    ("instead_of", "written"),
    [
        ("kind: rate", "kind: rate"),
        ("kind: rate", "kind: rate, for: 1m"),
        ("by: [operator, country]", "by: [operator, country], limit: 1"),
    ],
    ids=["at once", "after a time of pending", "within a limit"],
)
async def test_what_fires_again_before_its_end_is_told_stays_in_its_incident(instead_of: str, written: str) -> None:
    account = Account(RULES.replace(instead_of, written))
    await account.calm(3)
    for bad in (9, 9, 0, 9, 9):
        await account.poll(GR=bad)
    assert account.harness.reasons() == ["first"]
    await account.poll(GR=9)
    await account.harness.restart(account.harness.settings)
    await account.poll(GR=9)
    await account.calm(10)
    assert account.harness.reasons() == ["first", "all resolved"]
    assert len(episodes(account)) == 1


async def test_alerts_that_flap_stay_in_their_incident() -> None:
    account = Account()
    await account.calm(3)
    for _ in range(6):
        await account.poll(GR=9)
        await account.calm(7)
    await account.calm(60)
    assert len(episodes(account)) == 1
    assert account.harness.reasons()[-1] == "all resolved"
    assert not any(one.told for one in account.harness.pipeline.dispatcher.groups.values())


async def test_what_one_receiver_is_told_of_alone_is_of_an_incident_for_the_other_when_it_fires_again() -> None:
    """`oncall` has a notification for each alert; `ops` groups incidents, and was not told of the first time."""
    receivers = "receivers:\n  - {name: oncall, console: [{}]}\n"
    routes = "repeat_interval: 4h, routes: [{receiver: oncall, group_by: ['...'], continue: true}, {receiver: ops, group_wait: 2m}]"
    account = Account(config=AT_ONCE.replace("receivers:\n", receivers).replace("repeat_interval: 4h", routes))
    await account.calm(3)
    for bad in (9, 0, 9, 9, 9, 9):
        await account.poll(GR=bad)
    assert account.harness.reasons("oncall") == ["first"] * 5
    assert account.harness.reasons("ops") == ["first"]
    assert len(account.firsts[-1].firing) == 5


async def test_what_a_storm_has_told_stays_in_its_overflow_when_it_fires_again() -> None:
    account = Account()
    account.harness.pipeline.dispatcher.most_groups = 1
    await account.calm(3)
    for bad in (9, 0, 9, 9, 9, 9):
        await account.poll(GR=bad, CY=bad)
    assert account.harness.reasons() == ["first"]
    await account.calm(10)
    assert account.harness.reasons() == ["first", "all resolved"]


async def test_what_fires_again_soon_after_the_end_reopens_the_incident_also_after_a_restart() -> None:
    account = Account()
    await account.calm(3)
    await account.poll(GR=9)
    await account.calm(6)
    await account.harness.restart(account.harness.settings)
    await account.calm(20)
    await account.poll(Nova=9)
    assert account.harness.reasons() == ["first", "all resolved", "reopened"]
    assert len(episodes(account)) == 1
    assert push(account.told[-1]).startswith("CRITICAL firing again: OperatorFails: 90% of 10 messages to Nova (GR)")


async def test_what_fires_again_before_its_end_is_told_is_told_in_the_same_message() -> None:
    account = Account()
    await account.calm(3)
    await account.poll(GR=9, CY=9)
    await account.poll(Nova=9)
    await account.poll(Cosmote=9, CY=9)
    await account.calm(6)
    assert len({one.group_key for one in account.told}) == 2
    assert all(one.incident for one in account.told)


async def test_what_fires_long_after_the_end_or_in_another_country_is_another_incident() -> None:
    account = Account()
    await account.calm(3)
    await account.poll(GR=9)
    await account.calm(6)
    await account.poll(CY=9)
    await account.calm(45)
    assert account.harness.pipeline.dispatcher.groups == {}
    await account.poll(GR=9)
    assert account.harness.reasons() == ["first", "all resolved", "first", "all resolved", "first"]
    assert len(episodes(account)) == 3


async def test_an_alert_that_is_silenced_is_not_told_and_its_incident_is() -> None:
    account = Account()
    await account.silence('alertname="CountryFails"', 60 * MINUTE)
    await account.calm(3)
    await account.poll(GR=9)
    assert "CountryFails GR" not in of(account.told[0])
    assert len(account.told) == 1
    await account.calm(6)
    assert account.harness.reasons() == ["first", "all resolved"]


async def test_an_alert_that_is_silenced_once_told_still_gets_its_resolve() -> None:
    account = Account()
    await account.calm(3)
    await account.poll(GR=9)
    await account.silence('alertname="CountryFails"', 60 * MINUTE)
    await account.poll(GR=9)
    await account.calm(6)
    assert account.harness.reasons() == ["first", "all resolved"]
    assert "(CountryFails GR)" in of(account.told[-1])


async def test_labels_that_people_group_by_still_separate_and_names_and_fields_do_not() -> None:
    account = Account(config=AT_ONCE.replace("[alertname]", "[alertname, country, severity]"))
    await account.calm(3)
    await account.poll(GR=9)
    assert sorted((one.group_labels["severity"], len(one.firing)) for one in account.told) == [
        ("critical", 2),
        ("warning", 3),
    ]
    assert all(one.group_labels.keys() == {"incident", "severity"} for one in account.told)


@pytest.mark.parametrize("grouping", ["group_by: ['...']", "group_by: [alertname], group_incidents: false"])
async def test_a_route_can_leave_incidents_out(grouping: str) -> None:
    account = Account(config=AT_ONCE.replace("group_by: [alertname]", grouping))
    await account.calm(3)
    await account.poll(GR=9)
    assert len(account.told) == (5 if "..." in grouping else 3)
    assert not any(one.incident for one in account.told)


async def test_alerts_that_were_told_before_their_rules_had_incidents_stay_where_they_were() -> None:
    plain = re.sub(r", incident: \{.*?\}", "", RULES)
    account = Account(plain)
    await account.calm(3)
    await account.poll(Cosmote=9, Vodafone=1)
    before = len(account.told)
    await account.harness.restart(settings(RULES, AT_ONCE))
    assert len(account.told) == before
    await account.calm(6)
    assert sorted(account.harness.reasons()) == sorted(["first"] * before + ["all resolved"] * before)


async def test_rules_of_other_families_and_rules_without_incidents_keep_their_own_notifications() -> None:
    rules = RULES.replace(
        "severity: critical, incident: {by: [country]}}\n  - {name: CampaignFails",
        "severity: critical, incident: {name: other}}\n  - {name: CampaignFails",
    )
    account = Account(rules + "  - {name: Plain, kind: rate, by: [country], window: 1m, above: 20%}\n")
    await account.calm(3)
    await account.poll(GR=9)
    assert sorted(sorted({view.name for view in one.alerts}) for one in account.told) == [
        ["AllFail"],
        ["CountryFails", "OperatorFails"],
        ["Plain"],
    ]


async def test_each_receiver_hears_of_the_incident_once_and_of_its_end_once() -> None:
    two = AT_ONCE.replace("receivers:\n", "receivers:\n  - {name: oncall, console: [{}]}\n").replace(
        "repeat_interval: 4h",
        "repeat_interval: 4h, routes: [{matchers: ['severity=\"critical\"'], receiver: oncall, continue: true}, {receiver: ops}]",
    )
    account = Account(config=two)
    await account.calm(3)
    await account.poll(GR=9)
    await account.calm(6)
    assert account.harness.reasons("ops") == ["first", "all resolved"]
    assert account.harness.reasons("oncall") == ["first", "all resolved"]
    (ops, *_), (oncall, *_) = ([one for one in account.told if one.receiver == name] for name in ("ops", "oncall"))
    assert ops.incident == oncall.incident
    assert (len(ops.firing), len(oncall.firing)) == (5, 2)


def everywhere(bad: int, **fields: str) -> list[dict[str, Any]]:
    return [
        row for one in ("GR", "CY", "DE", "IT") for row in traffic(bad, operator=f"Op {one}", country=one, **fields)
    ]


async def test_a_sender_that_is_filtered_in_all_countries_takes_up_no_outage_of_one() -> None:
    rules = f"""{RULES}
  - name: Filtered
    kind: count
    by: [detailedStatus]
    match: {{status: Undelivered}}
    where: {{detailedStatus: {{is_not: unknown}}}}
    window: 1m
    above: 9
    incident: {{}}
"""
    account = Account(rules.replace("severity: critical", "severity: critical, min_messages: 10"))
    usual = everywhere(0, **{"from": "Bank"})
    await account.calm(3)
    await account.poll(rows=usual)
    for _ in range(3):
        await account.poll(rows=[*usual, *everywhere(3, **{"from": "Shop", "detailedStatus": "Carrier Violation"})])
    assert [name for name in of(account.told[0]) if name.startswith("Filtered")] == ["Filtered Carrier Violation"]
    filtered = account.told[0].episode
    await account.poll(rows=[*usual, *everywhere(3, **{"from": "Shop", "detailedStatus": "Carrier Violation"})], GR=10)
    assert "CountryFails GR" in [name for one in account.told if one.episode != filtered for name in of(one)]


async def test_applications_that_fail_together_are_one_incident() -> None:
    rules = (
        RULES
        + "  - {name: AppFails, kind: rate, by: [applicationName], window: 1m, above: 50%, min_messages: 10, incident: {}}\n"
    )
    account = Account(rules.replace("above: 20%", "above: 20%, min_messages: 1000"))
    for bad in (0, 0, 0, 9):
        await account.poll(
            rows=[row for app in ("Web", "Shop", "Bank") for row in everywhere(bad, applicationName=app)]
        )
    (first,) = account.told
    assert len(first.firing) == 3


def _broken_case(rule: Crowd, inputs: EvaluationInput, group: Group) -> RuleCase:
    raise ValueError("this kind cannot say what it counts")


async def test_alerts_whose_messages_cannot_be_counted_are_told_all_the_same_and_joined_by_their_labels(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rules = """
rules:
  - {name: Full, kind: crowd, by: [operator, country], window: 1m, seats: 5, incident: {}}
  - {name: CountryFull, kind: crowd, by: [country], window: 1m, seats: 5, incident: {}}
"""
    with registered(replace(CROWD, case=_broken_case)):
        account = Account(rules)
        await account.poll()
    assert sorted(len(one.firing) for one in account.told) == [3, 3, 4]
    assert {one.group_labels["incident"] for one in account.told} == {one.incident for one in account.told}
    assert "cannot be worked out" in caplog.text


async def test_an_open_alert_whose_messages_cannot_be_counted_is_named_and_takes_nothing_from_one_that_begins(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rules = """
rules:
  - {name: Full, kind: crowd, by: [operator], window: 1m, seats: 5, incident: {by: [operator]}}
  - {name: CampaignFails, kind: rate, by: [campaign], where: {campaign: {is_not: unknown}}, window: 1m, above: 20%, incident: {}}
"""
    with registered(replace(CROWD, case=_broken_case)):
        account = Account(rules)
        await account.calm(2)
        caplog.clear()
        await account.poll(rows=traffic(9, operator="Tim", country="IT", campaign="Sale"))
    places = {alert.rule: alert.incident.place for alert in account.harness.pipeline.every_alert() if alert.incident}
    assert places["CampaignFails"] == {"country": "IT"}
    assert "where the excess of alert Full lies cannot be worked out" in caplog.text
    assert "alert CampaignFails" not in caplog.text


SILENT = """
rules:
  - {name: QuietOperator, kind: absence, by: [operator], window: 2m, active_in: 10m, min_baseline: 20, incident: {name: silence}}
  - {name: OperatorSilence, kind: absence, by: [operator, country], window: WINDOW, active_in: 10m, min_baseline: 20, incident: {name: silence}}
"""


@pytest.mark.parametrize("window", ["1m", "2m", "3m"])
async def test_a_silence_whose_labels_do_not_say_its_country_is_of_that_in_which_its_messages_were(window: str) -> None:
    account = Account(SILENT.replace("WINDOW", window))
    await account.calm(15)
    away = [OPERATORS.pop("Telekom"), OPERATORS.pop("Epic")]
    try:
        await account.calm(9)
    finally:
        OPERATORS.update(zip(("Telekom", "Epic"), away, strict=True))
    assert sorted(
        sorted(f"{view.name} {view.labels['operator']}" for view in one.alerts) for one in account.told[-2:]
    ) == [
        ["OperatorSilence Epic", "QuietOperator Epic"],
        ["OperatorSilence Telekom", "QuietOperator Telekom"],
    ]
    assert len(episodes(account)) == 2


async def test_a_country_that_fails_a_little_is_not_of_the_outage_of_another_that_nearly_all_else_goes_to() -> None:
    rules = RULES.replace("above: 20%", "above: 4%") + (
        "  - {name: PartnerFails, kind: rate, by: [from, country], where: {from: Bank}, window: 1m, above: 4%, incident: {}}\n"
    )
    account = Account(rules)

    def rows(bad: int, elsewhere: int) -> list[dict[str, Any]]:
        shares = {"GB": (bad, 200), "DE": (elsewhere, 100), "FR": (elsewhere // 2, 60)}
        return [
            row
            for one, (failing, of_all) in shares.items()
            for row in traffic(failing, of_all, operator=f"Op {one}", country=one, **{"from": "Bank"})
        ]

    for _ in range(3):
        await account.poll(rows=rows(0, 0))
    await account.poll(rows=rows(180, 0))
    await account.poll(rows=rows(180, 6))
    of_germany = [one for one in account.told if any(view.labels.get("country") == "DE" for view in one.alerts)]
    assert of_germany
    assert {one.place.get("country") for one in of_germany} == {"DE"}


async def test_ten_thousand_alerts_of_one_cause_are_one_message() -> None:
    account = Account("""
rules:
  - {name: Fails, kind: rate, by: [from, country], window: 1m, above: 20%, incident: {by: [from]}}
""")
    rows = [{"from": f"S{n}", "country": f"C{n % 7}", "status": "Undelivered"} for n in range(10_000)]
    await account.poll(rows=rows)
    (first,) = account.told
    assert "and 9,999 more alerts of 1 rule" in push(first)


@hypothesis_settings(max_examples=25, deadline=None)
@given(
    minutes=st.lists(
        st.fixed_dictionaries(
            {"Cosmote": st.sampled_from([0, 9]), "Nova": st.sampled_from([0, 9]), "CY": st.sampled_from([0, 9])}
        ),
        max_size=20,
    ),
    restarts=st.sets(st.integers(0, 19), max_size=3),
)
def test_no_message_is_of_two_countries_whatever_fails_when_and_each_one_ends(
    minutes: list[dict[str, int]], restarts: set[int]
) -> None:
    account = Account()

    async def live() -> None:
        await account.calm(3)
        for number, failing in enumerate(minutes):
            await account.poll(**failing)
            if number in restarts:
                await account.harness.restart(account.harness.settings)
        await account.calm(50)

    trio.run(live)
    countries: dict[str, set[str]] = {}
    firing: dict[str, set[str]] = {}
    for one in account.told:
        seen = countries.setdefault(one.group_key, set())
        seen |= {view.labels["country"] for view in one.alerts if "country" in view.labels}
        firing[one.group_key] = {view.fingerprint for view in one.firing}
    assert all(len(some) <= 1 for some in countries.values())
    assert not any(firing.values())
    assert account.harness.pipeline.dispatcher.groups == {}


async def test_a_flush_looks_at_the_messages_of_so_many_alerts_only_however_many_incidents_are_open() -> None:
    counted: list[Group] = []

    def case(rule: Crowd, inputs: EvaluationInput, group: Group) -> RuleCase | None:
        counted.append(group)
        return CROWD.case(rule, inputs, group)

    rules = """
rules:
  - {name: CountryFull, kind: crowd, by: [country], window: 1m, seats: 35, incident: {}}
  - {name: CampaignFull, kind: crowd, by: [campaign], where: {campaign: {is_not: unknown}}, window: 1m, seats: 20, incident: {}}
"""
    with registered(replace(CROWD, case=case)):
        account = Account(rules)
        usual = [
            {"country": f"U{n}", "campaign": f"Old {n}", "status": "Delivered"} for n in range(100) for _ in range(4)
        ]
        for full in range(0, 61, 10):
            crowd = [{"country": f"F{n}", "status": "Delivered"} for n in range(full) for _ in range(40)]
            await account.poll(rows=usual + crowd)
        spread = [
            {"country": f"U{n}", "campaign": f"Sale {of}", "status": "Delivered"} for of in range(10) for n in range(25)
        ]
        await account.poll(rows=usual + crowd + spread)
        pipeline = account.harness.pipeline
        known = {one[0].fingerprint: KnownAlert(*one) for one in pipeline.alerts()}
        begun = {key: one for key, one in known.items() if one.alert.rule == "CampaignFull"}
        known |= {
            key: KnownAlert(msgspec.structs.replace(one.alert, incident=None), one.views, one.context)
            for key, one in begun.items()
        }
        counted.clear()
        assigned = IncidentAssigner(known, (), {}, account.clock.at).assign()
    assert assigned.keys() == begun.keys()
    assert len(known) - len(begun) >= 60
    campaigns = [group for group in counted if group[0][0] == "campaign"]
    assert len(campaigns) == len(begun) == 10, "each that begins is looked at"
    assert len(campaigns) < len(counted) <= MOST_LOCATED


@pytest.mark.parametrize("later", [1, 2, 3])
async def test_of_equally_near_incidents_an_alert_joins_the_first_by_name(later: int) -> None:
    """The country's alert says no operator, and its excess lies in three of them, a third each."""
    account = Account(RULES.replace("{by: [country]}", "{by: [country, operator]}"))
    await account.calm(2 + later)
    await account.poll(GR=9)
    assert sorted(sorted(of(one)) for one in account.firsts) == [
        ["AllFail all", "CountryFails GR", "OperatorFails Cosmote/GR"],
        ["OperatorFails Nova/GR"],
        ["OperatorFails Vodafone/GR"],
    ]
