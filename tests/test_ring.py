"""The ring: the latest evaluations of the groups that matter."""

from monitor.alert import Alert
from monitor.clock import MINUTE, SECOND, Instant, parse_iso
from monitor.judge import Judge
from monitor.message import batch_of
from monitor.ring import GROUPS
from monitor.rules import rule_of
from monitor.store.protocol import Cursor
from monitor.track import KEPT
from monitor.window import Window

NOW = parse_iso("2026-11-21T10:00:00Z")
RATE = {"name": "R", "kind": "rate", "by": ["operator"], "window": "5m", "above": "20%", "min_messages": 3}


def judge_of(**changes: object) -> Judge:
    return Judge(Window("main"), [rule_of(RATE | changes)], ["all"])


def put(judge: Judge, operator: str, at: Instant, failed: int, of: int) -> None:
    rows: list[dict[str, object]] = [
        {
            "messageId": f"{operator}-{at}-{i}",
            "date": at,
            "operator": operator,
            "status": "Failed" if i < failed else "Delivered",
        }
        for i in range(of)
    ]
    judge.window.upsert(batch_of(rows), "all")


def poll(judge: Judge, as_of: Instant) -> None:
    cursor = Cursor("main", "all", as_of, 0)
    judge.apply(judge.judge(cursor), cursor)


def group(operator: str) -> tuple[tuple[str, str], ...]:
    return (("operator", operator),)


def test_each_evaluation_is_kept_with_its_numbers() -> None:
    judge = judge_of()
    put(judge, "A", NOW, 1, 10)
    poll(judge, NOW)
    put(judge, "A", NOW + MINUTE, 9, 10)
    put(judge, "B", NOW + MINUTE, 0, 2)
    poll(judge, NOW + MINUTE)
    first, second = judge.ring.of("R", group("A"))
    assert (first.as_of, first.value, first.threshold, first.messages) == (NOW, 0.1, 0.2, 10)
    assert (second.as_of, second.value, second.messages) == (NOW + MINUTE, 0.5, 20)
    blank, few = judge.ring.of("R", group("B"))
    assert (blank.value, blank.messages) == (None, 0)
    assert (few.value, few.messages) == (None, 2), "two messages are not enough to say"
    assert judge.ring.of("R", group("C")) == ()
    assert judge.ring.of("Other", ()) == ()


def test_the_oldest_evaluations_are_forgotten() -> None:
    judge = judge_of()
    put(judge, "A", NOW, 1, 10)
    for step in range(KEPT + 7):
        poll(judge, NOW + step * SECOND)
    kept = judge.ring.of("R", group("A"))
    assert [one.as_of for one in kept] == [NOW + step * SECOND for step in range(7, KEPT + 7)]
    assert {one.value for one in kept} == {0.1}


def test_of_many_groups_those_with_alerts_the_worst_and_the_largest_are_kept() -> None:
    judge = judge_of()
    for number in range(100):
        put(judge, f"small{number}", NOW, 0, 4)
    put(judge, "large", NOW, 0, 500)
    put(judge, "bad", NOW, 1, 6)
    poll(judge, NOW)
    kept = judge.ring.groups("R")
    assert len(kept) == GROUPS
    assert {group("large"), group("bad")} <= set(kept)

    put(judge, "small77", NOW + MINUTE, 9, 10)
    poll(judge, NOW + MINUTE)
    poll(judge, NOW + 2 * MINUTE)
    assert group("small77") in judge.ring.groups("R"), "it has an alert now"
    assert len(judge.ring.groups("R")) == GROUPS
    assert [one.value for one in judge.ring.of("R", group("large"))] == [0.0, 0.0, 0.0]


def test_a_group_that_falls_silent_stays_with_its_past() -> None:
    judge = judge_of()
    put(judge, "A", NOW, 1, 10)
    poll(judge, NOW)
    poll(judge, NOW + 10 * MINUTE)
    assert [one.value for one in judge.ring.of("R", group("A"))] == [0.1, None]


def test_recipients_are_numbered_anew_at_each_reading_and_still_kept_apart() -> None:
    judge = judge_of(by=["to"])
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
        judge.window.upsert(batch_of(rows), "all")
        poll(judge, at)
    values = [[one.value for one in judge.ring.of("R", kept)] for kept in judge.ring.groups("R")]
    assert max(tuple(v for v in some if v is not None) for some in values) == (0.4,)
    assert len(values) == 5


def test_a_rule_that_is_gone_is_forgotten() -> None:
    judge = judge_of()
    put(judge, "A", NOW, 1, 10)
    poll(judge, NOW)
    judge.ring.forget("R")
    assert judge.ring.groups("R") == ()


def test_alerts_of_a_rule_that_was_grouped_otherwise_are_not_looked_for() -> None:
    judge = judge_of()
    judge.put(
        "R",
        (("country", "GR"),),
        Alert("main", "R", (("country", "GR"),), "firing", (), NOW, NOW, level=1, firing_at=NOW),
    )
    put(judge, "A", NOW, 1, 10)
    poll(judge, NOW)
    assert judge.ring.groups("R") == (group("A"),)
    assert judge.errors == {}
