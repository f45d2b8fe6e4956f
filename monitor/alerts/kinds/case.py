"""What counts against a rule in one group: the messages it considers, and which of them make its value what it is."""

from dataclasses import dataclass, replace

import numpy as np

from monitor.alerts.kinds import new_value, slo, stuck
from monitor.alerts.kinds.levels import number_of
from monitor.alerts.kinds.result import EvaluationInput
from monitor.alerts.kinds.rule_query import considered, of
from monitor.config.rules import (
    EVERYTHING,
    FAILED,
    Campaign,
    Cost,
    Count,
    Latency,
    Match,
    NewValue,
    Rate,
    Rule,
    Slo,
    Spike,
    Stuck,
)
from monitor.config.rules.campaign import FOLLOWED
from monitor.runtime.clock import Instant
from monitor.window import Query
from monitor.window.campaign_progress import BY
from monitor.window.index import Rows

Group = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RuleCase:
    """What a rule asks: ``question`` the messages considered; those counted of them match ``match``, had no final status at
    ``pending_at``, took longer than ``slower``. ``is_share``: as a part of the former. ``novel``: the field whose value is new.
    ``by_money``: each counts as much as it costs. ``group`` has the fields by which the group's messages are found.
    """

    group: Group
    question: Query
    match: Match
    is_share: bool
    below: bool
    pending_at: Instant | None = None
    slower: float | None = None
    novel: str | None = None
    by_money: bool = False

    def code(self, moment: EvaluationInput) -> int | None:
        """The group's code; None where it has no messages."""
        return moment.reading.code(tuple(name for name, _ in self.group), tuple(value for _, value in self.group))

    def counted(self, question: Query) -> Query:
        """Those of a question's messages that are counted."""
        return replace(question.narrowed(self.match.conditions), pending_at=self.pending_at, slower=self.slower)

    def bad(self, question: Query, code: int, moment: EvaluationInput) -> Rows:
        """The rows that count against the rule: those that match; of a share that is too low, those that do not."""
        matching = moment.reading.rows(self.counted(question), code)
        if not (self.below and self.is_share):
            return matching
        return np.setdiff1d(moment.reading.rows(question, code), matching, assume_unique=True)


def case_of(rule: Rule, moment: EvaluationInput, group: Group) -> RuleCase | None:
    """What is to be explained; None for what no messages carry (silence, a stall) or all do alike (different values)."""
    below = rule.comparison == "below"
    match rule:
        case Rate() | Spike(measure="rate"):
            question = considered(rule, moment.as_of, rule.window, within=rule.receipts_within)
            return RuleCase(group, of(question, rule.of), rule.match, True, below)
        case Spike():
            question = considered(rule, moment.as_of, rule.window, within=rule.receipts_within)
            return RuleCase(group, question, rule.match, False, below)
        case Count():
            return RuleCase(group, considered(rule, moment.as_of, rule.window), rule.match, False, below)
        case Cost():
            return RuleCase(group, considered(rule, moment.as_of, rule.window), EVERYTHING, False, below, by_money=True)
        case Latency():
            question = considered(rule, moment.as_of, rule.window, within=rule.receipts_within)
            return RuleCase(group, question, EVERYTHING, True, below, slower=number_of(rule))
        case Stuck():
            _, waiting = stuck.questions(rule, moment)
            return RuleCase(group, replace(waiting, pending_at=None), EVERYTHING, True, below, pending_at=moment.as_of)
        case NewValue():
            return RuleCase(group, new_value.questions(rule, moment)[0], EVERYTHING, False, below, novel=rule.field)
        case Slo():
            asked = slo.asked(rule, moment, slo.speaking(rule, moment, group).long)
            return RuleCase(group, asked, rule.match, True, below)
        case Campaign() if ("problem", "failing") in group:
            return _failing(rule, moment, group)
    return None


def _failing(rule: Campaign, moment: EvaluationInput, group: Group) -> RuleCase:
    """All messages of one campaign with a final status."""
    asked = of(considered(rule, moment.as_of, FOLLOWED), "final")
    one = tuple((name, value) for name, value in group if name in BY)
    return RuleCase(one, replace(asked, by=BY, seen=True), FAILED, True, False)
