"""Divides time that is to be downloaded into pieces of nearly one page each. Pure."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from monitor.ingest.poll.plan import SHORTEST_SLICE, Slice, on_grid, pages
from monitor.ingest.poll.sweep_ledger import SweepSlice

FULL: Final = 0.97
"""The pages that a piece should have: nearly one. A piece with more than one takes two requests."""
GOOD: Final = 0.9
"""A part with at least so many pages, and at most one, stays as it is: how many messages a new piece will have is not certain."""


def divide(run: Sequence[SweepSlice], size: int) -> list[SweepSlice]:
    """Returns the time of ``run``, adjacent parts with the newest first, as pieces of at most about one page of ``size`` messages.

    Parts that nearly fill a page stay. Others are cut anew, together with their neighbours, as soon as that saves a page.
    """
    found: list[SweepSlice] = []
    stretch: list[SweepSlice] = []
    for part in run:
        if not stretch and GOOD * size <= part.expected <= size:
            found.append(part)
            continue
        stretch.append(part)
        if _saves(stretch, size):
            found += _cut(stretch, size)
            stretch = []
    for part in stretch:
        found += [part] if part.expected <= size else _cut([part], size)
    return found


def _saves(stretch: Sequence[SweepSlice], size: int) -> bool:
    return _pieces(stretch, size) < sum(pages(part.expected, size) for part in stretch)


def _pieces(stretch: Sequence[SweepSlice], size: int) -> int:
    return pages(sum(part.expected for part in stretch), max(int(FULL * size), 1))


def _cut(stretch: Sequence[SweepSlice], size: int) -> list[SweepSlice]:
    """Returns a stretch as pieces of equally many messages, which are taken to be evenly spread within each part. No piece is shorter than a
    second."""
    start, end, count = stretch[-1].slice.start, stretch[0].slice.end, _pieces(stretch, size)
    before = np.cumsum([0, *(part.expected for part in reversed(stretch))])
    edges = [start, *(part.slice.end for part in reversed(stretch))]
    cuts = np.interp(np.arange(1, count) * (before[-1] / count), before, edges)
    found, at = [], start
    for cut in [*(on_grid(int(cut)) for cut in cuts), end]:
        if cut == end or (cut - at >= SHORTEST_SLICE and end - cut >= SHORTEST_SLICE):
            found.append(SweepSlice(Slice(at, cut), None, -(-int(before[-1]) // count)))
            at = cut
    return found[::-1]
