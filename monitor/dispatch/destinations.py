"""Determines where each alert belongs: its labels, its severity, and its group under each route that matches it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import msgspec

from monitor.alerts.view import Views
from monitor.model.alert import Alert
from monitor.model.builtin_alerts import NOTIFICATION_FAILING
from monitor.model.label_fingerprint import label_fingerprint
from monitor.routing.route import (
    ALL_LABELS,
    Route,
    group_key,
    group_labels,
    groups_incidents,
    incident_key,
    incident_labels,
    report_key,
    routes_for,
)
from monitor.routing.storm import overflow_key, reports_overflow_key

Key = tuple[str, str]
"""A receiver and the key of a group."""


# The garbage collector does not look at these (``gc=False``): an alert has several of each, and they cannot be part of a cycle.


class Destination(msgspec.Struct, frozen=True, gc=False):
    """One group of an alert: the route, the key and the labels of the group, and the key of the route's overflow group."""

    route: Route
    key: Key
    overflow: Key
    labels: dict[str, str]


class AlertDestinations(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One alert's labels and severity, and the groups that it belongs to while it fires. ``account`` is that of the groups; see
    `DestinationCache`."""

    labels: dict[str, str]
    severity: str
    destinations: tuple[Destination, ...]
    account: str = ""
    _fingerprint: str = ""

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its labels, by which Alertmanager's tools know it. It takes long, so it is computed once."""
        if not self._fingerprint:
            msgspec.structs.force_setattr(self, "_fingerprint", label_fingerprint(self.labels))
        return self._fingerprint

    def of_receiver(self, receiver: str) -> Iterator[Destination]:
        """Yields the destinations through which ``receiver`` is notified of the alert."""
        return (destination for destination in self.destinations if destination.key[0] == receiver)


class _Remembered(msgspec.Struct, frozen=True, eq=False, gc=False):
    """An alert's destinations, and what they follow from: its rule's views, its severity, its incident, and the labels that receivers know it
    by."""

    views: Views
    severity: str
    incident: str
    told: dict[str, str] | None
    routed: AlertDestinations

    def holds(self, views: Views, severity: str, incident: str, told: dict[str, str] | None) -> bool:
        """Returns whether the destinations of an alert with these are the same."""
        return self.views is views and self.severity == severity and self.incident == incident and self.told == told


class DestinationCache:
    """Remembers the destinations of each alert until its severity, its incident, the labels that it was told with or its views change.

    ``receivers`` are the names of all receivers, in the order of the configuration. With ``by_account`` no group has alerts of two accounts.
    """

    def __init__(self, root: Route, receivers: tuple[str, ...], *, by_account: bool = False) -> None:
        self._root = root
        self._receivers = receivers
        self._by_account = by_account
        self._known: dict[str, _Remembered] = {}

    def of(self, alert: Alert, views: Views) -> AlertDestinations:
        """Returns the alert's destinations. Computes them anew at each call if the alert's rule no longer exists."""
        known, severity = self._known.get(alert.fingerprint), views.severity(alert)
        incident = "" if alert.incident is None else alert.incident.id
        told = None if alert.view is None or alert.is_untold else alert.view.labels
        if known is not None and known.holds(views, severity, incident, told):
            return known.routed
        labels, account = views.labels(alert), alert.account if self._by_account else ""
        routes = routes_for(self._root, labels)
        destinations = (
            _report_destinations(routes, labels, alert.fingerprint, account)
            if alert.is_report
            else self._destinations_of(routes, labels, account, incident)
        )
        routed = AlertDestinations(labels, severity, destinations, account)
        if views.knows(alert):
            self._known[alert.fingerprint] = _Remembered(views, severity, incident, told, routed)
        return routed

    def avoiding(self, routed: AlertDestinations, failing: Mapping[str, bool], about: str) -> AlertDestinations:
        """Returns the destinations of an alert which says that the receiver ``about`` cannot be reached: other receivers, if any can be reached.

        ``failing`` maps each receiver with a failing channel to whether all of its channels fail. If no other receiver works, the
        destinations stay as they are.
        """
        routes = [
            destination.route
            for destination in routed.destinations
            if not failing.get(destination.route.receiver, False)
        ]
        others = [route for route in routes if route.receiver != about]
        if not others:
            others = [replace(self._root, receiver=one) for one in self._working(failing, about)[:1]]
        if not others:
            return routed
        others_of = self._destinations_of(others, routed.labels, routed.account)
        return AlertDestinations(routed.labels, routed.severity, others_of, routed.account)

    def sweep(self, known: Mapping[str, object]) -> None:
        """Forgets alerts that are not in ``known``, once more than twice as many and 1,000 are remembered."""
        if len(self._known) > 2 * len(known) + 1_000:
            self.keep(known)

    def keep(self, known: Mapping[str, object]) -> bool:
        """Forgets alerts that are not in ``known``. Returns whether any is left."""
        self._known = {one: routed for one, routed in self._known.items() if one in known}
        return bool(self._known)

    def _working(self, failing: Mapping[str, bool], about: str) -> list[str]:
        """Returns the receivers other than ``about`` that can be reached, those without any failing channel first."""
        others = [one for one in self._receivers if one != about and not failing.get(one, False)]
        return sorted(others, key=lambda one: one in failing)

    def _destinations_of(
        self, routes: "tuple[Route, ...] | list[Route]", labels: dict[str, str], account: str, incident: str = ""
    ) -> tuple[Destination, ...]:
        destinations = [_destination(route, labels, account, incident) for route in routes]
        return tuple({destination.key: destination for destination in destinations}.values())


def _destination(route: Route, labels: dict[str, str], account: str, incident: str) -> Destination:
    overflow = (route.receiver, overflow_key(route, account))
    told_apart = {"account": account} if account and labels.get("account") == account else {}
    if not incident or not groups_incidents(route):
        key, shared = group_key(route, labels, account), group_labels(route, labels)
    else:
        shared = incident_labels(route, labels, incident)
        key = incident_key(route, shared, account)
    return Destination(route, (route.receiver, key), overflow, shared | told_apart)


def _report_destinations(
    routes: Iterable[Route], labels: dict[str, str], fingerprint: str, account: str
) -> tuple[Destination, ...]:
    """Returns the destinations of a report: under each route a group of its own with all of its labels, which is never repeated."""
    alone = (replace(route, group_by=(ALL_LABELS,), repeat_interval=None) for route in routes)
    destinations = (
        Destination(
            route,
            (route.receiver, report_key(route, fingerprint, account)),
            (route.receiver, reports_overflow_key(route, account)),
            group_labels(route, labels),
        )
        for route in alone
    )
    return tuple({destination.key: destination for destination in destinations}.values())


def failing_receivers(alerts: Iterable[Alert], channels: Mapping[str, tuple[str, ...]]) -> dict[str, bool]:
    """Returns the receivers of which an alert says that a channel fails; the value is true if all of their channels fail."""
    failing: dict[str, set[str]] = {}
    for alert in alerts:
        if alert.rule == NOTIFICATION_FAILING.name and alert.state == "firing":
            about = dict(alert.group)
            failing.setdefault(about.get("receiver", ""), set()).add(about.get("channel", ""))
    return {receiver: found.issuperset(channels.get(receiver, ())) for receiver, found in failing.items()}


def routes_by_receiver(root: Route) -> dict[tuple[str, str], Route]:
    """Returns every route of the tree by its receiver and its key."""
    routes = {(root.receiver, root.key): root}
    for route in root.routes:
        routes |= routes_by_receiver(route)
    return routes
