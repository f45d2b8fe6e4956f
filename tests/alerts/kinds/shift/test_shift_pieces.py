"""A rule of the kind shift is evaluated in pieces: with the same result, also where somebody else asks in between."""

import pytest

from monitor.alerts.kinds import EvaluationInput, evaluate, evaluate_ahead
from monitor.config.rules import Rule, rule_of
from monitor.model.batch import batch_of
from monitor.model.finding import Finding
from monitor.runtime.clock import DAY, HOUR, MINUTE
from monitor.window import Window, WindowReader

NOW = 20_000 * DAY + 12 * HOUR
SINCE = NOW - 6 * HOUR


def busy_window() -> Window:
    window = Window("main")
    rows = [
        {
            "messageId": f"m{number}",
            "date": SINCE + number * 20_000_000,
            "status": "Undelivered" if number % (4 if number > 900 else 30) == 0 else "Delivered",
            "latency": float(number % 90),
            "operator": f"o{number % 3}",
            "country": "GR",
        }
        for number in range(6 * 180)
    ]
    window.upsert(batch_of(rows), "all")
    return window


def inputs_of(window: Window, kept: object = None, at: int = NOW) -> EvaluationInput:
    return EvaluationInput(WindowReader(window), at, SINCE, in_use_since=SINCE, kept=kept)  # type: ignore[arg-type]  # of this kind of rule


def findings(rule: Rule, inputs: EvaluationInput) -> list[Finding]:
    return sorted(evaluate(rule, inputs).findings(), key=lambda one: one.group)


@pytest.mark.parametrize("event", ["failure", "slow"])
def test_what_is_done_ahead_changes_no_number(event: str) -> None:
    rule = rule_of({"name": "Shift", "kind": "shift", "learn": "3h", "by": ["operator"], "event": event})
    window, other = busy_window(), busy_window()
    before = evaluate(rule, inputs_of(window, at=NOW - 20 * MINUTE)).kept
    same = evaluate(rule, inputs_of(other, at=NOW - 20 * MINUTE)).kept
    for at in (NOW - 10 * MINUTE, NOW):
        inputs = inputs_of(window, before, at)
        pieces = 0
        for pieces, _ in enumerate(evaluate_ahead(rule, inputs), 1):
            if pieces % 5 == 0:
                assert findings(rule, inputs_of(window, before, at)) == findings(rule, inputs_of(other, same, at))
        assert pieces >= 5, "it is not done in pieces"
        assert findings(rule, inputs) == findings(rule, inputs_of(other, same, at))
        before = evaluate(rule, inputs).kept or before
        same = evaluate(rule, inputs_of(other, same, at)).kept or same
    assert before is not None
    assert same is not None
    assert before.blob() == same.blob()


def test_after_what_is_done_ahead_little_is_left() -> None:
    rule = rule_of({"name": "Shift", "kind": "shift", "learn": "3h", "by": ["operator"]})
    inputs = inputs_of(busy_window())
    assert len(list(evaluate_ahead(rule, inputs))) > 100
    assert not list(evaluate_ahead(rule, inputs)), "it is done only once"
    assert evaluate(rule, inputs).kept is not None
