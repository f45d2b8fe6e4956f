"""The kind shift over a window: what it counts, how small groups are judged, what it says, and what it keeps."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.evaluation import Evaluations
from monitor.alerts.evaluation_history import EvaluationHistory
from monitor.alerts.explain import breakdown
from monitor.alerts.kinds import EvaluationInput, RuleResult, evaluate
from monitor.alerts.kinds.rule_state import StoredRuleState
from monitor.alerts.kinds.shift import groups as groups_of
from monitor.alerts.kinds.shift import kind, memory
from monitor.alerts.kinds.shift.counting import count
from monitor.alerts.kinds.shift.delays import BINS, EDGES, Delays
from monitor.alerts.kinds.shift.groups import GroupRows
from monitor.alerts.kinds.shift.memory import ShiftMemory, Tail
from monitor.alerts.kinds.shift.settings import ShiftSettings
from monitor.alerts.kinds.shift.state import ShiftState
from monitor.alerts.view import history
from monitor.config.rules import Rule, rule_of
from monitor.config.rules.shift import Shift
from monitor.model.batch import batch_of
from monitor.model.finding import Finding
from monitor.model.message import FAILURES, FINAL
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND
from monitor.window import Window, WindowReader

NOW = 20_000 * DAY + 12 * HOUR + 17 * MINUTE + 20 * SECOND
SINCE = NOW - 6 * HOUR
Row = dict[str, Any]


def shift(**written: Any) -> Shift:
    rule = rule_of({"name": "Shift", "kind": "shift", "learn": "3h"} | written)
    assert isinstance(rule, Shift)
    return rule


def traffic(
    rate: float,
    fails: list[tuple[int, float]],
    seed: int = 1,
    until: int = NOW,
    delay: tuple[float, float] = (5.0, 20.0),
    **fields: str,
) -> list[Row]:
    """So many messages a minute since `SINCE`; ``fails``: the probability of a failure from an instant on."""
    random, rows, at = Random(f"{seed}{sorted(fields.items())}"), list[Row](), float(SINCE)
    while True:
        at += random.expovariate(rate) * MINUTE
        if at > until:
            return rows
        share = next(p for since, p in reversed(fails) if since <= at)
        status = "Undelivered" if random.random() < share else "Delivered"
        rows.append(
            {
                "date": int(at),
                "status": status,
                "latency": random.uniform(*delay),
                "operator": "Cosmote",
                "country": "GR",
            }
            | fields
        )


def window_of(rows: list[Row]) -> Window:
    window = Window("main")
    window.upsert(batch_of([row | {"messageId": f"m{i}"} for i, row in enumerate(rows)]), "all")
    return window


def moment_of(window: Window, at: int = NOW, **more: Any) -> EvaluationInput:
    return EvaluationInput(WindowReader(window), at, SINCE, in_use_since=SINCE, **more)


def judged(rule: Rule, rows: list[Row], **more: Any) -> RuleResult:
    return evaluate(rule, moment_of(window_of(rows), **more))


def by_group(result: RuleResult) -> dict[tuple[str, ...], Finding]:
    return {tuple(value for _, value in finding.group): finding for finding in result.findings()}


rows_ = st.lists(
    st.fixed_dictionaries(
        {
            "date": st.integers(NOW - 9 * MINUTE, NOW)
            | st.sampled_from([NOW, NOW // MINUTE * MINUTE, NOW - 4 * MINUTE]),
            "status": st.sampled_from(["Queued", "Sent", "Delivered", "Undelivered", "Failed"]),
            "operator": st.sampled_from(["Cosmote", "Nova"]),
            "country": st.sampled_from(["GR", "CY"]),
            "latency": st.sampled_from([None, 5.0, 90.0]),
            "label": st.sampled_from(["otp", "promo"]),
        }
    ),
    max_size=40,
)


@given(rows_, st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_evidence_is_counted_by_the_minute_of_the_final_status(rows: list[Row], labelled: bool, fresh: bool) -> None:
    written: Row = {"by": ["country", "operator"]} | ({"where": {"label": "otp"}} if labelled else {})
    rule = shift(**written | ({"receipts_within": "60s"} if fresh else {}))
    start, groups = NOW // MINUTE * MINUTE - 10 * MINUTE, GroupRows(rule.by)
    found = count(rule, moment_of(window_of(rows)), groups, start, NOW)
    messages, failures = Counter[Any](), Counter[Any]()
    for row in rows:
        meant = row["status"] in FINAL and (not labelled or row["label"] == "otp")
        if meant and not (fresh and row["latency"] == 90.0):
            key = -(-(row["date"] - start) // MINUTE) - 1, (row["country"], row["operator"])
            messages[key] += 1
            failures[key] += row["status"] in FAILURES
    lines = zip(found.minute.tolist(), found.row.tolist(), found.n.tolist(), found.f.tolist(), strict=True)
    told = {(minute, groups.values[row]): (n, f) for minute, row, n, f in lines}
    assert told == {key: (n, failures[key]) for key, n in messages.items()}
    assert found.minute.tolist() == sorted(found.minute.tolist())


def test_a_change_is_found_and_told_from_what_to_what_and_since_when() -> None:
    rows = traffic(20, [(SINCE, 0.03), (NOW - 40 * MINUTE, 0.15)])
    (found,) = by_group(judged(shift(by=["operator"]), rows)).values()
    assert (found.breached, found.group) == (1, (("operator", "Cosmote"),))
    assert found.value == pytest.approx(0.15, abs=0.03)
    assert found.baseline == pytest.approx(0.03, abs=0.01)
    assert found.threshold == pytest.approx(0.085, abs=0.03)
    assert found.change == pytest.approx(found.value / found.baseline)
    assert found.why.startswith("failures rose from ")
    assert " at 11:3" in found.why
    assert found.why.endswith(f"({found.matching} of {found.messages} messages since; by chance once in 30d)")
    assert found.messages == pytest.approx(800, abs=100)


def test_without_a_change_it_says_how_much_evidence_there_is() -> None:
    (found,) = by_group(judged(shift(), traffic(20, [(SINCE, 0.03)]))).values()
    assert found.breached == 0
    assert found.why.split("; ")[1].startswith("evidence for a change: ")


def test_a_history_that_is_too_short_is_learned_and_that_is_said() -> None:
    rows = traffic(20, [(SINCE, 0.03), (NOW - 40 * MINUTE, 0.5)])
    (found,) = by_group(judged(shift(learn="72h"), rows)).values()
    assert (found.breached, found.why) == (None, "not enough data: learning, 6 h of 72 h")


def test_messages_without_a_final_status_are_no_evidence_of_health() -> None:
    rows = traffic(20, [(SINCE, 0.03), (NOW - 20 * MINUTE, 0.5)])
    waiting = [row | {"status": "Sent"} for row in traffic(200, [(SINCE, 0.0)], seed=2) if row["date"] > NOW - HOUR]
    with_, without = (by_group(judged(shift(), some))[()] for some in (rows + waiting, rows))
    assert with_ == without
    assert with_.breached == 1


def test_small_groups_are_judged_together_and_told_apart_from_large_ones() -> None:
    rows = traffic(20, [(SINCE, 0.03)])
    for number in range(30):
        rows += traffic(0.1, [(SINCE, 0.03), (NOW - HOUR, 0.7)], operator=f"Tiny {number}")
        rows += traffic(0.02, [(SINCE, 0.03)], operator=f"Other {number}", country="CY")
    result = judged(shift(by=["country", "operator"]), rows)
    found = by_group(result)
    assert found["GR", "Cosmote"].breached == 0
    assert found["GR", "(small)"].breached == 1
    assert found["GR", "(small)"].value == pytest.approx(0.7, abs=0.15)
    tiny = found["GR", "Tiny 3"]
    assert tiny.breached is None
    assert tiny.why == (
        "not enough data: too few messages to judge alone; judged together as country GR, operator (small)"
    )
    assert found["CY", "(small)"].breached == 0
    assert result.of((("country", "GR"), ("operator", "(small)"))) == found["GR", "(small)"]
    assert result.of((("country", "FR"), ("operator", "Nobody"))).breached is None


def test_what_explains_a_pool_is_looked_for_among_its_small_groups() -> None:
    rule, rows = shift(by=["country", "operator"]), traffic(20, [(SINCE, 0.03), (NOW - HOUR, 0.04)])
    for number in range(30):
        bad = 0.9 if number % 2 else 0.03
        label = "bad" if number % 2 else "good"
        rows += traffic(0.1, [(SINCE, 0.03), (NOW - HOUR, bad)], operator=f"Tiny {number}", label=label)
    window = window_of(rows)
    kept = evaluate(rule, moment_of(window)).kept
    pool = (("country", "GR"), ("operator", "(small)"))
    assert evaluate(rule, moment_of(window, kept=kept)).of(pool).breached == 1
    causes = breakdown(rule, moment_of(window, kept=kept), pool, NOW - 50 * MINUTE)
    assert ("label", "bad") in [(cause.field, cause.value) for cause in causes]


def test_the_number_of_groups_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups_of, "MOST", 5)
    rows = traffic(5, [(SINCE, 0.03)])
    for number in range(40):
        rows += traffic(0.2, [(SINCE, 0.03), (NOW - HOUR, 0.7)], operator=f"Tiny {number}")
    result = judged(shift(by=["country", "operator"]), rows)
    assert isinstance(result.kept, ShiftMemory)
    assert len(result.kept.groups) == 7
    assert by_group(result)["GR", "(small)"].breached == 1


def test_a_stored_state_goes_on_as_the_one_in_memory() -> None:
    rule = shift(by=["country", "operator"])
    rows = traffic(20, [(SINCE, 0.03), (NOW - 10 * MINUTE, 0.5)]) + traffic(0.5, [(SINCE, 0.2)], operator="Nova")
    window = window_of(rows)
    kept = evaluate(rule, moment_of(window, NOW - 12 * MINUTE)).kept
    assert isinstance(kept, ShiftMemory)
    stored = evaluate(rule, moment_of(window, kept=StoredRuleState(kept.blob())))
    assert list(stored.findings()) == list(evaluate(rule, moment_of(window, kept=kept)).findings())
    assert stored.kept is not None
    assert stored.kept.blob() == evaluate(rule, moment_of(window, kept=kept)).kept.blob()  # type: ignore[union-attr]  # this kind keeps something
    damaged = evaluate(rule, moment_of(window, kept=StoredRuleState(kept.blob()[:-8])))
    assert by_group(damaged).keys() == by_group(stored).keys(), "it is worked out of the past again"


def test_the_past_is_worked_through_some_at_a_time_with_the_same_result() -> None:
    rule = shift(by=["operator"])
    window = window_of(traffic(20, [(SINCE, 0.03), (NOW - 40 * MINUTE, 0.15)]))
    whole, moment, pieces = evaluate(rule, moment_of(window)), moment_of(window, effort=20.0), 1
    piece = evaluate(rule, moment)
    assert by_group(piece)["Cosmote",].breached is None
    assert piece.of((("operator", "Cosmote"),)).why.startswith("not enough data: working through the history, ")
    while piece.kept is not None and not piece.kept.is_ready:
        piece, pieces = evaluate(rule, replace(moment, kept=piece.kept)), pieces + 1
    assert pieces > 5
    assert list(piece.findings()) == list(whole.findings())


def test_slow_messages_are_found_by_their_delay_and_stuck_ones_before_they_arrive() -> None:
    rule, change = shift(event="slow"), NOW - 30 * MINUTE
    quick = [row for row in traffic(20, [(SINCE, 0.03)]) if row["date"] <= change]
    slow = traffic(20, [(SINCE, 0.03)], seed=3, delay=(100.0, 200.0))
    late = [row for row in slow if row["date"] - row["latency"] * SECOND > change]
    (found,) = by_group(judged(rule, quick + late)).values()
    assert found.breached == 1
    assert found.why.startswith("messages slower than 16s rose from ")
    stuck = [row | {"status": "Sent", "latency": None} for row in late]
    (found,) = by_group(judged(rule, quick + stuck)).values()
    assert found.breached == 1
    (found,) = by_group(judged(rule, traffic(20, [(SINCE, 0.03)]))).values()
    assert found.breached == 0
    assert found.baseline == pytest.approx(0.2, abs=0.06)


def test_an_alarm_without_any_more_messages_cannot_be_judged() -> None:
    rows = traffic(20, [(SINCE, 0.03), (NOW - 40 * MINUTE, 0.8)], until=NOW - 15 * MINUTE)
    (found,) = by_group(judged(shift(), rows)).values()
    assert (found.breached, found.why) == (None, "not enough data: no messages to judge")


def test_groups_that_are_long_gone_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MANY", 10)
    monkeypatch.setattr(kind, "FAILURE", replace(ShiftSettings(), forget=2 * HOUR))
    rule, rows = shift(by=["country", "operator"]), traffic(20, [(SINCE, 0.03), (NOW - HOUR, 0.3)])
    for number in range(40):
        rows += traffic(1, [(SINCE, 0.03)], until=SINCE + 2 * HOUR, operator=f"Gone {number}", country="CY")
    window = window_of(rows)
    result = evaluate(rule, moment_of(window))
    assert isinstance(result.kept, ShiftMemory)
    assert result.kept.groups.values == [("GR", "Cosmote"), ("GR", "(small)"), ("(small)", "(small)")]
    assert result.kept.state.groups == 3
    monkeypatch.setattr(memory, "MANY", 1000)
    untidy = evaluate(rule, moment_of(window))
    assert isinstance(untidy.kept, ShiftMemory)
    assert len(untidy.kept.groups) == 44
    assert by_group(result) == by_group(untidy)
    assert by_group(result)["GR", "Cosmote"].breached == 1


@pytest.mark.parametrize("rate", [3, 10, 60])
def test_a_new_group_that_fails_is_told_by_itself_and_not_by_its_pool(rate: int) -> None:
    rule, begin = shift(by=["campaign"]), NOW - 45 * MINUTE
    rows = traffic(10, [(SINCE, 0.03)], campaign="Large")
    for number in range(20):
        rows += traffic(0.03, [(SINCE, 0.03)], campaign=f"Small {number}")
    rows += [row for row in traffic(rate, [(SINCE, 0.6)], campaign="New") if row["date"] > begin]
    window, kept = window_of(rows), None
    alarms = Counter[str]()
    for at in range(begin, NOW, 30 * SECOND):
        result = evaluate(rule, moment_of(window, at, kept=kept))
        kept = result.kept or kept
        alarms.update(finding.group[0][1] for finding in result.breaching())
    assert alarms["New"] > 50
    assert alarms["(small)"] <= 5, "less than three minutes: it never fires"
    assert alarms.keys() <= {"New", "(small)"}


def test_its_past_values_are_those_that_were_found_then_and_none_is_worked_out_again() -> None:
    rule, window = shift(by=["operator"]), window_of(traffic(20, [(SINCE, 0.03)]))
    cosmote, found, past = (("operator", "Cosmote"),), Evaluations(), EvaluationHistory()
    past.take(rule, NOW, evaluate(rule, moment_of(window)), [cosmote])
    values = history(rule, moment_of(window), cosmote, past.progress(rule.name, cosmote), found)
    assert found == {}
    assert values[-1] is not None
    assert set(values[:-1]) == {None}


def test_what_cannot_be_said_yet_is_said_with_its_reason() -> None:
    rule, window = shift(), window_of(traffic(20, [(SINCE, 0.03)]))
    kept = evaluate(rule, moment_of(window)).kept
    (earlier,) = by_group(evaluate(rule, moment_of(window, NOW - 14 * MINUTE, kept=kept))).values()
    assert (earlier.breached, earlier.why) == (None, "not enough data: what was known at that time is not kept")
    unsettled = replace(moment_of(window), settled=False, covered_since=NOW - HOUR)
    (fetching,) = by_group(kind.evaluate(rule, unsettled)).values()
    assert (fetching.breached, fetching.why) == (None, "not enough data: the history is still being fetched")


def test_a_state_that_is_ahead_because_the_clock_was_is_worked_out_again() -> None:
    rule, window = shift(), window_of(traffic(20, [(SINCE, 0.03), (NOW - 40 * MINUTE, 0.5)]))
    kept = evaluate(rule, moment_of(window, NOW + 2 * HOUR)).kept
    found = evaluate(rule, moment_of(window, kept=kept))
    assert by_group(found) == by_group(evaluate(rule, moment_of(window)))
    assert by_group(found)[()].breached == 1
    assert found.kept is not None
    assert found.kept is not kept


def delayed(rate: float, delay: Callable[[int], float]) -> list[Row]:
    """So many messages a minute, each delivered so many seconds after it was sent; those that are under way were sent only."""
    random, rows, at = Random(1), list[Row](), float(SINCE)
    while (at := at + random.expovariate(rate) * MINUTE) <= NOW:
        latency = delay(int(at)) * random.uniform(0.7, 1.3)
        arrived = int(at + latency * SECOND)
        done: Row = {"date": arrived, "status": "Delivered", "latency": latency}
        waiting: Row = {"date": int(at), "status": "Sent", "latency": None}
        rows.append((done if arrived <= NOW else waiting) | {"operator": "Cosmote", "country": "GR"})
    return rows


def learned_beyond(result: RuleResult, seconds: float) -> float:
    """The part of the learned messages that took longer."""
    assert isinstance(result.kept, ShiftMemory)
    counts = result.kept.delays.counts[:, 0]
    return float(counts[seconds < EDGES].sum() / counts.sum())


def test_nothing_is_learned_of_the_delays_of_an_alarm_not_of_its_last_hour_either() -> None:
    begin, end = NOW - 3 * HOUR, NOW - 2 * HOUR - 10 * MINUTE
    rows = delayed(20, lambda at: 200.0 if begin < at <= end else 10.0)
    result = judged(shift(event="slow"), rows)
    assert by_group(result)[()].breached == 0
    assert learned_beyond(result, 60.0) == 0.0
    settled = judged(shift(event="slow"), delayed(20, lambda at: 10.0))
    assert isinstance(settled.kept, ShiftMemory)
    assert isinstance(result.kept, ShiftMemory)
    assert result.kept.slow_after(0) == settled.kept.slow_after(0)


def test_what_was_left_out_is_stored() -> None:
    begin = NOW - 40 * MINUTE
    rule, window = shift(event="slow"), window_of(delayed(20, lambda at: 200.0 if at > begin else 10.0))
    kept = evaluate(rule, moment_of(window)).kept
    assert isinstance(kept, ShiftMemory)
    assert kept.delays.left_out.any()
    stored = memory.read(kept.blob())
    assert stored is not None
    assert stored.blob() == kept.blob()


def test_the_past_shows_messages_that_got_their_status_many_hours_later() -> None:
    """As they were at the time: on their way, and slow."""
    stuck = (NOW - 270 * MINUTE, NOW - 240 * MINUTE)
    rows = delayed(20, lambda at: 3.0 * 3600 if stuck[0] < at <= stuck[1] else 10.0)
    rule, window = shift(event="slow", learn="1h"), window_of(rows)
    kept, raised = evaluate(rule, moment_of(window, effort=10.0)).kept, list[int]()
    while isinstance(kept, ShiftMemory) and not kept.is_ready:
        kept = evaluate(rule, moment_of(window, effort=10.0, kept=kept)).kept
        assert isinstance(kept, ShiftMemory)
        raised += [kept.checkpoint] if kept.state.alarm.any() else []
    assert stuck[0] < raised[0] < stuck[0] + 10 * MINUTE


@pytest.mark.parametrize("hours", [5, 80])
def test_evidence_stays_when_a_limit_moves_once_the_history_is_learned(hours: int) -> None:
    """Else a group that becomes slow slowly would move its limit again and again, and lose what was held against it each time."""
    constants, delays = ShiftSettings(), Delays.empty()
    state, at = ShiftState.empty(1), 20_000 * DAY
    state.begun, state.weight[:] = at - hours * HOUR, 200.0
    state.evidence[:], state.segment_n[:], state.segment_f[:], state.segment_since[:] = 4.0, 20.0, 9.0, at - 8 * HOUR
    delays.grow(1)
    before, found = float(delays.limit[0]), np.zeros((BINS, 1))
    found[before < EDGES] = 10.0
    delays.learn(found, state, at, constants)
    assert delays.limit[0] > before
    assert state.events[0] / state.weight[0] == pytest.approx(0.2, abs=0.1)
    assert (state.evidence[0, 0], state.segment_n[0, 0], state.segment_f[0, 0]) == (
        (4.0, 20.0, 9.0) if hours == 80 else (0.0, 0.0, 0.0)
    )


@pytest.mark.parametrize("event", ["failure", "slow"])
def test_what_is_known_of_the_tail_changes_no_value(event: str) -> None:
    """Whatever comes late, new groups, and a block that ends in the tail."""
    rule, random = shift(event=event, by=["operator"], learn="1h"), Random(5)
    rows = traffic(20, [(SINCE, 0.03), (NOW - 12 * MINUTE, 0.5)], delay=(5.0, 400.0))
    rows += [row for row in traffic(5, [(SINCE, 0.5)], operator="New") if row["date"] > NOW - 9 * MINUTE]
    coming = [(row["date"] + random.choice([1, 1, 1, 1, 30, 400]) * SECOND, number) for number, row in enumerate(rows)]
    window, kept, known, taken = Window("main"), None, set[bytes](), 0
    for at in range(NOW - 30 * MINUTE, NOW, 30 * SECOND):
        page = batch_of([rows[number] | {"messageId": f"m{number}"} for when, number in coming if when <= at])
        window.upsert(page, "all")
        moment = replace(moment_of(window, at, kept=kept), covered_since=SINCE)
        result = evaluate(rule, moment)
        kept = result.kept or kept
        assert isinstance(kept, ShiftMemory)
        taken += any(one in known for one in kept.tail.known)
        known = set(kept.tail.known)
        anew = evaluate(rule, replace(moment, reading=WindowReader(window), kept=replace(kept, tail=Tail())))
        assert list(result.findings()) == list(anew.findings())
    assert taken > 5


def test_an_operator_that_is_called_as_a_pool_is_told_apart_from_it() -> None:
    rule, rows = shift(by=["country", "operator"]), traffic(10, [(SINCE, 0.03), (NOW - HOUR, 0.5)], operator="(small)")
    rows += traffic(5, [(SINCE, 0.03)], operator="((small))")
    for number in range(30):
        rows += traffic(0.1, [(SINCE, 0.03)], operator=f"Tiny {number}")
    window = window_of(rows)
    kept = evaluate(rule, moment_of(window)).kept
    result = evaluate(rule, moment_of(window, kept=kept))
    told = [finding.group for finding in result.findings()]
    assert len(told) == len(set(told))
    found = by_group(result)
    assert [found["GR", name].breached for name in ("((small))", "(((small)))", "(small)")] == [1, 0, 0]
    named = (("country", "GR"), ("operator", "((small))"))
    assert result.of(named) == found["GR", "((small))"]
    case = kind.KIND.case(rule, moment_of(window, kept=kept), named)
    assert case is not None
    assert case.group == (("country", "GR"), ("operator", "(small)"))
