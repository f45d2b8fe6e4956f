"""Evaluates the rules of `steady_groups` with routee-monitor's evaluator, in a process of its own.

``python -m benchmarks.peers.rules_here full`` (or ``quick``).
"""

import gc
import sys
import time
from collections.abc import Sequence

import msgspec
import numpy as np

from benchmarks.peers.steady_groups import FULL, MESSAGES, QUICK, Scale, failed, group_names, share_rules
from monitor.alerts.evaluator import RuleEvaluator
from monitor.config.rules import Rule, rule_of
from monitor.model.batch import Batch, Combinations
from monitor.model.message import CODED_FIELDS, DELIVERED, FAILED, UNKNOWN
from monitor.runtime.clock import DAY, SECOND, Instant, SystemClock
from monitor.store.protocol import Cursor
from monitor.window import Window

POLLS = 12


class Evaluations(msgspec.Struct):
    """The processor time of each evaluation in seconds, and the alerts that fire at last, as (rule, group)."""

    seconds: list[float]
    alerts: list[tuple[str, str]]


def evaluations(scale: Scale) -> Evaluations:
    """Polls at the interval of ``scale``, each time with the new messages of the interval."""
    start = SystemClock().now() // SECOND * SECOND
    evaluator = RuleEvaluator(Window("main"), _rules(scale), ["all"])
    for second in range(scale.longest + 1):
        evaluator.window.upsert(_second(scale, start, second), "all")
    seconds, second = [], scale.longest
    gc.freeze()
    for _ in range(POLLS):
        for _ in range(scale.every):
            second += 1
            evaluator.window.upsert(_second(scale, start, second), "all")
        seconds.append(_evaluate(evaluator, start + second * SECOND))
    firing = [(rule, group[0][1]) for rule, alerts in evaluator.alerts.items() for group in alerts]
    return Evaluations(seconds[1:], firing)


def _evaluate(evaluator: RuleEvaluator, as_of: Instant) -> float:
    cursor = Cursor("main", "all", as_of, as_of - DAY)
    began = time.process_time()
    outcome = evaluator.evaluate(cursor)
    evaluator.apply(outcome, cursor)
    used = time.process_time() - began
    if outcome.errors:
        raise RuntimeError(f"rules fail: {outcome.errors}")
    return used


def _rules(scale: Scale) -> list[Rule]:
    return [
        rule_of(
            {
                "name": one.name,
                "kind": "rate",
                "severity": "warning",
                "by": ["label"],
                "window": f"{one.window}s",
                "above": f"{one.above}%",
            }
        )
        for one in share_rules(scale)
    ]


def _second(scale: Scale, start: Instant, second: int) -> Batch:
    """Returns the messages of one second: the same number of each group."""
    names = group_names(scale)
    count = len(names) * MESSAGES
    statuses = [
        FAILED if i < failed(position) else DELIVERED for position in range(len(names)) for i in range(MESSAGES)
    ]
    fields: dict[str, Sequence[str]] = {name: [UNKNOWN] * count for name in CODED_FIELDS}
    fields |= {"status": statuses, "label": [name for name in names for _ in range(MESSAGES)]}
    return Batch(
        message_id=[f"{second:08x}-0000-4000-8000-{i:012x}" for i in range(count)],
        key=np.ones(count, np.int64),
        parts=np.ones(count, np.int64),
        date=np.full(count, start + second * SECOND, np.int64),
        latency=np.full(count, 1.0),
        price=np.full(count, np.nan),
        recipient=[UNKNOWN] * count,
        coded=Combinations.of_parts(fields),
    )


if __name__ == "__main__":
    print(msgspec.json.encode(evaluations(FULL if sys.argv[1] == "full" else QUICK)).decode())
