"""What happens to alerts after a time without evaluations, and while the past is still being fetched."""

from typing import Any

import pytest

from monitor.alerts.evaluation import EvaluationResult
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.missed_evaluations import ReplayBudget
from monitor.config.rules import rule_of
from monitor.model.alert import Alert
from monitor.model.batch import batch_of
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration, Instant
from monitor.simulation.replay import Replay
from monitor.store.protocol import Cursor
from monitor.window import Window
from monitor.window.recorded_messages import RecordedMessages
from tests.fakes.pipeline_harness import traffic

NOW: Instant = 20_000 * DAY
EVERY = 30 * SECOND
RATE: dict[str, Any] = {"name": "Failing", "kind": "rate", "window": "5m", "above": "20%", "for": "10m"}


class Bench:
    """An evaluator of one search that is polled every half minute; a message comes every minute."""

    def __init__(self, rule: dict[str, Any]) -> None:
        self.rule = rule_of(rule)
        self.evaluator = RuleEvaluator(Window("main"), [self.rule], ["all"])
        self.evaluator.coverage.every = {"all": EVERY}
        self.sent = 0

    def minutes(self, start: int, end: int, failing: int, **fields: Any) -> None:
        """So many of ten messages fail in each of these minutes; that becomes known now."""
        rows = []
        for minute in range(start, end):
            for row in traffic(failing, **fields):
                self.sent += 1
                rows.append({"messageId": f"m{self.sent}", "date": NOW + minute * MINUTE - SECOND} | row)
        self.evaluator.window.upsert(batch_of(rows), "all")

    def poll(
        self, minute: float, covered_since: Instant = 0, swept: dict[str, Instant] | None = None
    ) -> EvaluationResult:
        cursor = Cursor("main", "all", NOW + round(minute * MINUTE), covered_since, swept or {})
        outcome = self.evaluator.evaluate(cursor)
        self.evaluator.apply(outcome, cursor)
        return outcome

    def polls(self, start: int, end: int) -> None:
        for step in range(2 * start, 2 * end + 1):
            self.poll(step / 2)

    def restart(self) -> None:
        """Replaces the evaluator by another with what the store has: messages, cursors, alerts."""
        before, self.evaluator = self.evaluator, RuleEvaluator(self.evaluator.window, [self.rule], ["all"])
        self.evaluator.coverage.every, self.evaluator.coverage.cursors, self.evaluator.alerts = (
            before.coverage.every,
            before.coverage.cursors,
            before.alerts,
        )

    @property
    def alert(self) -> Alert | None:
        return next(iter(self.evaluator.alerts.get("Failing", {}).values()), None)


@pytest.mark.parametrize("restarts", [True, False], ids=["down", "blind"])
@pytest.mark.parametrize(
    ("between", "state", "pending_at"),
    [
        ([(6, 41, 5)], "firing", 1),
        ([(6, 20, 5), (20, 34, 0), (34, 41, 5)], "pending", 35),
        ([(6, 20, 5), (20, 26, 0), (26, 41, 5)], "firing", 27),
        ([(38, 41, 5)], "pending", 38),
    ],
    ids=["held", "broke lately", "broke long ago", "too few messages"],
)
def test_for_runs_on_through_what_nobody_saw_where_the_messages_show_that_it_held(
    between: list[tuple[int, int, int]], state: str, pending_at: int, *, restarts: bool
) -> None:
    one = Bench(RATE | {"min_messages": 10})
    one.minutes(1, 6, 5)
    one.polls(0, 5)
    assert one.alert is not None
    assert one.alert.state == "pending"
    if restarts:
        one.restart()
    for span in between:
        one.minutes(*span)
    one.poll(40)
    assert one.alert is not None
    assert one.alert.state == state
    assert abs(one.alert.pending_at - (NOW + pending_at * MINUTE)) <= MINUTE


@pytest.mark.parametrize("broke", [12, 20, 28, 31])
def test_it_is_as_a_backtest_over_the_same_messages_says(broke: int) -> None:
    """Whenever the condition broke for six minutes."""
    one = Bench(RATE)
    one.minutes(1, 6, 5)
    one.polls(0, 5)
    one.restart()
    for span in ((6, broke, 5), (broke, broke + 6, 0), (broke + 6, 41, 5)):
        one.minutes(*span)
    one.poll(40)
    past = RecordedMessages(one.evaluator.window)
    replay = Replay(RuleEvaluator(past.window, [one.rule], ["all"]), past.feed, 0)
    for step in range(81):
        replay.step(NOW + step * EVERY)
    expected = next(iter(replay.evaluator.alerts["Failing"].values()))
    assert one.alert is not None
    assert (one.alert.state, one.alert.pending_at) == (expected.state, expected.pending_at)


def test_a_restart_of_seconds_costs_nothing() -> None:
    one = Bench(RATE)
    one.minutes(1, 12, 5)
    one.polls(1, 5)
    one.restart()
    assert one.alert is not None
    pending_at = one.alert.pending_at
    one.poll(6.5)
    assert one.alert.pending_at == pending_at


def test_where_the_messages_of_that_time_cannot_be_fetched_it_starts_anew() -> None:
    one = Bench(RATE)
    one.minutes(1, 41, 5)
    one.polls(1, 5)
    one.restart()
    one.poll(40, covered_since=NOW + 39 * MINUTE)
    assert one.alert is not None
    assert (one.alert.state, one.alert.pending_at >= NOW + 39 * MINUTE) == ("pending", True)


def test_keep_firing_for_counts_from_the_last_time_that_the_messages_show() -> None:
    for failed_until, state in [(6, "resolved"), (36, "firing")]:
        one = Bench(RATE | {"for": "0s", "keep_firing_for": "10m"})
        one.minutes(1, 6, 5)
        one.polls(0, 5)
        one.restart()
        one.minutes(6, failed_until, 5)
        one.minutes(failed_until, 41, 0)
        one.poll(40)
        assert one.alert is not None
        assert one.alert.state == state


def test_a_worse_level_that_was_pending_is_decided_likewise() -> None:
    levels = [{"above": "20%", "severity": "warning"}, {"above": "60%", "severity": "critical"}]
    rule = {"name": "Failing", "kind": "rate", "window": "5m", "levels": levels, "for": "10m"}
    for between, level in [([(16, 41, 9)], 2), ([(16, 20, 9), (20, 34, 5), (34, 41, 9)], 1)]:
        one = Bench(rule)
        one.minutes(1, 13, 5)
        one.minutes(13, 16, 10)
        one.polls(1, 15)
        one.restart()
        for span in between:
            one.minutes(*span)
        one.poll(40)
        assert one.alert is not None
        assert (one.alert.state, one.alert.level) == ("firing", level)


# While a search reads its history for the first time

WEEK = str(7 * DAY)


@pytest.mark.parametrize(
    "rule",
    [
        RATE | {"window": "1h", "for": "0s"},
        {"kind": "cost", "window": "1h", "above": 1},
        {"kind": "count", "window": "1h", "below": 5_000},
        {"kind": "absence", "by": ["operator"], "window": "5m", "active_in": "1h"},
        {"kind": "distinct", "field": "operator", "window": "1h", "above": 0},
    ],
    ids=lambda rule: rule["kind"],
)
def test_a_rule_is_not_judged_before_all_that_it_looks_at_was_fetched(rule: dict[str, Any]) -> None:
    one = Bench(rule | {"name": "Failing"})
    one.evaluator.coverage.deepest = {"all": WEEK}
    one.evaluator.in_use_since = NOW - 3 * HOUR
    one.minutes(-50, -20, 5, operator="Gone", price=1.0)
    one.minutes(-9, 1, 5, operator="Cosmote", price=1.0)
    one.poll(1, covered_since=NOW - 15 * MINUTE)
    assert one.alert is None
    one.poll(2, covered_since=NOW - 3 * HOUR)
    assert one.alert is not None
    assert one.alert.state == "firing"


def test_what_is_too_many_already_is_told_at_once() -> None:
    one = Bench({"name": "Failing", "kind": "count", "window": "1h", "above": 50})
    one.evaluator.coverage.deepest = {"all": WEEK}
    one.minutes(-9, 1, 5)
    one.poll(1, covered_since=NOW - 15 * MINUTE)
    assert one.alert is not None


SHORTER = str(HOUR // 2)


@pytest.mark.parametrize(
    ("deepest", "swept", "known", "is_judged"),
    [
        (WEEK, {WEEK: NOW + 2 * MINUTE}, 58 * MINUTE, True),
        (WEEK, {WEEK: NOW}, 15 * MINUTE, False),
        (None, {}, 15 * MINUTE, False),
        (SHORTER, {SHORTER: NOW}, 15 * MINUTE, False),
    ],
    ids=["all was read", "what was read was dropped", "nothing sweeps", "sweeps look less far back"],
)
def test_a_rule_is_judged_once_all_was_read_that_it_looks_at_and_routee_has(
    deepest: str | None, swept: dict[str, Instant], known: Duration, *, is_judged: bool
) -> None:
    one = Bench(RATE | {"window": "1h", "for": "0s"})
    one.evaluator.coverage.deepest = {"all": deepest}
    one.minutes(-9, 1, 5)
    one.poll(1, covered_since=NOW - known, swept=swept)
    assert (one.alert is not None) == is_judged


# Groups that vanish

KINDS = [{"kind": "count"}, {"kind": "cost"}, {"kind": "distinct", "field": "country"}]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["kind"])
def test_a_group_counts_as_zero_for_a_day_after_it_was_last_seen_also_over_restarts(kind: dict[str, Any]) -> None:
    one = Bench(kind | {"name": "Failing", "by": ["operator"], "window": "10m", "below": 1})
    one.minutes(0, 1, 0, operator="Gone")
    last = NOW - SECOND
    for hours in range(1, 24, 4):
        one.poll(hours * 60)
        assert one.alert is not None
        assert (one.alert.state, one.alert.value) == ("firing", 0)
        one.restart()
    one.poll((last + DAY - NOW - 1) / MINUTE)
    assert one.alert is not None
    assert one.alert.state == "firing"
    one.poll((last + DAY - NOW) / MINUTE)
    assert one.alert is not None
    assert (one.alert.state, one.alert.because) == ("resolved", "no_data")


def test_what_is_gone_from_a_day_ago_never_begins() -> None:
    one = Bench({"name": "Failing", "kind": "count", "by": ["operator"], "window": "10m", "below": 1})
    one.minutes(0, 1, 0, operator="Gone")
    one.poll(25 * 60)
    assert one.alert is None


# A rule's limit


def test_the_worst_group_is_told_and_what_loses_its_place_is_over_and_waits() -> None:
    one = Bench({"name": "Failing", "kind": "rate", "by": ["operator"], "window": "5m", "above": "20%", "limit": 1})
    one.minutes(1, 11, 3, operator="Mild")
    one.poll(5)
    one.minutes(6, 11, 10, operator="Total")
    outcome = one.poll(10)
    mild, total = (one.evaluator.alerts["Failing"][("operator", name),] for name in ("Mild", "Total"))
    assert total.state == "firing"
    assert mild.earlier is not None
    assert (mild.state, mild.earlier.because) == ("pending", "outranked")
    assert sorted((one.what, one.because) for one in outcome.transitions) == [
        ("fired", None),
        ("resolved", "outranked"),
    ]
    assert one.evaluator.view_context().held_back == {"Failing": 1}
    one.minutes(11, 21, 3, operator="Mild")
    one.minutes(11, 21, 0, operator="Total")
    one.poll(16)
    assert one.evaluator.alerts["Failing"][("operator", "Mild"),].state == "firing"


def test_all_rules_together_have_one_allowance_and_what_is_refused_counts_too() -> None:
    allowance = ReplayBudget(reports=2_500_000)
    assert allowance.take(1_000_000)
    assert not allowance.take(1_000_001), "too many for one rule"
    assert not allowance.take(600_000), "no more than that is left"
    assert allowance.reports < 0
