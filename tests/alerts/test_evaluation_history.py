"""The ring: the latest evaluations of the groups that matter."""

from monitor.alerts.evaluation_history import GROUPS
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.sampled_series import KEPT, SPACED
from monitor.alerts.view import history
from monitor.config.rules import rule_of
from monitor.model.alert import Alert
from monitor.model.batch import batch_of
from monitor.runtime.clock import DAY, MINUTE, SECOND, Instant, parse_iso
from monitor.store.protocol import Cursor
from monitor.window import Window, WindowReader

NOW = parse_iso("2026-11-21T10:00:00Z")
RATE = {"name": "R", "kind": "rate", "by": ["operator"], "window": "5m", "above": "20%", "min_messages": 3}


def evaluator_of(**changes: object) -> RuleEvaluator:
    return RuleEvaluator(Window("main"), [rule_of(RATE | changes)], ["all"])


def put(evaluator: RuleEvaluator, operator: str, at: Instant, failed: int, of: int) -> None:
    rows: list[dict[str, object]] = [
        {
            "messageId": f"{operator}-{at}-{i}",
            "date": at,
            "operator": operator,
            "status": "Failed" if i < failed else "Delivered",
        }
        for i in range(of)
    ]
    evaluator.window.upsert(batch_of(rows), "all")


def poll(evaluator: RuleEvaluator, as_of: Instant) -> None:
    cursor = Cursor("main", "all", as_of, 0)
    evaluator.apply(evaluator.evaluate(cursor), cursor)


def group(operator: str) -> tuple[tuple[str, str], ...]:
    return (("operator", operator),)


def test_each_evaluation_is_kept_with_its_numbers() -> None:
    evaluator = evaluator_of()
    put(evaluator, "A", NOW, 1, 10)
    poll(evaluator, NOW)
    put(evaluator, "A", NOW + MINUTE, 9, 10)
    put(evaluator, "B", NOW + MINUTE, 0, 2)
    poll(evaluator, NOW + MINUTE)
    first, second = evaluator.history.of("R", group("A"))
    assert (first.as_of, first.value, first.threshold, first.messages) == (NOW, 0.1, 0.2, 10)
    assert (second.as_of, second.value, second.messages) == (NOW + MINUTE, 0.5, 20)
    (few,) = evaluator.history.of("R", group("B"))
    assert (few.value, few.messages) == (None, 2), "two messages are not enough to say"
    assert evaluator.history.of("R", group("C")) == ()
    assert evaluator.history.of("Other", ()) == ()


def test_the_oldest_evaluations_are_forgotten() -> None:
    evaluator = evaluator_of()
    put(evaluator, "A", NOW, 1, 10)
    for step in range(KEPT + 7):
        poll(evaluator, NOW + step * SECOND)
    kept = evaluator.history.of("R", group("A"))
    assert [one.as_of for one in kept] == [NOW + step * SECOND for step in range(7, KEPT + 7)]
    assert {one.value for one in kept} == {0.1}


def test_of_many_groups_those_with_alerts_the_worst_and_the_largest_are_kept() -> None:
    evaluator = evaluator_of()
    for number in range(100):
        put(evaluator, f"small{number}", NOW, 0, 4)
    put(evaluator, "large", NOW, 0, 500)
    put(evaluator, "bad", NOW, 1, 6)
    poll(evaluator, NOW)
    kept = evaluator.history.groups("R")
    assert len(kept) == GROUPS
    assert {group("large"), group("bad")} <= set(kept)

    put(evaluator, "small77", NOW + MINUTE, 9, 10)
    poll(evaluator, NOW + MINUTE)
    poll(evaluator, NOW + 2 * MINUTE)
    assert group("small77") in evaluator.history.groups("R"), "it has an alert now"
    assert len(evaluator.history.groups("R")) == GROUPS
    assert [one.value for one in evaluator.history.of("R", group("large"))] == [0.0, 0.0, 0.0]


def test_a_number_of_nothing_is_zero() -> None:
    count = {"name": "R", "kind": "count", "by": ["operator"], "window": "5m", "above": 20}
    evaluator = RuleEvaluator(Window("main"), [rule_of(count)], ["all"])
    put(evaluator, "A", NOW, 1, 10)
    poll(evaluator, NOW)
    poll(evaluator, NOW + 10 * MINUTE)
    assert [one.value for one in evaluator.history.of("R", group("A"))] == [10.0, 0.0]


def test_the_past_is_kept_less_dense_as_far_back_as_sparklines_reach() -> None:
    evaluator = evaluator_of(window="20m")
    for step in range(400):
        put(evaluator, "A", NOW + step * MINUTE, step % 10, 10)
        poll(evaluator, NOW + step * MINUTE)
    progress = evaluator.history.progress("R", group("A"))
    assert [one.as_of for one in progress[-KEPT:]] == [NOW + step * MINUTE for step in range(400 - KEPT, 400)]
    before = [one.as_of for one in progress[:-KEPT]]
    assert before == list(range(before[0], progress[-KEPT].as_of, 5 * MINUTE))
    assert before[0] == NOW + 280 * MINUTE, "24 times a quarter of the window"


def test_a_sparkline_of_what_was_kept_is_that_of_the_window() -> None:
    evaluator = evaluator_of(window="20m")
    rule = evaluator.rules["R"]
    for step in range(200):
        for operator in ("A", "B"):
            put(evaluator, operator, NOW + step * MINUTE, step // (20 if operator == "A" else 40), 10)
        poll(evaluator, NOW + step * MINUTE)
    now = NOW + 199 * MINUTE
    inputs = evaluator.input_for(rule, WindowReader(evaluator.window), now, NOW - DAY)
    for operator in ("A", "B"):
        kept = history(rule, inputs, group(operator), evaluator.history.progress("R", group(operator)))
        asked = history(rule, inputs, group(operator))
        assert len(kept) == len(asked) == SPACED
        assert kept[-12:] == asked[-12:]
        # Further back what was kept is up to five minutes older than what is asked for.
        assert all(abs((one or 0) - (other or 0)) < 0.05 for one, other in zip(kept, asked, strict=True))


def test_a_sparkline_shows_what_was_found_at_the_time() -> None:
    evaluator = evaluator_of()
    rule = evaluator.rules["R"]
    put(evaluator, "A", NOW, 5, 10)
    poll(evaluator, NOW)
    put(evaluator, "A", NOW - SECOND, 10, 10)
    poll(evaluator, NOW + 75 * SECOND)
    inputs = evaluator.input_for(rule, WindowReader(evaluator.window), NOW + 75 * SECOND, NOW - DAY)
    progress = evaluator.history.progress("R", group("A"))
    assert history(rule, inputs, group("A"), progress)[-3:] == (None, 0.5, 0.75), "it came late"


def test_a_group_that_falls_silent_stays_with_its_past() -> None:
    evaluator = evaluator_of()
    put(evaluator, "A", NOW, 1, 10)
    poll(evaluator, NOW)
    poll(evaluator, NOW + 10 * MINUTE)
    assert [one.value for one in evaluator.history.of("R", group("A"))] == [0.1, None]


def test_recipients_are_numbered_anew_at_each_reading_and_still_kept_apart() -> None:
    evaluator = evaluator_of(by=["to"])
    for number in range(5):
        at = NOW + number * MINUTE
        rows: list[dict[str, object]] = [
            {
                "messageId": f"{number}-{i}",
                "date": at,
                "to": f"+3069000000{number}",
                "status": "Failed" if i < number else "Delivered",
            }
            for i in range(10)
        ]
        evaluator.window.upsert(batch_of(rows), "all")
        poll(evaluator, at)
    values = [[one.value for one in evaluator.history.of("R", kept)] for kept in evaluator.history.groups("R")]
    assert max(tuple(v for v in some if v is not None) for some in values) == (0.4,)
    assert len(values) == 5


def test_a_rule_that_is_gone_is_forgotten() -> None:
    evaluator = evaluator_of()
    put(evaluator, "A", NOW, 1, 10)
    poll(evaluator, NOW)
    evaluator.history.forget("R")
    assert evaluator.history.groups("R") == ()


def test_alerts_of_a_rule_that_was_grouped_otherwise_are_not_looked_for() -> None:
    evaluator = evaluator_of()
    evaluator.put(
        "R",
        (("country", "GR"),),
        Alert("main", "R", (("country", "GR"),), "firing", (), NOW, NOW, level=1, firing_at=NOW),
    )
    put(evaluator, "A", NOW, 1, 10)
    poll(evaluator, NOW)
    assert evaluator.history.groups("R") == (group("A"),)
    assert evaluator.errors == {}
