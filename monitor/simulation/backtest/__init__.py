"""Backtests: which alerts rules would have raised over a past span, as the daemon's own evaluator finds them.

step_size       the span, and how often rules are evaluated    variant    a rule with changed fields, tried beside the original
run             runs rules over the messages of accounts       series     the values of a rule's groups over time
fetch           reads messages from Routee                     export     selects what is shown of rules and groups
unknown_values  what the past does not show of a rule          chart      values, thresholds and alerts as SVG
timeline        lines of text for terminals                    page       one HTML file with everything
                                                               report     JSON and totals
"""

from monitor.simulation.backtest.run import Backtest, Subject, Trial, run
from monitor.simulation.backtest.step_size import EvaluationSpan, EvaluationStep, choose_step, unseen

__all__ = ["Backtest", "EvaluationSpan", "EvaluationStep", "Subject", "Trial", "choose_step", "run", "unseen"]
