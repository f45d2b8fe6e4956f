"""Updates counts and sums over a moving time span incrementally.

While no message changes, a count differs from the one before only by the messages that left the span and those that entered it. Both are
few, and are looked up in the timeline. When anything in the window changes, everything is dropped and counted again. So a count
depends only on the current rows.
"""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.window.aggregates import Spendings
from monitor.window.incremental_measures import LastSeen, Measure, MessageCount, Spent
from monitor.window.passed_rows import Change, Passed, PassedRows
from monitor.window.profile_index import Codes, Facets, Mask
from monitor.window.query import GroupCounts, Query, WindowReader
from monitor.window.relative_query import RelativeQuery
from monitor.window.window import Window

M = TypeVar("M", MessageCount, Spent, LastSeen)
T = TypeVar("T")

UNUSED: Final = 8
"""The number of evaluations after which an answer is forgotten that none of them asked for."""


@dataclass(slots=True)
class _CarriedAnswer:
    """A measure as of its latest moment. ``fits`` says which profiles fit its query (None: all), ``asked`` which evaluation was the last to ask
    for it."""

    measure: Measure
    as_of: Instant
    fits: Mask | None
    asked: int


class IncrementalCounts:
    """The latest answers of one window. It checks itself whether the window has changed.

    Each method takes a current reader of the same window, and a moment which may be later or earlier than the last one.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self._seen: tuple[int, int, Facets] | None = None
        self._answers: dict[tuple[type[Measure], RelativeQuery], _CarriedAnswer] = {}
        self._masks: dict[object, Mask | None] = {}
        self._kept: dict[Hashable, Any] = {}
        self._passed = PassedRows()
        self._evaluations = 0

    def tally(self, reading: WindowReader, relative: RelativeQuery, as_of: Instant) -> GroupCounts:
        """Returns the count at a moment."""
        if not relative.is_incremental:
            return reading.tally(relative.at(as_of))
        return self._measured(MessageCount, reading, relative, as_of).tally

    def spendings(self, reading: WindowReader, relative: RelativeQuery, as_of: Instant) -> Spendings:
        """Returns what was spent at a moment. The query must not group by recipient."""
        return self._measured(Spent, reading, relative, as_of).spendings

    def last_seen(self, reading: WindowReader, relative: RelativeQuery, as_of: Instant) -> Codes:
        """Returns by group when the latest message was first seen; at or before the span's start if it has none. The query must have ``seen``."""
        return self._measured(LastSeen, reading, relative, as_of).latest

    def kept(self, key: Hashable, holds: Callable[[T], bool], make: Callable[[], T]) -> T:
        """Returns what was made of the messages before, if they are still the same and it still ``holds``; otherwise makes it."""
        self._is_current()
        if key not in self._kept or not holds(self._kept[key]):
            self._kept[key] = make()
        return cast(T, self._kept[key])

    def known(self, key: Hashable) -> Any:
        """Returns what `kept` has of the messages as they are, without making it; None if it has nothing."""
        self._is_current()
        return self._kept.get(key)

    def forget_passed(self) -> None:
        """Forgets the messages between moments, which several queries of one evaluation share, and answers that are not asked for any more.
        Called after each evaluation."""
        self._passed.forget()
        self._evaluations += 1
        old = [what for what, answer in self._answers.items() if answer.asked < self._evaluations - UNUSED]
        for what in old:
            del self._answers[what]

    def _measured(self, measure: type[M], reading: WindowReader, relative: RelativeQuery, as_of: Instant) -> M:
        """Returns a measure at a moment: moved there, or else counted from scratch."""
        answer = self._answers.get((measure, relative)) if self._is_current() else None
        if answer is None or not (answer.as_of == as_of or self._moves(answer, reading, relative, as_of)):
            groups = self.window.facets.groups(relative.question.by).of
            made = measure(reading, relative.at(as_of), groups)
            fits = self._fits(reading, relative.question) if relative.is_plain else None
            answer = self._answers[measure, relative] = _CarriedAnswer(made, as_of, fits, self._evaluations)
        answer.asked = self._evaluations
        return cast(M, answer.measure)

    def _is_current(self) -> bool:
        """Returns whether the answers are those of the window as it is now. Forgets them if they are not."""
        now = self.window.version, self.window.columns.profiles.length, self.window.facets
        if self._seen is not None and self._seen[:2] == now[:2] and self._seen[2] is now[2]:
            return True
        self._seen = now
        for known in (self._answers, self._masks, self._kept):
            known.clear()
        self._passed.forget()
        return False

    def _fits(self, reading: WindowReader, asked: Query) -> Mask | None:
        """Returns which profiles fit; the same object for all queries with the same conditions."""
        what = asked.conditions, asked.final, asked.search, asked.reported and not asked.seen
        if what not in self._masks:
            self._masks[what] = reading.fits(asked)
        return self._masks[what]

    def _moves(self, answer: _CarriedAnswer, reading: WindowReader, relative: RelativeQuery, as_of: Instant) -> bool:
        """Moves an answer to another moment. Returns False and leaves it unchanged if that cannot be done.

        First the span moves, with what is pending as it was. Then that changes, by the statuses that came between the two moments.
        """
        if as_of < answer.as_of and not answer.measure.may_move_back:
            return False
        edges = self._passed.at_edges(reading, relative, answer.as_of, as_of)
        pending = None if edges is None else self._pending(reading, relative, answer.as_of, as_of)
        if edges is None or pending is None:
            return False
        for left, come in (self._asked_for(edges, answer, reading, relative), *pending):
            answer.measure.take(self.window.columns, left, come)
        answer.as_of = as_of
        return True

    def _asked_for(
        self, edges: Change, answer: _CarriedAnswer, reading: WindowReader, relative: RelativeQuery
    ) -> Change:
        """Returns those of the rows that the query asks for."""
        left, come = edges
        if relative.is_plain:
            return left.fitting(answer.fits), come.fitting(answer.fits)
        then = relative.at(answer.as_of)

        def asked_for(passed: Passed) -> Passed:
            return passed.only(reading.suits(then, passed.rows)) if passed.rows.size else passed

        return asked_for(left), asked_for(come)

    def _pending(
        self, reading: WindowReader, relative: RelativeQuery, was: Instant, as_of: Instant
    ) -> tuple[Change, ...] | None:
        """Returns what else leaves and enters because ``pending_at`` moves; None if too many rows may."""
        if relative.question.pending_at is None:
            return ()
        now, before = relative.at(as_of), relative.at(was).pending_at
        change = self._passed.by_status(reading, replace(now, pending_at=before), now)
        return None if change is None else (change,)
