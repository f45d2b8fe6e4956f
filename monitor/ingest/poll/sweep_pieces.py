"""Divides time that is to be downloaded into pieces of nearly one page each, or of several nearly full pages. Pure."""

import math
from collections.abc import Sequence
from itertools import groupby, pairwise
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
"""The most pages of a part that are cut by an estimate, or by what Routee once said that it has. More stay whole, since no slice that was read has so
many: the reader cuts them as it finds them."""

DEEP: Final = 8
"""The pages of a piece of time in which nearly every page has changed. Its messages can be estimated better than those of a page."""
DEEP_FULL: Final = 0.99
"""How full the pages of such a piece should be."""
DEEP_GOOD: Final = 0.98
"""A part of several pages that are so full stays as it is."""


def divide(run: Sequence[SweepSlice], size: int, *, deeply: bool = False) -> list[SweepSlice]:
    """Returns the time of ``run``, adjacent parts with the newest first, as pieces of at most about one page of ``size`` messages; ``deeply``, of
    up to DEEP pages.

    Parts that nearly fill their pages stay. Others are cut anew, together with so many neighbours that the pieces are nearly full.
    """
    if any(part.expected > GUESSED * size for part in run):
        return list(run)
    return _divide_deeply(run, size) if deeply else _divide_into_pages(run, size)


def _divide_into_pages(run: Sequence[SweepSlice], size: int) -> list[SweepSlice]:
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


def _divide_deeply(run: Sequence[SweepSlice], size: int) -> list[SweepSlice]:
    """Cuts parts whose pages are not nearly full anew, together with their neighbours, from the oldest on. What is left over is then the newest:
    the next sweep finds new parts beside it."""
    found: list[SweepSlice] = []
    for stays, parts in groupby(run, lambda part: _is_deep(part, size)):
        stretch = list(parts)
        found += stretch if stays else _cut_deeply(stretch, size)
    return found


def _is_deep(part: SweepSlice, size: int) -> bool:
    count = pages(part.expected, size)
    return count <= DEEP and part.expected >= DEEP_GOOD * count * size


def _cut_deeply(stretch: Sequence[SweepSlice], size: int) -> list[SweepSlice]:
    total = sum(part.expected for part in stretch)
    whole = max(int(DEEP * DEEP_FULL * size), -(-total // _most(stretch)), 1)
    return _cut_at(stretch, list(range(whole, total, whole)))


def _saves(stretch: Sequence[SweepSlice], size: int) -> bool:
    return _pieces(stretch, size) < _as_it_is(stretch, size)


def _pieces(stretch: Sequence[SweepSlice], size: int) -> int:
    total = sum(part.expected for part in stretch)
    return min(pages(total, max(int(FULL * size), 1)), _as_it_is(stretch, size), _most(stretch))


def _most(stretch: Sequence[SweepSlice]) -> int:
    """Returns into how many pieces a stretch can be cut, however many messages Routee says it has: none is shorter than a second."""
    return max((stretch[0].slice.end - stretch[-1].slice.start) // SHORTEST_SLICE, 1) if stretch else 1


def _as_it_is(stretch: Sequence[SweepSlice], size: int) -> int:
    return sum(pages(part.expected, size) for part in stretch)


def _cut(stretch: Sequence[SweepSlice], size: int) -> list[SweepSlice]:
    """Returns a stretch as pieces of about equally many messages."""
    total, count = sum(part.expected for part in stretch), _pieces(stretch, size)
    return _cut_at(stretch, [total * number / count for number in range(1, count)])


def _cut_at(stretch: Sequence[SweepSlice], wanted: Sequence[float]) -> list[SweepSlice]:
    """Returns a stretch as pieces, cut where there are ``wanted`` messages before, counted from the oldest on. No piece is shorter than a
    second."""
    start, end = stretch[-1].slice.start, stretch[0].slice.end
    at_edge, before = _profile(stretch)
    edges, counts = [start], [0.0]
    for cut, count in zip(np.interp(wanted, before, at_edge).tolist(), wanted, strict=True):
        at = on_grid(int(cut))
        if at - edges[-1] >= SHORTEST_SLICE and end - at >= SHORTEST_SLICE:
            edges.append(at)
            counts.append(count)
    expected = np.diff([*counts, before[-1]]).tolist()
    pieces = [
        SweepSlice(Slice(at, cut), None, math.ceil(many - 1e-6))
        for (at, cut), many in zip(pairwise([*edges, end]), expected, strict=True)
    ]
    return pieces[::-1]


def _profile(stretch: Sequence[SweepSlice]) -> tuple[list[int], NDArray[np.float64]]:
    """Returns instants, oldest first, and how many messages there are probably before each: evenly spread where nothing else is known."""
    edges, shares = [stretch[-1].slice.start], [0.0]
    for part in reversed(stretch):
        inner = [] if part.shape is None else part.shape.tolist()
        edges += [*inner, part.slice.end]
        shares += [part.expected / (len(inner) + 1)] * (len(inner) + 1)
    return edges, np.cumsum(shares)
