"""One track of the ring: numbers of some groups over the latest evaluations, and which groups those are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.clock import Instant
from monitor.evaluate import NOT_ENOUGH, Judgement
from monitor.evaluate.alike import Column
from monitor.evaluate.names import Group, Names
from monitor.window import Codes

KEPT: Final = 60
"""So many evaluations of a group are kept."""
LOOK_AGAIN: Final = 30
"""After so many evaluations the groups are chosen anew."""


@dataclass(slots=True)
class Sample:
    """What a track takes: numbers by group, and how its groups are found.

    ``means`` stays the same thing as long as codes mean the same; None where they never do. ``judge`` gives the judgement by which
    groups are chosen, where it is time for that; ``alarmed`` are chosen in any case.
    """

    as_of: Instant
    codes: Codes
    columns: Sequence[Column]
    means: object
    code: Callable[[Group], int]
    judge: Callable[[], Judgement]
    below: bool
    alarmed: Sequence[Group] = ()


class Track:
    """Numbers of some groups: a row an evaluation (the latest KEPT of them, around and around), a place a group."""

    def __init__(self, by: tuple[str, ...], columns: int, most: int, turn: int) -> None:
        self.by = by
        self.groups: list[Group] = []
        self._most = most
        self._numbers = np.full((KEPT, columns, 0), np.nan)
        self._moments: list[Instant] = []
        self._next = 0
        self._wait = turn
        self._names = Names()
        self._means: object = None
        self._codes: Codes = np.zeros(0, np.int64)
        self._places = _Places(self._codes, self._codes)

    @property
    def latest(self) -> Instant:
        """The latest moment."""
        return max(self._moments, default=0)

    @property
    def moments(self) -> list[Instant]:
        """The moments, oldest first."""
        return [self._moments[row] for row in self._order]

    @property
    def _order(self) -> list[int]:
        count = len(self._moments)
        first = self._next if count == KEPT else 0
        return [(first + number) % KEPT for number in range(count)]

    def rows(self, group: Group) -> NDArray[np.float64]:
        """The numbers of one group at each of the moments, NaN where there are none."""
        if group not in self.groups:
            return np.full((len(self._moments), self._numbers.shape[1]), np.nan)
        return np.asarray(self._numbers[self._order, :, self.groups.index(group)])

    def take(self, sample: Sample) -> None:
        """Write a row; from time to time, and where something is missing, the groups are chosen anew first."""
        same = sample.means is not None and sample.means is self._means
        self._means = sample.means
        short = len(self.groups) < min(len(sample.codes), self._most)
        if short or self._wait < 0 or not all(group in self.groups for group in sample.alarmed):
            self._choose(sample)
            same = False
        self._wait = LOOK_AGAIN - 1 if self._wait < 0 else self._wait - 1
        if not same:
            self._codes = np.array([sample.code(group) for group in self.groups], np.int64)
        if not same or self._places.codes is not sample.codes:
            self._places = _Places(sample.codes, self._codes)
        self._places.write(self._numbers[self._row(sample.as_of)], sample.columns)

    def _row(self, as_of: Instant) -> int:
        latest = (self._next - 1) % KEPT
        if self._moments and self._moments[latest if len(self._moments) == KEPT else -1] == as_of:
            return latest
        row = self._next
        if len(self._moments) < KEPT:
            self._moments.append(as_of)
        else:
            self._moments[row] = as_of
        self._next = (row + 1) % KEPT
        return row

    def _choose(self, sample: Sample) -> None:
        """Choose the groups anew: those that stay keep their place and their past."""
        judgement = sample.judge()
        self._names.begin(judgement)
        telling = (self._names.group(judgement, at) for at in _telling(judgement, sample.below, self._most))
        wanted = list(dict.fromkeys([*sample.alarmed, *telling]))[: self._most]
        kept = [place for place, group in enumerate(self.groups) if group in wanted]
        staying = {self.groups[place] for place in kept}
        fresh = [group for group in wanted if group not in staying]
        # A group that says nothing any more keeps its place until someone needs it.
        idle = [place for place in range(len(self.groups)) if place not in kept][: self._most - len(kept) - len(fresh)]
        stay = sorted(kept + idle)
        blank = np.full((KEPT, self._numbers.shape[1], len(fresh)), np.nan)
        self._numbers = np.concatenate([self._numbers[:, :, stay], blank], axis=2)
        self.groups = [self.groups[place] for place in stay] + fresh


class _Places:
    """Where among ``codes`` the groups of a track are."""

    def __init__(self, codes: Codes, wanted: Codes) -> None:
        self.codes = codes
        self._places: NDArray[np.int64] = codes[:0]
        self._here: NDArray[np.bool_] | None = np.zeros(len(wanted), np.bool_)
        if not len(codes):
            return
        # Not every kind gives its groups in the order of their codes.
        order = None if (codes[1:] > codes[:-1]).all() else np.argsort(codes, kind="stable")
        ranks = np.minimum(codes.searchsorted(wanted, sorter=order), len(codes) - 1)
        places = ranks if order is None else order[ranks]
        here = codes[places] == wanted
        self._places, self._here = (places, None) if here.all() else (places[here], here)

    def write(self, row: NDArray[np.float64], columns: Sequence[Column]) -> None:
        """Write the numbers of the groups, NaN for those that are not there."""
        here = self._here
        if here is not None:
            row[:] = np.nan
        for number, column in enumerate(columns):
            if here is None:
                row[number] = column[self._places]
            else:
                row[number, here] = column[self._places]


def _telling(judgement: Judgement, below: bool, most: int) -> list[int]:
    """The places of groups worth keeping: in turn the worst and the most voluminous."""
    if len(judgement) <= most:
        return list(range(len(judgement)))
    ratio = (judgement.value + 1e-9) / (judgement.threshold + 1e-9)
    badness = -ratio if below else ratio
    badness = np.where((judgement.breached == NOT_ENOUGH) | np.isnan(badness), -np.inf, badness)
    worst = np.argpartition(-badness, most)[:most]
    worst = worst[np.argsort(-badness[worst], kind="stable")]
    largest = np.argpartition(-judgement.messages, most)[:most]
    largest = largest[np.argsort(-judgement.messages[largest], kind="stable")]
    both = np.stack([worst, largest], axis=1).ravel().tolist()
    return list(dict.fromkeys(both))[:most]
