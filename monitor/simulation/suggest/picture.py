"""A rule's worst values against two thresholds, as rows of characters: a row for each day, or of a long history for each week."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from monitor.model.format import datetime
from monitor.runtime.clock import DAY, HOUR, MINUTE, Duration, Instant
from monitor.simulation.backtest.step_size import EvaluationSpan
from monitor.simulation.suggest.recorded import GONE, RecordedRule

UNKNOWN, UNDER, BETWEEN, OVER = " ", "·", "▄", "█"
_MOST_DAYS: Final = 10
"""The most days that have a row each."""
_LABEL: Final = "%a %d %b"


def picture(recorded: Sequence[RecordedRule], sizes: Sequence[float], span: EvaluationSpan) -> Iterator[str]:
    """Yields the rows: each character is the worst value of all groups in half an hour (of a long history in three hours).

    `UNDER` crosses none of the two ``sizes``, `BETWEEN` one, `OVER` both; `UNKNOWN` has no data.
    """
    row, cell = (DAY, 30 * MINUTE) if span.length <= _MOST_DAYS * DAY else (7 * DAY, 3 * HOUR)
    start = span.since - span.since % DAY
    cells = _cells(recorded, sizes, start, cell, -(-(span.until - start) // cell))
    columns = row // cell
    for at in range(0, len(cells), columns):
        yield f"{datetime(start + at * cell, _LABEL)}  {''.join(cells[at : at + columns])}".rstrip()


def _cells(
    recorded: Sequence[RecordedRule], sizes: Sequence[float], start: Instant, cell: Duration, count: int
) -> list[str]:
    worst = np.full(count + 1, -1)
    for one in recorded:
        known = ~np.isnan(one.reached) & (one.reached != GONE)
        crossed = np.sum([one.crossed(size) for size in sizes], axis=0)
        levels = np.where(known, crossed, -1).max(axis=1, initial=-1)
        cells = (np.array(one.instants, np.int64) - start) // cell
        np.maximum.at(worst, cells, levels)
    return [(UNDER, BETWEEN, OVER, UNKNOWN)[level] for level in worst[:count].tolist()]
