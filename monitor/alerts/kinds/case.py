"""What counts against a rule in one group: the messages it considers, and which of them make its value what it is."""

from dataclasses import dataclass, replace

import numpy as np

from monitor.alerts.kinds.result import EvaluationInput
from monitor.config.rules import Match
from monitor.runtime.clock import Instant
from monitor.window import Query
from monitor.window.index import Rows

Group = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RuleCase:
    """What a rule asks: ``question`` the messages considered; those counted of them match ``match``, had no final status at
    ``pending_at``, took longer than ``slower``. ``is_share``: as a share of the considered messages. ``novel``: the field whose value is new.
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
