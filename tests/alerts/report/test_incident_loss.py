"""What an incident cost, against the formula of docs/report.md worked out one message at a time."""

import pytest
from report_world import START, Message, episode, episodes, failed, final_in, messages, outage, window_of

from monitor.alerts.incident_loss import FEWEST, LEAD, MOST_SCOPES, IncidentLoss, LossCount
from monitor.config.rules import Rule, rule_of
from monitor.runtime.clock import DAY, HOUR, MINUTE, Instant

BEGUN = START + 30 * HOUR
NOW = START + 2 * DAY


def rule(name: str = "Operators", **fields: object) -> Rule:
    return rule_of(
        {"name": name, "kind": "rate", "by": ["operator", "country"], "window": "15m", "above": "20%"} | fields
    )


RULES = {"Operators": rule(), "All": rule("All", by=[])}


def loss(
    found: list[Message], alerts: list, now: Instant = NOW, since: Instant = START, rules: dict = RULES
) -> IncidentLoss | None:
    count = LossCount(window_of(found), alerts, rules, now, since)
    for _ in count.steps():
        pass
    return count.result()


def expected(found: list[Message], start: Instant, end: Instant, **place: str) -> tuple[int, int, int, float]:
    """final, failed, lost, spent: as the document says."""
    now, before = final_in(found, start, end, **place), final_in(found, start - DAY, start, **place)
    usual = len(failed(before)) / len(before)
    lost = max(round(len(failed(now)) - usual * len(now)), 0)
    prices = [one["price"] for one in failed(now) if one["price"] is not None]
    return len(now), len(failed(now)), lost, lost * sum(prices) / len(prices)


@pytest.mark.parametrize("seed", range(5))
def test_the_loss_is_what_failed_beyond_the_usual_share_and_its_mean_price(seed: int) -> None:
    found = messages(seed) + outage(seed, BEGUN - 5 * MINUTE, HOUR)
    place = {"operator": "Cosmote", "country": "GR"}
    [alert] = episodes(episode("Operators", place, BEGUN, BEGUN + HOUR))
    cost = loss(found, [alert])
    assert cost is not None
    start, end = BEGUN - 15 * MINUTE, BEGUN + HOUR
    final, bad, lost, spent = expected(found, start, end, **place)
    assert (cost.start, cost.end, cost.final, cost.failed, cost.lost) == (start, end, final, bad, lost)
    assert cost.spent == pytest.approx(spent)
    assert 215 < lost < 275, "of 300 messages about 270 failed, 30 would have anyway"
    assert cost.whole


def test_the_alert_of_all_messages_does_not_widen_the_incident_of_an_operator() -> None:
    found = messages(1) + outage(1, BEGUN, HOUR)
    place = {"operator": "Cosmote", "country": "GR"}
    one = episode("Operators", place, BEGUN, BEGUN + HOUR, incident="i")
    alone, both = episodes(one), episodes(one, episode("All", {}, BEGUN, BEGUN + HOUR, incident="i"))
    assert loss(found, both) == loss(found, alone)


def test_a_message_counts_once_for_alerts_that_overlap() -> None:
    found = messages(1) + outage(1, BEGUN, HOUR) + outage(2, BEGUN, HOUR, "Nova")
    groups = [{"operator": "Cosmote", "country": "GR"}, {"operator": "Nova", "country": "GR"}, {"country": "GR"}]
    rules = RULES | {"Country": rule("Country", by=["country"])}
    names = ["Operators", "Operators", "Country"]
    alerts = episodes(*(episode(name, group, BEGUN, BEGUN + HOUR) for name, group in zip(names, groups, strict=True)))
    cost = loss(found, alerts, rules=rules)
    assert cost is not None
    final, bad, lost, _ = expected(found, BEGUN - 15 * MINUTE, BEGUN + HOUR, country="GR")
    assert (cost.final, cost.failed, cost.lost) == (final, bad, lost)


def test_very_many_alerts_of_one_country_are_counted_by_their_country() -> None:
    found = messages(1) + outage(1, BEGUN, HOUR)
    groups = [{"operator": f"op{number}", "country": "GR"} for number in range(MOST_SCOPES + 1)]
    cost = loss(found, episodes(*(episode("Operators", group, BEGUN, BEGUN + HOUR) for group in groups)))
    assert cost is not None
    assert cost.final == len(final_in(found, BEGUN - 15 * MINUTE, BEGUN + HOUR, country="GR"))


def test_an_incident_that_goes_on_has_cost_so_much_so_far() -> None:
    found = messages(1) + outage(1, BEGUN, HOUR)
    place = {"operator": "Cosmote", "country": "GR"}
    cost = loss(found, episodes(episode("Operators", place, BEGUN, None)), now=BEGUN + 20 * MINUTE)
    assert cost is not None
    assert cost.end == BEGUN + 20 * MINUTE
    assert cost.lost == expected(found, BEGUN - 15 * MINUTE, BEGUN + 20 * MINUTE, **place)[2]


def test_a_rule_only_for_some_messages_loses_only_those() -> None:
    found = messages(1) + outage(1, BEGUN, HOUR)
    rules = {"Nova": rule("Nova", where={"operator": "Nova"}, by=["country"])}
    cost = loss(found, episodes(episode("Nova", {"country": "GR"}, BEGUN, BEGUN + HOUR)), rules=rules)
    assert cost is not None
    assert cost.final == len(final_in(found, BEGUN - 15 * MINUTE, BEGUN + HOUR, country="GR", operator="Nova"))
    assert (cost.lost or 0) < 10


def test_where_the_scope_has_no_past_the_accounts_share_is_the_usual_one() -> None:
    found = messages(1) + outage(1, BEGUN, HOUR, "New")
    cost = loss(found, episodes(episode("Operators", {"operator": "New", "country": "GR"}, BEGUN, BEGUN + HOUR)))
    assert cost is not None
    before = final_in(found, BEGUN - 15 * MINUTE - DAY, BEGUN - 15 * MINUTE)
    assert cost.usual == pytest.approx(len(failed(before)) / len(before))


def test_without_any_past_the_loss_is_not_known() -> None:
    found = outage(1, BEGUN, HOUR)
    cost = loss(found, episodes(episode("Operators", {"operator": "Cosmote", "country": "GR"}, BEGUN, BEGUN + HOUR)))
    assert cost is not None
    assert (cost.usual, cost.lost, cost.spent) == (None, None, None)
    assert cost.failed > FEWEST
    late = loss(messages(1), episodes(episode("All", {}, BEGUN, BEGUN + HOUR)), since=BEGUN)
    assert late is not None
    assert not late.whole


def test_without_prices_the_money_is_not_known() -> None:
    found = [one | {"price": None} for one in messages(1) + outage(1, BEGUN, HOUR)]
    cost = loss(found, episodes(episode("Operators", {"operator": "Cosmote", "country": "GR"}, BEGUN, BEGUN + HOUR)))
    assert cost is not None
    assert cost.lost
    assert cost.spent is None


def test_nothing_is_said_of_alerts_that_are_not_about_delivery() -> None:
    by_recipient = episodes(episode("Operators", {"to": "+30…#1234abcd"}, BEGUN, BEGUN + HOUR))
    of_a_removed_rule = episodes(episode("Gone", {"country": "GR"}, BEGUN, BEGUN + HOUR))
    built_in = episodes(episode("MonitorBlind", {"search": "all"}, BEGUN, BEGUN + HOUR))
    low = {"Low": rule_of({"name": "Low", "kind": "balance", "below": 50})}
    assert loss(messages(1), by_recipient) is None
    assert loss(messages(1), of_a_removed_rule) is None
    assert loss(messages(1), built_in) is None
    assert loss(messages(1), episodes(episode("Low", {}, BEGUN, BEGUN + HOUR)), rules=low) is None


def test_a_rule_without_a_window_is_given_some_time_before() -> None:
    shift = {"Shift": rule_of({"name": "Shift", "kind": "shift", "by": ["country"]})}
    cost = loss(messages(1), episodes(episode("Shift", {"country": "GR"}, BEGUN, BEGUN + HOUR)), rules=shift)
    assert cost is not None
    assert cost.start == BEGUN - LEAD
