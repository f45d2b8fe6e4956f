"""Reads the current status of alerts, groups and silences from memory, without changing anything."""

from collections.abc import Callable, Iterable, Iterator
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
from monitor.model.alert_names import NamedAlert, alert_named
from monitor.model.notification import AlertView
from monitor.routing.acknowledgements import Ack
from monitor.routing.flapping import flapping
from monitor.routing.silences import Silence
from monitor.routing.suppression import SuppressionReason, muted_by
from monitor.runtime.clock import MINUTE, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work, at_once

ENDS_SOON: Final[Duration] = 15 * MINUTE
"""A silence that ends within this time is about to end."""

Alerts = Iterable[tuple[Alert, Views, ViewContext]]


@dataclass(frozen=True, slots=True)
class AlertStatus:
    """One alert: pending, firing, or resolved while a receiver still has to be notified of it.

    ``receivers`` are those that it is routed to. ``muted_by`` are the time intervals that mute their routes now. ``is_suppressed``
    says that nobody is notified of it now. ``view`` has no explanation unless one was requested.
    """

    view: AlertView
    state: State
    receivers: tuple[str, ...]
    silenced_by: tuple[str, ...]
    inhibited_by: tuple[str, ...]
    muted_by: tuple[str, ...]
    is_suppressed: bool
    ack: Ack | None
    incident: str = ""
    """The id of its incident; empty: it is of none."""

    fires_on_until: Instant | None = None
    """Until when it fires on for ``keep_firing_for``, if its threshold is no longer crossed."""

    no_data_since: Instant | None = None
    """Since when a firing alert has not enough data; None if it has."""

    forgotten_at: Instant | None = None
    """When it ends if that stays so."""

    missing_before: Instant | None = None
    """Messages before this are still to be read from Routee; the alert does not end before what its rule looks at was read."""

    next_at: Instant | None = None
    """When a notification of it can be made next; None if it is in no group yet."""


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """Alerts that are notified together."""

    receiver: str
    key: str
    labels: dict[str, str]
    alerts: tuple[AlertStatus, ...]


@dataclass(frozen=True, slots=True)
class SilenceStatus:
    """A silence, how many firing alerts its matchers match, whether it silences now, and whether it is about to end."""

    silence: Silence
    state: Literal["active", "pending", "expired"]
    matching: int
    is_silencing: bool
    ends_soon: bool


@dataclass(frozen=True, slots=True)
class FiringAlert:
    """A firing alert for channels that are sent the current state repeatedly, such as Alertmanager.

    ``is_quiet`` says that a channel which does not know the alert must not be sent it now. ``view`` makes the view at the first call
    and returns the same one afterwards.
    """

    fingerprint: str
    severity: str
    is_quiet: bool
    view: Callable[[], AlertView]
    account: str = ""


def taking_snapshot(
    dispatcher: Dispatcher, alerts: Alerts, now: Instant, *, well: bool = True
) -> Work["StatusSnapshot"]:
    """Returns the dispatcher's groups and all alerts at one time, in pieces. The alerts may change once the first piece is done.

    ``well`` says whether the watchdog may send its notification.
    """
    known = list(alerts)
    given = yield from dispatcher.reading_input(known, now)
    return StatusSnapshot(dispatcher, given, well=well)


class StatusSnapshot:
    """The dispatcher's groups and all alerts at one time; `taking_snapshot` makes it."""

    def __init__(self, dispatcher: Dispatcher, given: DispatchInput, *, well: bool) -> None:
        self._dispatcher = dispatcher
        self._well = well
        self._now = given.now
        self._input = given
        self._mutes: dict[Key, tuple[str, ...]] = {}
        self._made: dict[str, AlertStatus] = {}

    def alerts(self) -> Iterator[AlertStatus]:
        """Yields every alert's status; makes each one when it is requested, so that a caller can yield to other tasks in between."""
        return (self._status(one) for one in self._input.known)

    def known(self) -> Iterator[tuple[Alert, str]]:
        """Yields every alert with its present severity. It makes no views, so that thousands can be sorted before some are shown."""
        return ((known.alert, self._input.destinations[one].severity) for one, known in self._input.known.items())

    def find(self, fingerprint: str, *, deep: bool = False) -> AlertStatus | None:
        """Returns the alert that a fingerprint names, its own or that of its labels, also shortened. ``deep`` adds the explanation.

        Raises AmbiguousName if a shortened one names several.
        """
        own = at_once(self.naming(fingerprint))
        if own is None:
            return None
        return at_once(self.explaining(own)) if deep else self._status(own)

    def naming(self, fingerprint: str) -> Work[str | None]:
        """Returns the own fingerprint of the alert that one of either kind names, also shortened; None if there is none. It works in pieces.

        Raises AmbiguousName if a shortened one names several.
        """
        if fingerprint in self._input.known:
            return fingerprint
        named = list[NamedAlert]()
        for own, routed in self._input.destinations.items():
            yield
            one = named_alert(own, routed)
            if one.beginning_with(fingerprint):
                named.append(one)
        found = alert_named(fingerprint, named)
        return None if found is None else found.own

    def explaining(self, own: str) -> Work[AlertStatus]:
        """Returns the alert of which this is the own fingerprint, with what explains it, in pieces. The windows must not change meanwhile."""
        return self._making_status(own, deep=True)

    def routed(self) -> Iterator[tuple[Alert, AlertDestinations]]:
        """Yields every alert with its labels and severity, which takes less than its whole status."""
        return ((known.alert, self._input.destinations[one]) for one, known in self._input.known.items())

    def firing(self, receiver: str) -> Iterator[FiringAlert]:
        """Yields the firing alerts that are routed to ``receiver``, and the watchdog's alert if this receiver gets it.

        An alert that the receiver was notified of and that is suppressed now is shown as last notified.
        """
        yield from self._sign_of_life(receiver)
        groups = [group for group in self._dispatcher.groups.values() if group.receiver == receiver]
        notified_severities = {one: severity for group in groups for one, severity in group.told.items()}
        for fingerprint, known in self._input.known.items():
            alert, views, context = known.alert, known.views, known.context
            destinations = (
                list(self._input.destinations[fingerprint].of_receiver(receiver)) if alert.state == "firing" else []
            )
            if not destinations:
                continue
            quiet = fingerprint in self._input.suppressed or all(
                muted_by(destination.route, self._now) for destination in destinations
            )
            if quiet and fingerprint in notified_severities:
                was = notified_severities[fingerprint]
                yield FiringAlert(
                    fingerprint, was, False, cache(partial(views.as_notified, alert, was, context)), alert.account
                )
            else:
                severity = self._input.destinations[fingerprint].severity
                yield FiringAlert(
                    fingerprint, severity, quiet, cache(partial(views.view, alert, context)), alert.account
                )

    def _sign_of_life(self, receiver: str) -> Iterator[FiringAlert]:
        watchdog = self._dispatcher.watchdog
        if watchdog is None or not self._dispatcher.leads or watchdog.receiver != receiver or not self._well:
            return
        since = self._now if watchdog.group is None else watchdog.group.started_at
        view = cache(partial(sign_of_life, since, self._now))
        yield FiringAlert(FINGERPRINT, SEVERITY, False, view, self._dispatcher.leading)

    def groups(self) -> list[GroupStatus]:
        """Returns the firing alerts by receiver and group."""
        found: dict[Key, tuple[dict[str, str], list[AlertStatus]]] = {}
        for one, known in self._input.known.items():
            routed = self._input.destinations[one]
            for destination in routed.destinations if known.alert.state == "firing" else ():
                found.setdefault(destination.key, (destination.labels, []))[1].append(self._status(one))
        return [GroupStatus(*key, labels, tuple(alerts)) for key, (labels, alerts) in found.items()]

    def silences(self) -> list[SilenceStatus]:
        """Returns every silence, including those that expired in the last days."""
        matching: dict[str, int] = {}
        firing = [one for one, known in self._input.known.items() if known.alert.state == "firing"]
        for one in firing:
            for silence in self._dispatcher.silences.candidates(self._input.destinations[one].labels):
                matching[silence.id] = matching.get(silence.id, 0) + 1
        return [self._silence(one, matching.get(one.id, 0)) for one in self._dispatcher.silences.all()]

    def _silence(self, silence: Silence, matching: int) -> SilenceStatus:
        state = silence.state(self._now)
        ends_soon = state == "active" and silence.ends_at - self._now <= ENDS_SOON
        return SilenceStatus(silence, state, matching, silence.is_active(self._now), ends_soon)

    def _status(self, fingerprint: str) -> AlertStatus:
        if fingerprint not in self._made:
            self._made[fingerprint] = at_once(self._making_status(fingerprint))
        return self._made[fingerprint]

    def _making_status(self, fingerprint: str, *, deep: bool = False) -> Work[AlertStatus]:
        known = self._input.known[fingerprint]
        alert, views, context = known.alert, known.views, known.context
        routed, why = (
            self._input.destinations[fingerprint],
            self._input.suppressed.get(fingerprint, SuppressionReason()),
        )
        muted = self._muted(routed)
        receivers = tuple(dict.fromkeys(destination.route.receiver for destination in routed.destinations))
        silent, missing = bool(muted) and all(muted), views.missing_before(alert, context)
        view = yield from self._viewing(alert, views, context, why, deep=deep)
        return AlertStatus(
            view=view,
            state=alert.state,
            receivers=receivers,
            silenced_by=why.silenced_by,
            inhibited_by=(why.inhibited_by,) if why.inhibited_by else (),
            muted_by=tuple(dict.fromkeys(name for names in muted for name in names)),
            is_suppressed=silent or fingerprint in self._input.suppressed,
            ack=self._input.acked.get(fingerprint),
            incident="" if alert.incident is None else alert.incident.id,
            fires_on_until=views.fires_on_until(alert),
            no_data_since=alert.no_data_since if alert.state == "firing" else None,
            forgotten_at=views.forgotten_at(alert) if missing is None else None,
            missing_before=missing,
            next_at=self._next_at(routed),
        )

    def _viewing(
        self, alert: Alert, views: Views, context: ViewContext, why: SuppressionReason, *, deep: bool
    ) -> Work[AlertView]:
        ack, view = self._input.acked.get(alert.fingerprint), (yield from views.viewing(alert, context, deep=deep))
        return msgspec.structs.replace(
            view,
            acknowledged_by="" if ack is None else ack.by,
            acknowledged_comment="" if ack is None else ack.comment,
            flapping=flapping(self._input.recent_starts, alert, self._now) if alert.state == "firing" else 0,
            suppressed=why.word if why.silenced_by or why.inhibited_by else "",
        )

    def _next_at(self, routed: AlertDestinations) -> Instant | None:
        """Returns when a group of the alert is looked at next."""
        known = (self._dispatcher.groups.get(destination.key) for destination in routed.destinations)
        return min((group.flush_at for group in known if group is not None), default=None)

    def _muted(self, routed: AlertDestinations) -> list[tuple[str, ...]]:
        """Returns, for each route of the alert, the time intervals that mute it."""
        for destination in routed.destinations:
            route = (destination.route.receiver, destination.route.key)
            if route not in self._mutes:
                self._mutes[route] = muted_by(destination.route, self._now)
        return [self._mutes[destination.route.receiver, destination.route.key] for destination in routed.destinations]


def named_alert(own: str, routed: AlertDestinations) -> NamedAlert:
    """Returns what an alert can be named by; ``own`` is its own fingerprint."""
    return NamedAlert(own, routed.fingerprint, routed.labels)
