"""Determines each group's alerts at one flush: which fire, which are resolved, and which stay as last notified.

An alert belongs to the groups that the routing tree gives it. A receiver that was notified of it in a group to which another routing tree no
longer leads hears of it there until its end, and not in a second group as well: it would get its end twice. Only a change of severity moves
an alert from one group to another; the group that notified of it then follows it to its end.

A silenced, inhibited or muted alert does not exist for a group that was never notified of it; a group that was notified of it keeps it as
last notified until it is resolved.
"""

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from monitor.alerts.evaluation import ViewContext
from monitor.alerts.view import Views
from monitor.dispatch.destinations import AlertDestinations, Destination, Key
from monitor.model.alert import Alert
from monitor.routing.acknowledgements import Ack
from monitor.routing.flapping import RecentStarts, held_until
from monitor.routing.route import AggregationGroup, Route
from monitor.routing.suppression import AT_ONCE, SuppressionReason, muted_by
from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work, at_once, paced


class KnownAlert(msgspec.Struct, frozen=True, eq=False, gc=False):
    """An alert, with what it is shown by."""

    alert: Alert
    views: Views
    context: ViewContext


Known = Mapping[str, KnownAlert]
"""All alerts by their fingerprints."""


class KeptAlert(msgspec.Struct, frozen=True, gc=False):
    """An alert that stays as last notified, and why: silenced, inhibited, muted; empty: its resolution is held back."""

    alert: Alert
    why: str


class GroupMembers(msgspec.Struct, gc=False):
    """One group's alerts at one flush.

    ``firing`` maps each alert that fires, or is kept as last notified, to its severity. ``kept`` are those of them that stay as last notified.
    ``quiet`` alerts (the keys) cause no repeat.
    ``resolved`` are the alerts whose end is to be notified. ``account`` is the account of a new group (`monitor.dispatch.destinations`).
    ``missing`` are alerts, with the severity that was notified, of which nobody knows any more that they fired, because the store lost them. Their
    end was not seen.
    """

    route: Route
    labels: dict[str, str]
    muted: bool
    firing: dict[str, str] = {}
    kept: dict[str, KeptAlert] = {}
    quiet: dict[str, None] = {}
    resolved: dict[str, Alert] = {}
    missing: dict[str, str] = {}
    account: str = ""

    @property
    def going_on(self) -> dict[str, str]:
        """Returns what counts as firing, with the severities."""
        return self.firing | self.missing if self.missing else self.firing

    def keep(self, alert: Alert, notified_severity: str, word: str) -> None:
        """Keeps the alert as last notified, with that severity. ``word`` is the reason."""
        self.firing[alert.fingerprint] = notified_severity
        self.kept[alert.fingerprint] = KeptAlert(alert, word)
        self.quiet[alert.fingerprint] = None


@dataclass(slots=True)
class DispatchInput:
    """What one flush decides from: alerts, their destinations, why some are suppressed, acknowledgements and recent starts."""

    known: Known
    destinations: Mapping[str, AlertDestinations]
    suppressed: Mapping[str, SuppressionReason]
    acked: Mapping[str, Ack]
    recent_starts: RecentStarts
    now: Instant
    by_account: bool = False
    """Whether no group has alerts of two accounts, and each account is decided on as if it were the only one."""

    def part_of(self, account: str) -> str:
        """Returns what alerts of the account are decided on together with: only those of the same account, or (empty) all."""
        return account if self.by_account else ""


class GroupAssembler:
    """Assembles the groups of one flush. ``groups`` are the groups before it; ``routes`` are all routes, by receiver and key."""

    def __init__(
        self, given: DispatchInput, groups: Mapping[Key, AggregationGroup], root: Route, routes: Mapping[Key, Route]
    ) -> None:
        self._input = given
        self._groups = groups
        self._root = root
        self._routes = routes
        self._muted: dict[Key, bool] = {}
        self._notified_in: dict[tuple[str, str], tuple[Key, ...]] | None = None
        """By receiver and fingerprint, the groups in which the receiver was notified of the alert; None until that is needed."""
        self.members_by_key: dict[Key, GroupMembers] = {}
        self.change_at: list[Instant] = []
        """Times at which a held back resolution is due."""

    def assemble(self) -> dict[Key, GroupMembers]:
        """Returns every group that has firing alerts or was notified before."""
        return at_once(self.assembling())

    def assembling(self) -> Work[dict[Key, GroupMembers]]:
        """Does what `assemble` does, in pieces."""
        yield from self._joining()
        yield from self._following()
        return self.members_by_key

    def _joining(self) -> Work[None]:
        """Adds the firing alerts to the groups that they are routed to."""
        for (fingerprint, known), pauses in paced(self._input.known.items(), AT_ONCE):
            if known.alert.state == "firing":
                if self._notified_in is None and not self._is_told_in_its_groups(fingerprint):
                    self._notified_in = yield from self._finding_notified()
                self._join(fingerprint, known.alert)
            if pauses:
                yield

    def _following(self) -> Work[None]:
        """Adds the alerts that groups were notified of, and that are not among their members yet."""
        for (key, group), pauses in paced(self._groups.items(), AT_ONCE):
            if pauses:
                yield
            members = self.members_by_key.get(key) or self._left_over(key, group)
            for (fingerprint, severity), pauses in paced(group.told.items(), AT_ONCE):
                if pauses:
                    yield
                if fingerprint in members.firing:
                    continue
                if fingerprint in self._input.known:
                    self._follow(members, group, fingerprint, severity)
                else:
                    members.missing[fingerprint] = severity

    def is_muted(self, route: Route) -> bool:
        """Returns whether the route's time intervals mute it now."""
        key = (route.receiver, route.key)
        if key not in self._muted:
            self._muted[key] = bool(muted_by(route, self._input.now))
        return self._muted[key]

    def _join(self, fingerprint: str, alert: Alert) -> None:
        """Adds a firing alert to the groups that it is routed to."""
        routed = self._input.destinations[fingerprint]
        for destination in routed.destinations:
            key, group = self._group_of(destination, fingerprint, alert, routed)
            members = self.members_by_key.get(key)
            if members is None:
                members = self.members_by_key[key] = self._new(key, destination, group)
                members.account = routed.account
            notified_severity = None if group is None else group.told.get(fingerprint)
            self._enter(members, alert, routed.severity, notified_severity)

    def _is_told_in_its_groups(self, fingerprint: str) -> bool:
        """Returns whether every group that the alert is routed to has notified of it, so that no other one need be looked for."""
        destinations = self._input.destinations[fingerprint].destinations
        groups = (self._groups.get(destination.key) for destination in destinations)
        return all(group is not None and fingerprint in group.told for group in groups)

    def _finding_notified(self) -> Work[dict[tuple[str, str], tuple[Key, ...]]]:
        """Returns the groups in which a receiver was notified of an alert, by receiver and fingerprint."""
        found: dict[tuple[str, str], tuple[Key, ...]] = {}
        for (key, group), pauses in paced(self._groups.items(), AT_ONCE):
            if pauses:
                yield
            for one, pauses in paced(group.told, AT_ONCE):
                told_of = group.receiver, one
                found[told_of] = (*found.get(told_of, ()), key)
                if pauses:
                    yield
        return found

    def _group_of(
        self, destination: Destination, fingerprint: str, alert: Alert, routed: AlertDestinations
    ) -> tuple[Key, AggregationGroup | None]:
        """Returns the destination's group, or the one in which the receiver was notified of the alert instead.

        That is the overflow of the route, or a group that is no destination of the alert any more, unless its severity has moved it.
        """
        group = self._groups.get(destination.key)
        if group is not None and fingerprint in group.told:
            return destination.key, group
        notified = (
            None if self._notified_in is None else self._notified_in.get((destination.route.receiver, fingerprint))
        )
        if notified is None:
            return destination.key, group
        if destination.overflow in notified:
            return destination.overflow, self._groups[destination.overflow]
        reachable = {key for one in routed.destinations for key in (one.key, one.overflow)}
        for key in notified:
            told = self._groups[key].told[fingerprint]
            if key not in reachable and (alert.is_report or told == routed.severity):
                return key, self._groups[key]
        return destination.key, group

    def _enter(self, members: GroupMembers, alert: Alert, severity: str, notified_severity: str | None) -> None:
        fingerprint = alert.fingerprint
        word = self._word(members, fingerprint)
        if not word:
            members.firing[fingerprint] = severity
            if fingerprint in self._input.acked:
                members.quiet[fingerprint] = None
        elif notified_severity is not None:
            members.keep(alert, notified_severity, word)

    def _word(self, members: GroupMembers, fingerprint: str) -> str:
        why = self._input.suppressed.get(fingerprint)
        return why.word if why is not None else "muted" if members.muted else ""

    def _new(self, key: Key, destination: Destination, group: AggregationGroup | None) -> GroupMembers:
        labels = destination.labels if key == destination.key else {}
        if group is not None:
            labels = group.labels
        return GroupMembers(destination.route, labels, self.is_muted(destination.route))

    def _left_over(self, key: Key, group: AggregationGroup) -> GroupMembers:
        """Returns the members of a group that no alert is routed to now; it is not repeated."""
        route = self._routes.get((group.receiver, group.route))
        muted = route is not None and self.is_muted(route)
        members = GroupMembers(replace(route or self._root, repeat_interval=None), group.labels, muted)
        self.members_by_key[key] = members
        return members

    def _follow(self, members: GroupMembers, group: AggregationGroup, fingerprint: str, notified_severity: str) -> None:
        """Adds an alert that the group was notified of, but that is resolved or no longer routed to the group."""
        alert = self._input.known[fingerprint].alert
        routed = self._input.destinations[fingerprint]
        if alert.state == "firing":
            moved = routed.severity != notified_severity and any(routed.of_receiver(group.receiver))
            if not moved or self._word(members, fingerprint):
                self._enter(members, alert, routed.severity, notified_severity)
            else:
                members.resolved[fingerprint] = alert
            return
        resolved = alert.earlier if alert.state == "pending" else alert
        if resolved is None:  # the store lost it, and it is about to fire again
            members.missing[fingerprint] = notified_severity
            return
        held = held_until(self._input.recent_starts, resolved, self._input.now)
        if held is not None:
            self.change_at.append(held)
        if held is not None or self._is_notified_elsewhere(resolved, routed, group, notified_severity):
            members.keep(resolved, notified_severity, "")
        else:
            members.resolved[fingerprint] = resolved

    def _is_notified_elsewhere(
        self, resolved: Alert, routed: AlertDestinations, group: AggregationGroup, severity: str
    ) -> bool:
        """Returns whether another group, to which the alert is routed now, notifies the receiver of its end.

        This group must then not do so first: the alert could begin again in between, and the other group would have no reason to notify.
        """
        destinations = [
            key for destination in routed.of_receiver(group.receiver) for key in (destination.key, destination.overflow)
        ]
        if (group.receiver, group.key) in destinations:
            return False
        others = (self._groups.get(key) for key in destinations)
        return any(other is not None and other.told.get(resolved.fingerprint) == severity for other in others)
