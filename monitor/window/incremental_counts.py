"""Updates counts over a moving time span incrementally.

While no message changes, a count differs from the one before only by the messages that left the span and those that entered it. Both are
few, and are looked up in the timeline. When anything in the window changes, all counts are dropped and counted again. So a count
depends only on the current rows.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from monitor.runtime.clock import Instant
from monitor.window.columns import AS_MESSAGE
from monitor.window.index import Rows
from monitor.window.profile_index import Codes, Facets, Mask
from monitor.window.query import RECIPIENT, GroupCounts, Query, WindowReader
from monitor.window.window import Window

FEW: Final = 4096
"""The most messages that may leave or enter a span. With more, the span is counted from scratch."""


class RelativeQuery:
    """A query whose span is relative to the moment at which it is asked. It keeps its hash, so that look-ups are fast."""

    __slots__ = ("_hash", "is_incremental", "question")

    def __init__(self, question: Query) -> None:
        self.question = question
        self.is_incremental = _is_plain(question)
        """Whether the count depends only on dates and profiles, so that it can be updated incrementally."""
        self._hash = hash(question)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, RelativeQuery) and self.question == other.question)

    def at(self, as_of: Instant) -> Query:
        """Returns the query with the span at a moment."""
        return self.question.moved(as_of + self.question.start, as_of + self.question.end)


def _is_plain(question: Query) -> bool:
    own = question.within, question.pending_at, question.slower
    to = RECIPIENT in question.by or any(condition.field == RECIPIENT for condition in question.conditions)
    return question.unit == "messages" and not to and own == (None, None, None)


@dataclass(slots=True)
class _CountedAnswer:
    """The latest count of a query, and what is needed to update it: which profiles fit (None: all), and the group of each profile."""

    as_of: Instant
    tally: GroupCounts
    fits: Mask | None
    groups: Codes


class _Passed:
    """The profiles of the messages between two moments, which an edge of a span has passed."""

    def __init__(self, profiles: Rows) -> None:
        self._profiles = profiles
        self._fitting: dict[int, Rows] = {}

    def fitting(self, fits: Mask | None) -> Rows:
        """Returns the profiles that fit. Results are cached by the mask's id, since masks live as long as this object."""
        if fits is None or not self._profiles.size:
            return self._profiles
        known = self._fitting.get(id(fits))
        if known is None:
            known = self._fitting[id(fits)] = self._profiles[fits[self._profiles]]
        return known


class IncrementalCounts:
    """The latest counts of one window. It checks itself whether the window has changed."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self._seen: tuple[int, Facets] | None = None
        self._answers: dict[RelativeQuery, _CountedAnswer] = {}
        self._masks: dict[object, Mask | None] = {}
        self._passed: dict[tuple[Instant, Instant, bool], _Passed] = {}

    def tally(self, reading: WindowReader, relative: RelativeQuery, as_of: Instant) -> GroupCounts:
        """Returns the count at a moment, which may be later or earlier than the last one. ``reading`` must be a current reader of the same
        window."""
        if not relative.is_incremental:
            return reading.tally(relative.at(as_of))
        known = self._answers.get(relative) if self._is_current() else None
        if known is None or not self._moves(relative, known, as_of):
            known = self._answers[relative] = self._counted(reading, relative, as_of)
        return known.tally

    def forget_passed(self) -> None:
        """Forgets the messages between moments, which several queries of one poll share. Called after each poll."""
        self._passed.clear()

    def _is_current(self) -> bool:
        """Returns whether the counts are those of the window as it is now. Forgets them if they are not."""
        version, facets = self.window.version, self.window.facets
        if self._seen is not None and self._seen[0] == version and self._seen[1] is facets:
            return True
        self._seen = version, facets
        self._answers.clear()
        self._masks.clear()
        self._passed.clear()
        return False

    def _counted(self, reading: WindowReader, relative: RelativeQuery, as_of: Instant) -> _CountedAnswer:
        """Returns the count from scratch."""
        asked = relative.question
        what = asked.conditions, asked.final, asked.search, asked.reported and not asked.seen
        if what not in self._masks:
            self._masks[what] = reading.fits(asked)
        tally = reading.tally(relative.at(as_of))
        return _CountedAnswer(as_of, tally, self._masks[what], self.window.facets.groups(asked.by).of)

    def _moves(self, relative: RelativeQuery, answer: _CountedAnswer, as_of: Instant) -> bool:
        """Moves a count to another moment. Returns False and leaves it unchanged if the distance is too long or has too many messages.

        The messages in (a, b] are those up to b less those up to a. So those that the start passes are subtracted and those that the end
        passes are added, or the other way round if the span moves back. This also holds if the two spans do not overlap.
        """
        asked, was = relative.question, answer.as_of
        if was == as_of:
            return True
        if abs(as_of - was) > asked.end - asked.start:
            return False
        left = self._between(was + asked.start, as_of + asked.start, seen=asked.seen)
        come = self._between(was + asked.end, as_of + asked.end, seen=asked.seen)
        if left is None or come is None:
            return False
        if as_of < was:
            left, come = come, left
        counts = answer.tally.all
        assert counts is not None, "groups of carried questions are numbered from 0"
        for passed, change in ((left, np.subtract), (come, np.add)):
            groups = answer.groups[passed.fitting(answer.fits)]
            if groups.size:
                counts = change(counts, np.bincount(groups, minlength=len(counts)))
        answer.as_of, answer.tally = as_of, _changed(answer.tally, counts)
        return True

    def _between(self, one: Instant, other: Instant, *, seen: bool) -> _Passed | None:
        """Returns the messages between two moments; None if they are more than FEW. ``seen``: by when they were first seen."""
        start, end = (one, other) if one <= other else (other, one)
        known = self._passed.get((start, end, seen))
        if known is None:
            columns = self.window.columns
            rows = (columns.seen if seen else columns.timeline).rows(start, end, AS_MESSAGE)
            if len(rows) > FEW:
                return None
            known = self._passed[start, end, seen] = _Passed(columns["profile"][rows])
        return known


def _changed(before: GroupCounts, counts: Codes) -> GroupCounts:
    """Returns the tally of new counts. Unchanged arrays stay the same objects, so that callers can compare them by identity."""
    if counts is before.all:
        return before
    codes = counts.nonzero()[0]
    same = len(codes) == len(before.codes) and bool((codes == before.codes).all())
    return GroupCounts(before.codes if same else codes, counts[codes], counts)
