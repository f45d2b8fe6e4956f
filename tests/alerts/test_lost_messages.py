"""What happens to alerts after messages were lost from the store, until what their rules look at was read again."""

from typing import Any

import pytest

from monitor.alerts.coverage import PARTS_APART
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.view import NoAnnotations, Views
from monitor.config.rules import rule_of
from monitor.model.alert import Alert
from monitor.model.batch import batch_of
from monitor.model.routee_query import LOOK_BACK
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration, Instant
from monitor.store.protocol import Cursor
from monitor.window import Window

NOW: Instant = 20_000 * DAY
SWEPT = {str(5 * MINUTE): NOW}
COUNT: dict[str, Any] = {"name": "Many", "kind": "count", "window": "1d", "above": 8}
SPEND: dict[str, Any] = {"name": "Many", "kind": "cost", "window": "1d", "above": 8}
BOTH = pytest.mark.parametrize("rule", [COUNT, SPEND], ids=["speaks early", "does not"])


class Lost:
    """An evaluator of a search that is swept 5 minutes back only; ten messages came in the last ten hours, one an hour."""

    def __init__(self, *rules: dict[str, Any], sweeps: bool = True) -> None:
        self.rules = [rule_of(rule) for rule in rules]
        self.sweeps, self.lost_to, self.alerts = sweeps, 0, dict[str, Any]()
        self.start()
        self.read(10 * HOUR)
        self.poll(NOW)

    def start(self) -> None:
        """As a restart, or another daemon: what is stored is all that is known, and no message is."""
        self.evaluator = RuleEvaluator(Window("main"), self.rules, ["all"])
        self.evaluator.coverage.deepest = {"all": str(5 * MINUTE) if self.sweeps else None}
        self.evaluator.coverage.lost_to = self.lost_to
        self.evaluator.alerts = self.alerts

    def lose(self) -> None:
        self.lost_to, self.alerts = NOW, self.evaluator.alerts
        self.start()

    def read(self, back: Duration, **fields: Any) -> None:
        rows = [{"messageId": f"m{n}", "date": NOW - n * HOUR, "status": "Delivered", "price": 1.0} for n in range(10)]
        found = [row | {"operator": "Cosmote"} | fields for row in rows if NOW - int(str(row["date"])) <= back]
        self.evaluator.window.upsert(batch_of(found), "all")

    def poll(self, at: Instant, covered_since: Instant = 0) -> list[str]:
        cursor = self.cursor("all", at, covered_since)
        outcome = self.evaluator.evaluate(cursor)
        self.evaluator.apply(outcome, cursor)
        return [f"{one.rule} {one.what}" for one in outcome.transitions]

    def cursor(self, search: str, at: Instant, covered_since: Instant) -> Cursor:
        return Cursor("main", search, at, covered_since, SWEPT)

    def alert(self, rule: str = "Many") -> Alert | None:
        return next(iter(self.evaluator.alerts.get(rule, {}).values()), None)


@BOTH
@pytest.mark.parametrize("sweeps", [True, False])
def test_what_fires_does_not_end_before_what_its_rule_looks_at_was_read_again(
    rule: dict[str, Any], *, sweeps: bool
) -> None:
    one = Lost(rule, sweeps=sweeps)
    assert one.alert() is not None
    one.lose()
    for minute in range(1, 5):
        assert one.poll(NOW + minute * MINUTE, NOW - 5 * MINUTE) == []
        one.start()  # forgets nothing of it
    one.read(3 * HOUR)
    assert one.poll(NOW + 5 * MINUTE, NOW - 3 * HOUR) == []
    one.read(10 * HOUR)
    assert one.poll(NOW + 6 * MINUTE, NOW - DAY) == [], "it goes on"
    assert one.poll(NOW + 17 * HOUR, NOW - DAY) == ["Many resolved"], "its end was seen"


@BOTH
def test_what_is_over_ends_once_what_its_rule_looks_at_was_read_again(rule: dict[str, Any]) -> None:
    one = Lost(rule)
    one.lose()
    one.read(2 * HOUR)
    assert one.poll(NOW + MINUTE, NOW - 5 * MINUTE) == []
    assert one.poll(NOW + 2 * MINUTE, NOW + 3 * MINUTE - DAY) == [], "a minute is missing"
    assert one.poll(NOW + 3 * MINUTE, NOW + 3 * MINUTE - DAY) == ["Many resolved"]


@BOTH
def test_where_nothing_is_read_again_it_ends_when_time_has_passed_over_what_is_lost(rule: dict[str, Any]) -> None:
    one = Lost(rule)
    one.lose()
    one.evaluator.window.upsert(
        batch_of([{"messageId": "n", "date": NOW + HOUR, "status": "Sent", "price": 1.0}]), "all"
    )
    assert one.poll(NOW + DAY - MINUTE, NOW) == []
    assert one.poll(NOW + DAY, NOW) == ["Many resolved"], "all that came after the loss is known"


def test_a_rule_that_looks_at_nothing_that_is_lost_goes_on_as_usual() -> None:
    one = Lost(COUNT | {"name": "Short", "window": "10m", "above": 0}, COUNT)
    one.lose()
    assert one.poll(NOW + 9 * MINUTE, NOW) == []
    assert one.poll(NOW + 10 * MINUTE, NOW) == ["Short resolved"]
    assert one.alert() is not None


def test_it_may_begin_and_get_worse_meanwhile() -> None:
    levels = [{"severity": "warning", "above": 1}, {"severity": "critical", "above": 11}]
    one = Lost({"name": "Many", "kind": "count", "window": "1d", "levels": levels})
    other = {"name": "Other", "kind": "count", "window": "1d", "above": 0, "match": {"operator": "Nova"}}
    one.rules.append(rule_of(other))
    one.lose()
    rows = [{"messageId": f"n{n}", "date": NOW + MINUTE, "status": "Sent", "operator": "Nova"} for n in range(12)]
    one.evaluator.window.upsert(batch_of(rows), "all")
    assert one.poll(NOW + MINUTE, NOW - 5 * MINUTE) == ["Many escalated", "Other fired"]
    one.lose()
    assert one.poll(NOW + 2 * MINUTE, NOW - 5 * MINUTE) == [], "and what began since does not end either"


def test_what_routee_no_longer_has_is_not_waited_for() -> None:
    one = Lost({"name": "Many", "kind": "spike", "window": "1h", "above": "+50%", "baseline": {"same_hour": "21d"}})
    one.lose()
    [rule] = one.rules
    as_of, covered_since = NOW + HOUR, NOW + HOUR - LOOK_BACK
    cursor = Cursor("main", "all", as_of, covered_since, SWEPT)
    one.evaluator.coverage.commit(cursor)
    reader = one.evaluator.evaluate(cursor).reader
    assert reader is not None
    assert not one.evaluator.input_for(rule, reader, as_of, covered_since).lacks(rule)
    assert one.evaluator.input_for(rule, reader, as_of, covered_since + SECOND).lacks(rule)


def test_a_rule_of_seven_days_goes_on_once_all_is_read_that_can_be_asked_for() -> None:
    one = Lost(COUNT | {"window": "7d"})
    one.lose()
    assert one.poll(NOW + MINUTE, NOW + MINUTE + 1 - LOOK_BACK) == []
    assert one.poll(NOW + 2 * MINUTE, NOW + 2 * MINUTE - LOOK_BACK) == ["Many resolved"]


def test_as_much_is_read_again_as_rules_of_the_search_look_at_and_only_while_it_is_missing() -> None:
    other = COUNT | {"name": "Other", "search": "other", "window": "3d"}
    one = Lost(COUNT, COUNT | {"name": "Short", "window": "1h"}, other)
    assert one.evaluator.unread("all", NOW) == 0
    one.lose()
    assert one.evaluator.unread("all", NOW) == 0, "before it was polled"
    one.poll(NOW + MINUTE, NOW - 5 * MINUTE)
    assert one.evaluator.unread("all", NOW + MINUTE) == DAY + PARTS_APART
    one.poll(NOW + 2 * MINUTE, NOW + 2 * MINUTE - DAY)
    assert one.evaluator.unread("all", NOW + 2 * MINUTE) == 0
    one.poll(NOW + 3 * MINUTE, NOW)
    assert one.evaluator.unread("all", NOW + 4 * MINUTE) == DAY + MINUTE + PARTS_APART, (
        "as far back of the last poll as the rule looks"
    )
    one.poll(NOW + DAY - 1, NOW)
    assert one.evaluator.unread("all", NOW + DAY - 1) == DAY + PARTS_APART
    one.poll(NOW + DAY, NOW)
    assert one.evaluator.unread("all", NOW + DAY) == 0
    one.evaluator.reload([rule_of(COUNT | {"window": "3h", "enabled": False})], {"all": None}, [])
    assert one.evaluator.unread("all", NOW + MINUTE) == 0
    spike = {"name": "Far", "kind": "spike", "window": "1h", "above": "+50%", "baseline": {"same_hour": "21d"}}
    one.evaluator.reload([rule_of(spike)], {"all": None}, [])
    assert one.evaluator.unread("all", NOW + 4 * MINUTE) == LOOK_BACK, "what Routee has"


def test_none_makes_room_for_a_worse_one_meanwhile() -> None:
    one = Lost(COUNT | {"by": ["operator"], "limit": 1})
    one.lose()
    rows = [{"messageId": f"n{n}", "date": NOW + MINUTE, "status": "Sent", "operator": "Nova"} for n in range(90)]
    one.evaluator.window.upsert(batch_of(rows), "all")
    assert one.poll(NOW + MINUTE, NOW - 5 * MINUTE) == ["Many pending"]
    one.read(10 * HOUR)
    assert sorted(one.poll(NOW + 2 * MINUTE, NOW - DAY)) == ["Many fired", "Many resolved"]


def test_below_the_limit_others_begin_meanwhile() -> None:
    """Three fire then where two were before: none makes room, and no more begin than there is room for."""
    one = Lost(COUNT | {"by": ["operator"], "limit": 2})
    one.lose()
    rows = [
        {"messageId": f"{name}{n}", "date": NOW + MINUTE, "status": "Sent", "operator": name}
        for name, count in (("Nova", 90), ("Wind", 80))
        for n in range(count)
    ]
    one.evaluator.window.upsert(batch_of(rows), "all")
    assert sorted(one.poll(NOW + MINUTE, NOW - 5 * MINUTE)) == ["Many fired", "Many pending"]
    firing = {dict(group)["operator"] for group, each in one.evaluator.alerts["Many"].items() if each.state == "firing"}
    assert firing == {"Cosmote", "Nova"}, "the worst of those that began"


def test_only_what_fires_is_said_to_wait_for_them() -> None:
    one = Lost(COUNT, COUNT | {"name": "Later", "for": "1h"})
    one.lose()
    one.read(10 * HOUR)
    one.poll(NOW + MINUTE, NOW - 5 * MINUTE)
    views, context = Views(one.evaluator, NoAnnotations()), one.evaluator.view_context()
    found = {name: one.alert(name) for name in ("Many", "Later")}
    assert {name: (each.state, views.missing_before(each, context)) for name, each in found.items() if each} == {
        "Many": ("firing", NOW - 5 * MINUTE),
        "Later": ("pending", None),
    }
