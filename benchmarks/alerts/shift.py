"""Measures the kind shift: a poll over 10,000 groups, the size of its state, and learning from the history."""

import numpy as np

from benchmarks.figure import Figure, median_of, timed
from monitor.alerts.kinds import EvaluationInput, evaluate
from monitor.alerts.kinds.shift.memory import ShiftMemory
from monitor.config.rules import rule_of
from monitor.model.batch import batch_of
from monitor.runtime.clock import DAY, HOUR, MINUTE
from monitor.window import Window, WindowReader

NOW = 20_000 * DAY + 7 * MINUTE
GROUPS = 10_000
HISTORY = 4 * DAY
RATE = 500
"""Messages a minute."""


def run(quick: bool) -> list[Figure]:
    """Medians over evaluations, each of which counts and folds the tail anew."""
    rule = rule_of({"name": "Shift", "kind": "shift", "by": ["country", "operator"]})
    history = HISTORY // 10 if quick else HISTORY
    window = _window(history)

    def moment(kept: object = None, at: int = NOW, effort: float | None = None) -> EvaluationInput:
        reading = WindowReader(window)
        return EvaluationInput(reading, at, NOW - history, in_use_since=NOW - history, kept=kept, effort=effort)  # type: ignore[arg-type]  # the kind's own state

    whole = timed(lambda: evaluate(rule, moment()), 1)
    kept = evaluate(rule, moment()).kept
    assert isinstance(kept, ShiftMemory)
    poll = timed(lambda: evaluate(rule, moment(kept)), 15)
    moves = timed(lambda: evaluate(rule, moment(kept, NOW + 6 * MINUTE)), 5)
    piece = timed(lambda: evaluate(rule, moment(effort=100.0)), 5)
    blob = timed(kept.blob, 5)
    return [
        median_of(
            f"{len(kept.groups):,} groups, {RATE} messages a minute: a poll", poll.milliseconds, "ms", at_most=50
        ),
        median_of("the same where the checkpoint moves", moves.milliseconds, "ms"),
        Figure("its state", len(kept.blob()) / len(kept.groups), "bytes a group", at_most=500),
        median_of("to make it bytes, in the store's thread", blob.milliseconds, "ms"),
        median_of(f"learning from {history / DAY:g} days, in all", whole.seconds, "s"),
        median_of("one piece of that", piece.milliseconds, "ms", at_most=50),
    ]


def _window(history: int) -> Window:
    random, window = np.random.default_rng(1), Window("main")
    operators = random.permutation(GROUPS)
    for start in range(NOW - history, NOW, HOUR):
        count = RATE * HOUR // MINUTE
        dates = np.sort(random.integers(start + 1, min(start + HOUR, NOW) + 1, count))
        chosen = operators[np.minimum(random.zipf(1.1, count), GROUPS) - 1]
        fails = random.random(count) < 0.04
        window.upsert(
            batch_of(
                [
                    {
                        "messageId": f"{start}-{number}",
                        "date": date,
                        "status": "Undelivered" if failed else "Delivered",
                        "operator": f"Operator {operator}",
                        "country": f"C{operator % 150}",
                    }
                    for number, (date, operator, failed) in enumerate(
                        zip(dates.tolist(), chosen.tolist(), fails.tolist(), strict=True)
                    )
                ]
            ),
            "all",
        )
    return window
