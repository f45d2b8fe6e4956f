"""What explains an alert: the values that carry the excess, and none that are merely common."""

from typing import Any

import pytest

from monitor.alerts.explain import breakdown
from monitor.alerts.kinds import EvaluationInput
from monitor.config.rules import rule_of
from monitor.model.batch import batch_of
from monitor.model.notification import Cause
from monitor.runtime.clock import DAY, HOUR, MINUTE
from monitor.window import Window, WindowReader

NOW = 100 * DAY


def sent(count: int, at: int = NOW, **fields: Any) -> list[dict[str, Any]]:
    return [{"date": at, "status": "Delivered", "operator": "Cosmote", "from": "Bank"} | fields] * count


def explained(rows: list[dict[str, Any]], *group: tuple[str, str], **rule: Any) -> dict[str, str]:
    return {cause.field: cause.value for cause in causes(rows, *group, **rule)}


def causes(rows: list[dict[str, Any]], *group: tuple[str, str], **rule: Any) -> tuple[Cause, ...]:
    window = Window("main")
    window.upsert(batch_of([row | {"messageId": f"m{i}"} for i, row in enumerate(rows)]), "all")
    inputs = EvaluationInput(WindowReader(window), NOW, 0, ())
    return breakdown(rule_of({"name": "R"} | rule), inputs, group)


USUAL = sent(800, NOW - HOUR) + sent(200, NOW - HOUR, **{"from": "Shop"})
FILTERED = {"from": "Shop", "status": "Undelivered", "detailedStatus": "Carrier Violation"}
SPIKE: dict[str, Any] = {
    "kind": "spike",
    "by": ["detailedStatus"],
    "window": "15m",
    "baseline": {"window": "1h", "ago": "15m"},
    "above": "3x",
}


def test_a_spike_of_one_outcome_is_explained_by_who_suffers_it() -> None:
    rows = USUAL + sent(160, NOW - MINUTE) + sent(40, NOW - MINUTE, **FILTERED)
    for considered in ({"where": {"status": "Undelivered"}}, {"match": {"status": "Undelivered"}}):
        found = explained(rows, ("detailedStatus", "Carrier Violation"), **SPIKE, **considered)
        assert found == {"from": "Shop"}


def test_a_spike_of_one_outcome_that_everyone_suffers_is_blamed_on_nobody() -> None:
    rows = USUAL + sent(80, NOW - MINUTE, status="Undelivered", detailedStatus="Roaming")
    rows += sent(20, NOW - MINUTE, **FILTERED | {"detailedStatus": "Roaming"})
    assert explained(rows, ("detailedStatus", "Roaming"), **SPIKE, where={"status": "Undelivered"}) == {}


def test_more_traffic_is_explained_by_whom_it_comes_from() -> None:
    rows = USUAL + sent(200, NOW - MINUTE) + sent(5000, NOW - MINUTE, **{"from": "Gym"})
    volume = SPIKE | {"by": []}
    assert explained(rows, **volume) == {"from": "Gym"}


COST: dict[str, Any] = {"kind": "cost", "window": "15m", "above": 1}


def test_more_spending_is_explained_by_where_the_money_went() -> None:
    usual = sent(1000, NOW - HOUR, price=0.05, country="GR")
    more = sent(100, NOW - MINUTE, price=0.05, country="GR") + sent(40, NOW - MINUTE, price=1.5, country="CU")
    more += sent(60, NOW - MINUTE, price=0.01, country="FR")
    assert explained(usual + more, **COST) == {"country": "CU"}
    dear, cheap = causes(usual + more, **COST), causes([row | {"price": 0.05} for row in usual + more], **COST)
    assert [(cause.value, round(cause.share, 2), cause.matching) for cause in dear] == [("CU", 1.0, 40)]
    assert [cause.value for cause in cheap] == ["FR"], "were all as dear, most of the excess went elsewhere"


def test_dear_messages_that_were_always_there_explain_no_spending() -> None:
    mix = [{"price": 2.0, "country": "CU"}] + [{"price": 0.05, "country": "GR"}] * 9
    usual = [row | mix[i % 10] for i, row in enumerate(sent(1000, NOW - HOUR))]
    more = [row | mix[i % 10] for i, row in enumerate(sent(600, NOW - MINUTE))]
    assert explained(usual + more, **COST) == {}


def test_spending_without_prices_is_explained_by_nothing() -> None:
    assert explained(USUAL + sent(500, NOW - MINUTE), **COST) == {}


def test_a_failing_share_is_explained_by_reason_and_sender() -> None:
    rows = USUAL + sent(160, NOW - MINUTE) + sent(40, NOW - MINUTE, **FILTERED)
    found = explained(rows, ("operator", "Cosmote"), kind="rate", by=["operator"], window="15m", above="10%")
    assert found == {"detailedStatus": "Carrier Violation", "from": "Shop"}


CAMPAIGN: dict[str, Any] = {"kind": "campaign", "failure_above": "20%", "stalled_for": "30m", "ended": "report"}
SALE = {"campaignTrackingId": "c-1", "campaign": "Sale", "from": "Shop"}


def of_campaign(problem: str) -> list[tuple[str, str]]:
    return [("campaign", "Sale"), ("campaignTrackingId", "c-1"), ("problem", problem)]


def campaign_to_a_bad_list(days: int = 0) -> list[dict[str, Any]]:
    """Two operators; to one of them a third of the messages fails. Beside it another campaign, which fares worse."""
    at, bad = NOW - days * DAY - HOUR, {"status": "Undelivered", "detailedStatus": "Unknown Number"}
    rows = sent(300, at, **SALE) + sent(200, at, **SALE, operator="Wind")
    rows += sent(150, at, **SALE, **bad, operator="Wind") + sent(3, at, **SALE, status="Failed")
    rows += sent(90, at, **SALE, status="Sent", country="DE")
    other = SALE | {"campaignTrackingId": "c-2", "campaign": "Spring"}
    return rows + sent(400, at, **other, status="Undelivered", detailedStatus="Expired", operator="Vodafone")


@pytest.mark.parametrize("days", [0, 3])
def test_a_campaign_that_fails_is_explained_by_its_own_messages_since_its_beginning(days: int) -> None:
    found = causes(campaign_to_a_bad_list(days), *of_campaign("failing"), **CAMPAIGN)
    assert [(one.field, one.value, one.matching) for one in found] == [
        ("operator", "Wind", 150),
        ("detailedStatus", "Unknown Number", 150),
    ]
    assert {round(one.share, 3) for one in found} == {round(150 / 153, 3)}


def test_a_campaign_that_fails_everywhere_alike_is_blamed_on_nobody_but_its_reason() -> None:
    rows = sent(300, **SALE) + sent(150, **SALE, status="Undelivered", detailedStatus="Unknown Number")
    assert explained(rows, *of_campaign("failing"), **CAMPAIGN) == {"detailedStatus": "Unknown Number"}


@pytest.mark.parametrize("problem", ["stalled", "ended"])
def test_what_is_no_share_of_failures_is_not_explained_by_them(problem: str) -> None:
    assert causes(campaign_to_a_bad_list(), *of_campaign(problem), **CAMPAIGN) == ()
