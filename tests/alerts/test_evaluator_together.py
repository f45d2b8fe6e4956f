"""Rules that are evaluated together give the same as rules that are evaluated one by one, in every detail that anyone can see."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.evaluation import EvaluationResult
from monitor.alerts.evaluation_history import EvaluationHistory
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.kinds import RuleResult
from monitor.config.rules import Rule, rule_of
from monitor.model.batch import batch_of
from monitor.runtime.clock import DAY, HOUR, MINUTE, Instant
from monitor.store.protocol import Cursor
from monitor.window import Window
from tests.fakes.rounds import rounds

NOW: Instant = 20_000 * DAY
BY = {"by": ["operator"], "window": "5m"}
LAST = {"window": "10m", "ago": "5m"}
WRITTEN: list[dict[str, Any]] = [
    *({"kind": "rate", "above": above, "min_messages": least} | BY for above in ("20%", "50%") for least in (1, 3)),
    {"kind": "rate", "below": "60%", "match": {"status": "Delivered"}, "for": "2m"} | BY,
    {"kind": "rate", "above": "40%", "confidence": "90%", "of": "all"} | BY,
    {"kind": "rate", "above": "30%", "confidence": "60%", "of": "all", "keep_firing_for": "3m"} | BY,
    {"kind": "rate", "above": "40%", "by": ["to"], "window": "5m"},
    {"kind": "rate", "above": "40%", "window": "5m", "receipts_within": "1m"},
    {
        "kind": "rate",
        "window": "5m",
        "levels": [{"above": "20%", "severity": "info"}, {"above": "60%", "severity": "critical"}],
        "by": ["country"],
    },
    *({"kind": "count", "above": above, "limit": 1} | BY for above in (2, 5)),
    *({"kind": "count", "below": below, "forget_after": "10m"} | BY for below in (1, 3)),
    {"kind": "count", "below": 2, "window": "5m", "every": "2m"},
    *(
        {"kind": "spike", "baseline": LAST, "above": above, "min_messages": 2} | BY
        for above in ("2x", "+20%", "2 sigma")
    ),
    *(
        {"kind": "spike", "baseline": baseline, "measure": measure, side: sigma} | BY
        for measure, side, baseline in (
            ("rate", "above", LAST),
            ("rate", "below", {"same_hour": "3d"}),
            ("count", "below", {"same_hour": "3d"}),
        )
        for sigma in ("0.5 sigma", "1 sigma")
    ),
    {"kind": "spike", "baseline": LAST, "below": "0.5x", "min_baseline": 1} | BY,
    {"kind": "spike", "baseline": {"same_hour": "3d"}, "above": "1.5x"} | BY,
    {"kind": "spike", "measure": "rate", "baseline": LAST, "above": "1.5x", "min_messages": 2} | BY,
    {"kind": "stuck", "older_than": "1m", "above": 2} | BY | {"window": "10m"},
    {"kind": "absence", "active_in": "1h", "min_baseline": 2} | BY,
]
RULES = [rule_of({"name": f"R{i}"} | written) for i, written in enumerate(WRITTEN)]

rows = st.fixed_dictionaries(
    {
        "messageId": st.sampled_from([f"m{i}" for i in range(30)]),
        "date": st.integers(-20, 15).map(lambda minutes: NOW + minutes * MINUTE),
        "status": st.sampled_from(["Queued", "Delivered", "Failed", "Undelivered"]),
        "operator": st.sampled_from(["Cosmote", "Vodafone"]),
        "country": st.sampled_from(["GR", "DE"]),
        "to": st.sampled_from(["+306912345678", "+306999945678"]),
    }
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("page"), st.lists(rows, min_size=1, max_size=15)),
        st.tuples(st.just("poll"), st.sampled_from([0, 1, 1, 1, 2, 7, -2])),
        st.tuples(st.just("poll"), st.just(1)),
        st.tuples(st.just("expire"), st.integers(-20, 0)),
    ),
    max_size=14,
)


class OneByOne:
    """An evaluator that evaluates each rule alone, and the history that it fills."""

    def __init__(self) -> None:
        self.evaluator, self.ring = RuleEvaluator(Window("main"), RULES, ["all"]), EvaluationHistory()
        self.evaluator.observe = self._see

    def _see(self, rule: Rule, as_of: Instant, rule_result: RuleResult, alerts: Any) -> None:
        self.ring.take(rule, as_of, rule_result, alerts)


def polled(evaluator: RuleEvaluator, as_of: Instant, covered_since: Instant) -> EvaluationResult:
    cursor = Cursor("main", "all", as_of, covered_since)
    outcome = evaluator.evaluate(cursor)
    evaluator.apply(outcome, cursor)
    return outcome


def assert_same_ring(one: EvaluationHistory, other: EvaluationHistory) -> None:
    for rule in RULES:
        for group in {*one.groups(rule.name), *other.groups(rule.name)}:
            here, there = ({e.as_of: e for e in ring.of(rule.name, group)} for ring in (one, other))
            known = [as_of for as_of in here.keys() & there.keys() if here[as_of].threshold is not None]
            assert [here[as_of] for as_of in known] == [there[as_of] for as_of in known], (rule, group)


@given(steps, st.sampled_from([4 * DAY, HOUR, 3 * MINUTE]))
@settings(max_examples=rounds(40, else_=16), deadline=None)
def test_judging_together_changes_nothing(history: list[Any], known: int) -> None:
    together, apart, as_of = RuleEvaluator(Window("main"), RULES, ["all"]), OneByOne(), NOW
    is_set_back = False
    for what, value in [*history, ("poll", 1), ("poll", 1)]:
        if what == "poll":
            as_of += value * MINUTE
            is_set_back |= value < 0
            here, there = (polled(evaluator, as_of, NOW - known) for evaluator in (together, apart.evaluator))
            assert here.alerts == there.alerts
            assert here.transitions == there.transitions
            assert here.evaluated == there.evaluated
            assert here.errors == there.errors == {}
            assert here.seconds.keys() == there.seconds.keys()
            if not is_set_back:  # of a time that is evaluated twice either result may be shown
                assert_same_ring(together.history, apart.ring)
        else:
            for evaluator in (together, apart.evaluator):
                evaluator.window.upsert(batch_of(value), "all") if what == "page" else evaluator.window.expire(
                    NOW + value * MINUTE
                )


def test_rules_that_say_nothing_are_seen_in_the_ring_with_their_own_thresholds() -> None:
    evaluator = RuleEvaluator(Window("main"), RULES, ["all"])
    page = [
        {"messageId": f"m{i}", "date": NOW, "status": "Failed" if i < 1 else "Delivered", "operator": "Wind"}
        for i in range(10)
    ]
    evaluator.window.upsert(batch_of(page), "all")
    assert not polled(evaluator, NOW, NOW - HOUR).alerts.keys() & {("R0", ()), ("R2", ())}
    group = (("operator", "Wind"),)
    for minute in (1, 2):
        polled(evaluator, NOW + minute * MINUTE, NOW - HOUR)
    mild, harsh = evaluator.history.of("R0", group), evaluator.history.of("R2", group)
    assert [(one.as_of - NOW, one.value, one.threshold, one.messages) for one in mild] == [
        (minute * MINUTE, 0.1, 0.2, 10) for minute in range(3)
    ]
    assert [one.threshold for one in harsh] == [0.5] * 3


def test_the_past_of_a_group_goes_on_when_its_rule_begins_and_ceases_to_have_something_to_say() -> None:
    evaluator = RuleEvaluator(Window("main"), RULES[:4], ["all"])
    group = (("operator", "Wind"),)
    for minute, status in enumerate(
        ["Delivered", "Delivered", "Failed", "Failed", "Delivered", "Delivered", "Delivered", "Delivered"] * 2
    ):
        page = [
            {"messageId": f"{minute}-{i}", "date": NOW + minute * 3 * MINUTE, "status": status, "operator": "Wind"}
            for i in range(9)
        ]
        evaluator.window.upsert(batch_of(page), "all")
        polled(evaluator, NOW + minute * 3 * MINUTE, NOW - HOUR)
        for told in list(evaluator.alerts.get("R0", {}).values()):
            if told.state == "resolved":
                evaluator.put("R0", told.group, None)
    values = [one.value for one in evaluator.history.of("R0", group)]
    half = [0.0, 0.0, 0.5, 1.0, 0.5, 0.0, 0.0, 0.0]
    assert values == half * 2
    assert evaluator.history.groups("R0") == (group,)
