"""The sequential test of many accounts at once: the same arithmetic as ``fold`` for each alone, in a fraction of the time.

What is an account's own (the pooled baseline, the number of groups) is worked out account by account as each block begins, by the engine's
own functions over slices of the arrays.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import pairwise

import numpy as np

from benchmarks.detection.counts import Ints
from monitor.alerts.kinds.shift import baseline, sequential
from monitor.alerts.kinds.shift.hypotheses import Hypotheses
from monitor.alerts.kinds.shift.settings import ShiftSettings
from monitor.alerts.kinds.shift.state import BLOCK, ShiftState
from monitor.runtime.clock import MINUTE, Instant

_SCALARS = ("begun", "folded_to", "judged_groups", "hypotheses")
_ARRAYS = tuple(each.name for each in fields(ShiftState) if each.name not in _SCALARS)
_DERIVED = tuple(each.name for each in fields(Hypotheses))


class SideBySide:
    """The states of accounts, one beside the other. ``level`` is by account and group: see `ShiftState.level`."""

    def __init__(self, levels: Sequence[Ints], settings: ShiftSettings) -> None:
        edges = np.cumsum([0, *(len(level) for level in levels)])
        self.slices = [slice(low, high) for low, high in pairwise(edges.tolist())]
        self.settings = settings
        self.whole = ShiftState.empty(int(edges[-1]))
        self.whole.level[:] = np.concatenate(levels)
        self._judged_groups = [1] * len(levels)

    def fold(self, minute: Instant, n: Ints, f: Ints) -> None:
        """Take one minute of all accounts in."""
        if self.whole.hypotheses is None or minute // BLOCK != self.whole.block:
            self._each(lambda part: baseline.begin_minute(part, minute, self.settings))
            self.whole.begun = minute if self.whole.begun is None else self.whole.begun
        self.whole.folded_to = minute + MINUTE
        self._count(self.whole, minute, n, f)
        if self.whole.hypotheses is None:
            self._each(lambda part: baseline.derive(part, self.settings))

    def glimpse(self, minute: Instant, n: Ints, f: Ints) -> np.ndarray:
        """Which alarms there are with what has come of a minute so far; the state stays as it is."""
        copy = self.whole.copy()
        self._count(copy, minute, n, f)
        return copy.alarm

    def _count(self, state: ShiftState, minute: Instant, n: Ints, f: Ints) -> None:
        at = np.flatnonzero(n)
        if at.size:
            sequential._fold_counts(state, minute, at, n[at].astype(np.float64), f[at].astype(np.float64), self.settings)  # fmt: skip

    def _each(self, work: Callable[[ShiftState], object]) -> None:
        derived, known = [], self.whole.hypotheses
        for number, span in enumerate(self.slices):
            part = ShiftState(
                self.whole.begun,
                self.whole.folded_to,
                self._judged_groups[number],
                **{name: getattr(self.whole, name)[..., span] for name in _ARRAYS},
                hypotheses=known and Hypotheses(**{name: getattr(known, name)[..., span] for name in _DERIVED}),
            )
            work(part)
            self._judged_groups[number] = part.judged_groups
            for name in _ARRAYS:
                mine, theirs = getattr(part, name), getattr(self.whole, name)
                if mine.base is not theirs:
                    theirs[..., span] = mine
            derived.append(part.hypotheses)
        self.whole.hypotheses = Hypotheses(
            **{name: np.concatenate([getattr(one, name) for one in derived], axis=-1) for name in _DERIVED}
        )
