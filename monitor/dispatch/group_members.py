"""Determines each group's alerts at one flush: which fire, which are resolved, and which stay as last notified.

A receiver hears of an alert's end wherever it heard of the alert, also where the alert is routed elsewhere meanwhile: such a group
follows the alert, is told of changes and of the end, and of nothing new. An alert that is silenced, inhibited or muted before it
was told does not exist for the group; one that was told stays in it as it was told, until it is over.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from monitor.alerts.evaluation import ViewContext
from monitor.alerts.view import Views
from monitor.dispatch.destinations import AlertDestinations, Destination, Key
from monitor.model.alert import Alert
from monitor.routing.acknowledgements import Ack
from monitor.routing.flapping import RecentStarts, held_until
from monitor.routing.route import AggregationGroup, Route, group_labels
from monitor.routing.suppression import SuppressionReason, muted_by
from monitor.runtime.clock import Instant

Known = Mapping[str, tuple[Alert, Views, ViewContext]]
"""All alerts by their fingerprints, with what they are shown by."""


@dataclass(slots=True)
class GroupMembers:
    """One group's alerts. ``firing`` has the severity of each that fires or is taken to; ``kept`` are those of them that nothing new is
    said of, with the word why (empty: their end is held back); no repeat is for the sake of ``quiet`` ones."""

    route: Route
    labels: dict[str, str]
    muted: bool
    firing: dict[str, str] = field(default_factory=dict)
    kept: dict[str, tuple[Alert, str]] = field(default_factory=dict)
    quiet: set[str] = field(default_factory=set)
    over: dict[str, Alert] = field(default_factory=dict)

    def keep(self, alert: Alert, notified: str, word: str) -> None:
        """It goes on as it was told."""
        self.firing[alert.fingerprint] = notified
        self.kept[alert.fingerprint] = (alert, word)
        self.quiet.add(alert.fingerprint)


@dataclass(slots=True)
class DispatchInput:
    """What decides about membership at one flush: alerts, their destinations, why some are not told, and who has acknowledged what."""

    known: Known
    destinations: Mapping[str, AlertDestinations]
    suppressed: Mapping[str, SuppressionReason]
    acked: Mapping[str, Ack]
    begun: RecentStarts
    now: Instant


class GroupAssembler:
    """Puts the groups of one flush together. ``groups`` are those of before, ``routes`` all there are, by receiver and key."""

    def __init__(
        self, given: DispatchInput, groups: Mapping[Key, AggregationGroup], root: Route, routes: Mapping[Key, Route]
    ) -> None:
        self._input = given
        self._groups = groups
        self._root = root
        self._routes = routes
        self._muted: dict[Key, bool] = {}
        self.members: dict[Key, GroupMembers] = {}
        self.change_at: list[Instant] = []
        """When something changes by the passing of time alone."""

    def assemble(self) -> dict[Key, GroupMembers]:
        """Every group that has, or had, something to tell."""
        for fingerprint, (alert, _, _) in self._input.known.items():
            if alert.state == "firing":
                self._join(fingerprint, alert)
        for key, group in self._groups.items():
            some = self.members.get(key) or self._left_over(key, group)
            for fingerprint, severity in group.told.items():
                if fingerprint not in some.firing and fingerprint in self._input.known:
                    self._follow(some, group, fingerprint, severity)
        return self.members

    def is_muted(self, route: Route) -> bool:
        """Whether the route tells nobody now."""
        key = (route.receiver, route.key)
        if key not in self._muted:
            self._muted[key] = bool(muted_by(route, self._input.now))
        return self._muted[key]

    def _join(self, fingerprint: str, alert: Alert) -> None:
        """Into the groups to which it is routed."""
        routed = self._input.destinations[fingerprint]
        for destination in routed.destinations:
            if (
                alert.is_report
                and self._notified_in.get((destination.route.receiver, fingerprint), destination.key) != destination.key
            ):
                continue  # it is told once, wherever it is routed by now
            key, group = self._group_of(destination, fingerprint)
            some = self.members.get(key)
            if some is None:
                some = self.members[key] = self._new(key, destination, routed, group)
            notified = None if group is None else group.told.get(fingerprint)
            self._enter(some, alert, routed.severity, notified)

    @cached_property
    def _notified_in(self) -> dict[tuple[str, str], Key]:
        """The group in which the receiver was notified of the alert, by receiver and fingerprint."""
        return {(key[0], one): key for key, group in self._groups.items() for one in group.told}

    def _group_of(self, destination: Destination, fingerprint: str) -> tuple[Key, AggregationGroup | None]:
        """The alert's own group, or the overflow of its route if it was told there."""
        group, overflow = self._groups.get(destination.key), self._groups.get(destination.overflow)
        if overflow is None or fingerprint not in overflow.told or (group is not None and fingerprint in group.told):
            return destination.key, group
        return destination.overflow, overflow

    def _enter(self, some: GroupMembers, alert: Alert, severity: str, notified: str | None) -> None:
        fingerprint = alert.fingerprint
        word = self._word(some, fingerprint)
        if not word:
            some.firing[fingerprint] = severity
            if fingerprint in self._input.acked:
                some.quiet.add(fingerprint)
        elif notified is not None:
            some.keep(alert, notified, word)

    def _word(self, some: GroupMembers, fingerprint: str) -> str:
        why = self._input.suppressed.get(fingerprint)
        return why.word if why is not None else "muted" if some.muted else ""

    def _new(
        self, key: Key, destination: Destination, routed: AlertDestinations, group: AggregationGroup | None
    ) -> GroupMembers:
        labels = group_labels(destination.route, routed.labels) if key == destination.key else {}
        if group is not None:
            labels = group.labels
        return GroupMembers(destination.route, labels, self.is_muted(destination.route))

    def _left_over(self, key: Key, group: AggregationGroup) -> GroupMembers:
        """A group to which no alert is routed now: it is not repeated."""
        route = self._routes.get((group.receiver, group.route))
        muted = route is not None and self.is_muted(route)
        some = GroupMembers(replace(route or self._root, repeat_interval=None), group.labels, muted)
        self.members[key] = some
        return some

    def _follow(self, some: GroupMembers, group: AggregationGroup, fingerprint: str, notified: str) -> None:
        """An alert of which the group's receiver was notified and that is resolved or no longer routed to the group."""
        alert, _, _ = self._input.known[fingerprint]
        routed = self._input.destinations[fingerprint]
        if alert.state == "firing":
            moved = routed.severity != notified and any(routed.of_receiver(group.receiver))
            if not moved or self._word(some, fingerprint):
                self._enter(some, alert, routed.severity, notified)
            else:
                some.over[fingerprint] = alert
            return
        over = alert.earlier if alert.state == "pending" else alert
        if over is None:
            return
        held = held_until(self._input.begun, over, self._input.now)
        if held is not None:
            self.change_at.append(held)
        if held is not None or self._is_notified_elsewhere(over, routed, group, notified):
            some.keep(over, notified, "")
        else:
            some.over[fingerprint] = over

    def _is_notified_elsewhere(
        self, over: Alert, routed: AlertDestinations, group: AggregationGroup, severity: str
    ) -> bool:
        """Whether the receiver hears of the alert's end from the group to which it is routed now: it must not hear of it here
        before, since the alert could begin again in between, which that group would have no reason to tell."""
        destinations = [
            key for destination in routed.of_receiver(group.receiver) for key in (destination.key, destination.overflow)
        ]
        if (group.receiver, group.key) in destinations:
            return False
        others = (self._groups.get(key) for key in destinations)
        return any(other is not None and other.told.get(over.fingerprint) == severity for other in others)
