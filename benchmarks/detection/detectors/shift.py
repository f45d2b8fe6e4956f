"""The rules of kind ``shift`` over many weeks at once, with the production's own engine (monitor/alerts/kinds/shift).

Every poll is judged: the minute that has just ended, and half a minute later what has come of the next one so far.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.counts import TICK, TICKS, Feed, Groups, Ints
from benchmarks.detection.detectors.side_by_side import SideBySide
from benchmarks.detection.incidents import FRESH
from benchmarks.detection.lifecycle import alerts_of
from benchmarks.detection.scorer import Alert
from benchmarks.detection.traffic import CARRIER_VIOLATION, DAY, DELIVERED, HOUR, MINUTE, NEVER, UNKNOWN_NUMBER
from benchmarks.detection.week import HISTORY
from monitor.alerts.kinds.shift import delays
from monitor.alerts.kinds.shift.kind import FAILURE, SLOW
from monitor.alerts.kinds.shift.settings import ShiftSettings
from monitor.runtime import clock

START: Final = 20_703 * clock.DAY
"""A Monday at 00:00 UTC."""
_FIRST = HISTORY * DAY // TICK
_ENOUGH = 200

Evidence = tuple[NDArray[np.int32], NDArray[np.bool_], NDArray[np.bool_]]
"""By message: when it counts (seconds), whether it does, and whether it has the event."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What one rule counts of a week: by tick and group. ``parents``: the pool of each group, first by the country (or operator), then of all."""

    labels: list[dict[str, int]]
    level: Ints
    parent: Ints
    n: NDArray[np.uint16]
    f: NDArray[np.uint16]
    delay: int


@dataclass(frozen=True, slots=True)
class ShiftRule:
    """One rule. ``pool`` is the label whose pools take in the small groups; None: small groups are not heard."""

    name: str
    by: tuple[str, ...]
    pool: str | None
    evidence: Callable[[Feed, Groups], Evidence]
    settings: ShiftSettings = FAILURE
    hold: float = 3 * MINUTE
    keep: float = 30 * MINUTE

    def counted(self, feed: Feed) -> Counted:
        """The counts of a week."""
        groups = feed.groups(self.by)
        when, counts, event = self.evidence(feed, groups)
        n, f = (feed.by_tick(groups, when, which).T.astype(np.uint16) for which in (counts, counts & event))
        labels, own = list(groups.labels), len(groups)
        parent = np.full(own, own)
        if self.pool:
            values = sorted({each[self.pool] for each in labels})
            parent = own + np.array([values.index(each[self.pool]) for each in labels], np.int64)
            labels += [self._pool(feed, value) for value in values]
        labels.append({})
        level = np.repeat([0, 1, 2], [own, len(labels) - own - 1, 1])
        return Counted(labels, level, parent, n, f, feed.polls.delay)

    def _pool(self, feed: Feed, value: int) -> dict[str, int]:
        assert self.pool is not None
        labels = {self.pool: value}
        return labels | {"country": int(feed.week.account.country[value])} if self.pool == "operator" else labels

    def alerts(self, weeks: Sequence[Counted]) -> list[list[Alert]]:
        """The alerts of each week's judged days."""
        over = _judge(weeks, self.settings)
        found = []
        for week, breached in zip(weeks, over, strict=True):
            polls = np.arange(_FIRST + 1, TICKS + 1) * float(TICK) + week.delay
            found.append(alerts_of(self.name, week.labels, breached.T, polls, hold=self.hold, keep=self.keep))
        return found


def failures(feed: Feed, groups: Groups) -> Evidence:
    """Fresh reports of failure other than by Unknown Number, which is the list's fault."""
    sent = feed.week.messages
    counts = (feed.delay <= FRESH) & (sent.outcome != UNKNOWN_NUMBER)
    return sent.reported, counts, sent.outcome != DELIVERED


def filtered(feed: Feed, groups: Groups) -> Evidence:
    """Fresh reports of Carrier Violation."""
    sent = feed.week.messages
    return sent.reported, feed.delay <= FRESH, sent.outcome == CARRIER_VIOLATION


def slow(feed: Feed, groups: Groups) -> Evidence:
    """Messages that have no final report at their group's limit: the time within which four of five have one, as learned before the judged week.

    It counts a minute later, when the polls have surely seen what was reported until then, as in the daemon.
    """
    sent = feed.week.messages
    learned = sent.sent < (HISTORY * 24 - 2) * HOUR
    limits = np.full(max(len(groups), 1), _limit(feed.delay[learned]))
    for group in range(len(groups)):
        mine = feed.delay[learned & (groups.code == group)]
        if len(mine) >= _ENOUGH:
            limits[group] = _limit(mine)
    limit = limits.astype(np.int32)[groups.code]
    grace = np.where(limit < delays.QUICK, delays.GRACE, delays.LONG_GRACE) // clock.SECOND
    when = sent.sent + limit + grace.astype(np.int32)
    return when, np.ones(len(sent), bool), (feed.delay > limit) | (sent.reported == NEVER)


def _limit(took: NDArray[np.int32]) -> float:
    """The daemon keeps delays in bins."""
    usual = np.quantile(took, delays.USUAL) if len(took) else float(FRESH)
    return float(delays.EDGES[min(int(np.searchsorted(delays.EDGES, usual)), delays.BINS - 1)])


def _judge(weeks: Sequence[Counted], settings: ShiftSettings) -> list[NDArray[np.bool_]]:
    """Whether each group has an alarm, by tick of the judged week and group."""
    tests, pools = SideBySide([week.level for week in weeks], settings), _Pools(weeks)
    n, f = (np.concatenate(parts, axis=1) for parts in ([week.n for week in weeks], [week.f for week in weeks]))
    breached = np.zeros((TICKS - _FIRST, pools.groups), bool)
    whole = tests.whole
    for tick in range(0, TICKS, 2):
        now, judged = START + tick * (clock.MINUTE // 2), tick >= _FIRST
        if judged:
            breached[tick - _FIRST] = tests.glimpse(now, *pools.all(n[tick], f[tick], whole.judged)) & whole.judged
        tests.fold(now, *pools.all(n[tick] + n[tick + 1], f[tick] + f[tick + 1], whole.judged))
        if judged:
            breached[tick - _FIRST + 1] = whole.alarm & whole.judged
    return [breached[:, span] for span in tests.slices]


class _Pools:
    """Adds what the groups that are too small to be judged have together."""

    def __init__(self, weeks: Sequence[Counted]) -> None:
        sizes = [len(week.labels) for week in weeks]
        self.groups = sum(sizes)
        spans = list(zip(weeks, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
        self.own = np.concatenate([low + np.flatnonzero(week.level == 0) for week, low in spans])
        self.parent = np.concatenate([low + week.parent for week, low in spans])
        self.middle = np.concatenate([low + np.flatnonzero(week.level == 1) for week, low in spans])
        self.last = np.concatenate(
            [np.full(int((week.level == 1).sum()), low + len(week.labels) - 1) for week, low in spans]
        )

    def all(self, n: Ints, f: Ints, judged: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """The counts of all groups, with the pools."""
        small, wanting = ~judged[self.own], ~judged[self.middle]
        return self._all(n, small, wanting), self._all(f, small, wanting)

    def _all(self, own: Ints, small: NDArray[np.bool_], wanting: NDArray[np.bool_]) -> Ints:
        counts = np.zeros(self.groups, np.int64)
        counts[self.own] = own
        counts += np.bincount(self.parent[small], own[small], self.groups).astype(np.int64)
        counts += np.bincount(self.last[wanting], counts[self.middle[wanting]], self.groups).astype(np.int64)
        return counts


RULES = (
    ShiftRule("operator failures", ("operator",), "country", failures),
    ShiftRule("country failures", ("country",), None, failures),
    ShiftRule("filtered sender", ("operator", "sender"), "operator", filtered),
    ShiftRule("slow operator", ("operator",), "country", slow, SLOW),
)
