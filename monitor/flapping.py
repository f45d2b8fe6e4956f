"""Alerts that begin and end over and over: when they are told as flapping, and how long their ends are held back.

An alert flaps when it begins for the fourth time within an hour. From then on its ends are not told, and so neither are its new
beginnings, until it has stayed over for a quarter of an hour; one that has fired for an hour without a break flaps no more.
"""

from collections.abc import Iterable
from typing import Final

from monitor.alert import Alert
from monitor.clock import HOUR, MINUTE, Duration, Instant

LOOK_BACK: Final[Duration] = HOUR
OFTEN: Final = 4
"""So many beginnings within LOOK_BACK are flapping."""
CALM: Final[Duration] = 15 * MINUTE
"""An alert that flapped is told to be over after so long without firing."""


class Beginnings:
    """When each alert began to fire lately, by its fingerprint."""

    def __init__(self, begun: Iterable[tuple[str, Instant]] = ()) -> None:
        self._times: dict[str, tuple[Instant, ...]] = {}
        self._swept_at: Instant | None = None
        for fingerprint, at in begun:
            self._note(fingerprint, at)

    def note(self, alert: Alert) -> None:
        """A firing alert is committed; noting it twice is harmless."""
        if alert.firing_at is not None:
            self._note(alert.fingerprint, alert.firing_at)

    def times(self, alert: Alert) -> int:
        """How often it began within the hour up to its last beginning, that one included; 0 if it has not begun."""
        last = alert.firing_at
        if last is None:
            return 0
        earlier = self._times.get(alert.fingerprint, ())
        return 1 + sum(last - LOOK_BACK < at < last for at in earlier)

    def sweep(self, now: Instant) -> None:
        """Forget what is too long ago to matter, from time to time, and what lies ahead as soon as the clock was set back."""
        if self._swept_at is not None and 0 <= now - self._swept_at < LOOK_BACK:
            return
        self._swept_at = now
        kept = {one: tuple([at for at in times if at <= now]) for one, times in self._times.items()}
        self._times = {one: times for one, times in kept.items() if times and now - times[-1] < 2 * LOOK_BACK}

    def _note(self, fingerprint: str, at: Instant) -> None:
        known = self._times.get(fingerprint, ())
        if at not in known:
            newest = max((*known, at))
            self._times[fingerprint] = tuple(sorted(one for one in (*known, at) if one > newest - 2 * LOOK_BACK))


def flapping(begun: Beginnings, alert: Alert, now: Instant) -> int:
    """How often a firing alert began within an hour, if that is flapping and it has not settled since; else 0."""
    if alert.firing_at is None or not 0 <= now - alert.firing_at < LOOK_BACK:
        return 0
    times = begun.times(alert)
    return times if times >= OFTEN else 0


def held_until(begun: Beginnings, over: Alert, now: Instant) -> Instant | None:
    """Until when the end of an alert is not told because it flapped; None where it can be told.

    An end that lies ahead of ``now`` was written before the clock was set back: it is told.
    """
    if over.resolved_at is None or over.because != "recovered" or not 0 <= now - over.resolved_at < CALM:
        return None
    if over.firing_at is None or over.resolved_at - over.firing_at >= LOOK_BACK or begun.times(over) < OFTEN:
        return None
    return over.resolved_at + CALM
