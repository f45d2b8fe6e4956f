"""Breakdowns over synthetic traffic: what carries the excess is named, what is merely large is not."""

import random
from typing import Any

import pytest

from monitor.alerts.explain import breakdown, samples
from monitor.alerts.kinds import EvaluationInput
from monitor.config.rules import rule_of
from monitor.model.batch import batch_of
from monitor.model.notification import Cause
from monitor.runtime.clock import DAY, HOUR, MINUTE, Instant
from monitor.window import Window, WindowReader

NOW: Instant = 20_000 * DAY
RATE: dict[str, Any] = {"name": "R", "kind": "rate", "by": ["operator"], "window": "15m", "above": "20%"}
COUNT: dict[str, Any] = {"name": "R", "kind": "count", "by": ["operator"], "window": "15m", "above": 10}
COSMOTE = (("operator", "Cosmote"),)
REASONS = ("Unknown Number", "Expired", "Undelivered", "Undelivered", "Undelivered on Handset")
SENDERS = {"Shop": 5, "Bank": 3, "Gym": 1, "Post": 1}


class Traffic:
    """Three hours of messages to one operator, some 3 % of which fail for the usual reasons, then what the test adds."""

    def __init__(self, seed: int = 1, share: float = 0.03, rate: int = 4000) -> None:
        self.random = random.Random(seed)
        self.rows: list[dict[str, Any]] = []
        self.add(3 * rate, NOW - 3 * HOUR, NOW, share)

    def add(self, count: int, start: Instant, end: Instant, failing: float, **fields: Any) -> "Traffic":
        pick = self.random
        for _ in range(count):
            row = {
                "messageId": f"m{len(self.rows)}",
                "date": pick.randrange(start, end) + 1,
                "operator": "Cosmote",
                "country": "GR",
                "from": pick.choices(list(SENDERS), list(SENDERS.values()))[0],
                "campaign": pick.choice(["Spring", "Sale", None]),
                "status": "Delivered",
            }
            if pick.random() < failing:
                row |= {"status": "Undelivered", "detailedStatus": pick.choice(REASONS)}
            bad = fields if row["status"] == "Undelivered" else {k: v for k, v in fields.items() if k in PLACES}
            self.rows.append(row | bad)
        return self

    def now(self, count: int, failing: float, **fields: Any) -> "Traffic":
        return self.add(count, NOW - 10 * MINUTE, NOW, failing, **fields)

    def inputs(self, as_of: Instant = NOW) -> EvaluationInput:
        window = Window("main")
        window.upsert(batch_of(self.rows), "all")
        return EvaluationInput(WindowReader(window), as_of, 0)

    def explained(self, rule: dict[str, Any] = RATE, since: Instant | None = None) -> dict[str, str]:
        return {cause.field: cause.value for cause in self.causes(rule, since)}

    def causes(self, rule: dict[str, Any] = RATE, since: Instant | None = None) -> tuple[Cause, ...]:
        return breakdown(rule_of(rule), self.inputs(), tuple((name, "Cosmote") for name in rule["by"]), since)


PLACES = ("from", "campaign", "country")
"""Fields that say which message it is, however it fares."""


@pytest.mark.parametrize("seed", range(4))
def test_a_filter_on_one_sender_names_reason_and_sender_with_their_shares(seed: int) -> None:
    world = Traffic(seed).now(600, 0.95, detailedStatus="Carrier Violation", **{"from": "Gym"})
    shares = {cause.field: (cause.value, round(cause.share, 1)) for cause in world.causes()}
    assert shares == {"detailedStatus": ("Carrier Violation", 1.0), "from": ("Gym", 1.0)}


@pytest.mark.parametrize("seed", range(4))
def test_an_outage_that_hits_all_alike_is_blamed_on_nobody(seed: int) -> None:
    assert Traffic(seed).now(800, 0.9, detailedStatus="Undelivered").explained() == {}
    assert Traffic(seed).now(800, 0.9).explained() == {}


def test_a_reason_that_repeats_the_status_is_none() -> None:
    world = Traffic().now(600, 0.9, detailedStatus="Undelivered", **{"from": "Gym"})
    assert world.explained() == {"from": "Gym"}


def test_that_routee_fails_where_receipts_failed_before_is_said_if_nothing_else_is() -> None:
    world = Traffic().now(800, 0.9, status="Failed", detailedStatus="Failed")
    assert world.explained() == {"status": "Failed"}
    assert world.explained(RATE | {"match": {"status": "Failed"}}) == {}


def test_a_sender_with_nearly_all_the_traffic_is_named_where_all_others_are_spared() -> None:
    world = Traffic()
    world.rows = [row | {"from": "Shop"} if i % 10 else row | {"from": "Bank"} for i, row in enumerate(world.rows)]
    world.now(900, 0.8, **{"from": "Shop"}).now(100, 0.0, **{"from": "Bank"})
    assert world.explained()["from"] == "Shop"


def test_a_few_failures_by_chance_are_blamed_on_nobody() -> None:
    named = 0
    for seed in range(30):
        rows = Traffic(seed, rate=400).add(12, NOW - MINUTE, NOW, 1.0, detailedStatus="Undelivered")
        named += bool(rows.explained().keys() & {"from", "campaign", "country"})
    assert named <= 2


def test_the_past_of_a_long_incident_is_the_time_before_it() -> None:
    world = Traffic(rate=1000).add(2000, NOW - 2 * HOUR, NOW, 0.95, detailedStatus="Expired", **{"from": "Gym"})
    assert world.explained(since=NOW - 2 * HOUR) == {"detailedStatus": "Expired", "from": "Gym"}


def test_more_failures_than_usual_come_from_the_campaign_that_brought_more_messages() -> None:
    world = Traffic().now(3000, 0.03, campaign="Burst")
    assert world.explained(COUNT | {"match": {"status": "Undelivered"}})["campaign"] == "Burst"


def test_a_count_that_is_too_low_names_who_is_missing() -> None:
    below = {key: value for key, value in COUNT.items() if key != "above"} | {"below": 5000}
    world = Traffic(rate=8000)
    world.rows = [row for row in world.rows if row["from"] != "Shop" or row["date"] <= NOW - 15 * MINUTE]
    assert world.explained(below) == {"from": "Shop"}
    assert samples(rule_of(below), world.inputs(), COSMOTE) == ()


def test_a_share_that_is_too_low_is_explained_by_what_is_not_in_it() -> None:
    delivered = {key: value for key, value in RATE.items() if key != "above"}
    delivered |= {"match": {"status": "Delivered"}, "below": "90%"}
    world = Traffic().now(600, 0.95, detailedStatus="Carrier Violation", **{"from": "Gym"})
    assert world.explained(delivered) == {"detailedStatus": "Carrier Violation", "from": "Gym"}
    found = samples(rule_of(delivered), world.inputs(), COSMOTE)
    assert {sample.status for sample in found} == {"Undelivered"}


def test_fields_of_the_group_and_fields_that_the_rule_asks_for_are_not_named() -> None:
    world = Traffic().now(600, 0.95, detailedStatus="Expired", **{"from": "Gym"})
    rule = RATE | {"where": {"from": "Gym"}, "match": {"detailedStatus": "Expired"}}
    assert world.explained(rule) == {}


def test_nothing_is_said_of_groups_that_are_not_there_or_not_worse_than_usual() -> None:
    world = Traffic()
    assert breakdown(rule_of(RATE), world.inputs(), (("operator", "Nobody"),)) == ()
    assert samples(rule_of(RATE), world.inputs(), (("operator", "Nobody"),)) == ()
    assert breakdown(rule_of(RATE), Traffic(share=0.0).inputs(), COSMOTE) == ()


def test_without_a_past_the_whole_is_the_excess() -> None:
    world = Traffic(rate=0).now(400, 0.0).now(200, 0.95, detailedStatus="Expired", **{"from": "Gym"})
    assert world.explained() == {"detailedStatus": "Expired", "from": "Gym"}


def test_the_largest_share_stands_first() -> None:
    world = Traffic().now(500, 0.9, detailedStatus="Expired").now(400, 0.95, **{"from": "Gym"})
    shares = [cause.share for cause in world.causes()]
    assert shares == sorted(shares, reverse=True)
