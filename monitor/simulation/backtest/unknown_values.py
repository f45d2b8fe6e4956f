"""Names what a backtest cannot evaluate: Routee's answers about the balance and about campaigns are not stored."""

from monitor.alerts.kinds import kind_of
from monitor.config.rules import Rule


def is_evaluated(rule: Rule) -> bool:
    """Returns whether any condition of the rule can be evaluated over the past."""
    return kind_of(rule).past.is_known


def unknown(rule: Rule) -> str:
    """Returns in words what the past does not show of the rule; empty if it shows everything."""
    return kind_of(rule).past.unknown(rule)
