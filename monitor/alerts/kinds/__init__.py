"""Kinds of rules: each is evaluated, worded and explained by what its `Kind` says, which `registry` lists.

(rule, reading of the window, as_of) → numbers of every group, "not enough data" included. The same code serves the daemon, ``explain``, rule tests
and backtests. Nothing here knows of stores, of the network or of time passing.
"""

from monitor.alerts.kinds.kind import Kind
from monitor.alerts.kinds.registry import batches, case_of, condition, evaluate, kind_of, matched, unit_of
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
    "kind_of",
    "matched",
    "unit_of",
]
