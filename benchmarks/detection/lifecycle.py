"""From "over the threshold at this poll" to alerts: ``for`` and ``keep_firing_for``, as the daemon has them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.scorer import Alert


def alerts_of(
    rule: str,
    labels: Sequence[dict[str, int]],
    breached: NDArray[np.bool_],
    polls: NDArray[np.floating[Any]],
    *,
    hold: float = 0,
    keep: float = 0,
) -> list[Alert]:
    """The alerts of each group (row) over the polls (columns): firing once breached for ``hold``, until not breached for ``keep`` seconds."""
    return [
        alert
        for group in np.flatnonzero(breached.any(axis=1)).tolist()
        for alert in _of_group(rule, labels[group], breached[group], polls, hold, keep)
    ]


def _of_group(
    rule: str,
    labels: dict[str, int],
    breached: NDArray[np.bool_],
    polls: NDArray[np.floating[Any]],
    hold: float,
    keep: float,
) -> list[Alert]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], breached, [False]])))
    last = len(polls) - 1
    found: list[Alert] = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        began, over = float(polls[start]), float(polls[min(stop, last)])
        if found and began <= found[-1].resolved:
            found[-1] = Alert(rule, labels, found[-1].pending, found[-1].firing, over + keep)
        elif float(polls[stop - 1]) - began >= hold:
            fires = float(polls[min(int(np.searchsorted(polls, began + hold)), last)])
            found.append(Alert(rule, labels, began, fires, over + keep))
    return found
