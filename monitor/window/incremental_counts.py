"""Carries the answers to queries over a moving time span on from poll to poll.

While no message changes, an answer differs from the one before by the messages that its span has left behind and those that it
has come upon: both are looked up in the timeline, and they are few. As soon as anything in the window changes, all answers are
dropped and counted again. So an answer depends only on the current rows.
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
"""Maximum messages that may leave or enter a span; beyond that the span is counted from scratch."""


class RelativeQuery:
    """A question whose span is meant relative to the moment at which it is asked. Made to be looked up fast."""

    __slots__ = ("_hash", "is_carried", "question")

    def __init__(self, question: Query) -> None:
        self.question = question
        self.is_carried = _is_plain(question)
        """Whether dates and profiles alone say what it counts, so that its answers can be carried on."""
        self._hash = hash(question)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, RelativeQuery) and self.question == other.question)

    def at(self, as_of: Instant) -> Query:
        """The question at a moment."""
        return self.question.moved(as_of + self.question.start, as_of + self.question.end)


def _is_plain(question: Query) -> bool:
    own = question.within, question.pending_at, question.slower
    to = RECIPIENT in question.by or any(condition.field == RECIPIENT for condition in question.conditions)
    return question.unit == "messages" and not question.seen and not to and own == (None, None, None)


@dataclass(slots=True)
class _CountedAnswer:
    """The latest answer, replaced as it moves on, and what it takes to carry it on: which profiles fit (None: all), and the group of each."""

    as_of: Instant
    tally: GroupCounts
    fits: Mask | None
    groups: Codes


class _Passed:
    """The profiles of the messages between two moments: those that a span's edge has passed."""

    def __init__(self, profiles: Rows) -> None:
        self._profiles = profiles
        self._fitting: dict[int, Rows] = {}

    def fitting(self, fits: Mask | None) -> Rows:
        """Those that fit. Masks are told apart by what they are in memory: they live as long as this does."""
        if fits is None or not self._profiles.size:
            return self._profiles
        known = self._fitting.get(id(fits))
        if known is None:
            known = self._fitting[id(fits)] = self._profiles[fits[self._profiles]]
        return known


class IncrementalCounts:
    """The latest answers of one window. It checks itself whether the window has changed."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self._seen: tuple[int, Facets] | None = None
        self._answers: dict[RelativeQuery, _CountedAnswer] = {}
        self._masks: dict[object, Mask | None] = {}
        self._passed: dict[tuple[Instant, Instant], _Passed] = {}

    def tally(self, reading: WindowReader, relative: RelativeQuery, as_of: Instant) -> GroupCounts:
        """The answer at a moment, later or earlier than the one before; ``reading`` is of the same window, and as it is now."""
        if not relative.is_carried:
            return reading.tally(relative.at(as_of))
        known = self._answers.get(relative) if self._is_as_it_was() else None
        if known is None or not self._moves(relative, known, as_of):
            known = self._answers[relative] = self._counted(reading, relative, as_of)
        return known.tally

    def rest(self) -> None:
        """A poll is over: what helped to answer several questions at its moment is of no more use."""
        self._passed.clear()

    def _is_as_it_was(self) -> bool:
        """Whether the answers are of the window as it is now; else they are forgotten."""
        version, facets = self.window.version, self.window.facets
        if self._seen is not None and self._seen[0] == version and self._seen[1] is facets:
            return True
        self._seen = version, facets
        self._answers.clear()
        self._masks.clear()
        self._passed.clear()
        return False

    def _counted(self, reading: WindowReader, relative: RelativeQuery, as_of: Instant) -> _CountedAnswer:
        """The answer from nothing."""
        asked = relative.question
        what = asked.conditions, asked.final, asked.search
        if what not in self._masks:
            self._masks[what] = reading.fits(asked)
        tally = reading.tally(relative.at(as_of))
        return _CountedAnswer(as_of, tally, self._masks[what], self.window.facets.groups(asked.by).of)

    def _moves(self, relative: RelativeQuery, answer: _CountedAnswer, as_of: Instant) -> bool:
        """Move an answer to another moment; False, and it stays as it is, where the way is too long.

        Messages in (a, b] are those up to b less those up to a. So what the start passes is taken away and what the end passes
        is added, the other way round where they move back; also where the two spans have nothing in common.
        """
        asked, was = relative.question, answer.as_of
        if was == as_of:
            return True
        if abs(as_of - was) > asked.end - asked.start:
            return False
        left = self._between(was + asked.start, as_of + asked.start)
        come = self._between(was + asked.end, as_of + asked.end)
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

    def _between(self, one: Instant, other: Instant) -> _Passed | None:
        """The messages between two moments, None where they are many."""
        span = (one, other) if one <= other else (other, one)
        known = self._passed.get(span)
        if known is None:
            columns = self.window.columns
            rows = columns.timeline.rows(*span, AS_MESSAGE)
            if len(rows) > FEW:
                return None
            known = self._passed[span] = _Passed(columns["profile"][rows])
        return known


def _changed(before: GroupCounts, counts: Codes) -> GroupCounts:
    """Returns the tally of new counts; unchanged parts stay the same objects, so that users can tell by identity."""
    if counts is before.all:
        return before
    codes = counts.nonzero()[0]
    same = len(codes) == len(before.codes) and bool((codes == before.codes).all())
    return GroupCounts(before.codes if same else codes, counts[codes], counts)
