"""The fixed floors of the starter pack, as rules/*.yaml have them: what they cost in false alarms beside the rules of kind ``shift``."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.counts import MINUTES, Feed, Groups, Ints, Marked
from benchmarks.detection.incidents import FRESH
from benchmarks.detection.lifecycle import alerts_of
from benchmarks.detection.scorer import Alert
from benchmarks.detection.traffic import DELIVERED, HOUR, MINUTE, UNKNOWN_NUMBER
from benchmarks.detection.week import HISTORY

Moments = NDArray[np.signedinteger[Any]]
"""Minutes, one of each message."""

_FIRST: Final = HISTORY * 1440
_Z: Final = NormalDist().inv_cdf(0.95)
_WAITS: Final = 20


@dataclass(frozen=True, slots=True)
class Floor:
    """A fixed limit of a share, by its Wilson bound (Wilson 1927) at 95 % confidence. ``counts`` gives messages and events by group and minute."""

    name: str
    by: tuple[str, ...]
    counts: Callable[[Feed, Groups], tuple[Ints, Ints]]
    above: float
    least: int
    hold: float
    keep: float
    z: float = _Z

    def alerts(self, feed: Feed) -> list[Alert]:
        """Returns the alerts of the judged week, of a poll each minute."""
        groups = feed.groups(self.by)
        if not len(groups):
            return []
        n, f = (each[:, _FIRST:] for each in self.counts(feed, groups))
        over = (n >= self.least) & (_lower(f, np.maximum(n, 1), self.z) > self.above)
        polls = np.arange(_FIRST, MINUTES) * float(MINUTE) + feed.polls.delay
        return alerts_of(self.name, groups.labels, over, polls, hold=self.hold, keep=self.keep)


def _of_routes(window: int) -> Callable[[Feed, Groups], tuple[Ints, Ints]]:
    def counts(feed: Feed, groups: Groups) -> tuple[Ints, Ints]:
        known = feed.week.messages.outcome != UNKNOWN_NUMBER
        return _fresh(feed, groups, window, known)

    return counts


def _of_campaigns(feed: Feed, groups: Groups) -> tuple[Ints, Ints]:
    return _fresh(feed, groups, HOUR, np.ones(len(feed.week.messages), bool))


def _fresh(feed: Feed, groups: Groups, window: int, which: Marked) -> tuple[Ints, Ints]:
    which = which & (feed.delay <= FRESH)
    failed = feed.week.messages.outcome != DELIVERED
    return feed.in_window(groups, window, which), feed.in_window(groups, window, which & failed)


def _without_reports(feed: Feed, groups: Groups) -> tuple[Ints, Ints]:
    """Messages of the last two hours, and those of them that had no report 20 minutes after they were sent."""
    sent = feed.week.messages.sent // MINUTE
    seen = np.minimum(-(-feed.seen.astype(np.int64) // MINUTE), MINUTES)
    every = np.ones(len(sent), bool)
    n = _during(groups, sent, np.minimum(sent + 120, MINUTES), every)
    waits = seen > sent + _WAITS
    return n, _during(
        groups, np.minimum(sent + _WAITS, MINUTES), np.minimum(np.minimum(seen, sent + 120), MINUTES), waits
    )


def _during(groups: Groups, enters: Moments, leaves: Moments, which: Marked) -> Ints:
    counted = which & (groups.code >= 0) & (enters < leaves)
    cell, size = groups.code[counted].astype(np.int64) * (MINUTES + 1), len(groups) * (MINUTES + 1)
    change = np.bincount(cell + enters[counted], minlength=size) - np.bincount(cell + leaves[counted], minlength=size)
    found: Ints = np.cumsum(change.reshape(len(groups), MINUTES + 1), axis=1)[:, :MINUTES]
    return found


def _lower(f: Ints, n: Ints, z: float) -> NDArray[np.float64]:
    share = f / n
    middle, half = share + z * z / (2 * n), z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    lower: NDArray[np.float64] = (middle - half) / (1 + z * z / n)
    return lower


FLOORS: Final = (
    Floor("OperatorFailureRate", ("operator",), _of_routes(15 * MINUTE), 0.30, 50, 5 * MINUTE, 10 * MINUTE),
    Floor("DeliveryFloor", (), _of_routes(30 * MINUTE), 0.30, 200, 5 * MINUTE, 15 * MINUTE),
    Floor("CampaignFailureRate", ("campaign",), _of_campaigns, 0.15, 100, MINUTE, 10 * MINUTE),
    Floor("MissingDeliveryReports", ("operator",), _without_reports, 0.25, 100, 5 * MINUTE, 15 * MINUTE, z=0),
)
