"""The rule language: frozen models of rule files. The evaluation of rules is elsewhere."""

from monitor.config.rules.kinds import RULE, rule_of
from monitor.config.rules.load import EXIT_BAD_RULES, load_rules, read_rules
from monitor.config.rules.match import EVERYTHING, FAILED, OPERATORS, Condition, Match, Row, parse_match
from monitor.config.rules.model import Rule, Windowed
from monitor.config.rules.ratio_fields import Among
from monitor.config.rules.threshold import BaselineChange, Comparison, Level, Limit, ShareAmount
from monitor.config.rules.thresholded import Thresholded

__all__ = [
    "EVERYTHING",
    "EXIT_BAD_RULES",
    "FAILED",
    "OPERATORS",
    "RULE",
    "Among",
    "BaselineChange",
    "Comparison",
    "Condition",
    "Level",
    "Limit",
    "Match",
    "Row",
    "Rule",
    "ShareAmount",
    "Thresholded",
    "Windowed",
    "load_rules",
    "parse_match",
    "read_rules",
    "rule_of",
]
