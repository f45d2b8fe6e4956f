"""Reads the current status of alerts, groups and silences from memory, without changing anything."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Final, Literal

import msgspec

from monitor.alerts.evaluation import ViewContext
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
    """Alerts that are notified together."""

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
    """The dispatcher's groups and all alerts, as they are at one moment. ``well``: the watchdog may say that all is well."""

    def __init__(self, dispatcher: Dispatcher, alerts: Alerts, now: Instant, *, well: bool = True) -> None:
        self._dispatcher = dispatcher
        self._well = well
        self._now = now
        self._input: DispatchInput = dispatcher.input_of(alerts, now)
        self._mutes: dict[Key, tuple[str, ...]] = {}
        self._made: dict[str, AlertStatus] = {}

    def alerts(self) -> Iterator[AlertStatus]:
        """Every alert, each made when it is asked for: what is done with thousands may take breath in between."""
        return (self._status(one) for one in self._input.known)

    def find(self, fingerprint: str, *, deep: bool = False) -> AlertStatus | None:
        """The alert with this fingerprint, its own or that of its labels; ``deep``: also with what explains it."""
        destinations = self._input.destinations.items()
        known = [fingerprint] if fingerprint in self._input.known else []
        known = known or [one for one, routed in destinations if label_fingerprint(routed.labels) == fingerprint]
        if not known:
            return None
        return self._make_status(known[0], deep=True) if deep else self._status(known[0])

    def firing(self, receiver: str) -> Iterator[FiringAlert]:
        """What fires and is routed to that receiver; what it was told of and is not to be told of now, as it was told. And the watchdog's
        sign of life, where it is the one that gets it."""
        yield from self._sign_of_life(receiver)
        groups = [group for group in self._dispatcher.groups.values() if group.receiver == receiver]
        notified = {one: severity for group in groups for one, severity in group.told.items()}
        for fingerprint, (alert, views, context) in self._input.known.items():
            destinations = (
                list(self._input.destinations[fingerprint].of_receiver(receiver)) if alert.state == "firing" else []
            )
            if not destinations:
                continue
            quiet = fingerprint in self._input.suppressed or all(
                muted_by(destination.route, self._now) for destination in destinations
            )
            if quiet and fingerprint in notified:
                was = notified[fingerprint]
                yield FiringAlert(fingerprint, was, False, cache(partial(views.as_told, alert, was, context)))
            else:
                severity = self._input.destinations[fingerprint].severity
                yield FiringAlert(fingerprint, severity, quiet, cache(partial(views.view, alert, context)))

    def _sign_of_life(self, receiver: str) -> Iterator[FiringAlert]:
        watchdog = self._dispatcher.watchdog
        if watchdog is None or watchdog.receiver != receiver or not self._well:
            return
        since = self._now if watchdog.group is None else watchdog.group.started_at
        yield FiringAlert(FINGERPRINT, SEVERITY, False, cache(partial(sign_of_life, since, self._now)))

    def groups(self) -> list[GroupStatus]:
        """The alerts that fire, by receiver and by the labels that they are grouped by."""
        found: dict[Key, tuple[dict[str, str], list[AlertStatus]]] = {}
        for one, (alert, _, _) in self._input.known.items():
            routed = self._input.destinations[one]
            for destination in routed.destinations if alert.state == "firing" else ():
                labels = group_labels(destination.route, routed.labels)
                found.setdefault(destination.key, (labels, []))[1].append(self._status(one))
        return [GroupStatus(*key, labels, tuple(alerts)) for key, (labels, alerts) in found.items()]

    def silences(self) -> list[SilenceStatus]:
        """Every silence, those that are over for some days included."""
        matching: dict[str, int] = {}
        for one, (alert, _, _) in self._input.known.items():
            found = self._dispatcher.silences.candidates(self._input.destinations[one].labels)
            for silence in found if alert.state == "firing" else ():
                matching[silence.id] = matching.get(silence.id, 0) + 1
        return [self._silence(one, matching.get(one.id, 0)) for one in self._dispatcher.silences.all()]

    def _silence(self, silence: Silence, matching: int) -> SilenceStatus:
        state = silence.state(self._now)
        ends_soon = state == "active" and silence.ends_at - self._now <= ENDS_SOON
        return SilenceStatus(silence, state, matching, silence.is_active(self._now), ends_soon)

    def _status(self, fingerprint: str) -> AlertStatus:
        if fingerprint not in self._made:
            self._made[fingerprint] = self._make_status(fingerprint)
        return self._made[fingerprint]

    def _make_status(self, fingerprint: str, *, deep: bool = False) -> AlertStatus:
        alert, views, context = self._input.known[fingerprint]
        routed, why = (
            self._input.destinations[fingerprint],
            self._input.suppressed.get(fingerprint, SuppressionReason()),
        )
        muted = self._muted(routed)
        receivers = tuple(dict.fromkeys(destination.route.receiver for destination in routed.destinations))
        silent = bool(muted) and all(muted)
        return AlertStatus(
            view=self._view(alert, views, context, why, deep=deep),
            state=alert.state,
            receivers=receivers,
            silenced_by=why.silenced_by,
            inhibited_by=(why.inhibited_by,) if why.inhibited_by else (),
            muted_by=tuple(dict.fromkeys(name for names in muted for name in names)),
            is_suppressed=silent or fingerprint in self._input.suppressed,
            ack=self._input.acked.get(fingerprint),
            fires_on_until=views.fires_on_until(alert),
        )

    def _view(
        self, alert: Alert, views: Views, context: ViewContext, why: SuppressionReason, *, deep: bool
    ) -> AlertView:
        ack = self._input.acked.get(alert.fingerprint)
        return msgspec.structs.replace(
            views.view(alert, context, deep=deep),
            acknowledged_by="" if ack is None else ack.by,
            acknowledged_comment="" if ack is None else ack.comment,
            flapping=flapping(self._input.begun, alert, self._now) if alert.state == "firing" else 0,
            suppressed=why.word if why.silenced_by or why.inhibited_by else "",
        )

    def _muted(self, routed: AlertDestinations) -> list[tuple[str, ...]]:
        """Of each route of the alert, what mutes it."""
        for destination in routed.destinations:
            route = (destination.route.receiver, destination.route.key)
            if route not in self._mutes:
                self._mutes[route] = muted_by(destination.route, self._now)
        return [self._mutes[destination.route.receiver, destination.route.key] for destination in routed.destinations]
