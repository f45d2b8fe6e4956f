"""Backtests: what rules would have alerted over a past span, judged by the daemon's own judge.

span     from when to when, in which steps      variant   a rule with some of its fields changed, tried beside the present one
run      rules over what the store or Routee    course    the values of a rule's groups over time
         gave                                   fetch     messages straight from Routee
chart    values, thresholds, alerts as SVG      page      one HTML file with all of it
unknown  what of a rule the past does not tell
timeline one line a group for terminals         report    the JSON
"""

from monitor.simulation.backtest.run import Backtest, Subject, Trial, run
from monitor.simulation.backtest.step_size import EvaluationSpan, EvaluationStep, choose_step, unseen

__all__ = ["Backtest", "EvaluationSpan", "EvaluationStep", "Subject", "Trial", "choose_step", "run", "unseen"]
