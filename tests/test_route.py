"""Whether to notify, as a table: what was told, what fires now, how long ago it was told."""

import pytest

from monitor.clock import HOUR, MINUTE, SECOND
from monitor.route import Decision, Group, Route, decide, group_key, group_labels

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
    group = Group("k", "ops", {}, "e", 0, 0, told or {}, 0 if told else None)
    assert decide(group, firing, RANKS, ROUTE, since) == expected


def test_groups_are_formed_by_the_labels_that_the_route_names() -> None:
    labels = {"alertname": "R", "operator": "Cosmote"}
    assert group_labels(ROUTE, labels) == {"alertname": "R"}
    assert group_key(ROUTE, labels) == '{}:{alertname="R"}'
    assert group_labels(Route("ops", ("...",)), labels) == labels
    assert group_labels(Route("ops", ()), labels) == {}


def test_without_a_repeat_interval_nothing_is_told_twice() -> None:
    group = Group("k", "ops", {}, "e", 0, 0, ONE, 0)
    once = Route("ops", ("alertname",), 0, 5 * MINUTE, None)
    assert decide(group, ONE, RANKS, once, 1000 * HOUR) == Decision(None, None)
    assert decide(group, {}, RANKS, once, 5 * MINUTE) == Decision("all resolved", None)
