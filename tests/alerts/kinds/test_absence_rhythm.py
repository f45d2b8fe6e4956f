"""``absence`` with ``expected``: how long a group may be silent by its own rhythm, against a naive oracle and in the cases that matter."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.kinds import EvaluationInput, RuleResult, evaluate
from monitor.config.rules import rule_of
from monitor.model.batch import batch_of
from monitor.model.finding import Finding
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND
from monitor.window import Window, WindowReader

NOW = 100 * DAY + 10 * HOUR
FOREVER = -(1 << 60)
COSMOTE = (("operator", "Cosmote"),)

Rows = list[dict[str, Any]]


def evaluated(
    rows: Rows, covered_since: int = FOREVER, known: Any = (), begun: int = FOREVER, **fields: Any
) -> RuleResult:
    window = Window("main")
    window.upsert(batch_of([row | {"messageId": f"m{i}"} for i, row in enumerate(rows)]), "all")
    rule = {"name": "R", "kind": "absence", "by": ["operator"], "window": "30m", "min_baseline": 5000, "expected": 14}
    given = EvaluationInput(WindowReader(window), NOW, covered_since, known, in_use_since=begun)
    return evaluate(rule_of(rule | fields), given)


def every(gap: int, since: int, until: int = NOW, operator: str = "Cosmote") -> Rows:
    return [{"date": at, "status": "Delivered", "operator": operator} for at in range(until, since, -gap)]


def finding_of(result: RuleResult) -> Finding:
    return result.of(COSMOTE)


def week(gap: int, silent: int) -> Rows:
    """Evenly spaced messages over a week, the last of them ``silent`` ago."""
    return every(gap, NOW - 7 * DAY - 2 * HOUR, NOW - silent)


@pytest.mark.parametrize(("gap", "silent", "breached"), [
    (20 * SECOND, 4 * MINUTE, 0),
    (20 * SECOND, 5 * MINUTE, 1),
    (2 * MINUTE, 27 * MINUTE, 0),
    (2 * MINUTE, 29 * MINUTE, 1),
    (3 * MINUTE, 29 * MINUTE, 0),
    (3 * MINUTE, 40 * MINUTE, None),
])  # fmt: skip
def test_a_group_may_be_silent_for_as_long_as_fourteen_of_its_messages_take(
    gap: int, silent: int, breached: int | None
) -> None:
    finding = finding_of(evaluated(week(gap, silent)))
    assert finding.breached == breached
    assert finding.value == min(silent, 30 * MINUTE) / SECOND
    assert finding.threshold == (pytest.approx(14 * gap / SECOND, rel=0.1) if gap < 3 * MINUTE else None)


def test_it_says_how_long_is_too_long_and_what_is_expected() -> None:
    finding = finding_of(evaluated(week(20 * SECOND, 5 * MINUTE)))
    assert finding.why == "the last message came 5m ago, 4m40s is too long: 180 an hour are expected"


def test_one_day_without_messages_does_not_lower_what_is_expected_and_two_do() -> None:
    def without(*days: int) -> Rows:
        gone = [(NOW - day * DAY - 2 * HOUR, NOW - day * DAY + 2 * HOUR) for day in days]
        rows = week(20 * SECOND, 6 * MINUTE)
        return [row for row in rows if not any(a < row["date"] < b for a, b in gone)]

    assert finding_of(evaluated(without(3))).breached == 1
    assert finding_of(evaluated(without(3, 5))).threshold is None


def test_what_pauses_is_not_expected_to_go_on_as_on_other_days() -> None:
    rows = [row for row in week(20 * SECOND, 6 * MINUTE) if not NOW - 3 * HOUR < row["date"] < NOW - 10 * MINUTE]
    assert finding_of(evaluated(rows)).breached == 0


def test_a_long_silence_does_not_become_usual() -> None:
    rows = week(20 * SECOND, 3 * HOUR)
    assert finding_of(evaluated(rows)).breached is None
    finding = finding_of(evaluated(rows, known=[COSMOTE]))
    assert (finding.breached, finding.value) == (1, 1800)


def test_a_young_account_is_held_to_the_window_alone() -> None:
    rows = every(10 * SECOND, NOW - 2 * DAY, NOW - 10 * MINUTE)
    assert finding_of(evaluated(rows, begun=NOW - 2 * DAY)).breached == 0
    rows = every(10 * SECOND, NOW - 2 * DAY, NOW - 31 * MINUTE)
    assert finding_of(evaluated(rows, begun=NOW - 2 * DAY)).breached == 1
    fresh = every(10 * SECOND, NOW - 3 * HOUR, NOW - 31 * MINUTE)
    assert finding_of(evaluated(fresh, begun=NOW - 3 * HOUR)).breached is None


def test_it_is_over_with_the_next_message() -> None:
    rows = week(20 * SECOND, 3 * HOUR) + every(SECOND, NOW - 5 * SECOND)
    finding = finding_of(evaluated(rows, known=[COSMOTE]))
    assert (finding.breached, finding.value) == (0, 0)


@given(
    st.lists(st.integers(0, 6 * 60), min_size=8, max_size=8),
    st.integers(0, 40),
    st.integers(1, 30),
)
def test_the_rhythm_is_the_second_lowest_day_and_at_most_twice_the_hour_before(
    counts: list[int], silent: int, expected: int
) -> None:
    rows: Rows = []
    for day, count in enumerate(counts[:7], 1):
        middle = NOW - day * DAY
        rows += [{"date": middle - i * SECOND, "status": "Sent", "operator": "Cosmote"} for i in range(count)]
    lately = NOW - 31 * MINUTE
    rows += [{"date": lately - i * SECOND, "status": "Sent", "operator": "Cosmote"} for i in range(counts[7])]
    rows += every(MINUTE, NOW - silent * MINUTE - 1, NOW - silent * MINUTE)
    finding = finding_of(evaluated(rows, expected=expected))
    late = counts[7] + (1 if silent >= 30 else 0)
    hourly = min(sorted(counts[:7])[1], 2 * late)
    allowed = expected * 3600 / hourly if hourly else float("inf")
    if allowed > 1800:
        assert finding.threshold is None
        assert finding.breached == (0 if silent < 30 else None)
    else:
        assert finding.threshold == pytest.approx(allowed)
        assert finding.breached == int(min(silent, 30) * 60 > allowed or silent >= 30)
