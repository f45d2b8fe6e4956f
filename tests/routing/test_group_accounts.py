"""Groups of one account: their keys, also those of groups that an older store or one process had."""

import msgspec
import pytest

from monitor.routing.inhibition import Inhibition, inhibited
from monitor.routing.matchers import parse_matchers
from monitor.routing.route import (
    AggregationGroup,
    Route,
    group_key,
    incident_key,
    is_of_incident,
    is_of_reports,
    of_account,
    report_key,
)
from monitor.routing.storm import is_overflow, overflow_key, reports_overflow_key

ROUTE = Route("ops", key='{}/{severity="critical"}')
LABELS = {"alertname": "Failing"}
KEYS = [
    (group_key(ROUTE, LABELS), group_key(ROUTE, LABELS, "main")),
    (incident_key(ROUTE, {"incident": "1"}), incident_key(ROUTE, {"incident": "1"}, "main")),
    (report_key(ROUTE, "f00"), report_key(ROUTE, "f00", "main")),
    (overflow_key(ROUTE), overflow_key(ROUTE, "main")),
    (reports_overflow_key(ROUTE), reports_overflow_key(ROUTE, "main")),
]


def test_an_account_is_in_the_key_as_if_it_had_a_route_of_its_own() -> None:
    assert group_key(ROUTE, LABELS, "main") == '{}/{severity="critical"}/{account="main"}:{alertname="Failing"}'


@pytest.mark.parametrize(("of_all", "of_one"), KEYS)
def test_a_group_gets_the_key_of_its_account_and_loses_it_again(of_all: str, of_one: str) -> None:
    group = AggregationGroup(of_all, "ops", LABELS, "e1", 1, 2, told={"f00": "critical"}, route=ROUTE.key)
    moved = of_account(group, "main")
    assert (moved.key, moved.account) == (of_one, "main")
    assert msgspec.structs.replace(moved, key=group.key, account="") == group
    assert of_account(moved, "main") == moved
    assert of_account(moved, "") == group
    assert len({of_all, of_one, of_account(moved, "other").key}) == 3
    for kind in (is_of_incident, is_of_reports, lambda one: is_overflow(one.key)):
        assert kind(moved) == kind(group)


def test_a_group_that_is_none_of_alerts_keeps_its_key() -> None:
    watchdog = AggregationGroup("{watchdog}", "ops", {}, "e1", 1, 2)
    assert of_account(watchdog, "main") == msgspec.structs.replace(watchdog, account="main")


def test_an_alert_inhibits_only_those_of_its_account() -> None:
    rule = Inhibition(parse_matchers('alertname="Outage"'), parse_matchers('alertname="Failing"'), ("country",))
    firing = {
        "1": {"alertname": "Outage", "country": "GR"},
        "2": {"alertname": "Failing", "country": "GR"},
        "3": {"alertname": "Failing", "country": "GR"},
    }
    assert inhibited([rule], firing) == {"2": "1", "3": "1"}
    assert inhibited([rule], firing, {"1": "a", "2": "a", "3": "b"}) == {"2": "1"}
