"""One series of the evaluation history: chooses groups and keeps their numbers over the latest evaluations."""

from collections.abc import Callable, Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.group_names import Group, Names
from monitor.alerts.kinds import NOT_ENOUGH, RuleResult
from monitor.alerts.kinds.batch import Column
from monitor.alerts.ring_buffer import RingBuffer
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.window import Codes

KEPT: Final = 60
"""Number of evaluations of a group that are kept."""
SPACED: Final = 24
"""Number of evaluations that are kept at wider intervals: as many as a sparkline shows."""
RECHOOSE_EVERY: Final = 30
"""Number of evaluations after which the groups are chosen again."""

SeriesName = Literal["latest", "spaced"]


@dataclass(slots=True)
class SeriesSample:
    """The numbers that one evaluation adds to a series.

    The first of ``columns`` is the number of messages; ``nothing`` are the numbers of a group that is not among ``codes``. ``means`` is the
    same object as long as codes keep their meaning; None if they never do. ``code`` returns a group's code. ``evaluate`` returns the result
    from which groups are chosen; groups in ``alarmed`` are chosen in any case.
    """

    as_of: Instant
    codes: Codes
    columns: Sequence[Column]
    nothing: Sequence[float]
    means: object
    code: Callable[[Group], int]
    evaluate: Callable[[], RuleResult]
    below: bool
    alarmed: Sequence[Group] = ()


class SampledSeries:
    """Numbers of up to ``most`` groups: of the latest evaluations, and of some that are at least ``apart`` from each other.

    ``turn`` is the number of evaluations before the groups are first chosen again.
    """

    def __init__(self, by: tuple[str, ...], columns: int, most: int, turn: int, apart: Duration) -> None:
        self.by = by
        self.groups: list[Group] = []
        self._most = most
        self._apart = apart
        self._buffers: dict[SeriesName, RingBuffer] = {
            "latest": RingBuffer(KEPT, columns),
            "spaced": RingBuffer(SPACED, columns),
        }
        self._wait = turn
        self._names = Names()
        self._means: object = None
        self._codes: Codes = np.zeros(0, np.int64)
        self._positions = _GroupPositions(self._codes, self._codes)

    @property
    def latest(self) -> Instant:
        """The time of the latest evaluation; 0 if there is none."""
        return max(self._buffers["latest"].moments, default=0)

    def rows(self, group: Group, series_name: SeriesName) -> tuple[list[Instant], NDArray[np.float64]]:
        """Returns one group's times and numbers, oldest first, from when it was added."""
        buffer = self._buffers[series_name]
        if group not in self.groups:
            return [], np.empty((0, buffer.columns))
        return buffer.of(self.groups.index(group))

    def take(self, sample: SeriesSample) -> None:
        """Adds a row. Chooses the groups again before that, at intervals and if one is missing."""
        same = sample.means is not None and sample.means is self._means
        self._means = sample.means
        short = len(self.groups) < min(len(sample.codes), self._most)
        if short or self._wait < 0 or not all(group in self.groups for group in sample.alarmed):
            self._choose(sample)
            same = False
        self._wait = RECHOOSE_EVERY - 1 if self._wait < 0 else self._wait - 1
        if not same:
            self._codes = np.array([sample.code(group) for group in self.groups], np.int64)
        if not same or self._positions.codes is not sample.codes:
            self._positions = _GroupPositions(sample.codes, self._codes)
        row = self._buffers["latest"].row(sample.as_of)
        self._positions.write(row, sample.columns, sample.nothing)
        spaced = self._buffers["spaced"]
        if spaced.newest is None or not 0 < sample.as_of - spaced.newest < self._apart:
            spaced.row(sample.as_of)[:] = row

    def _choose(self, sample: SeriesSample) -> None:
        """Chooses the groups again. Those that stay keep their position and their past."""
        rule_result = sample.evaluate()
        self._names.begin(rule_result)
        breaching = (self._names.group(rule_result, at) for at in _breaching(rule_result, sample.below, self._most))
        wanted = list(dict.fromkeys([*sample.alarmed, *breaching]))[: self._most]
        kept = [position for position, group in enumerate(self.groups) if group in wanted]
        staying = {self.groups[position] for position in kept}
        fresh = [group for group in wanted if group not in staying]
        # A group that is no longer wanted keeps its position until another group needs it.
        idle = [position for position in range(len(self.groups)) if position not in kept][
            : self._most - len(kept) - len(fresh)
        ]
        stay = sorted(kept + idle)
        for buffer in self._buffers.values():
            buffer.rearrange(stay, len(fresh))
        self.groups = [self.groups[position] for position in stay] + fresh


class _GroupPositions:
    """The positions of a series' groups in the codes of an evaluation."""

    def __init__(self, codes: Codes, wanted: Codes) -> None:
        self.codes = codes
        self._positions: NDArray[np.int64] = codes[:0]
        self._here: NDArray[np.bool_] | None = np.zeros(len(wanted), np.bool_)
        if not len(codes):
            return
        # Not every kind returns its groups in the order of their codes.
        order = None if (codes[1:] > codes[:-1]).all() else np.argsort(codes, kind="stable")
        ranks = np.minimum(codes.searchsorted(wanted, sorter=order), len(codes) - 1)
        positions = ranks if order is None else order[ranks]
        here = codes[positions] == wanted
        self._positions, self._here = (positions, None) if here.all() else (positions[here], here)

    def write(self, row: NDArray[np.float64], columns: Sequence[Column], nothing: Sequence[float]) -> None:
        """Writes the numbers of the groups into ``row``; those of absent groups are ``nothing``."""
        here = self._here
        if here is not None:
            row[:] = np.asarray(nothing)[:, None]
        for number, column in enumerate(columns):
            if here is None:
                row[number] = column[self._positions]
            else:
                row[number, here] = column[self._positions]


def _breaching(rule_result: RuleResult, below: bool, most: int) -> list[int]:
    """Returns the positions of the groups worth keeping: in turn the worst and the one with most messages."""
    if len(rule_result) <= most:
        return list(range(len(rule_result)))
    ratio = (rule_result.value + 1e-9) / (rule_result.threshold + 1e-9)
    priority = -ratio if below else ratio
    priority = np.where((rule_result.breached == NOT_ENOUGH) | np.isnan(priority), -np.inf, priority)
    worst = np.argpartition(-priority, most)[:most]
    worst = worst[np.argsort(-priority[worst], kind="stable")]
    largest = np.argpartition(-rule_result.messages, most)[:most]
    largest = largest[np.argsort(-rule_result.messages[largest], kind="stable")]
    both = np.stack([worst, largest], axis=1).ravel().tolist()
    return list(dict.fromkeys(both))[:most]
