"""Cuts a span of time into pieces with so few messages that reading each one takes only some milliseconds."""

from collections.abc import Iterator
from typing import Final

from monitor.runtime.clock import Instant
from monitor.window import Query, Window, WindowReader

MOST_MESSAGES: Final = 20_000
"""The most messages of a piece; a piece of one microsecond may have more."""


def spans_of(
    window: Window, start: Instant, end: Instant, most: int = MOST_MESSAGES
) -> Iterator[tuple[Instant, Instant]]:
    """Yields the pieces (start, end] of a span in the order of time, without those that have no messages."""
    first = WindowReader(window).begins(end)
    left = [(max(start, first - 1), end)]
    while left:
        begin, finish = left.pop()
        count = int(WindowReader(window).tally(Query(begin, finish)).counts.sum()) if begin < finish else 0
        if count > most and finish - begin > 1:
            middle = (begin + finish) // 2
            left += [(middle, finish), (begin, middle)]
        elif count:
            yield begin, finish
