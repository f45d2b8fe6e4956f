"""What stands beside the rules of kind ``shift``: a campaign's list of recipients, and an operator's silence."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from benchmarks.detection.counts import TICK, TICKS, Feed
from benchmarks.detection.incidents import FRESH
from benchmarks.detection.lifecycle import alerts_of
from benchmarks.detection.scorer import Alert
from benchmarks.detection.traffic import DAY, HOUR, MINUTE, UNKNOWN_NUMBER
from benchmarks.detection.week import HISTORY

_FIRST: Final = HISTORY * DAY // TICK
_AN_HOUR: Final = HOUR // TICK
_A_DAY: Final = DAY // TICK


def _polls(feed: Feed) -> np.ndarray:
    return np.arange(_FIRST + 1, TICKS + 1) * float(TICK) + feed.polls.delay


@dataclass(frozen=True, slots=True)
class BadList:
    """A campaign's numbers do not exist: the share of Unknown Number is over ``above``, by its Wilson bound, among fresh reports of an hour."""

    name: str = "bad list"
    above: float = 0.15
    least: int = 100
    confidence: float = 0.99
    hold: float = MINUTE
    keep: float = 10 * MINUTE

    def alerts(self, feed: Feed) -> list[Alert]:
        """The alerts of the judged week."""
        sent, groups = feed.week.messages, feed.groups(["campaign"])
        if not len(groups):
            return []
        fresh = feed.delay <= FRESH
        n, f = (
            _in_an_hour(feed.by_tick(groups, sent.reported, which))
            for which in (fresh, fresh & (sent.outcome == UNKNOWN_NUMBER))
        )
        over = (n >= self.least) & (_wilson(f, np.maximum(n, 1), self.confidence) > self.above)
        return alerts_of(self.name, groups.labels, over[:, _FIRST:], _polls(feed), hold=self.hold, keep=self.keep)


@dataclass(frozen=True, slots=True)
class Silence:
    """No message to an operator where ``expected`` should have come: by the second quietest of the last seven days at this hour, and at
    most twice what came in the last hour."""

    name: str = "silence"
    expected: float = 14.0
    hold: float = 0
    keep: float = 5 * MINUTE

    def alerts(self, feed: Feed) -> list[Alert]:
        """The alerts of the judged week."""
        groups = feed.groups(["operator"])
        counts = feed.by_tick(groups, feed.week.messages.sent, np.ones(len(feed.week.messages), bool))
        hour = _in_an_hour(counts)
        around = np.zeros_like(hour)
        around[:, : -_AN_HOUR // 2] = hour[:, _AN_HOUR // 2 :]
        days = np.stack([around[:, _FIRST - day * _A_DAY : TICKS - day * _A_DAY] for day in range(1, 8)])
        usual = np.minimum(np.partition(days, 1, axis=0)[1], 2 * hour[:, _FIRST:]) / _AN_HOUR
        tick = np.arange(TICKS)
        last = np.maximum.accumulate(np.where(counts > 0, tick, -1), axis=1)
        over = usual * (tick - last)[:, _FIRST:] > self.expected
        return alerts_of(self.name, groups.labels, over, _polls(feed), hold=self.hold, keep=self.keep)


def _in_an_hour(counts: np.ndarray) -> np.ndarray:
    """By group and tick: what came in the hour up to the tick's end."""
    total = np.cumsum(counts, axis=1, dtype=np.int64)
    total[:, _AN_HOUR:] -= total[:, :-_AN_HOUR].copy()
    return total


def _wilson(f: np.ndarray, n: np.ndarray, confidence: float) -> np.ndarray:
    """The lower bound of a share (Wilson 1927)."""
    z = NormalDist().inv_cdf(confidence)
    share = f / n
    middle, half = share + z * z / (2 * n), z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    lower: np.ndarray = (middle - half) / (1 + z * z / n)
    return lower
