"""Which rules' alerts come together, what people did about them, and what is said of a rule."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from monitor.alerts.alert_episodes import alert_episodes
from monitor.alerts.kinds import kind_of
from monitor.alerts.kinds.tuning import WrittenThreshold
from monitor.config.rules import Rule, rule_of
from monitor.model.alert import Transition, TransitionSubject
from monitor.model.batch import batch_of
from monitor.runtime.clock import DAY, HOUR, MINUTE, Instant
from monitor.simulation.backtest import EvaluationSpan, Subject, run
from monitor.simulation.backtest.run import AccountMessages, Backtest, Trial
from monitor.simulation.review.alerts import AlertTotals, PastAlert
from monitor.simulation.review.overlap import Overlap, overlaps
from monitor.simulation.review.reach import MOST_GROUPS, Nearest, Observer
from monitor.simulation.review.report import lines
from monitor.simulation.review.rules import reviews_of
from monitor.simulation.review.verdict import RuleReview, weigh
from monitor.window import Window

NOW: Instant = 20_000 * DAY
RATE: dict[str, Any] = {"kind": "rate", "window": "10m", "above": "20%"}


def rule(name: str, **fields: Any) -> Rule:
    return rule_of(RATE | {"name": name} | fields)


def alert(at: float, lasts: float | None = 0.2, by: str = "R", **group: str) -> PastAlert:
    """An alert ``at`` so many hours before now."""
    begun = NOW - round(at * HOUR)
    return PastAlert(by, "main", tuple(group.items()), begun, None if lasts is None else begun + round(lasts * HOUR))


def totals(alerts: Sequence[PastAlert], days: float = 7) -> AlertTotals:
    return AlertTotals.of(alerts, NOW - round(days * DAY), NOW)


def naively(alerts: dict[str, list[PastAlert]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for name, own in alerts.items():
        counts = {other: sum(any(a.overlaps(b) for b in some) for a in own) for other, some in alerts.items()}
        found[name] = {other: count for other, count in counts.items() if count and other != name}
    return found


def test_overlaps_are_those_that_comparing_every_pair_finds() -> None:
    dice = random.Random(1)

    def some(fields: tuple[str, ...]) -> list[PastAlert]:
        return [
            alert(dice.uniform(0, 200), dice.choice([0.1, 1, 5, None]), **{name: dice.choice("abc") for name in fields})
            for _ in range(40)
        ]

    alerts = {"op": some(("operator", "country")), "country": some(("country",)), "all": some(()), "none": []}
    found = {name: {one.other: one.together for one in some} for name, some in overlaps(alerts).items()}
    assert found == naively(alerts)
    assert found["op"]["country"]
    assert found["none"] == {}


def test_alerts_of_other_accounts_times_or_groups_do_not_overlap() -> None:
    one = alert(10, 1, operator="A")
    assert one.overlaps(alert(9.6, 1))
    assert one.overlaps(alert(10.5, None, country="GR"))
    assert not one.overlaps(alert(10.6, None)), "it fired long before"
    assert not one.overlaps(alert(9.4, 1)), "it began long after"
    assert not one.overlaps(alert(8.9, 1))
    assert not one.overlaps(alert(10, 1, operator="B"))
    assert not one.overlaps(PastAlert("R", "other", (), one.begun, one.end))


def test_totals_tell_what_people_did_and_what_came_back() -> None:
    acknowledged = PastAlert("R", "main", (), NOW - 5 * HOUR, NOW - 4 * HOUR, acknowledged=True, silenced=True)
    silenced = PastAlert("R", "main", (), NOW - 3 * HOUR, NOW - 150 * MINUTE, silenced=True)
    again = PastAlert("R", "main", (), NOW - 130 * MINUTE, None)
    report = PastAlert("R", "main", (("problem", "ended"),), NOW - HOUR, NOW)
    found = totals([acknowledged, silenced, again, report])
    assert (len(found.alerts), found.reports) == (3, 1)
    assert (found.acknowledged, found.silenced, found.ignored) == (1, 1, 1)
    assert found.lengths == [HOUR, 30 * MINUTE, 130 * MINUTE]
    assert found.median == HOUR
    assert found.came_back == 1
    assert found.a_week == 3
    assert totals([], days=0.5).a_week is None
    assert found.busy == pytest.approx((60 + 30 + 130) / (7 * 24 * 60))
    assert totals([alert(10, 4), alert(9, 1), alert(8, 4)]).busy == pytest.approx(6 / (7 * 24))


def test_an_alert_of_an_older_version_is_of_no_known_group_and_neither_came_back_nor_overlaps() -> None:
    old = [PastAlert("R", "", (), NOW - at * MINUTE, NOW - (at - 5) * MINUTE) for at in (100, 80, 60, 40)]
    found = totals(old)
    assert (len(found.alerts), found.came_back) == (4, 0)
    both = {"R": old, "Other": [PastAlert("Other", *_fields(one)[1:]) for one in old], "New": [alert(1, 1)]}
    assert overlaps(both) == {"R": [], "Other": [], "New": []}


def test_an_alert_that_an_older_version_began_has_the_group_that_is_told_later() -> None:
    about = TransitionSubject("main", (("operator", "A"),), 1)
    moves = [Transition("f", "R", NOW, "fired"), Transition("f", "R", NOW + HOUR, "resolved", about=about)]
    (found,) = alert_episodes(moves)
    assert (found.account, found.group) == ("main", (("operator", "A"),))


def review(name: str, raised: Sequence[PastAlert], judged: Sequence[PastAlert] = (), **fields: Any) -> RuleReview:
    return RuleReview(rule(name, **fields), totals(raised, 28), totals(judged))


def test_the_worst_rule_comes_first_with_one_sentence_of_advice() -> None:
    often = [alert(at, by="Noisy") for at in range(1, 160, 6)]
    thrice = [alert(at) for at in (10, 20, 30)]
    together = review("Narrow", [PastAlert(*_fields(one), acknowledged=True) for one in thrice], by=["operator"])
    wide = review("Wide", [PastAlert(*_fields(one), acknowledged=True) for one in thrice])
    together.overlaps, wide.overlaps = [Overlap("Wide", 3, 3)], [Overlap("Narrow", 3, 3)]
    back = [
        PastAlert("F", "main", (), NOW - at * MINUTE, NOW - (at - 5) * MINUTE, acknowledged=True)
        for at in range(100, 20, -15)
    ]
    dead = review("Dead", [])
    dead.never = ["no message has operator Cosmot (where)"]
    found = weigh(
        [
            review("Good", [PastAlert(*_fields(thrice[0]), acknowledged=True)]),
            review("Quiet", []),
            review("Flaps", back, keep_firing_for="1m"),
            review("Ignored", thrice),
            together,
            wide,
            dead,
            review("Noisy", often, often),
        ]
    )
    assert [(one.rule.name, one.verdict) for one in found] == [
        ("Noisy", "noisy"),
        ("Dead", "never could fire"),
        ("Narrow", "always with another"),
        ("Ignored", "never acknowledged"),
        ("Flaps", "flapping"),
        ("Quiet", "quiet"),
        ("Wide", "good"),
        ("Good", "good"),
    ]
    advice = {one.rule.name: one.advice for one in found}
    assert advice["Noisy"].startswith(
        "27 alerts a week, 0 of 27 alerts acknowledged: `backtest --suggest --rule Noisy`"
    )
    assert advice["Dead"] == "No message has operator Cosmot (where). Mend the value, or take the rule out."
    assert advice["Narrow"].startswith("3 of 3 alerts fired together with Wide: ")
    assert advice["Ignored"].startswith("Nobody acknowledged or silenced any of 3 alerts: ")
    assert advice["Flaps"].startswith("5 of 6 alerts fired again within 30m: a longer keep_firing_for (now 1m)")


def _fields(one: PastAlert) -> tuple[Any, ...]:
    return one.rule, one.account, one.group, one.begun, one.end


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "absence", "by": ["country"], "window": "1h", "expected": 14},
        {"kind": "new_value", "field": "country", "window": "1h"},
        {"kind": "shift", "by": ["operator"]},
    ],
)
def test_a_noisy_rule_without_a_threshold_is_not_sent_to_suggest(fields: dict[str, Any]) -> None:
    often = totals([alert(at, by="Noisy") for at in range(1, 160, 6)])
    (found,) = weigh([RuleReview(rule_of({"name": "Noisy"} | fields), often, often)])
    assert found.verdict == "noisy"
    assert "backtest" not in found.advice
    assert kind_of(found.rule).tuning.why_none(found.rule) in found.advice


def test_a_rule_that_fires_most_of_the_time_comes_with_all_others_by_chance() -> None:
    thrice = [PastAlert(*_fields(alert(at)), acknowledged=True) for at in (10, 20, 30)]
    one, other = review("One", thrice, by=["operator"]), review("Other", [alert(600, 590)])
    one.overlaps = [Overlap("Other", 3, 3)]
    assert {found.rule.name: found.verdict for found in weigh([one, other])}["One"] == "good"


def test_of_less_than_three_days_no_rule_is_called_good_noisy_or_unheard() -> None:
    some = [alert(at, operator=str(at)) for at in (0.5, 1, 1.5, 1.8)]
    (found,) = weigh([RuleReview(rule("R"), totals(some, 2 / 24), totals(some, 2 / 24))])
    assert (found.verdict, found.advice) == (
        "too little past",
        "Only 2h of its past are known. After 3d this command can say whether it is good or noisy.",
    )
    heard = [PastAlert(*_fields(one), acknowledged=True) for one in some[:2]]
    (found,) = weigh([RuleReview(rule("R"), totals(heard, 2), totals([], 3))])
    assert found.verdict == "good"


def test_no_week_is_made_of_a_daemon_that_has_just_begun() -> None:
    some = [alert(at / 60, operator=str(at)) for at in (13, 9, 6, 3)]
    young = AlertTotals.of(some, NOW - 26 * HOUR, NOW, NOW - 13 * MINUTE)
    assert young.a_week is None
    (found,) = weigh([RuleReview(rule("R"), young, totals([], 26 / 24))])
    assert found.verdict == "too little past"


def test_a_low_balance_is_no_company() -> None:
    subjects = [Subject(rule("R"), "R"), Subject(rule_of({"name": "Low", "kind": "balance", "below": 50}), "Low")]
    span = EvaluationSpan(NOW - 6 * HOUR, NOW, 10 * MINUTE)
    observer, account = Observer(span), AccountMessages(Window("main"), ["all"], NOW - DAY)
    found = run([account], subjects, span, lambda done: None, observer.watch)
    raised = [alert(at, by=name) for at in (10, 20, 30) for name in ("R", "Low")]
    for one in reviews_of(found, observer, [], raised, NOW - 7 * DAY, NOW):
        assert list(one.overlaps) == []


def test_a_rule_whose_threshold_was_crossed_too_briefly_is_told_so() -> None:
    window = Window("main")
    rows = [
        {"messageId": f"m{i}", "date": NOW - HOUR + i * MINUTE, "status": "Failed" if i == 9 else "Delivered"}
        for i in range(30)
    ]
    window.upsert(batch_of(rows), "all")
    span = EvaluationSpan(NOW - 2 * HOUR, NOW, MINUTE)
    observer, account = Observer(span), AccountMessages(window, ["all"], NOW - DAY)
    subject = Subject(rule("R", window="2m", **{"for": "10m"}), "R")
    found = run([account], [subject], span, lambda done: None, observer.watch)
    (one,) = reviews_of(found, observer, [window], [], NOW - DAY, NOW)
    assert one.verdict == "quiet"
    assert one.advice == "Its threshold was crossed once, but never for as long as its for (10m)."


def test_a_rule_that_was_mended_is_not_noisy_any_more() -> None:
    often = [alert(at) for at in range(1, 160, 3)]
    (found,) = weigh([review("R", [PastAlert(*_fields(one), acknowledged=True) for one in often])])
    assert found.verdict == "good", "judged as it is now, it does not fire"


@pytest.mark.parametrize("days", [1, 4])
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"where": {"operator": "Nov"}}, ["no message has operator Nov; did you mean 'Nova'? (where)"]),
        ({"match": {"status": ["Unsent", "Expired"]}}, ["no message has status Unsent or Expired (match)"]),
        ({"where": {"operator": {"starts_with": "X"}}}, ["no message has operator that starts with X (where)"]),
        ({"where": {"operator": {"is_not": "X"}, "label": "unknown"}}, []),
        ({}, []),
        ({"min_messages": 60}, ["no group had more than 30 messages in 10m, min_messages is 60"]),
        ({"min_messages": 25, "by": ["operator"]}, ["no group had more than 20 messages in 10m, min_messages is 25"]),
    ],
)
def test_why_a_rule_could_never_fire(fields: dict[str, Any], said: list[str], days: int) -> None:
    window = Window("main")
    rows = [
        {
            "messageId": f"m{i}",
            "date": NOW - MINUTE + i,
            "status": "Delivered",
            "operator": "Nova" if i % 3 else "Q",
        }
        for i in range(30)
    ]
    rows.append({"messageId": "first", "date": NOW - days * DAY, "status": "Delivered", "operator": "Q"})
    window.upsert(batch_of(rows), "all")
    span = EvaluationSpan(NOW - 4 * DAY, NOW, DAY)
    observer, account = Observer(span), AccountMessages(window, ["all"], NOW - 5 * DAY)
    found = run([account], [Subject(rule("R", **fields), "R")], span, lambda done: None, observer.watch)
    (one,) = reviews_of(found, observer, [window], [], NOW - DAY, NOW)
    assert list(one.never) == said
    young = days < 3 and "min_messages" in fields
    assert one.verdict == ("too little past" if young else "never could fire" if said else "quiet")
    if young:
        known = "Only 1d of its past are known: no group had more than "
        assert one.advice.startswith(known)
        assert one.advice.endswith(". After 3d this command can say whether it can fire.")


def test_a_rule_that_is_still_learning_has_too_little_past() -> None:
    window = Window("main")
    rows = [
        {"messageId": f"m{i}", "date": NOW - DAY + i * HOUR, "status": "Delivered", "operator": "Q"} for i in range(24)
    ]
    window.upsert(batch_of(rows), "all")
    span = EvaluationSpan(NOW - 2 * DAY, NOW, HOUR)
    observer, account = Observer(span), AccountMessages(window, ["all"], NOW - 2 * DAY)
    subject = Subject(rule_of({"name": "Shift", "kind": "shift", "by": ["operator"]}), "Shift")
    found = run([account], [subject], span, lambda done: None, observer.watch)
    (one,) = reviews_of(found, observer, [window], [], NOW - HOUR, NOW)
    assert one.verdict == "too little past"
    assert one.judged is not None
    assert one.judged.since == NOW - DAY, "before its first message nothing is known"
    assert one.advice.startswith("Only 1d of its past are known: there was never enough data to judge it. After 3d ")
    assert "  alerts: no alerts in 1h" in list(lines([one]))


def test_of_a_daemon_that_has_just_started_no_span_is_told() -> None:
    one = RuleReview(rule("R"), AlertTotals.of([], NOW, NOW), totals([]))
    assert "  alerts: no alerts yet" in list(lines([one]))


def test_how_near_it_came_and_which_groups_were_too_small() -> None:
    window = Window("main")
    rows = [
        {"messageId": f"m{i}", "date": NOW - HOUR + i, "operator": "Nova" if i else "Q"}
        | {"status": "Failed" if i % 10 == 1 else "Delivered"}
        for i in range(31)
    ]
    window.upsert(batch_of(rows), "all")
    span = EvaluationSpan(NOW - 2 * HOUR, NOW, 10 * MINUTE)
    observer, account = Observer(span), AccountMessages(window, ["all"], NOW - DAY)
    subject = Subject(rule("R", by=["operator"], min_messages=10), "R")
    found = run([account], [subject], span, lambda done: None, observer.watch)
    (one,) = reviews_of(found, observer, [window], [], NOW - DAY, NOW)
    assert one.nearest is not None
    assert (one.nearest.group, one.nearest.reached, one.nearest.threshold.size) == ((("operator", "Nova"),), 0.1, 0.2)
    assert (one.small, one.groups) == ([(("operator", "Q"),)], 2)
    assert "  came nearest to firing: 10%, threshold 20% (Nova)" in list(lines([one]))


@pytest.mark.parametrize(
    ("reached", "crossed", "said"),
    [
        (0.301, 2, "  went furthest beyond its threshold: 30.1%, threshold 20% (Nova)"),
        (0.20004, 1, "  went furthest beyond its threshold: 20.004%, threshold 20% (Nova)"),
        (0.199, 0, "  came nearest to firing: 19.9%, threshold 20% (Nova)"),
    ],
)
def test_what_fired_did_not_only_come_near(reached: float, crossed: int, said: str) -> None:
    nearest = Nearest((("operator", "Nova"),), "main", reached, WrittenThreshold(("above",), "share", 0.2), crossed)
    one = RuleReview(rule("R"), totals([]), totals([]), nearest=nearest)
    assert said in list(lines([one]))


def test_a_rule_that_failed_over_the_past_is_not_judged_and_says_why() -> None:
    span = EvaluationSpan(NOW - 2 * HOUR, NOW, 10 * MINUTE)
    trial = Trial(Subject(rule("R"), "R"), errors=["main: it cannot be divided"])
    (one,) = reviews_of(Backtest(span, [trial]), Observer(span), [], [], NOW - DAY, NOW)
    assert (one.verdict, one.judged, one.never) == ("not judged", None, [])
    assert one.advice == "It could not be evaluated (main: it cannot be divided)."


@pytest.mark.parametrize(
    ("least", "said"), [(5, []), (10, ["no group had more than 8 messages in 10m, min_messages is 10"])]
)
def test_of_very_many_groups_those_that_are_known_are_followed(least: int, said: list[str]) -> None:
    window = Window("main")

    def sent(at: Instant, campaign: str, number: int) -> dict[str, Any]:
        ids = {"messageId": f"{campaign}-{number}-{at}", "date": at}
        return ids | {"status": "Delivered", "campaign": campaign}

    early = [sent(NOW - 100 * MINUTE, f"c{at}", 0) for at in range(MOST_GROUPS)]
    late = [sent(NOW - 30 * MINUTE, "c0", number) for number in range(6)]
    beyond = [sent(NOW - 30 * MINUTE, "new", number) for number in range(8)]
    window.upsert(batch_of(early + late + beyond), "all")
    span = EvaluationSpan(NOW - 2 * HOUR, NOW, 10 * MINUTE)
    observer, account = Observer(span), AccountMessages(window, ["all"], NOW - DAY)
    subject = Subject(rule("R", by=["campaign"], min_messages=least), "R")
    found = run([account], [subject], span, lambda done: None, observer.watch)
    (one,) = reviews_of(found, observer, [window], [], NOW - DAY, NOW)
    assert list(one.never) == said
    assert one.groups == MOST_GROUPS
    assert ((("campaign", "c0"),) in one.small) == (least == 10)


@pytest.mark.parametrize(
    ("waits", "step", "seen"), [("20m", HOUR, True), ("2h", HOUR, False), ("0s", HOUR, False), ("20m", 0, False)]
)
def test_a_quiet_rule_that_was_judged_too_rarely_to_be_seen_fires_says_so(waits: str, step: int, seen: bool) -> None:
    one = RuleReview(rule("R", **{"for": waits}), totals([], 28), totals([]), step=step)
    (found,) = weigh([one])
    when = " when it was evaluated, once every 1h" if seen else ""
    assert (found.verdict, found.advice) == (
        "quiet",
        f"It could have fired, but its threshold was never crossed{when}.",
    )
