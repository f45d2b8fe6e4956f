"""Whether to notify, as a table: what was told, what fires now, how long ago it was told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.incident import IncidentScope
from monitor.routing.matchers import parse_matchers
from monitor.routing.route import (
    AggregationGroup,
    Decision,
    Route,
    decide,
    group_key,
    group_labels,
    groups_incidents,
    incident_key,
    incident_labels,
    routes_for,
)
from monitor.runtime.clock import HOUR, MINUTE, SECOND

ROUTE = Route("ops", ("alertname",), 10 * SECOND, 5 * MINUTE, 4 * HOUR)
RANKS = {"warning": 1, "critical": 2}
W, C = "warning", "critical"
ONE, TWO = {"a": W}, {"a": W, "b": W}


@pytest.mark.parametrize(
    ("told", "firing", "since", "expected"),
    [
        (None, ONE, 0, Decision(None, 10 * SECOND)),
        (None, ONE, 10 * SECOND, Decision("first", None)),
        (None, {}, 10 * SECOND, Decision(None, None)),
        (ONE, ONE, MINUTE, Decision(None, 4 * HOUR)),
        (ONE, ONE, 4 * HOUR - 1, Decision(None, 4 * HOUR)),
        (ONE, ONE, 4 * HOUR, Decision("repeat", None)),
        (ONE, TWO, MINUTE, Decision(None, 5 * MINUTE)),
        (ONE, TWO, 5 * MINUTE, Decision("new alerts", None)),
        (TWO, ONE, 5 * MINUTE, Decision("some resolved", None)),
        (ONE, {}, 1, Decision(None, 5 * MINUTE)),
        (ONE, {}, 5 * MINUTE, Decision("all resolved", None)),
        (ONE, {"b": W}, 5 * MINUTE, Decision("new alerts", None)),
        (ONE, {"a": C}, 1, Decision("escalated", None)),
        (ONE, {"a": C, "b": W}, 1, Decision("escalated", None)),
        ({"a": C}, ONE, 1, Decision(None, 5 * MINUTE)),
        ({"a": C}, ONE, 5 * MINUTE, Decision("eased", None)),
    ],
)
def test_decide(told: dict[str, str] | None, firing: dict[str, str], since: int, expected: Decision) -> None:
    group = AggregationGroup("k", "ops", {}, "e", 0, 0, told or {}, 0 if told else None)
    assert decide(group, firing, RANKS, ROUTE, since) == expected


INCIDENT = IncidentScope("1", "main", "delivery", 0, {"country": "GR"})


@pytest.mark.parametrize(
    ("told", "firing", "urgent", "since", "expected"),
    [
        # what is worse than all that was told of an incident, or wider, is told at once
        (ONE, {"a": W, "b": C}, False, 1, Decision("escalated", None)),
        (ONE, TWO, True, 1, Decision("new alerts", None)),
        ({"a": C}, {"a": C, "b": W}, False, 1, Decision(None, 5 * MINUTE)),
        ({"a": C}, {"a": C, "b": C}, False, 5 * MINUTE, Decision("new alerts", None)),
        (TWO, ONE, True, 1, Decision(None, 5 * MINUTE)),
        # an incident that was over is told again at once
        ({}, ONE, False, 1, Decision("reopened", None)),
        ({}, {}, False, 1, Decision(None, None)),
    ],
)
def test_decide_for_incidents(
    told: dict[str, str], firing: dict[str, str], urgent: bool, since: int, expected: Decision
) -> None:
    group = AggregationGroup("k", "ops", {}, "e", 0, 0, told, 0, incident=INCIDENT)
    assert decide(group, firing, RANKS, ROUTE, since, urgent=urgent) == expected


def test_the_incident_takes_the_place_of_names_and_fields_only() -> None:
    labels = {"alertname": "A", "country": "GR", "severity": "critical", "team": "sms"}
    route = Route("ops", ("alertname", "country", "severity", "team", "shift"))
    found = incident_labels(route, labels, "1")
    assert found == {"incident": "1", "severity": "critical", "team": "sms"}
    assert incident_key(route, found) == '{}:incident:{incident="1", severity="critical", team="sms"}'


@pytest.mark.parametrize(("group_by", "groups"), [((), False), (("...",), False), (("alertname",), True)])
def test_where_each_alert_is_a_group_or_all_are_one_incidents_make_none(
    group_by: tuple[str, ...], groups: bool
) -> None:
    assert groups_incidents(Route("ops", group_by)) is groups
    assert not groups_incidents(Route("ops", group_by, group_incidents=False))


QUIET_A, QUIET_BOTH = frozenset("a"), frozenset("ab")


@pytest.mark.parametrize(
    ("told", "firing", "quiet", "since", "expected"),
    [
        # acknowledged or suppressed: no repeat, unless another alert of the group is neither
        (ONE, ONE, QUIET_A, 4 * HOUR, Decision(None, None)),
        (TWO, TWO, QUIET_A, 4 * HOUR, Decision("repeat", None)),
        (TWO, TWO, QUIET_BOTH, 4 * HOUR, Decision(None, None)),
        # when it is neither any more, a repeat that was due comes at once
        (ONE, ONE, frozenset(), 9 * HOUR, Decision("repeat", None)),
        # an acknowledged alert that gets worse or is over is told as any other, and so is what joins it
        (ONE, {"a": C}, QUIET_A, 1, Decision("escalated", None)),
        (ONE, TWO, QUIET_A, 5 * MINUTE, Decision("new alerts", None)),
        (TWO, {"a": W}, QUIET_A, 5 * MINUTE, Decision("some resolved", None)),
        (ONE, {}, frozenset(), 5 * MINUTE, Decision("all resolved", None)),
        # a suppressed alert that was never told is not there at all
        (None, {}, frozenset(), HOUR, Decision(None, None)),
        # one that is acknowledged before its first notification is announced
        (None, ONE, QUIET_A, 10 * SECOND, Decision("first", None)),
    ],
)
def test_decide_where_some_are_acknowledged_or_suppressed(
    told: dict[str, str] | None, firing: dict[str, str], quiet: frozenset[str], since: int, expected: Decision
) -> None:
    group = AggregationGroup("k", "ops", {}, "e", 0, 0, told or {}, 0 if told else None)
    assert decide(group, firing, RANKS, ROUTE, since, quiet) == expected


def test_groups_are_formed_by_the_labels_that_the_route_names() -> None:
    labels = {"alertname": "R", "operator": "Cosmote"}
    assert group_labels(ROUTE, labels) == {"alertname": "R"}
    assert group_key(ROUTE, labels) == '{}:{alertname="R"}'
    assert group_labels(Route("ops", ("...",)), labels) == labels
    assert group_labels(Route("ops", ()), labels) == {}


def test_without_a_repeat_interval_nothing_is_told_twice() -> None:
    group = AggregationGroup("k", "ops", {}, "e", 0, 0, ONE, 0)
    once = Route("ops", ("alertname",), 0, 5 * MINUTE, None)
    assert decide(group, ONE, RANKS, once, 1000 * HOUR) == Decision(None, None)
    assert decide(group, {}, RANKS, once, 5 * MINUTE) == Decision("all resolved", None)


def route(key: str, matchers: str = "", *below: Route, goes_on: bool = False) -> Route:
    return Route("ops", key=key, matchers=parse_matchers(matchers), continue_=goes_on, routes=below)


TREE = route(
    "root",
    "",
    route("critical", "severity=critical", goes_on=True),
    route("greece", "country=GR", route("cosmote", "operator=Cosmote"), route("nova", "operator=Nova")),
    route("deep", "team=sms", route("none of mine", "severity=none"), goes_on=True),
    route("last", "team=~s.*"),
)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, ["root"]),
        ({"severity": "critical"}, ["critical"]),
        ({"country": "GR"}, ["greece"]),
        ({"country": "GR", "operator": "Nova"}, ["nova"]),
        ({"country": "GR", "operator": "Nova", "severity": "critical"}, ["critical", "nova"]),
        ({"country": "GR", "team": "sms"}, ["greece"]),
        ({"team": "sms"}, ["deep", "last"]),
        ({"team": "sales"}, ["last"]),
        ({"operator": "Nova"}, ["root"]),
    ],
)
def test_an_alert_goes_to_the_deepest_route_that_takes_it_and_on_where_that_continues(
    labels: dict[str, str], expected: list[str]
) -> None:
    assert [found.key for found in routes_for(TREE, labels)] == expected


def test_who_does_not_meet_the_first_route_goes_nowhere() -> None:
    assert routes_for(route("root", "a=b"), {}) == ()


def trees(depth: int) -> st.SearchStrategy[Route]:
    below = st.lists(trees(depth - 1), max_size=3).map(tuple) if depth else st.just(())
    matchers = st.lists(st.sampled_from(["a=1", "b=1", "a=2", "b!=1"]), max_size=2).map(
        lambda two: parse_matchers(",".join(two))
    )
    return st.builds(
        lambda taken, goes_on, routes: Route("ops", matchers=taken, continue_=goes_on, routes=routes),
        matchers,
        st.booleans(),
        below,
    )


@given(trees(3), st.dictionaries(st.sampled_from("ab"), st.sampled_from("12")))
def test_every_alert_goes_somewhere_and_only_where_it_meets_the_matchers(tree: Route, labels: dict[str, str]) -> None:
    root = Route("ops", routes=tree.routes)
    found = routes_for(root, labels)
    assert found
    for one in found:
        assert all(matcher.matches(labels) for matcher in one.matchers)
        assert not any(all(matcher.matches(labels) for matcher in below.matchers) for below in one.routes)
