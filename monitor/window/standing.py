"""Questions that are asked again at each poll, of a span that moves on with it, and answers that are carried on from poll to poll.

While no message changes, an answer differs from the one before by the messages that its span has left behind and those that it
has come upon: both are looked up in the timeline, and they are few. As soon as anything in the window changes, all answers are
forgotten and counted anew. So an answer never rests on what was said of changes, only on the rows as they are now.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from monitor.clock import Instant
from monitor.window.columns import AS_MESSAGE
from monitor.window.facets import Codes, Facets, Mask
from monitor.window.index import Rows
from monitor.window.reading import RECIPIENT, Question, Reading, Tally, tally_of
from monitor.window.window import Window

FEW: Final = 4096
"""So many messages may leave or enter a span; where it moves past more of them it is counted anew."""


class Standing:
    """A question whose span is meant relative to the moment at which it is asked. Made to be looked up fast."""

    __slots__ = ("_hash", "is_carried", "question")

    def __init__(self, question: Question) -> None:
        self.question = question
        self.is_carried = _is_plain(question)
        """Whether dates and profiles alone say what it counts, so that its answers can be carried on."""
        self._hash = hash(question)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Standing) and self.question == other.question)

    def at(self, as_of: Instant) -> Question:
        """The question at a moment."""
        return self.question.moved(as_of + self.question.start, as_of + self.question.end)


def _is_plain(question: Question) -> bool:
    own = question.within, question.pending_at, question.slower
    to = RECIPIENT in question.by or any(condition.field == RECIPIENT for condition in question.conditions)
    return question.unit == "messages" and not question.seen and not to and own == (None, None, None)


@dataclass(frozen=True, slots=True)
class _Answer:
    """The latest answer, and what it takes to carry it on: which profiles fit (None: all), and the group of each."""

    as_of: Instant
    tally: Tally
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


class Carried:
    """The latest answers of one window. It is told of nothing: it sees for itself whether the window is what it was."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._seen: tuple[int, Facets] | None = None
        self._answers: dict[Standing, _Answer] = {}
        self._masks: dict[object, Mask | None] = {}
        self._passed: dict[tuple[Instant, Instant], _Passed] = {}

    def tally(self, reading: Reading, standing: Standing, as_of: Instant) -> Tally:
        """The answer at a moment, later or earlier than the one before; ``reading`` is of the same window, and as it is now."""
        if not standing.is_carried:
            return reading.tally(standing.at(as_of))
        known = self._answers.get(standing) if self._is_as_it_was() else None
        if known is None or known.as_of != as_of:
            moved = None if known is None else self._moved(standing, known, as_of)
            known = self._answers[standing] = moved or self._counted(reading, standing, as_of)
        return known.tally

    def rest(self) -> None:
        """A poll is over: what helped to answer several questions at its moment is of no more use."""
        self._passed.clear()

    def _is_as_it_was(self) -> bool:
        """Whether the answers are of the window as it is now; else they are forgotten."""
        version, facets = self._window.version, self._window.facets
        if self._seen is not None and self._seen[0] == version and self._seen[1] is facets:
            return True
        self._seen = version, facets
        self._answers.clear()
        self._masks.clear()
        self._passed.clear()
        return False

    def _counted(self, reading: Reading, standing: Standing, as_of: Instant) -> _Answer:
        """The answer from nothing."""
        asked = standing.question
        what = asked.conditions, asked.final, asked.search
        if what not in self._masks:
            self._masks[what] = reading.fits(asked)
        tally = reading.tally(standing.at(as_of))
        return _Answer(as_of, tally, self._masks[what], self._window.facets.groups(asked.by).of)

    def _moved(self, standing: Standing, before: _Answer, as_of: Instant) -> _Answer | None:
        """The answer from the one before, None where the way is too long.

        Messages in (a, b] are those up to b less those up to a. So what the start passes is taken away and what the end passes
        is added, the other way round where they move back; also where the two spans have nothing in common.
        """
        asked = standing.question
        if abs(as_of - before.as_of) > asked.end - asked.start:
            return None
        counts = all_before = before.tally.all
        assert counts is not None
        for sign, edge in ((-1, asked.start), (1, asked.end)):
            passed = self._between(before.as_of + edge, as_of + edge)
            if passed is None:
                return None
            groups = before.groups[passed.fitting(before.fits)]
            if groups.size:
                sign = sign if as_of > before.as_of else -sign
                counts = counts + sign * np.bincount(groups, minlength=len(counts))
        tally = before.tally if counts is all_before else _kept_in_shape(tally_of(counts), before.tally)
        return _Answer(as_of, tally, before.fits, before.groups)

    def _between(self, one: Instant, other: Instant) -> _Passed | None:
        """The messages between two moments, None where they are many."""
        span = (one, other) if one <= other else (other, one)
        known = self._passed.get(span)
        if known is None:
            columns = self._window.columns
            rows = columns.timeline.rows(*span, AS_MESSAGE)
            if len(rows) > FEW:
                return None
            known = self._passed[span] = _Passed(columns["profile"][rows])
        return known


def _kept_in_shape(tally: Tally, before: Tally) -> Tally:
    """The same tally, with the very codes of the one before where they are equal: whoever worked on those sees it at a glance."""
    same = len(tally.codes) == len(before.codes) and bool((tally.codes == before.codes).all())
    return Tally(before.codes, tally.counts, tally.all) if same else tally
