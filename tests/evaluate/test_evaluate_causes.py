"""What explains an alert: the values that carry the excess, and none that are merely common."""

from typing import Any

from monitor.clock import DAY, HOUR, MINUTE
from monitor.evaluate import Moment
from monitor.evaluate.causes import breakdown
from monitor.message import batch_of
from monitor.notification import Cause
from monitor.rules import rule_of
from monitor.window import Reading, Window

NOW = 100 * DAY


def sent(count: int, at: int = NOW, **fields: Any) -> list[dict[str, Any]]:
    return [{"date": at, "status": "Delivered", "operator": "Cosmote", "from": "Bank"} | fields] * count


def explained(rows: list[dict[str, Any]], *group: tuple[str, str], **rule: Any) -> dict[str, str]:
    return {cause.field: cause.value for cause in causes(rows, *group, **rule)}


def causes(rows: list[dict[str, Any]], *group: tuple[str, str], **rule: Any) -> tuple[Cause, ...]:
    window = Window("main")
    window.upsert(batch_of([row | {"messageId": f"m{i}"} for i, row in enumerate(rows)]), "all")
    moment = Moment(Reading(window), NOW, 0, ())
    return breakdown(rule_of({"name": "R"} | rule), moment, group)


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
