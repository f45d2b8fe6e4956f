"""Flapping: detects alerts that begin and end again and again, and holds their ends back.

By default an alert flaps when it begins to fire for the fourth time within an hour. From then on its ends are not notified, and so its
new beginnings are not either, until it has not fired for 15 minutes, or for as long as the longest of its latest rounds (from one
beginning to the next) where that is shorter: if it still flapped, it would have begun again by then. An alert that has fired for an
hour without a break does not flap any more.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from monitor.model.alert import Alert
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.clock import HOUR, MINUTE, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work, paced


@dataclass(frozen=True, slots=True)
class FlappingPolicy:
    """When an alert counts as flapping: after ``begins`` beginnings ``within`` this time. After at most ``calm_for`` without firing, its end
    is notified."""

    begins: float = 4
    within: Duration = HOUR
    calm_for: Duration = 15 * MINUTE


USUAL: Final = FlappingPolicy()
"""The default policy."""
NEVER: Final = FlappingPolicy(begins=math.inf)
"""A policy under which no alert flaps, so every start and end is notified."""


class RecentStarts:
    """The recent beginnings of each alert, by its fingerprint. ``policy`` says how many of them are flapping."""

    def __init__(self, starts: Iterable[tuple[str, Instant]] = (), policy: FlappingPolicy = USUAL) -> None:
        self.policy = policy
        self._times: dict[str, tuple[Instant, ...]] = {}
        self._swept_at: Instant | None = None
        self.add(starts)

    def add(self, starts: Iterable[tuple[str, Instant]]) -> None:
        """Records beginnings, each as a fingerprint and its time; recording one twice is harmless."""
        for fingerprint, at in starts:
            known = self._times.get(fingerprint, ())
            if at not in known:
                self._times[fingerprint] = self._with(known, at)

    def noting(self, alerts: Iterable[Alert]) -> Work[dict[str, tuple[Instant, ...]]]:
        """Returns the beginnings of those alerts that fire, by fingerprint, as they are for `take`, where they are others than those that are
        recorded; in pieces."""
        found = dict[str, tuple[Instant, ...]]()
        for alert, pauses in paced(alerts, AT_ONCE):
            if alert.state == "firing" and alert.firing_at is not None:
                known = self._times.get(alert.fingerprint, ())
                if alert.firing_at not in known:
                    found[alert.fingerprint] = self._with(known, alert.firing_at)
            if pauses:
                yield
        return found

    def take(self, times: Mapping[str, tuple[Instant, ...]]) -> None:
        """Records what `noting` returned."""
        self._times.update(times)

    def times(self, alert: Alert) -> int:
        """Returns how often the alert began within the policy's time up to its last beginning, that one included; 0 if it never fired."""
        return len(self._lately(alert))

    def longest_round(self, alert: Alert) -> Duration:
        """Returns the longest time from one of its latest beginnings to the next; 0 if there are fewer than two."""
        latest = self._lately(alert)[-int(self.policy.begins) :]
        return max((later - at for at, later in pairwise(latest)), default=0)

    def sweep(self, now: Instant) -> None:
        """Removes beginnings that are old or in the future. Does so once in the policy's time, or when the clock was set back."""
        if self._swept_at is not None and 0 <= now - self._swept_at < self.policy.within:
            return
        self._swept_at = now
        kept = {
            one: times if times and times[-1] <= now else tuple([at for at in times if at <= now])
            for one, times in self._times.items()
        }
        far = 2 * self.policy.within
        self._times = {one: times for one, times in kept.items() if times and now - times[-1] < far}

    def _lately(self, alert: Alert) -> list[Instant]:
        """Returns its beginnings within the policy's time up to its last one, that one included."""
        last = alert.firing_at
        if last is None:
            return []
        return [at for at in self._times.get(alert.fingerprint, ()) if last - self.policy.within < at < last] + [last]

    def _with(self, known: tuple[Instant, ...], at: Instant) -> tuple[Instant, ...]:
        """Returns these beginnings and one more, without those that are too old to count."""
        newest = max((*known, at))
        return tuple(sorted(one for one in (*known, at) if one > newest - 2 * self.policy.within))


def flapping(recent_starts: RecentStarts, alert: Alert, now: Instant) -> int:
    """Returns how often a firing alert began recently, if it flaps; else 0."""
    if alert.firing_at is None or not 0 <= now - alert.firing_at < recent_starts.policy.within:
        return 0
    times = recent_starts.times(alert)
    return times if times >= recent_starts.policy.begins else 0


def held_until(recent_starts: RecentStarts, over: Alert, now: Instant) -> Instant | None:
    """Returns until when the end of a flapping alert is held back; None if it can be sent now.

    An end that lies after ``now`` was recorded before the clock was set back, so it is sent at once.
    """
    policy = recent_starts.policy
    if over.resolved_at is None or over.because != "recovered" or not 0 <= now - over.resolved_at < policy.calm_for:
        return None
    settled = over.firing_at is None or over.resolved_at - over.firing_at >= policy.within
    if settled or recent_starts.times(over) < policy.begins:
        return None
    until = over.resolved_at + min(policy.calm_for, recent_starts.longest_round(over))
    return until if now < until else None
