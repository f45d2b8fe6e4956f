"""Adds up what incidents of one account cost, each message once, although two incidents may be about the same messages. Pure.

The incident that lost most counts as it is. Each other one counts the messages that none before it has counted, with its own usual share, but never
more than it has lost itself: those that were counted may be the ones that were delivered.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

from monitor.alerts.incident_loss import IncidentLoss, LossScope, LossTally, rows_of
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.window import Window, WindowReader

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class ScopedLoss:
    """What an incident cost, and the messages that it is about."""

    loss: IncidentLoss
    scopes: Sequence[LossScope]


def losses_once(
    window: Window, incidents: Sequence[ScopedLoss], known_since: Instant
) -> Iterator[tuple[int | None, float | None]]:
    """Yields for each incident, the one that lost most first, how many messages it adds to what all have lost, and what it adds to what
    was spent on them; None for what is not known. No message is missing in the window since ``known_since``."""
    reading = WindowReader(window)
    counted = np.zeros(window.columns.length, np.bool_)
    for one in sorted(incidents, key=lambda one: -(one.loss.lost or 0)):
        loss = one.loss
        if not loss.lost or not any(_overlap(loss, other.loss) for other in incidents if other is not one):
            yield loss.lost, loss.spent  # nothing to add, or nothing to share
            continue
        rows = rows_of(reading, one.scopes, max(loss.start, known_since), loss.end)
        tally = LossTally()
        tally.add(reading, rows[~counted[rows]])
        counted[rows] = True
        lost, spent = tally.loss(loss.usual)
        yield _least(lost, loss.lost), _least(spent, loss.spent)


def _least(added: Number | None, own: Number | None) -> Number | None:
    return min(added, own) if added is not None and own is not None else added


def _overlap(one: IncidentLoss, other: IncidentLoss) -> bool:
    return one.start < other.end and other.start < one.end
