"""When rules are evaluated, on what, and that a failing rule stops nothing else."""

import gc
import weakref
from dataclasses import dataclass, field
from typing import Any

import pytest

from monitor.alerts.evaluation import EvaluationResult
from monitor.alerts.evaluator import RuleEvaluator
from monitor.config.rules import Rule, rule_of
from monitor.model import builtin_alerts as builtin
from monitor.model.alert import Alert
from monitor.model.batch import batch_of
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Instant
from monitor.store.protocol import Cursor
from monitor.window import Window
from monitor.window.timeline import RECENT
from tests.fakes.pipeline_harness import traffic
from tests.fakes.toy_kind import BROKEN, registered

NOW: Instant = 20_000 * DAY
RATE: dict[str, Any] = {"name": "Failing", "kind": "rate", "window": "5m", "above": "20%"}


@dataclass
class Bench:
    """An evaluator whose results are applied at once, as if every commit succeeded."""

    evaluator: RuleEvaluator
    outcomes: list[EvaluationResult] = field(default_factory=list)
    sent: int = 0

    def message(self, rows: Any, at: Instant = NOW, search: str = "all") -> None:
        found = [{"messageId": f"m{self.sent + i}", "date": at} | row for i, row in enumerate(rows)]
        self.sent += len(found)
        self.evaluator.window.upsert(batch_of(found), search)

    def poll(self, as_of: Instant = NOW, search: str = "all", covered_since: Instant = 0) -> EvaluationResult:
        cursor = Cursor("main", search, as_of, covered_since)
        outcome = self.evaluator.evaluate(cursor)
        self.evaluator.apply(outcome, cursor)
        self.outcomes.append(outcome)
        return outcome

    def tell(self, built_in: builtin.BuiltIn, over: bool = False, **group: str) -> None:
        outcome = EvaluationResult()
        finding = builtin.over(**group) if over else builtin.finding("why", **group)
        self.evaluator.update_builtin(built_in, finding, NOW, outcome)
        self.evaluator.apply(outcome)

    def alert(self, rule: str = "Failing", *group: tuple[str, str]) -> Alert | None:
        return self.evaluator.alerts.get(rule, {}).get(group)


def bench(*rules: dict[str, Any], searches: tuple[str, ...] = ("all",)) -> Bench:
    return Bench(RuleEvaluator(Window("main"), [rule_of(one) for one in rules], searches))


def whats(outcome: EvaluationResult) -> list[str]:
    return [f"{one.rule} {one.what}" for one in outcome.transitions]


def test_what_was_evaluated_is_not_kept_alive_by_the_reading_it_came_of() -> None:
    one = bench(RATE)
    one.message(traffic(5))
    result = one.evaluator.evaluate(Cursor("main", "all", NOW, 0))
    assert result.reader is not None
    reader = weakref.ref(result.reader)
    one.evaluator.view_context(result)
    gc.disable()
    try:
        del result
        assert reader() is None
    finally:
        gc.enable()


def test_a_proposal_changes_nothing_until_it_is_applied() -> None:
    one = bench(RATE)
    one.message(traffic(5))
    outcome = one.evaluator.evaluate(Cursor("main", "all", NOW, 0))
    assert whats(outcome) == ["Failing fired"]
    assert (one.evaluator.alerts, one.evaluator.coverage.cursors) == ({}, {})
    assert whats(one.evaluator.evaluate(Cursor("main", "all", NOW, 0))) == ["Failing fired"]


def test_a_rule_with_its_own_interval_is_judged_no_more_often() -> None:
    one = bench(RATE | {"every": "2m"})
    evaluated = [bool(one.poll(NOW + i * 30 * SECOND).evaluated) for i in range(9)]
    assert evaluated == [True, False, False, False, True, False, False, False, True]


def test_a_sweep_that_changed_rows_is_judged_again_as_of_the_same_moment() -> None:
    one = bench(RATE)
    assert one.poll().evaluated
    assert not one.poll().evaluated
    one.message(traffic(5), NOW - MINUTE)
    assert whats(one.poll()) == ["Failing fired"]


def test_a_rule_without_a_search_waits_for_all_of_them_and_is_judged_as_of_the_earliest() -> None:
    one = bench(RATE, searches=("slow", "fast"))
    assert not one.poll(NOW, "fast").evaluated
    assert one.poll(NOW - MINUTE, "slow", 7).evaluated == {"Failing": (NOW - MINUTE, 0)}
    assert one.evaluator.coverage.as_of(one.evaluator.rules["Failing"]) == (NOW - MINUTE, 7)


def test_a_poll_that_is_ahead_of_the_others_is_not_judged_at_the_old_moment_again() -> None:
    one = bench(RATE | {"kind": "count", "above": 5, "match": {"status": "Sent"}}, searches=("slow", "fast"))
    rows = [{"messageId": f"s{i}", "status": "Sent"} for i in range(9)]
    one.message(rows)
    one.poll(NOW, "fast")
    assert whats(one.poll(NOW, "slow")) == ["Failing fired"]
    one.message([row | {"status": "Delivered"} for row in rows], NOW + MINUTE)
    assert whats(one.poll(NOW + MINUTE, "fast")) == []
    assert whats(one.poll(NOW + MINUTE, "slow")) == ["Failing resolved"]


def test_a_rule_of_one_search_does_not_wait_for_others() -> None:
    one = bench(RATE | {"search": "fast"}, searches=("slow", "fast"))
    assert one.poll(NOW, "fast").evaluated
    assert not one.poll(NOW, "slow").evaluated


def test_while_a_search_is_blind_its_rules_freeze_and_others_go_on() -> None:
    one = bench(RATE, RATE | {"name": "Fast", "search": "fast"}, searches=("slow", "fast"))
    one.message(traffic(5))
    one.poll(NOW, "fast")
    one.poll(NOW, "slow")
    one.tell(builtin.MONITOR_BLIND, account="main", search="slow")
    evaluated = one.poll(NOW + HOUR, "fast").evaluated
    assert list(evaluated) == ["Fast"]
    assert one.alert() is not None
    one.message([{"status": "Delivered"}], NOW)
    assert not one.poll(NOW, "slow").evaluated  # a sweep: the search is blind still
    assert "Failing" in one.poll(NOW + HOUR, "slow").evaluated  # the poll that ends it


def test_after_a_restart_a_rule_waits_until_each_of_its_searches_was_polled_once() -> None:
    one = bench(RATE, searches=("slow", "fast"))
    one.evaluator.coverage.cursors = {name: Cursor("main", name, NOW - DAY, 0) for name in ("slow", "fast")}
    assert not one.poll(NOW, "fast").evaluated
    assert one.poll(NOW, "slow").evaluated


def test_a_downtime_counts_towards_for_where_both_ends_are_over_the_threshold() -> None:
    one = bench(RATE | {"for": "10m"})
    one.message(traffic(5))
    assert whats(one.poll()) == ["Failing pending"]
    one.message(traffic(5), NOW + 3 * HOUR)
    assert whats(one.poll(NOW + 3 * HOUR)) == ["Failing fired"]


def test_the_time_of_judging_may_stand_still() -> None:
    one = bench(RATE | {"for": "1m"})
    one.message(traffic(5))
    one.poll()
    one.message(traffic(5))
    assert whats(one.poll()) == []
    one.message(traffic(5), NOW + MINUTE)
    assert whats(one.poll(NOW + MINUTE)) == ["Failing fired"]


IMPOSSIBLE = Rule(name="Impossible", kind="of no kind")
"""A rule of a kind that does not exist."""


def test_a_rule_that_cannot_be_judged_is_told_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    one = bench(RATE)
    one.evaluator.rules = {"Impossible": IMPOSSIBLE} | one.evaluator.rules
    one.message(traffic(5))
    outcome = one.poll()
    assert sorted(whats(outcome)) == ["Failing fired", "RuleError fired"]
    assert "cannot be judged" in one.evaluator.errors["Impossible"]
    for minute in range(1, 5):
        one.poll(NOW + minute * MINUTE)
    assert len(caplog.records) == 1
    assert list(outcome.evaluated) == ["Failing"]


def test_a_rule_error_ends_when_the_rule_works_again_and_the_end_is_kept_until_told() -> None:
    one = bench()
    one.evaluator.rules["Impossible"] = IMPOSSIBLE
    one.poll()
    one.evaluator.rules["Impossible"] = rule_of(RATE | {"name": "Impossible"})
    assert "RuleError resolved" in whats(one.poll(NOW + MINUTE))
    one.poll(NOW + 2 * MINUTE)
    over = one.alert("RuleError", ("rule", "Impossible"))
    assert over is not None
    assert over.state == "resolved"
    assert one.evaluator.errors == {}


def test_a_rule_that_fails_leaves_its_alerts_as_they_are() -> None:
    one = bench(RATE)
    one.message(traffic(5))
    one.poll()
    before = one.alert()
    one.evaluator.rules["Failing"] = IMPOSSIBLE.model_copy(update={"name": "Failing"})
    outcome = one.poll(NOW + MINUTE)
    assert whats(outcome) == ["RuleError fired"]
    assert one.alert() is before


def test_a_rule_grouped_otherwise_ends_the_alerts_of_the_groups_it_had() -> None:
    one = bench(RATE | {"by": ["operator"]})
    one.message(traffic(5, operator="Cosmote", country="GR"))
    one.poll()
    one.evaluator.rules["Failing"] = rule_of(RATE | {"by": ["operator", "country"]})
    one.message(traffic(5, operator="Cosmote", country="GR"), NOW + MINUTE)
    outcome = one.poll(NOW + MINUTE)
    assert sorted(whats(outcome)) == ["Failing fired", "Failing resolved"]
    ended = one.alert("Failing", ("operator", "Cosmote"))
    assert ended is not None
    assert ended.because == "removed"


def test_alerts_about_what_is_gone_from_the_configuration_end() -> None:
    one = bench(RATE, searches=("all", "other"))
    one.message(traffic(5))
    one.poll()
    one.poll(NOW, "other")
    one.tell(builtin.MONITOR_BLIND, account="main", search="all")
    one.tell(builtin.MONITOR_BLIND, account="main", search="gone")
    one.tell(builtin.GAP_IN_HISTORY, account="main", search="gone")
    one.tell(builtin.RULE_ERROR, rule="Gone")
    one.tell(builtin.RULE_ERROR, rule="Failing")
    assert whats(one.evaluator.drop_gone(NOW)) == [
        "MonitorBlind resolved",
        "GapInHistory resolved",
        "RuleError resolved",
    ]
    one.evaluator.rules.clear()
    assert "Failing resolved" in whats(one.evaluator.drop_gone(NOW))


def test_a_gap_in_history_is_told_for_a_day_from_the_latest_one_on() -> None:
    one = bench()
    one.tell(builtin.GAP_IN_HISTORY, account="main", search="all")
    assert whats(one.poll(NOW + DAY - 1)) == []
    assert whats(one.poll(NOW + DAY)) == ["GapInHistory resolved"]


def test_an_alert_of_our_own_that_outlived_the_clock_ends_no_earlier_than_it_began() -> None:
    one = bench()
    one.tell(builtin.MONITOR_BLIND, account="main", search="all")
    outcome = EvaluationResult()
    one.evaluator.update_builtin(builtin.MONITOR_BLIND, builtin.over(account="main", search="all"), NOW - DAY, outcome)
    [over] = outcome.alerts.values()
    assert over is not None
    assert over.resolved_at == over.firing_at == NOW


def test_a_disabled_rule_is_not_judged() -> None:
    assert bench(RATE | {"enabled": False}).evaluator.rules == {}


@dataclass(frozen=True)
class Unready:
    """A state that is still worked out of the past."""

    is_ready: bool = False

    def blob(self) -> bytes:
        return b""


def test_a_rule_that_fails_while_the_past_is_worked_through_is_told_and_stops_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with registered(BROKEN):
        broken = {"name": "Broken", "kind": "broken", "window": "5m"}
        found = bench(broken, {"name": "Shift", "kind": "shift", "learn": "1h"})
    evaluator = found.evaluator
    for minute in range(120):
        found.message(traffic(1, 10), NOW - minute * MINUTE)
    evaluator.effort = 30.0
    found.poll()
    with registered(BROKEN):
        evaluator.errors.clear()
        evaluator.kept["Broken"] = Unready()
        caplog.clear()
        while evaluator.catch_up():
            pass
        assert evaluator.kept["Shift"].is_ready
        assert "it is broken" in evaluator.errors["Broken"]
        found.poll(NOW + MINUTE)
    assert [record.message for record in caplog.records] == ["rule Broken cannot be judged"], "once"
    assert found.alert(builtin.RULE_ERROR.name, ("rule", "Broken")) is not None


def test_a_window_with_much_new_is_settled_in_pieces_before_the_past_is_worked_through() -> None:
    found = bench({"name": "Shift", "kind": "shift", "learn": "1h"})
    evaluator, timeline = found.evaluator, found.evaluator.window.columns.timeline
    evaluator.effort = 30.0
    found.message(traffic(1, 10), NOW - 2 * HOUR)
    found.poll()
    found.message(traffic(RECENT, 2 * RECENT), NOW - HOUR)
    assert timeline.is_unsettled()
    work = evaluator.catching_up()
    next(work)
    assert timeline.is_unsettled(), "all of it was settled in one piece"
    assert all(pause is None for pause in work)
    assert not timeline.is_unsettled()
