"""Judging rules: (rule, reading of the window, as_of) → numbers of every group, "not enough data" included.

One file a kind, each with ``evaluate(rule, moment) -> Judgement``. The same code serves the daemon, ``explain``, rule tests
and backtests. Nothing here knows of stores, of the network or of time passing.
"""

from monitor.alerts.kinds.registry import evaluate
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, RuleResult

__all__ = ["NOT_ENOUGH", "EvaluationInput", "RuleResult", "evaluate"]
