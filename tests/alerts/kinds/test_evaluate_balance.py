"""Balances against a naive oracle, and what is said of them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.kinds import EvaluationInput, evaluate
from monitor.config.rules import rule_of
from monitor.model.account_state import NOTHING_KNOWN, AccountState
from monitor.model.batch import batch_of
from monitor.model.finding import Finding
from monitor.model.routee_query import AccountBalance
from monitor.runtime.clock import DAY, HOUR, MINUTE, Instant
from monitor.window import Window, WindowReader

NOW = 100 * DAY
FOREVER = -(1 << 60)


def read(amount: float, at: Instant = NOW - MINUTE, currency: str = "EUR") -> AccountState:
    return NOTHING_KNOWN.with_balance(at, AccountBalance(amount, currency))


def found(
    account_state: AccountState,
    spent: list[tuple[Instant, float]],
    since: Instant = FOREVER,
    *,
    begun: Instant = 0,
    **rule: Any,
) -> Finding:
    window = Window("main")
    rows = [
        {"messageId": f"m{i}", "date": date, "status": "Sent", "price": price} for i, (date, price) in enumerate(spent)
    ]
    window.upsert(batch_of(rows), "all")
    model = rule_of({"name": "R", "kind": "balance"} | rule)
    inputs = EvaluationInput(WindowReader(window), NOW, since, (), account_state, in_use_since=begun)
    return evaluate(model, inputs).of(())


prices = st.lists(st.tuples(st.integers(NOW - 2 * DAY, NOW + HOUR), st.sampled_from([0.0, 0.045, 2.0])), max_size=20)


@given(prices, st.sampled_from([-1.0, 0.0, 10.0, 49.99, 50.0, 500.0]), st.sampled_from([1, 24, 30]))
@settings(max_examples=100, deadline=None)
def test_the_value_is_the_balance_or_the_seconds_it_lasts(
    spent: list[tuple[int, float]], left: float, hours: int
) -> None:
    money = found(read(left), spent, below=50)
    assert (money.value, money.breached) == (left, int(left < 50))
    span = found(read(left), spent, lasts_below="2d", window=f"{hours}h")
    total = sum(price for date, price in spent if NOW - hours * HOUR < date <= NOW)
    if total or left <= 0:
        seconds = left / total * hours * 3600 if left > 0 else 0
        assert span.value == pytest.approx(seconds)
        assert span.breached == int(seconds < 2 * 86400)
    else:
        assert (span.value, span.breached) == (None, 0)


def test_it_says_how_long_the_money_lasts() -> None:
    spent = [(NOW - HOUR, 4.5)] * 24
    assert found(read(41.2), spent, below=50).why == "41.20 EUR left: lasts 9h9m at 4.5 EUR an hour"
    assert found(read(41.2), [], lasts_below="2d").why == "41.20 EUR left: nothing was spent in 1d"
    assert found(read(-3, currency=""), spent, below=50).why == "-3.00 left: nothing more can be sent"


@pytest.mark.parametrize(("begun", "seconds"), [(26 * HOUR, 24 * 3600), (6 * HOUR, 6 * 3600), (20 * MINUTE, 3600)])
def test_a_young_account_has_not_spent_nothing_before_it_was_in_use(begun: int, seconds: int) -> None:
    spent = [(NOW - MINUTE, 1.0)] * 10
    assert found(read(10), spent, begun=NOW - begun, lasts_below="2d").value == pytest.approx(seconds)


def test_a_balance_that_is_used_up_does_not_recover_because_nothing_can_be_spent() -> None:
    finding = found(read(0), [], lasts_below="2d")
    assert (finding.value, finding.breached) == (0.0, 1)
    assert finding.why == "0.00 EUR left: nothing more can be sent"


def test_levels_escalate_in_either_form() -> None:
    money = [{"below": 50, "severity": "warning"}, {"below": 10, "severity": "critical"}]
    assert [found(read(left), [], levels=money).breached for left in (50, 49, 9)] == [0, 1, 2]
    spans = [{"lasts_below": "6h", "severity": "critical"}, {"lasts_below": "2d", "severity": "warning"}]
    spent = [(NOW - HOUR, 24.0)]
    assert [found(read(left), spent, levels=spans).breached for left in (48, 47, 5.9)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("account_state", "rule"),
    [
        (NOTHING_KNOWN, {"below": 50}),
        (read(5, NOW - HOUR - 1), {"below": 50}),
        (read(5, NOW + 1), {"below": 50}),
        (read(5, NOW - 3 * HOUR), {"below": 50, "every": "1h"}),
    ],
)
def test_a_balance_that_is_not_known_now_is_not_enough_data(account_state: AccountState, rule: dict[str, Any]) -> None:
    finding = found(account_state, [], **rule)
    assert (finding.breached, finding.value) == (None, None)
    assert finding.why.startswith("not enough data: the balance ")


def test_an_answer_is_good_for_an_hour_and_for_two_intervals() -> None:
    assert found(read(5, NOW - HOUR), [], below=50).breached == 1
    assert found(read(5, NOW - 2 * HOUR), [], below=50, every="1h").breached == 1


def test_the_rate_is_taken_over_what_is_known_if_that_is_an_hour() -> None:
    spent = [(NOW - 30 * MINUTE, 4.0)]
    assert found(read(8), spent, NOW - 2 * HOUR, lasts_below="1d").value == 4 * 3600
    assert found(read(8), spent, NOW - HOUR + 1, lasts_below="1d").breached is None
    assert found(read(8), spent, NOW - MINUTE, below=50).breached == 1


def test_answers_of_a_day_are_remembered() -> None:
    account_state = NOTHING_KNOWN
    for hours in range(40):
        account_state = account_state.with_balance(NOW + hours * HOUR, AccountBalance(hours, "EUR"))
    assert len(account_state.balances) == 26
    then = account_state.balance_at(NOW + 30 * HOUR + MINUTE)
    assert then is not None
    assert then.balance.amount == 30
