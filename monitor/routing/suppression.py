"""Finds firing alerts that are not notified: silenced, inhibited, or muted by their route at this time.

It caches which silences match an alert's labels while both stay the same, and what inhibits what while the same alerts fire.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from monitor.routing.inhibition import Inhibition, inhibiting
from monitor.routing.route import Route
from monitor.routing.silences import Silence, Silences
from monitor.routing.time_intervals import muting
from monitor.runtime.clock import MINUTE, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work, at_once, paced

Labels = Mapping[str, str]
Firing = Mapping[str, Labels]
"""The labels of each firing alert, by its fingerprint."""
AT_ONCE: Final = 200
"""The most alerts that are looked at in one piece."""
_SPARE: Final = 1_000
"""The cached alerts, beyond twice those that fire, above which the others are dropped."""


@dataclass(frozen=True, slots=True)
class SuppressionReason:
    """Why an alert is not notified: the ids of the silences, and the fingerprint of the alert that inhibits it."""

    silenced_by: tuple[str, ...] = ()
    inhibited_by: str = ""

    @property
    def word(self) -> str:
        """Returns ``silenced`` or ``inhibited``; ``silenced`` if it is both."""
        return "silenced" if self.silenced_by else "inhibited"


class Suppression:
    """Applies silences and the rules of inhibition. It keeps the results of the last time and reuses what is unchanged."""

    def __init__(self, rules: Sequence[Inhibition] = ()) -> None:
        self.rules = tuple(rules)
        self._silences: tuple[Silences, int] | None = None
        self._candidates: dict[str, tuple[Labels, tuple[Silence, ...]]] = {}
        self._firing: Firing = {}
        self._inhibited: Mapping[str, str] = {}

    def of(
        self, firing: Firing, silences: Silences, now: Instant, apart: Mapping[str, str] | None = None
    ) -> dict[str, SuppressionReason]:
        """Returns the firing alerts that are silenced or inhibited now, by fingerprint, and why. See `inhibited` for ``apart``, which must
        be the same for an alert at each call."""
        return at_once(self.finding(firing, silences, now, apart))

    def finding(
        self, firing: Firing, silences: Silences, now: Instant, apart: Mapping[str, str] | None = None
    ) -> Work[dict[str, SuppressionReason]]:
        """Does what `of` does, in pieces. The alerts and silences must not change meanwhile; `of` may be called for others."""
        silenced = yield from self._silenced(firing, silences, now)
        inhibited_by = yield from self._inhibitions(firing, apart)
        return {
            one: SuppressionReason(silenced.get(one, ()), inhibited_by.get(one, ""))
            for one in silenced.keys() | inhibited_by
        }

    def _silenced(self, firing: Firing, silences: Silences, now: Instant) -> Work[dict[str, tuple[str, ...]]]:
        active = {silence.id for silence in silences.all() if silence.is_active(now)}
        if not active:
            return {}
        if self._silences is None or self._silences[0] is not silences or self._silences[1] != silences.version:
            self._silences, self._candidates = (silences, silences.version), {}
        if len(self._candidates) > 2 * len(firing) + _SPARE:
            self._candidates = {one: known for one, known in self._candidates.items() if one in firing}
        found = {}
        candidates = self._candidates  # of these silences, also when others have been asked for between two pieces
        for (one, labels), pauses in paced(firing.items(), AT_ONCE):
            known = candidates.get(one)
            if known is None or known[0] is not labels:
                known = candidates[one] = (labels, silences.candidates(labels))
                yield  # the first alert with some value has all regular expressions matched with it
            by = tuple(silence.id for silence in known[1] if silence.id in active)
            if by:
                found[one] = by
            if pauses:
                yield
        return found

    def _inhibitions(self, firing: Firing, apart: Mapping[str, str] | None) -> Work[Mapping[str, str]]:
        if not self.rules or firing == self._firing:
            return self._inhibited
        found = yield from inhibiting(self.rules, firing, apart)
        self._inhibited, self._firing = found, dict(firing)
        return found


def silenced_since(labels: Labels, silences: Silences, since: Instant, now: Instant) -> tuple[str, ...]:
    """Returns the ids of the silences that suppressed a report with these labels at any time from ``since`` to ``now``.

    Such a report is not notified after the silence either, because it is outdated by then. A recurring silence is only looked at
    ``since`` and ``now``.
    """
    return tuple(
        silence.id
        for silence in silences.candidates(labels)
        if (silence.is_active(since) or silence.is_active(now))
        or (silence.during is None and silence.starts_at <= now and silence.ends_at > since)
    )


def muted_by(route: Route, now: Instant) -> tuple[str, ...]:
    """Returns the names of the time intervals because of which the route is muted now; empty if it is not."""
    return muting(route.mute, route.active, now) if route.mute or route.active else ()


def silences_change_at(silences: Silences, now: Instant) -> Instant | None:
    """Returns the earliest time at which a silence may begin or end; None if none will."""
    changes = (silence.next_change(now) for silence in silences.all())
    return min((at for at in changes if at is not None), default=None)


def next_minute(now: Instant) -> Instant:
    """Returns the start of the next minute; time intervals begin and end on whole minutes."""
    return (now // MINUTE + 1) * MINUTE
