"""Where each alert belongs: its labels, its severity, and the group of each route that the routing tree gives it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from monitor.alerts.view import Views
from monitor.model.alert import Alert
from monitor.model.builtin_alerts import NOTIFICATION_FAILING
from monitor.routing.route import ALL_LABELS, Route, group_key, report_key, routes_for
from monitor.routing.storm import overflow_key, reports_overflow_key

Key = tuple[str, str]
"""A receiver and the key of a group."""


class Destination(NamedTuple):
    """One group that an alert belongs to: its route, its key, and the key of the route's overflow."""

    route: Route
    key: Key
    overflow: Key


@dataclass(frozen=True, slots=True)
class AlertDestinations:
    """One alert's labels and severity, and the groups that it belongs to while it fires."""

    labels: dict[str, str]
    severity: str
    destinations: tuple[Destination, ...]

    def of_receiver(self, receiver: str) -> Iterator[Destination]:
        """The groups through which that receiver hears of it."""
        return (destination for destination in self.destinations if destination.key[0] == receiver)


class DestinationCache:
    """Remembers the destinations of each alert while it does not change. ``receivers`` are all there are, in the order of the configuration."""

    def __init__(self, root: Route, receivers: tuple[str, ...]) -> None:
        self._root = root
        self._receivers = receivers
        self._known: dict[str, tuple[int, Views, AlertDestinations]] = {}

    def of(self, alert: Alert, views: Views) -> AlertDestinations:
        """The alert's destinations. If its rule is gone, they are computed again on each call."""
        known = self._known.get(alert.fingerprint)
        if known is not None and known[0] == alert.level and known[1] is views:
            return known[2]
        labels = views.labels(alert)
        routes = routes_for(self._root, labels)
        destinations = (
            _report_destinations(routes, alert.fingerprint)
            if alert.is_report
            else self._destinations_of(routes, labels)
        )
        routed = AlertDestinations(labels, views.severity(alert), destinations)
        if views.knows(alert):
            self._known[alert.fingerprint] = (alert.level, views, routed)
        return routed

    def avoiding(self, routed: AlertDestinations, failing: Mapping[str, bool], about: str) -> AlertDestinations:
        """The destinations of an alert which says that receiver ``about`` cannot be told: elsewhere, as far as there is another.

        ``failing`` are the receivers with a channel that fails; True: all of their channels do.
        """
        routes = [
            destination.route
            for destination in routed.destinations
            if not failing.get(destination.route.receiver, False)
        ]
        others = [route for route in routes if route.receiver != about]
        if not others:
            others = [replace(self._root, receiver=one) for one in self._working(failing, about)[:1]]
        return replace(routed, destinations=self._destinations_of(others, routed.labels)) if others else routed

    def sweep(self, known: Mapping[str, object]) -> None:
        """Forget alerts that are gone, where they have become many."""
        if len(self._known) > 2 * len(known) + 1_000:
            self._known = {one: routed for one, routed in self._known.items() if one in known}

    def _working(self, failing: Mapping[str, bool], about: str) -> list[str]:
        """Receivers that can be told, those with no trouble at all first."""
        others = [one for one in self._receivers if one != about and not failing.get(one, False)]
        return sorted(others, key=lambda one: one in failing)

    def _destinations_of(
        self, routes: "tuple[Route, ...] | list[Route]", labels: dict[str, str]
    ) -> tuple[Destination, ...]:
        destinations = (
            Destination(route, (route.receiver, group_key(route, labels)), (route.receiver, overflow_key(route)))
            for route in routes
        )
        return tuple({destination.key: destination for destination in destinations}.values())


def _report_destinations(routes: Iterable[Route], fingerprint: str) -> tuple[Destination, ...]:
    """A report is a group of its own, with all of its labels, and is never repeated."""
    alone = (replace(route, group_by=(ALL_LABELS,), repeat_interval=None) for route in routes)
    destinations = (
        Destination(
            route, (route.receiver, report_key(route, fingerprint)), (route.receiver, reports_overflow_key(route))
        )
        for route in alone
    )
    return tuple({destination.key: destination for destination in destinations}.values())


def failing_receivers(alerts: Iterable[Alert], channels: Mapping[str, tuple[str, ...]]) -> dict[str, bool]:
    """The receivers of which a channel cannot be told now, as their alerts say; True: that holds for all of their channels."""
    failing: dict[str, set[str]] = {}
    for alert in alerts:
        if alert.rule == NOTIFICATION_FAILING.name and alert.state == "firing":
            about = dict(alert.group)
            failing.setdefault(about.get("receiver", ""), set()).add(about.get("channel", ""))
    return {receiver: found.issuperset(channels.get(receiver, ())) for receiver, found in failing.items()}


def routes_by_receiver(root: Route) -> dict[tuple[str, str], Route]:
    """Every route of the tree by its receiver and its key."""
    routes = {(root.receiver, root.key): root}
    for route in root.routes:
        routes |= routes_by_receiver(route)
    return routes
