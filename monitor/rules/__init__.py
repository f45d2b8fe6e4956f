"""The rule language: what people write in rule files, as frozen models. How rules are judged is not known here."""

from monitor.rules.count import Count
from monitor.rules.kinds import RULE, AnyRule, rule_of
from monitor.rules.load import EXIT_BAD_RULES, load_rules, read_rules
from monitor.rules.match import EVERYTHING, FAILED, OPERATORS, Condition, Match, Row, parse_match
from monitor.rules.model import Rule, Thresholded
from monitor.rules.rate import Rate
from monitor.rules.share import Among
from monitor.rules.spike import Ago, SameHour, Spike
from monitor.rules.threshold import Change, Comparison, Level, Limit

__all__ = [
    "EVERYTHING",
    "EXIT_BAD_RULES",
    "FAILED",
    "OPERATORS",
    "RULE",
    "Ago",
    "Among",
    "AnyRule",
    "Change",
    "Comparison",
    "Condition",
    "Count",
    "Level",
    "Limit",
    "Match",
    "Rate",
    "Row",
    "Rule",
    "SameHour",
    "Spike",
    "Thresholded",
    "load_rules",
    "parse_match",
    "read_rules",
    "rule_of",
]
