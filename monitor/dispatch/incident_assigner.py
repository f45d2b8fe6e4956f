"""Decides which incident an alert belongs to when it begins to fire: one that is open, or a new one.

Two alerts are of one incident if they are of one family of rules and of one place: the same country, say. An alert whose labels do not name
its place is where most of its excess lies. What is wrong everywhere is one incident, not one for each place.
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from monitor.alerts.excess_location import ExcessLocation, Place
from monitor.config.rules.incident import IncidentGrouping
from monitor.dispatch.destinations import Key
from monitor.dispatch.group_members import Known, KnownAlert
from monitor.dispatch.located_alert import UNLOCATED, LocatedAlert, LocationBudget
from monitor.dispatch.open_incidents import OpenIncident, OpenIncidents
from monitor.model.alert import Alert
from monitor.model.incident import IncidentScope
from monitor.model.message import UNKNOWN
from monitor.routing.route import AggregationGroup, Route, groups_incidents, quiet_until
from monitor.routing.storm import is_overflow
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.clock import MINUTE, Duration, Instant
from monitor.runtime.pieces import Work, at_once, listed, ordered, paced

MOSTLY: Final = 0.5
"""An alert is where this part of its excess lies."""
TOGETHER: Final[Duration] = 15 * MINUTE
"""What is wrong everywhere takes up an incident of one place that began so lately: it was the first to be seen of it."""
MOST_LOCATED: Final = 50
"""The most alerts of one flush whose messages are looked at, those that begin first; of the others the labels must do."""
MOST_MEMBERS: Final = 10
"""The most alerts of an incident whose messages are compared with those of a new one."""

log = logging.getLogger(__name__)


class IncidentAssigner:
    """Finds the incident of each alert that begins to fire at one flush."""

    def __init__(
        self, known: Known, groups: Iterable[AggregationGroup], routes: Mapping[Key, Route], now: Instant
    ) -> None:
        self._known = known
        self._groups = list(groups)
        self._routes = routes
        self._now = now
        self._open = OpenIncidents()
        self._budget = LocationBudget(0)

    def assign(self) -> dict[str, IncidentScope]:
        """Returns, by fingerprint, the incident of each alert that has begun to fire.

        An alert that fires again before its end was notified stays in the incident that was notified. One that was notified outside of
        incidents, before its rule had them, stays without one.
        """
        return at_once(self.assigning())

    def assigning(self) -> Work[dict[str, IncidentScope]]:
        """Does what `assign` does, in pieces."""
        fresh = yield from self._fresh()
        if not fresh:
            return {}
        yield from self._take_open()
        found = {}
        notified = self._notified()
        yield
        new = yield from listed((one for one in fresh if one.alert.fingerprint not in notified), AT_ONCE)
        self._budget.left = max(MOST_LOCATED - len(new), 0)
        for one, pauses in paced(fresh, AT_ONCE):
            scope = notified.get(one.alert.fingerprint)
            if scope is not None:
                found[one.alert.fingerprint] = scope
                self._add_open(scope, one)
            if pauses:
                yield
        for position, one in enumerate((yield from ordered(new, _telling_first, AT_ONCE))):
            one.is_located = position < MOST_LOCATED or not one.scope
            scope = found[one.alert.fingerprint] = self._safe_scope_of(one)
            self._open.add(scope, one)
            yield
        return found

    def _fresh(self) -> Work[list[LocatedAlert]]:
        """Returns the firing alerts that have no incident yet and whose rules have incidents."""
        fresh = list[LocatedAlert]()
        for found, pauses in paced(self._known.values(), AT_ONCE):
            alert = found.alert
            if alert.state == "firing" and alert.incident is None and not alert.is_report:
                one = LocatedAlert(alert, found.views, found.context)
                fresh += [] if one.grouping is None else [one]
            if pauses:
                yield
        return fresh

    def _notified(self) -> dict[str, IncidentScope | None]:
        """Returns, by fingerprint, the incident in which each alert was notified; None if its group would be another one with an incident."""
        notified: dict[str, IncidentScope | None] = {}
        for group in self._groups:
            if group.incident is not None:
                notified |= dict.fromkeys(group.told, group.incident)
            elif self._would_leave(group):
                notified = dict.fromkeys(group.told) | notified
        return notified

    def _would_leave(self, group: AggregationGroup) -> bool:
        """Returns whether the group's alerts would leave it if they had an incident, so that they would be notified a second time."""
        route = self._routes.get((group.receiver, group.route))
        return not is_overflow(group.key) and (route is None or groups_incidents(route))

    def _take_open(self) -> Work[None]:
        """Takes up the incidents of which an alert fires, or the end is still to be notified, or was notified lately."""
        for group in self._groups:
            until = quiet_until(group)
            if group.incident is not None and (group.told or (until is not None and self._now < until)):
                self._open.add(group.incident)
        for found, pauses in paced(self._known.values(), AT_ONCE):
            for one in (found.alert, found.alert.earlier):
                if one is not None and one.incident is not None:
                    member = LocatedAlert(one, found.views, found.context) if one.state == "firing" else None
                    self._add_open(one.incident, member)
            if pauses:
                yield

    def _add_open(self, scope: IncidentScope, member: LocatedAlert | None) -> None:
        """Adds an incident that was there before; the messages of its alerts are looked at as far as those that begin leave room for it."""
        if member is not None:
            member.budget = self._budget
        self._open.add(scope, member)

    def _safe_scope_of(self, one: LocatedAlert) -> IncidentScope:
        try:
            return self._scope_of(one)
        except Exception:  # an alert whose messages cannot be counted is notified all the same: its labels must do
            log.exception(UNLOCATED, one.alert.rule)
            one.by_labels_alone()
            return self._scope_of(one)

    def _scope_of(self, one: LocatedAlert) -> IncidentScope:
        assert one.grouping is not None
        place, everywhere = self._place_of(one, one.grouping)
        scope = IncidentScope("", one.alert.account, one.grouping.name, self._now, place, everywhere)
        candidates = [found for found in self._open.candidates(scope) if self._joins(one, scope, found)]
        if not candidates:
            return msgspec.structs.replace(scope, id=_new_id(one.alert, scope))
        best = candidates[0]
        if len(candidates) > 1:
            best = min(candidates, key=lambda found: self._distance(one, scope, found))
        return msgspec.structs.replace(scope, id=best.scope.id, began_at=best.scope.began_at)

    def _place_of(self, one: LocatedAlert, grouping: IncidentGrouping) -> tuple[dict[str, str], bool]:
        """Returns where the alert is, and whether that is everywhere.

        It is in one value of the fields of ``grouping``; if there is none, in that of its own fields, or in one sender.
        """
        scope, location = one.scope, one.location
        place = {name: scope[name] for name in grouping.by if scope.get(name, UNKNOWN) != UNKNOWN}
        if not grouping.by or (location is None and not scope):
            return {}, True
        if location is not None and self._is_everywhere(location, grouping, place, scope):
            sender = location.one_sender()
            return sender, not sender
        for name in grouping.by if len(place) < len(grouping.by) else ():
            value, share = one.usual_value(name) if location is None else location.most_in(name)
            if name not in place and value != UNKNOWN and share >= MOSTLY:
                place[name] = value
        return place or scope or ({} if location is None else location.one_sender()), False

    def _is_everywhere(self, location: ExcessLocation, grouping: IncidentGrouping, place: Place, scope: Place) -> bool:
        """A campaign that goes to all countries is a campaign all the same; several applications that fail are not."""
        may_be = bool(place) or not scope or location.part_of_whole < MOSTLY
        return may_be and any(location.is_everywhere(name, place.get(name, "")) for name in grouping.by)

    def _joins(self, one: LocatedAlert, scope: IncidentScope, incident: OpenIncident) -> bool:
        other = incident.scope
        if other.everywhere:
            return True
        if scope.everywhere:
            return not one.scope or self._now - other.began_at <= TOGETHER
        shared = other.place.keys() & scope.place.keys()
        if shared:
            return all(other.place[name] == scope.place[name] for name in shared)
        if not other.place or not scope.place:
            return True
        if not one.is_located:
            return False
        return one.share_in(other.place) >= MOSTLY or any(
            member.share_in(one.scope) >= MOSTLY for member in incident.members[:MOST_MEMBERS]
        )

    def _distance(
        self, one: LocatedAlert, scope: IncidentScope, incident: OpenIncident
    ) -> tuple[bool, float, int, list[tuple[str, str]], str]:
        """Puts the incident of the same place first, then that in which most of the alert's excess lies, then the oldest, then the first by name."""
        other = incident.scope
        elsewhere = other.place.items().isdisjoint(scope.place.items())
        return elsewhere, -one.share_in(other.place), other.began_at, sorted(other.place.items()), other.id


def _telling_first(one: LocatedAlert) -> tuple[bool, bool, int, str]:
    """A campaign comes before the operators that fail for it, as it shows what they have in common; all messages come last."""
    named = one.grouping is not None and any(name in one.scope for name in one.grouping.by)
    return not one.scope, named, -len(one.scope), one.alert.fingerprint


def _new_id(alert: Alert, scope: IncidentScope) -> str:
    text = f"{scope.account}\0{scope.family}\0{alert.fingerprint}\0{alert.firing_at}"
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def with_incidents(known: Known, assigned: Mapping[str, IncidentScope]) -> Work[Known]:
    """Returns the alerts as they are in their incidents, in pieces."""
    joined = dict(known)
    for (one, scope), pauses in paced(assigned.items(), AT_ONCE):
        found = known[one]
        alert = msgspec.structs.replace(found.alert, incident=scope)
        joined[one] = KnownAlert(alert, found.views, found.context)
        if pauses:
            yield
    return joined
