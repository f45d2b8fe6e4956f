"""Alerts that begin and end over and over: when they are told as flapping, and how long their ends are held back.

An alert flaps when it begins for the fourth time within an hour, unless the configuration says otherwise. From then on its ends
are not told, and so neither are its new beginnings, until it has stayed over for a quarter of an hour, or for as long as any of
its latest rounds took (from one beginning to the next) where that is shorter: then it would have begun again, had it gone on
like that. One that has fired for an hour without a break flaps no more.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from monitor.model.alert import Alert
from monitor.runtime.clock import HOUR, MINUTE, Duration, Instant


@dataclass(frozen=True, slots=True)
class FlappingPolicy:
    """What counts as flapping: ``begins`` beginnings ``within`` so long. ``calm_for``: an alert that flapped is told to be over after so long
    without firing at the latest."""

    begins: float = 4
    within: Duration = HOUR
    calm_for: Duration = 15 * MINUTE


USUAL: Final = FlappingPolicy()
NEVER: Final = FlappingPolicy(begins=math.inf)
"""A policy under which no alert flaps, so every start and end is notified."""


class RecentStarts:
    """When each alert began to fire lately, by its fingerprint; ``policy`` says which of them flap."""

    def __init__(self, begun: Iterable[tuple[str, Instant]] = (), policy: FlappingPolicy = USUAL) -> None:
        self.policy = policy
        self._times: dict[str, tuple[Instant, ...]] = {}
        self._swept_at: Instant | None = None
        for fingerprint, at in begun:
            self._note(fingerprint, at)

    def note(self, alert: Alert) -> None:
        """Records the start of a firing alert; recording it twice is harmless."""
        if alert.firing_at is not None:
            self._note(alert.fingerprint, alert.firing_at)

    def times(self, alert: Alert) -> int:
        """How often it began lately, up to its last beginning, that one included; 0 if it has not begun."""
        return len(self._lately(alert))

    def longest_round(self, alert: Alert) -> Duration:
        """The longest time from one of its latest beginnings to the next; 0 where there are not two."""
        latest = self._lately(alert)[-int(self.policy.begins) :]
        return max((later - at for at, later in pairwise(latest)), default=0)

    def sweep(self, now: Instant) -> None:
        """Removes old starts from time to time, and future ones as soon as the clock was set back."""
        if self._swept_at is not None and 0 <= now - self._swept_at < self.policy.within:
            return
        self._swept_at = now
        kept = {one: tuple([at for at in times if at <= now]) for one, times in self._times.items()}
        far = 2 * self.policy.within
        self._times = {one: times for one, times in kept.items() if times and now - times[-1] < far}

    def _lately(self, alert: Alert) -> list[Instant]:
        """Its beginnings within the hour up to its last one, that one included."""
        last = alert.firing_at
        if last is None:
            return []
        return [at for at in self._times.get(alert.fingerprint, ()) if last - self.policy.within < at < last] + [last]

    def _note(self, fingerprint: str, at: Instant) -> None:
        known = self._times.get(fingerprint, ())
        if at not in known:
            newest = max((*known, at))
            self._times[fingerprint] = tuple(
                sorted(one for one in (*known, at) if one > newest - 2 * self.policy.within)
            )


def flapping(begun: RecentStarts, alert: Alert, now: Instant) -> int:
    """How often a firing alert began lately, if that is flapping and it has not settled since; else 0."""
    if alert.firing_at is None or not 0 <= now - alert.firing_at < begun.policy.within:
        return 0
    times = begun.times(alert)
    return times if times >= begun.policy.begins else 0


def held_until(begun: RecentStarts, over: Alert, now: Instant) -> Instant | None:
    """Returns until when the end of a flapping alert is held back; None if it can be sent now.

    An end that lies ahead of ``now`` was recorded before the clock was set back, so it is sent.
    """
    policy = begun.policy
    if over.resolved_at is None or over.because != "recovered" or not 0 <= now - over.resolved_at < policy.calm_for:
        return None
    settled = over.firing_at is None or over.resolved_at - over.firing_at >= policy.within
    if settled or begun.times(over) < policy.begins:
        return None
    until = over.resolved_at + min(policy.calm_for, begun.longest_round(over))
    return until if now < until else None
