"""A query whose span is relative to the moment at which it is asked, as rules ask it again and again."""

from dataclasses import replace

from monitor.runtime.clock import Instant
from monitor.window.query import RECIPIENT, Query


class RelativeQuery:
    """A query whose span is relative to the moment at which it is asked, and so is ``pending_at``. It keeps its hash, so that look-ups are fast."""

    __slots__ = ("_hash", "is_incremental", "is_plain", "question")

    def __init__(self, question: Query) -> None:
        self.question = question
        self.is_incremental = RECIPIENT not in question.by
        """Whether what it gives can be updated incrementally: recipients are numbered anew by each reader."""
        self.is_plain = self.is_incremental and _is_plain(question)
        """Whether it depends only on dates and profiles."""
        self._hash = hash(question)

    @classmethod
    def of(cls, question: Query, as_of: Instant) -> "RelativeQuery":
        """Returns the query that is ``question`` at a moment."""
        return cls(_shifted(question, -as_of))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, RelativeQuery) and self.question == other.question)

    def at(self, as_of: Instant) -> Query:
        """Returns the query with the span at a moment."""
        return _shifted(self.question, as_of)


def _shifted(question: Query, by: Instant) -> Query:
    moved = question.moved(question.start + by, question.end + by)
    return moved if question.pending_at is None else replace(moved, pending_at=question.pending_at + by)


def _is_plain(question: Query) -> bool:
    own = question.within, question.pending_at, question.slower, question.late, question.priced
    to = any(condition.field == RECIPIENT for condition in question.conditions)
    return question.unit == "messages" and not to and own == (None,) * len(own)
