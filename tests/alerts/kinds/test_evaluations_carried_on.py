"""Rules of all kinds that are evaluated again and again, each time against an evaluation that knows nothing of the earlier ones."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.kinds import EvaluationInput, RuleResult, evaluate
from monitor.alerts.kinds.rule_state import RuleState
from monitor.alerts.kinds.shift import memory
from monitor.alerts.kinds.shift.memory import ShiftMemory
from monitor.config.rules import Rule, rule_of
from monitor.config.rules.campaign import FOLLOWED
from monitor.model.account_state import NOTHING_KNOWN, AccountState
from monitor.model.batch import batch_of
from monitor.model.routee_query import AccountBalance
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Instant
from monitor.window import IncrementalCounts, Window, WindowReader
from tests.fakes.rounds import rounds

BEGIN: Instant = 20_000 * DAY + 12 * HOUR
BALANCE = NOTHING_KNOWN.with_balance(BEGIN, AccountBalance(41.2, "EUR"))


def rules() -> list[Rule]:
    """At least one of each kind, with windows of minutes."""
    by = {"by": ["operator"]}
    slow = {"kind": "shift", "event": "slow", "learn": "2h", **by}
    written: list[dict[str, Any]] = [
        {"kind": "rate", "window": "5m", "above": "20%", **by},
        {"kind": "rate", "window": "5m", "receipts_within": "60s", "above": "20%"},
        {"kind": "count", "window": "10m", "below": 3, **by},
        {"kind": "spike", "window": "5m", "baseline": {"window": "30m", "ago": "5m"}, "above": "2x", **by},
        {"kind": "latency", "window": "10m", "percentile": 50, "above": "2s", "min_messages": 1, **by},
        {"kind": "stuck", "window": "20m", "older_than": "3m", "above": 1, **by},
        {"kind": "stuck", "window": "20m", "older_than": "3m", "above": "10%", "min_messages": 1},
        {"kind": "absence", "window": "5m", "active_in": "30m", "min_baseline": 2, **by},
        {"kind": "absence", "window": "5m", "active_in": "30m", "min_baseline": 2, "expected": 3, **by},
        {"kind": "new_value", "field": "operator", "window": "5m", "seen_in": "20m", "min_messages": 1},
        {"kind": "cost", "window": "10m", "above": 0.1, **by},
        {"kind": "cost", "window": "10m", "below": 0.1},
        {"kind": "cost", "window": "10m", "above": 0.1, "by": ["to"]},
        {"kind": "distinct", "field": "to", "window": "10m", "above": 1, **by},
        {"kind": "shift", "learn": "2h", **by},
        slow,
        {"kind": "slo", "objective": "98%", **by},
        {"kind": "campaign", "failure_above": "20%", "stalled_for": "10m", "ended": "report", "min_messages": 1},
        {"kind": "balance", "lasts_below": "2d", "window": "2h", "min_priced": "10%"},
    ]
    return [rule_of({"name": f"R{number}", "severity": "warning"} | one) for number, one in enumerate(written)]


def row(draw: tuple[int, int, int, int, int], now: Instant) -> dict[str, Any]:
    """A report of one of a few messages; some are from later than now."""
    number, ago, status, place, amount = draw
    return {
        "messageId": f"m{number}",
        "date": now - ago * SECOND,
        "status": ["Queued", "Sent", "Delivered", "Undelivered"][status],
        "operator": f"O{place}",
        "campaignTrackingId": [None, "c1", "c2"][place],
        "to": ["+306912345678", "+306999945678"][number % 2],
        "price": [None, 0.04, 1 / 3][amount],
        "latency": [None, 0.5, 3.0][amount],
        "parts": 1 + (number % 5 == 0),
    }


several = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.one_of(st.integers(-120, 600), st.integers(0, 3 * 3600)),
        *(st.integers(0, most) for most in (3, 2, 2)),
    ),
    max_size=30,
)

steps = st.lists(
    st.tuples(st.sampled_from([0, 10, 30, 30, 60, 300, 1800, -45]), st.one_of(st.just([]), st.just([]), several)),
    min_size=2,
    max_size=12,
)


def numbers(found: RuleResult) -> list[str]:
    """Everything that a result says of each group, in whatever order."""
    return sorted(repr(found.finding(at)) for at in range(len(found)))


def from_scratch(inputs: EvaluationInput) -> EvaluationInput:
    """The same without anything that was worked out before; a state is as it is read from the store."""
    kept = memory.read(inputs.kept.blob()) if isinstance(inputs.kept, ShiftMemory) else inputs.kept
    return replace(inputs, reading=WindowReader(inputs.reading.window), carried=None, kept=kept)


@given(several, steps)
@settings(max_examples=rounds(30, else_=12), deadline=None)
def test_what_is_carried_on_is_what_an_evaluation_from_nothing_gives(past: list[Any], history: list[Any]) -> None:
    window, as_of, written = Window("main"), BEGIN, rules()
    window.upsert(batch_of([row(one, as_of) for one in past]), "all")
    carried, kept = IncrementalCounts(window), dict[str, RuleState]()
    known: dict[str, tuple[Any, ...]] = {}
    for passed, reports in history:
        as_of += passed * SECOND
        if reports:
            window.upsert(batch_of([row(one, as_of) for one in reports]), "all")
        reading = WindowReader(window)
        for rule in written:
            inputs = EvaluationInput(
                *(reading, as_of, BEGIN - 4 * HOUR, known.get(rule.name, ())),
                account_state=BALANCE,
                carried=carried,
                kept=kept.get(rule.name),
            )
            found = evaluate(rule, inputs)
            assert numbers(found) == numbers(evaluate(rule, from_scratch(inputs))), rule
            if found.kept is not None:
                kept[rule.name] = found.kept
            known[rule.name] = tuple(one.group for one in found.breaching())
        carried.forget_passed()


def test_the_state_of_the_account_is_new_each_time() -> None:
    window, (rule,) = Window("main"), [rule for rule in rules() if rule.kind == "balance"]
    window.upsert(batch_of([row((number, number, 2, 0, 1), BEGIN) for number in range(60)]), "all")
    carried = IncrementalCounts(window)

    def value(state: AccountState) -> float | None:
        inputs = EvaluationInput(WindowReader(window), BEGIN, 0, account_state=state, carried=carried)
        return evaluate(rule, inputs).of(()).value

    first, second = value(BALANCE), value(BALANCE.with_balance(BEGIN, AccountBalance(82.4, "EUR")))
    assert first is not None
    assert second == 2 * first


def test_a_campaign_is_counted_again_when_its_first_message_is_too_old() -> None:
    window = Window("main")
    reports = [
        {"messageId": f"m{number}", "date": date, "status": "Sent", "campaignTrackingId": "c1"}
        for number, date in enumerate([BEGIN - FOLLOWED + MINUTE, BEGIN - HOUR, BEGIN - HOUR])
    ]
    window.upsert(batch_of(reports), "all")
    carried, (rule,) = IncrementalCounts(window), [rule for rule in rules() if rule.kind == "campaign"]
    messages = []
    for as_of in (BEGIN, BEGIN + 59 * SECOND, BEGIN + MINUTE):
        found = evaluate(rule, EvaluationInput(WindowReader(window), as_of, 0, carried=carried))
        messages.append(next(one.matching for one in found.findings() if ("problem", "stalled") in one.group))
    assert messages == [3, 3, 2]


def test_a_slow_message_that_is_said_to_be_reported_hours_from_now_counts_from_two_hours_before() -> None:
    window, (rule,) = Window("main"), [rule for rule in rules() if getattr(rule, "event", "") == "slow"]
    begin = BEGIN + 10 * MINUTE  # so that no block of half an hour ends meanwhile
    reports = [row((number, 60 + number % 900, 2, 1, 1), begin) for number in range(400)]
    reports.append(row((400, -2 * 3600 - 20, 2, 1, 0), begin) | {"latency": 2 * 3600 + 320.0})
    window.upsert(batch_of(reports), "all")
    carried, kept = IncrementalCounts(window), None
    counted = []
    for as_of in (begin, begin + 30 * SECOND):
        inputs = EvaluationInput(WindowReader(window), as_of, BEGIN - 4 * HOUR, carried=carried, kept=kept)
        found = evaluate(rule, inputs)
        assert numbers(found) == numbers(evaluate(rule, from_scratch(inputs)))
        kept = found.kept or kept
        counted.append(sum(one.matching or 0 for one in found.findings()))
    assert counted[0] < counted[1]
