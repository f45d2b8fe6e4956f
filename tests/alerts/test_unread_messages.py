"""What happens to alerts while messages that rules look at are new to the daemon, and are still to be read."""

from typing import Any

import pytest
from test_lost_messages import COUNT, NOW, SPEND, Lost

from monitor.alerts.coverage import PARTS_APART
from monitor.config.rules import rule_of
from monitor.model.batch import batch_of
from monitor.runtime.clock import DAY, HOUR, MINUTE

SHARE: dict[str, Any] = {"name": "Share", "kind": "rate", "window": "3h", "above": "50%"}


def failing(one: Lost) -> None:
    """Five messages of now failed; of the last three hours that is more than half, of the day it is not."""
    rows = [{"messageId": f"n{n}", "date": NOW, "status": "Failed", "operator": "Cosmote"} for n in range(5)]
    one.evaluator.window.upsert(batch_of(rows), "all")


def changed(one: Lost, *rules: dict[str, Any]) -> None:
    one.evaluator.reload([rule_of(rule) for rule in rules], {"all": None}, [])


def test_an_alert_goes_on_where_its_rule_now_looks_further_back_until_that_is_read() -> None:
    one = Lost(SHARE)
    failing(one)
    assert one.poll(NOW + MINUTE, NOW - 5 * HOUR) == ["Share fired"]
    changed(one, SHARE | {"window": "1d"})
    assert one.poll(NOW + 2 * MINUTE, NOW - 5 * HOUR) == []
    assert one.evaluator.unread("all", NOW + 2 * MINUTE) == DAY + PARTS_APART
    assert one.poll(NOW + 3 * MINUTE, NOW - DAY) == ["Share resolved"]


def test_a_rule_that_is_added_waits_alone() -> None:
    one = Lost(SHARE)
    failing(one)
    changed(
        one, SHARE, SHARE | {"name": "Day", "window": "1d"}, SHARE | {"name": "True", "window": "1d", "above": "20%"}
    )
    assert one.poll(NOW + MINUTE, NOW - 5 * HOUR) == ["Share fired"]
    assert one.poll(NOW + 2 * MINUTE, NOW - DAY) == ["True fired"]


@pytest.mark.parametrize(("rule", "told"), [(COUNT, ["Many fired"]), (SPEND, [])], ids=["speaks early", "does not"])
def test_at_a_first_start_only_a_number_above_a_threshold_is_told_early(rule: dict[str, Any], told: list[str]) -> None:
    one = Lost(rule)
    one.alerts = {}
    one.start()
    one.read(10 * HOUR)
    assert one.poll(NOW, NOW - HOUR) == told
    assert one.poll(NOW + MINUTE, NOW - DAY) == ([] if told else ["Many fired"])


def test_a_rule_of_two_searches_waits_for_both() -> None:
    one = Lost(SPEND)
    one.alerts = {}
    one.start()
    one.evaluator.coverage.searches, one.evaluator.coverage.deepest = ("all", "other"), {"all": None, "other": None}
    one.read(10 * HOUR)
    [rule] = one.rules
    for search, covered_since, waits in (
        ("all", NOW - DAY, True),
        ("other", NOW - HOUR, True),
        ("other", NOW - DAY, False),
    ):
        cursor = one.cursor(search, NOW, covered_since)
        one.evaluator.apply(one.evaluator.evaluate(cursor), cursor)
        assert one.evaluator.coverage.is_settled(rule) != waits
        assert one.evaluator.waits_for(search, NOW) == (covered_since > NOW - DAY)
    assert one.alert() is not None


def test_a_rule_that_is_judged_rarely_is_judged_as_soon_as_what_it_waits_for_is_read() -> None:
    one = Lost(SPEND | {"every": "1h"})
    one.alerts = {}
    one.start()
    one.read(10 * HOUR)
    assert one.poll(NOW, NOW - HOUR) == []
    assert one.poll(NOW + MINUTE, NOW - HOUR) == []
    assert one.poll(NOW + MINUTE, NOW - DAY) == ["Many fired"], (
        "at the end of that read, not at the next poll or in an hour"
    )
