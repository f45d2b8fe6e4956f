"""How things stand now, for whoever asks: alerts, groups and silences, from memory and without changing anything."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Final, Literal

import msgspec

from monitor.alerts.evaluator import ViewContext
from monitor.alerts.view import Views
from monitor.dispatch.destinations import AlertDestinations, Key
from monitor.dispatch.dispatcher import Dispatcher
from monitor.dispatch.group_members import DispatchInput
from monitor.dispatch.watchdog import FINGERPRINT, SEVERITY, sign_of_life
from monitor.model.alert import Alert, State
from monitor.model.label_fingerprint import label_fingerprint
from monitor.model.notification import AlertView
from monitor.routing.acknowledgements import Ack
from monitor.routing.flapping import flapping
from monitor.routing.route import group_labels
from monitor.routing.silences import Silence
from monitor.routing.suppression import SuppressionReason, muted_by
from monitor.runtime.clock import MINUTE, Duration, Instant

ENDS_SOON: Final[Duration] = 15 * MINUTE
"""A silence that ends within this time is about to end."""

Alerts = Iterable[tuple[Alert, Views, ViewContext]]


@dataclass(frozen=True, slots=True)
class AlertStatus:
    """One alert: pending, firing, or over but not yet told everywhere. ``receivers`` is who hears of it, ``muted_by`` the time intervals
    of their routes for which nobody is told now; ``view`` is without what explains it, unless that was asked for.

    ``is_suppressed``: nobody is told of it now.
    """

    view: AlertView
    state: State
    receivers: tuple[str, ...]
    silenced_by: tuple[str, ...]
    inhibited_by: tuple[str, ...]
    muted_by: tuple[str, ...]
    is_suppressed: bool
    ack: Ack | None
    fires_on_until: Instant | None = None
    """Where its threshold is no longer crossed and it fires on for ``keep_firing_for``: until when."""


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """Alerts that are told together."""

    receiver: str
    key: str
    labels: dict[str, str]
    alerts: tuple[AlertStatus, ...]


@dataclass(frozen=True, slots=True)
class SilenceStatus:
    """A silence, how many of the alerts that fire it silences (or would), whether it does so now, and whether it is about to end."""

    silence: Silence
    state: Literal["active", "pending", "expired"]
    matching: int
    is_silencing: bool
    ends_soon: bool


@dataclass(frozen=True, slots=True)
class FiringAlert:
    """An alert that fires, for those who are told the state again and again. ``is_quiet``: who does not know of it is not told now.

    ``view`` makes it at the first call, and gives the same one afterwards.
    """

    fingerprint: str
    severity: str
    is_quiet: bool
    view: Callable[[], AlertView]


class StatusSnapshot:
    """Takes stock of a dispatch and of all alerts at one moment. ``well``: the watchdog may say that all is well."""

    def __init__(self, dispatch: Dispatcher, alerts: Alerts, now: Instant, *, well: bool = True) -> None:
        self._dispatch = dispatch
        self._well = well
        self._now = now
        self._facts: DispatchInput = dispatch.facts(alerts, now)
        self._mutes: dict[Key, tuple[str, ...]] = {}
        self._made: dict[str, AlertStatus] = {}

    def alerts(self) -> Iterator[AlertStatus]:
        """Every alert, each made when it is asked for: what is done with thousands may take breath in between."""
        return (self._standing(one) for one in self._facts.known)

    def find(self, fingerprint: str, *, deep: bool = False) -> AlertStatus | None:
        """The alert with this fingerprint, its own or that of its labels; ``deep``: also with what explains it."""
        places = self._facts.places.items()
        known = [fingerprint] if fingerprint in self._facts.known else []
        known = known or [one for one, place in places if label_fingerprint(place.labels) == fingerprint]
        if not known:
            return None
        return self._stands(known[0], deep=True) if deep else self._standing(known[0])

    def firing(self, receiver: str) -> Iterator[FiringAlert]:
        """What fires and is routed to that receiver; what it was told of and is not to be told of now, as it was told. And the watchdog's
        sign of life, where it is the one that gets it."""
        yield from self._sign_of_life(receiver)
        groups = [group for group in self._dispatch.groups.values() if group.receiver == receiver]
        told = {one: severity for group in groups for one, severity in group.told.items()}
        for fingerprint, (alert, views, scene) in self._facts.known.items():
            homes = list(self._facts.places[fingerprint].home_of(receiver)) if alert.state == "firing" else []
            if not homes:
                continue
            quiet = fingerprint in self._facts.suppressed or all(muted_by(home.route, self._now) for home in homes)
            if quiet and fingerprint in told:
                was = told[fingerprint]
                yield FiringAlert(fingerprint, was, False, cache(partial(views.as_told, alert, was, scene)))
            else:
                severity = self._facts.places[fingerprint].severity
                yield FiringAlert(fingerprint, severity, quiet, cache(partial(views.view, alert, scene)))

    def _sign_of_life(self, receiver: str) -> Iterator[FiringAlert]:
        watchdog = self._dispatch.watchdog
        if watchdog is None or watchdog.receiver != receiver or not self._well:
            return
        since = self._now if watchdog.group is None else watchdog.group.started_at
        yield FiringAlert(FINGERPRINT, SEVERITY, False, cache(partial(sign_of_life, since, self._now)))

    def groups(self) -> list[GroupStatus]:
        """The alerts that fire, by receiver and by the labels that they are grouped by."""
        found: dict[Key, tuple[dict[str, str], list[AlertStatus]]] = {}
        for one, (alert, _, _) in self._facts.known.items():
            place = self._facts.places[one]
            for home in place.homes if alert.state == "firing" else ():
                labels = group_labels(home.route, place.labels)
                found.setdefault(home.key, (labels, []))[1].append(self._standing(one))
        return [GroupStatus(*key, labels, tuple(alerts)) for key, (labels, alerts) in found.items()]

    def silences(self) -> list[SilenceStatus]:
        """Every silence, those that are over for some days included."""
        matching: dict[str, int] = {}
        for one, (alert, _, _) in self._facts.known.items():
            found = self._dispatch.silences.candidates(self._facts.places[one].labels)
            for silence in found if alert.state == "firing" else ():
                matching[silence.id] = matching.get(silence.id, 0) + 1
        return [self._silence(one, matching.get(one.id, 0)) for one in self._dispatch.silences.all()]

    def _silence(self, silence: Silence, matching: int) -> SilenceStatus:
        state = silence.state(self._now)
        ends_soon = state == "active" and silence.ends_at - self._now <= ENDS_SOON
        return SilenceStatus(silence, state, matching, silence.is_active(self._now), ends_soon)

    def _standing(self, fingerprint: str) -> AlertStatus:
        if fingerprint not in self._made:
            self._made[fingerprint] = self._stands(fingerprint)
        return self._made[fingerprint]

    def _stands(self, fingerprint: str, *, deep: bool = False) -> AlertStatus:
        alert, views, scene = self._facts.known[fingerprint]
        place, why = self._facts.places[fingerprint], self._facts.suppressed.get(fingerprint, SuppressionReason())
        muted = self._muted(place)
        receivers = tuple(dict.fromkeys(home.route.receiver for home in place.homes))
        silent = bool(muted) and all(muted)
        return AlertStatus(
            view=self._view(alert, views, scene, why, deep=deep),
            state=alert.state,
            receivers=receivers,
            silenced_by=why.silenced_by,
            inhibited_by=(why.inhibited_by,) if why.inhibited_by else (),
            muted_by=tuple(dict.fromkeys(name for names in muted for name in names)),
            is_suppressed=silent or fingerprint in self._facts.suppressed,
            ack=self._facts.acked.get(fingerprint),
            fires_on_until=views.fires_on_until(alert),
        )

    def _view(self, alert: Alert, views: Views, scene: ViewContext, why: SuppressionReason, *, deep: bool) -> AlertView:
        ack = self._facts.acked.get(alert.fingerprint)
        return msgspec.structs.replace(
            views.view(alert, scene, deep=deep),
            acknowledged_by="" if ack is None else ack.by,
            acknowledged_comment="" if ack is None else ack.comment,
            flapping=flapping(self._facts.begun, alert, self._now) if alert.state == "firing" else 0,
            suppressed=why.word if why.silenced_by or why.inhibited_by else "",
        )

    def _muted(self, place: AlertDestinations) -> list[tuple[str, ...]]:
        """Of each route of the alert, what mutes it."""
        for home in place.homes:
            route = (home.route.receiver, home.route.key)
            if route not in self._mutes:
                self._mutes[route] = muted_by(home.route, self._now)
        return [self._mutes[home.route.receiver, home.route.key] for home in place.homes]
