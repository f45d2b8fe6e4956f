"""Describes what counts against a rule in one group: the messages it considers, and which of them make its value what it is."""

from dataclasses import replace

import numpy as np

from monitor.alerts.kinds.result import EvaluationInput
from monitor.config.rules import Match
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.window import Query
from monitor.window.index import Rows

Group = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RuleCase:
    """The messages behind one group's value.

    ``question`` selects the messages considered. The counted ones of them match ``match``, had no final status at ``pending_at`` and took
    longer than ``slower`` seconds. ``is_share`` says that the value is their share of the messages considered. ``novel`` is the field whose value
    is new. ``by_money`` weighs each message by its price. ``group`` holds the fields that select the group's messages.
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

    def code(self, inputs: EvaluationInput) -> int | None:
        """Returns the group's code; None if it has no messages."""
        return inputs.reading.code(tuple(name for name, _ in self.group), tuple(value for _, value in self.group))

    def counted(self, question: Query) -> Query:
        """Returns the query for the counted messages among those of ``question``."""
        return replace(question.narrowed(self.match.conditions), pending_at=self.pending_at, slower=self.slower)

    def bad(self, question: Query, code: int, inputs: EvaluationInput) -> Rows:
        """Returns the rows that count against the rule: those that match or, if a share is too low, those that do not."""
        matching = inputs.reading.rows(self.counted(question), code)
        if not (self.below and self.is_share):
            return matching
        return np.setdiff1d(inputs.reading.rows(question, code), matching, assume_unique=True)
