"""When the polls see a report: what is asked how often decides what a detector can know.

Routee's dates are taken as times of sending, the harder of the two meanings that its documentation allows: each poll reads the overlap again, and a
report on an older message waits for the sweep that looks far enough back.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.traffic import DAY, HOUR, MINUTE, NEVER

Seconds = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Polls:
    """The cadence, in seconds. A poll begins each ``every`` and has seen all that was reported ``delay`` before. ``sweeps`` are (back, every).

    ``by_change``: Routee selects by the time of the last status change, so that each change is seen by the next poll.
    """

    every: int = 30
    overlap: int = 5 * MINUTE
    sweeps: tuple[tuple[int, int], ...] = ((HOUR, 5 * MINUTE), (DAY, HOUR), (7 * DAY, 6 * HOUR))
    delay: int = 2
    by_change: bool = False

    def seen(self, sent: Seconds, reported: Seconds) -> Seconds:
        """The time of the poll or sweep that sees each report first; NEVER where none does."""
        at = np.full(len(sent), NEVER, np.int32)
        waiting = np.flatnonzero(reported < NEVER)
        for back, every in ((self.overlap, self.every), *self.sweeps):
            when = -(-(reported[waiting] + np.int32(self.delay)) // np.int32(every)) * np.int32(every)
            in_time = np.ones(len(when), bool) if self.by_change else when - sent[waiting] <= back
            at[waiting[in_time]] = when[in_time]
            waiting = waiting[~in_time]
        return at
