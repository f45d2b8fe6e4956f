"""The rule language: what people write in rule files, as frozen models. How rules are judged is not known here."""

from monitor.rules.absence import Absence
from monitor.rules.balance import Balance, BalanceLevel
from monitor.rules.campaign import Campaign
from monitor.rules.cost import Cost
from monitor.rules.count import Count
from monitor.rules.distinct import Distinct
from monitor.rules.kinds import RULE, AnyRule, rule_of
from monitor.rules.latency import Latency
from monitor.rules.load import EXIT_BAD_RULES, load_rules, read_rules
from monitor.rules.match import EVERYTHING, FAILED, OPERATORS, Condition, Match, Row, parse_match
from monitor.rules.model import Rule, Windowed
from monitor.rules.new_value import NewValue
from monitor.rules.rate import Rate
from monitor.rules.share import Among
from monitor.rules.slo import Burn, Slo
from monitor.rules.spike import Ago, SameHour, Spike
from monitor.rules.stuck import Stuck
from monitor.rules.threshold import Change, Comparison, Level, Limit, Part
from monitor.rules.thresholded import Thresholded

__all__ = [
    "EVERYTHING",
    "EXIT_BAD_RULES",
    "FAILED",
    "OPERATORS",
    "RULE",
    "Absence",
    "Ago",
    "Among",
    "AnyRule",
    "Balance",
    "BalanceLevel",
    "Burn",
    "Campaign",
    "Change",
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
    "Part",
    "Rate",
    "Row",
    "Rule",
    "SameHour",
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
