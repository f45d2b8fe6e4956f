"""The alerts of one rule in a span of the past: those that the daemon raised, or those that a backtest finds."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

from monitor.alerts.alert_episodes import AlertEpisode
from monitor.model.alert import is_report
from monitor.runtime.clock import DAY, MINUTE, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.simulation.replay import Episode

WEEK: Final = 7 * DAY
SOON: Final[Duration] = 30 * MINUTE
"""An alert that fires again so soon after its end is one that came back; two that begin so soon after each other may have one cause."""
Group = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PastAlert:
    """An alert that fired. ``end`` is None while it goes on; ``begun`` is None where only its end is known.

    ``account`` is empty where an older version stored it: then its group is not known either.
    """

    rule: str
    account: str
    group: Group
    begun: Instant | None
    end: Instant | None
    acknowledged: bool = False
    silenced: bool = False

    @property
    def is_comparable(self) -> bool:
        """Whether its beginning and its group are known."""
        return self.begun is not None and self.account != ""

    def overlaps(self, other: "PastAlert") -> bool:
        """Whether both began within `SOON` and fired at the same time in the same account, for groups that can have messages in common."""
        if self.account != other.account or not self.account or self.begun is None or other.begun is None:
            return False
        if abs(self.begun - other.begun) > SOON:
            return False
        if (self.end is not None and self.end < other.begun) or (other.end is not None and other.end < self.begun):
            return False
        own = dict(self.group)
        return all(own.get(name, value) == value for name, value in other.group)


@dataclass(frozen=True, slots=True)
class AlertTotals:
    """How often a rule fired in a span up to ``until``, and what people did. Reports of ended campaigns are counted apart.

    ``known`` is how long of the span somebody watched, as far as that is known.
    """

    alerts: Sequence[PastAlert]
    reports: int
    since: Instant
    until: Instant
    known: Duration

    @classmethod
    def of(
        cls, alerts: Iterable[PastAlert], since: Instant, until: Instant, first: Instant | None = None
    ) -> "AlertTotals":
        """Returns the totals of a rule's alerts. ``first`` is when the daemon raised its first alert of any rule: it may not have lived before."""
        alerts = list(alerts)
        lasting = [one for one in alerts if not is_report(one.group)]
        known = until - (since if first is None else max(since, first))
        return cls(lasting, len(alerts) - len(lasting), since, until, known)

    @property
    def a_week(self) -> float | None:
        """How often it fired a week; None if less than a day is known, of which no week can be made."""
        return len(self.alerts) * WEEK / (self.until - self.since) if self.known >= DAY else None

    @property
    def lengths(self) -> list[Duration]:
        """How long alerts fired, as far as that is known."""
        return [max((one.end or self.until) - one.begun, 0) for one in self.alerts if one.begun is not None]

    @property
    def median(self) -> Duration:
        """The median of `lengths`."""
        return round(median(self.lengths)) if self.lengths else 0

    @property
    def busy(self) -> float:
        """The share of the time in which any of them fired."""
        total, last = 0, self.since
        for begun, end in sorted((one.begun, one.end or self.until) for one in self.alerts if one.begun is not None):
            total += max(end - max(begun, last), 0)
            last = max(last, end)
        return total / max(self.until - self.since, 1)

    @property
    def acknowledged(self) -> int:
        """How many were acknowledged."""
        return sum(one.acknowledged for one in self.alerts)

    @property
    def silenced(self) -> int:
        """How many were silenced and not acknowledged."""
        return sum(one.silenced and not one.acknowledged for one in self.alerts)

    @property
    def ignored(self) -> int:
        """How many were neither."""
        return len(self.alerts) - self.acknowledged - self.silenced

    @property
    def came_back(self) -> int:
        """How many fired within `SOON` after the end of an earlier alert of the same group."""
        of_group: dict[tuple[str, Group], list[PastAlert]] = defaultdict(list)
        for one in filter(lambda one: one.account, self.alerts):
            of_group[one.account, one.group].append(one)
        count = 0
        for some in of_group.values():
            ends = [one.end for one in some if one.end is not None]
            count += sum(one.begun is not None and any(0 <= one.begun - end <= SOON for end in ends) for one in some)
        return count


def raised(episode: AlertEpisode, *, silenced: bool) -> PastAlert:
    """An alert that the daemon raised."""
    acknowledged = any(event.what == "acknowledged" for event in episode.events)
    begun = episode.firing_at
    return PastAlert(episode.rule, episode.account, episode.group, begun, episode.ended_at, acknowledged, silenced)


def judged(episode: Episode) -> PastAlert:
    """An alert that a backtest finds."""
    return PastAlert(episode.rule, episode.account, episode.group, episode.firing_at, episode.resolved_at)
