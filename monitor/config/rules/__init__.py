"""The rule language: what people write in rule files, as frozen models. How rules are judged is not known here."""

from monitor.config.rules.absence import Absence
from monitor.config.rules.balance import Balance, BalanceLevel
from monitor.config.rules.campaign import Campaign
from monitor.config.rules.cost import Cost
from monitor.config.rules.count import Count
from monitor.config.rules.distinct import Distinct
from monitor.config.rules.kinds import RULE, rule_of
from monitor.config.rules.latency import Latency
from monitor.config.rules.load import EXIT_BAD_RULES, load_rules, read_rules
from monitor.config.rules.match import EVERYTHING, FAILED, OPERATORS, Condition, Match, Row, parse_match
from monitor.config.rules.model import Rule, Windowed
from monitor.config.rules.new_value import NewValue
from monitor.config.rules.rate import Rate
from monitor.config.rules.ratio_fields import Among
from monitor.config.rules.slo import Burn, Slo
from monitor.config.rules.spike import Ago, SameHour, Spike
from monitor.config.rules.stuck import Stuck
from monitor.config.rules.threshold import BaselineChange, Comparison, Level, Limit, ShareAmount
from monitor.config.rules.thresholded import Thresholded

__all__ = [
    "EVERYTHING",
    "EXIT_BAD_RULES",
    "FAILED",
    "OPERATORS",
    "RULE",
    "Absence",
    "Ago",
    "Among",
    "Balance",
    "BalanceLevel",
    "BaselineChange",
    "Burn",
    "Campaign",
    "Comparison",
    "Condition",
    "Cost",
    "Count",
    "Distinct",
    "Latency",
    "Level",
    "Limit",
    "Match",
    "NewValue",
    "Rate",
    "Row",
    "Rule",
    "SameHour",
    "ShareAmount",
    "Slo",
    "Spike",
    "Stuck",
    "Thresholded",
    "Windowed",
    "load_rules",
    "parse_match",
    "read_rules",
    "rule_of",
]
