"""Divides time that is to be downloaded into pieces of nearly one page each. Pure."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.poll.plan import SHORTEST_SLICE, Slice, on_grid, pages
from monitor.ingest.poll.sweep_ledger import SweepSlice

FULL: Final = 0.96
"""The pages that a piece should have: nearly one. A piece with more than one takes two requests."""
GOOD: Final = 0.93
"""A part with at least so many pages, and at most one, stays as it is: how many messages a new piece will have is not certain."""

GUESSED: Final = 10
"""The most pages of unknown time that are cut by an estimate. More stay whole: the reader cuts them as it finds them."""


def divide(run: Sequence[SweepSlice], size: int) -> list[SweepSlice]:
    """Returns the time of ``run``, adjacent parts with the newest first, as pieces of at most about one page of ``size`` messages.

    Parts that nearly fill a page stay. Others are cut anew, together with so many neighbours that the pieces are nearly full.
    """
    if any(part.counts is None and part.expected > GUESSED * size for part in run):
        return list(run)
    found: list[SweepSlice] = []
    stretch: list[SweepSlice] = []
    for part in run:
        if not stretch and GOOD * size <= part.expected <= size:
            found.append(part)
            continue
        stretch.append(part)
        if _saves(stretch, size) and sum(one.expected for one in stretch) >= GOOD * size * _pieces(stretch, size):
            found += _cut(stretch, size)
            stretch = []
    if _saves(stretch, size):
        return found + _cut(stretch, size)
    for part in stretch:
        found += [part] if part.expected <= size else _cut([part], size)
    return found


def _saves(stretch: Sequence[SweepSlice], size: int) -> bool:
    return _pieces(stretch, size) < _as_it_is(stretch, size)


def _pieces(stretch: Sequence[SweepSlice], size: int) -> int:
    total = sum(part.expected for part in stretch)
    return min(pages(total, max(int(FULL * size), 1)), _as_it_is(stretch, size))


def _as_it_is(stretch: Sequence[SweepSlice], size: int) -> int:
    return sum(pages(part.expected, size) for part in stretch)


def _cut(stretch: Sequence[SweepSlice], size: int) -> list[SweepSlice]:
    """Returns a stretch as pieces of about equally many messages. No piece is shorter than a second."""
    start, end, count = stretch[-1].slice.start, stretch[0].slice.end, _pieces(stretch, size)
    at_edge, before = _profile(stretch)
    cuts = np.interp(np.arange(1, count) * (before[-1] / count), before, at_edge)
    edges = [start]
    for cut in (on_grid(int(cut)) for cut in cuts):
        if cut - edges[-1] >= SHORTEST_SLICE and end - cut >= SHORTEST_SLICE:
            edges.append(cut)
    expected = -(-round(before[-1]) // len(edges))
    pieces = [SweepSlice(Slice(at, cut), None, expected) for at, cut in pairwise([*edges, end])]
    return pieces[::-1]


def _profile(stretch: Sequence[SweepSlice]) -> tuple[list[int], NDArray[np.float64]]:
    """Returns instants, oldest first, and how many messages there are probably before each: evenly spread where nothing else is known."""
    edges, shares = [stretch[-1].slice.start], [0.0]
    for part in reversed(stretch):
        inner = [] if part.shape is None else part.shape.tolist()
        edges += [*inner, part.slice.end]
        shares += [part.expected / (len(inner) + 1)] * (len(inner) + 1)
    return edges, np.cumsum(shares)
