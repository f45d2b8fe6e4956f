"""How others detect it: a fixed threshold, Plivo's delivery alerts, ElastAlert's spike, thresholds as dynamic as Twilio's.

Each watches operators, countries, campaigns and senders. What their makers publish is followed; what they do not is a guess in
their favour.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.counts import MINUTES, Feed, Groups, Ints
from benchmarks.detection.incidents import FRESH
from benchmarks.detection.lifecycle import alerts_of
from benchmarks.detection.scorer import Alert
from benchmarks.detection.traffic import DELIVERED, MINUTE, NEVER
from benchmarks.detection.week import HISTORY

GROUPINGS = (("operator",), ("country",), ("campaign",), ("sender",))
_FIRST = HISTORY * 1440
_A_DAY = 1440

Breached = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Peer:
    """A detector that compares windows. ``breached`` gives by group and minute of the whole time whether it is over its threshold."""

    name: str
    breached: Callable[[Feed, Groups], Breached]
    every: int = 1
    hold: float = 0
    keep: float = 0
    merged: bool = False

    def alerts(self, feed: Feed) -> list[Alert]:
        """The alerts of the judged week."""
        polls = np.arange(_FIRST, MINUTES, self.every)
        found = []
        for by in GROUPINGS:
            groups = feed.groups(by)
            if len(groups):
                over = self.breached(feed, groups)[:, polls]
                times = polls * float(MINUTE) + feed.polls.delay
                found += alerts_of(self.name, groups.labels, over, times, hold=self.hold, keep=self.keep)
        return found


def _final(feed: Feed) -> Breached:
    return feed.week.messages.reported < NEVER


def _failed(feed: Feed) -> Breached:
    failed: Breached = _final(feed) & (feed.week.messages.outcome != DELIVERED)
    return failed


def fixed(feed: Feed, groups: Groups, *, fresh: bool = False) -> Breached:
    """More than 20 % of at least 50 final reports of 15 minutes are failures."""
    which = feed.delay <= FRESH if fresh else _final(feed)
    n = feed.in_window(groups, 15 * MINUTE, which)
    f = feed.in_window(groups, 15 * MINUTE, which & _failed(feed))
    over: Breached = (n >= 50) & (f > 0.2 * n)
    return over


def fixed_fresh(feed: Feed, groups: Groups) -> Breached:
    """The same of reports that came within a minute."""
    return fixed(feed, groups, fresh=True)


def plivo(feed: Feed, groups: Groups) -> Breached:
    """Each 15 minutes: the delivered share of the last hour is 25 % under that of the same hour of seven days; at least 100 messages."""
    n = feed.in_window(groups, 60 * MINUTE, _final(feed))
    f = feed.in_window(groups, 60 * MINUTE, _failed(feed))
    past_n, past_f = (sum(_days_ago(each, day) for day in range(1, 8)) for each in (n, f))
    with np.errstate(divide="ignore", invalid="ignore"):
        drop = 1 - ((n - f) / n) / ((past_n - past_f) / past_n)
    over: Breached = (n >= 100) & (past_n >= 100) & (drop >= 0.25)
    return over


def spike(feed: Feed, groups: Groups) -> Breached:
    """ElastAlert's rule: three times as many failures in ten minutes as in the ten before; at least 10, and 3 before."""
    f = feed.in_window(groups, 10 * MINUTE, _failed(feed))
    before = np.zeros_like(f)
    before[:, 10:] = f[:, :-10]
    over: Breached = (f >= 10) & (before >= 3) & (f >= 3 * before)
    return over


def dynamic(feed: Feed, groups: Groups) -> Breached:
    """As Twilio's: each 5 minutes, failures over the last day's mean by four standard deviations, and by half of it."""
    f = feed.in_window(groups, 5 * MINUTE, _failed(feed)).astype(float)
    total, squares = np.cumsum(f, axis=1), np.cumsum(f**2, axis=1)
    mean = np.zeros_like(f)
    spread = np.full_like(f, np.inf)
    mean[:, _A_DAY + 5 :] = (total[:, _A_DAY:-5] - total[:, : -_A_DAY - 5]) / _A_DAY
    spread[:, _A_DAY + 5 :] = np.sqrt(
        np.maximum((squares[:, _A_DAY:-5] - squares[:, : -_A_DAY - 5]) / _A_DAY - mean[:, _A_DAY + 5 :] ** 2, 0)
    )
    over: Breached = (f >= 5) & (f > mean + np.maximum(4 * spread, 0.5 * mean))
    return over


def _days_ago(counts: Ints, days: int) -> Ints:
    moved = np.zeros_like(counts)
    moved[:, days * _A_DAY :] = counts[:, : -days * _A_DAY]
    return moved


PEERS = (
    Peer("fixed 20 %", fixed, hold=5 * MINUTE, keep=15 * MINUTE),
    Peer("fixed 20 %, fresh", fixed_fresh, hold=5 * MINUTE, keep=15 * MINUTE),
    Peer("Plivo's", plivo, every=15, keep=60 * MINUTE),
    Peer("ElastAlert spike x3", spike, keep=10 * MINUTE),
    Peer("as Twilio's", dynamic, every=5, keep=60 * MINUTE),
)
