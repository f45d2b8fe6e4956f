"""The kinds of rules. Each kind's `Kind` says how its rules are evaluated, worded and explained; `registry` lists them.

Evaluating a rule on a reading of the window gives the numbers of every group, or "not enough data". The daemon, ``explain``, rule tests and
backtests use the same code. Nothing here uses the store, the network or the clock.
"""

from monitor.alerts.kinds.kind import Kind
from monitor.alerts.kinds.registry import (
    batches,
    case_of,
    condition,
    evaluate,
    evaluate_ahead,
    kind_of,
    matched,
    unit_of,
)
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, RuleResult

__all__ = [
    "NOT_ENOUGH",
    "EvaluationInput",
    "Kind",
    "RuleResult",
    "batches",
    "case_of",
    "condition",
    "evaluate",
    "evaluate_ahead",
    "kind_of",
    "matched",
    "unit_of",
]
