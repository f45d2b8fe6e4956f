"""What of a rule a backtest cannot know: answers of Routee about the balance and about campaigns are not kept."""

from monitor.alerts.kinds import kind_of
from monitor.config.rules import Rule


def is_judged(rule: Rule) -> bool:
    """Whether anything of the rule can be judged over the past."""
    return kind_of(rule).past.is_known


def unknown(rule: Rule) -> str:
    """In words what of the rule cannot be known of the past; empty where all can."""
    return kind_of(rule).past.unknown(rule)
