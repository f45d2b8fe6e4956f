"""Turns alerts into notifications: decides which groups exist, which of them are notified now, and with what.

Like `monitor.alerts.evaluator` it proposes: what is to be written is committed first and applied then. Which alerts a group is concerned with says
`monitor.dispatch.group_members`, whether it is told `monitor.routing.route.decide`, and in what words `monitor.dispatch.notification_builder`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from monitor.alerts.evaluation import ViewContext
from monitor.alerts.view import Views
from monitor.dispatch.destinations import (
    AlertDestinations,
    DestinationCache,
    Key,
    failing_receivers,
    routes_by_receiver,
)
from monitor.dispatch.group_members import DispatchInput, GroupAssembler, GroupMembers, Known
from monitor.dispatch.notification_builder import MOST_ALERTS, NotificationBuilder, new_group, to_all
from monitor.dispatch.storm_overflow import GroupDecision, limit_new_groups
from monitor.dispatch.watchdog import WatchdogState
from monitor.model.alert import Alert
from monitor.model.builtin_alerts import NOTIFICATION_FAILING
from monitor.model.notification import AlertView
from monitor.routing.acknowledgements import Ack
from monitor.routing.flapping import RecentStarts
from monitor.routing.inhibition import Inhibition
from monitor.routing.route import AggregationGroup, Decision, Route, decide
from monitor.routing.silences import Silence, Silences
from monitor.routing.storm import MOST as MOST_GROUPS
from monitor.routing.suppression import Suppression, SuppressionReason, next_minute, silenced_since, silences_change_at
from monitor.runtime.clock import DAY, Duration, Instant
from monitor.store.protocol import SILENCES_KEPT, Pending

AWAITED: Final[Duration] = 7 * DAY
"""Time within which a receiver that was removed from the configuration and comes back still gets the resolutions that it missed."""


@dataclass(slots=True)
class SuppressionEdits:
    """Silences and acknowledgements that are new or changed, and those to be forgotten (by id, by fingerprint)."""

    silences: list[Silence] = field(default_factory=list)
    dropped_silences: list[str] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    dropped_acks: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.silences or self.dropped_silences or self.acks or self.dropped_acks)


@dataclass(slots=True)
class DispatchPlan:
    """What is to be committed: notifications, groups as they are afterwards, those that are over, and what of silences and
    acknowledgements changes; and when to flush again.

    ``views`` are the alerts as they were shown. ``input`` is what it was decided by, ``silences`` and ``acks`` are as they will be.
    """

    input: DispatchInput
    silences: Silences
    acks: dict[str, Ack]
    edits: SuppressionEdits = field(default_factory=SuppressionEdits)
    outbox: list[Pending] = field(default_factory=list)
    groups: list[AggregationGroup] = field(default_factory=list)
    dropped: list[AggregationGroup] = field(default_factory=list)
    views: list[AlertView] = field(default_factory=list)
    watchdog: AggregationGroup | None = None
    """The watchdog's group, where it barks."""

    next_flush: Instant | None = None

    def flush_by(self, at: Instant | None) -> None:
        """At that time at the latest."""
        if at is not None:
            self.next_flush = at if self.next_flush is None else min(at, self.next_flush)


class Dispatcher:
    """Keeps the groups and decides at each flush what is sent.

    ``channels`` are the receivers', such as ``slack/0``, and ``editable`` those of them that can change what they were told; ``keeping`` are
    those behind which a program keeps an alert until it gets its end, also of a report. ``most`` is how many alerts one notification
    holds, ``most_groups`` from how many new groups on there is a storm.
    """

    def __init__(
        self,
        route: Route,
        channels: Mapping[str, tuple[str, ...]],
        external_url: str = "",
        most: int = MOST_ALERTS,
        *,
        inhibitions: Iterable[Inhibition] = (),
        editable: Mapping[str, tuple[str, ...]] | None = None,
        keeping: Mapping[str, tuple[str, ...]] | None = None,
        watchdog: WatchdogState | None = None,
    ) -> None:
        self.route = route
        self.channels = channels
        self.external_url = external_url
        self.most = most
        self.most_groups = MOST_GROUPS
        self.watchdog = watchdog
        self.groups: dict[Key, AggregationGroup] = {}
        self.silences = Silences()
        self.acks: dict[str, Ack] = {}
        self.begun = RecentStarts()
        self._editable = editable or {}
        self._keeping = keeping or {}
        self._routes = routes_by_receiver(route)
        self._destinations = DestinationCache(route, tuple(channels))
        self._suppression = Suppression(tuple(inhibitions))
        self._timed = any(one.mute or one.active for one in self._routes.values())

    def flush(
        self,
        alerts: Iterable[tuple[Alert, Views, ViewContext]],
        now: Instant,
        edits: SuppressionEdits | None = None,
        *,
        well: bool = True,
    ) -> DispatchPlan:
        """What is to be sent now of these alerts, which are all that there are: pending, firing, or over but not yet told so.

        ``edits`` are taken to be made. ``well``: the watchdog may say that all is well.
        """
        plan = self._plan(alerts, now, edits or SuppressionEdits())
        assembler = GroupAssembler(plan.input, self.groups, self.route, self._routes)
        builder = NotificationBuilder(
            plan.input, self.channels, self._editable, self._keeping, self.external_url, self.most
        )
        members = assembler.assemble()
        plan.dropped += [self.groups[key] for key, some in members.items() if self._is_given_up(key, some, now)]

        def decision_of(key: Key, some: GroupMembers) -> GroupDecision:
            return self._decide(key, some, builder, now)

        decisions = [decision_of(key, some) for key, some in members.items() if key[0] in self.channels]
        for one in limit_new_groups(decisions, self.groups, decision_of, builder.badness, now, self.most_groups):
            self._flush_group(one, builder, plan)
        plan.outbox, plan.views = builder.outbox, builder.views
        self._watch(plan, now, well=well)
        for at in [*assembler.change_at, *(ack.until for ack in plan.acks.values())]:
            plan.flush_by(at)
        plan.flush_by(silences_change_at(plan.silences, now))
        if self._timed and any(one.members.route.mute or one.members.route.active for one in decisions):
            plan.flush_by(next_minute(now))
        return plan

    def apply(self, plan: DispatchPlan) -> None:
        """It is committed."""
        for group in plan.groups:
            self.groups[group.receiver, group.key] = group
        for group in plan.dropped:
            self.groups.pop((group.receiver, group.key), None)
        self.silences, self.acks = plan.silences, plan.acks
        if self.watchdog is not None and plan.watchdog is not None:
            self.watchdog.group = plan.watchdog
        for alert, _, _ in plan.input.known.values():
            if alert.state == "firing":
                self.begun.note(alert)
        self.begun.sweep(plan.input.now)
        self._destinations.sweep(plan.input.known)

    def notified(self) -> set[str]:
        """Alerts that some receiver believes to be firing."""
        return {fingerprint for group in self.groups.values() for fingerprint in group.told}

    # What there is

    def input_of(self, alerts: Iterable[tuple[Alert, Views, ViewContext]], now: Instant) -> DispatchInput:
        """What is decided by, for whoever only reads."""
        return self._plan(alerts, now, SuppressionEdits()).input

    def _plan(
        self, alerts: Iterable[tuple[Alert, Views, ViewContext]], now: Instant, edits: SuppressionEdits
    ) -> DispatchPlan:
        known = {alert.fingerprint: (alert, views, context) for alert, views, context in alerts}
        destinations = self._destinations_of(known)
        dropped = edits.dropped_silences + [one.id for one in self.silences.all() if one.ends_at <= now - SILENCES_KEPT]
        silences = self._silences_after(edits.silences, dropped)
        acks, gone = self._acks_after(edits, known, now)
        firing = {one: destinations[one].labels for one, (alert, _, _) in known.items() if alert.state == "firing"}
        suppressed: dict[str, SuppressionReason] = self._suppression.of(firing, silences, now)
        reports = {one: alert.firing_at for one, (alert, _, _) in known.items() if one in firing and alert.is_report}
        for one, since in reports.items():
            by = silenced_since(firing[one], silences, now if since is None else since, now)
            if by and one not in suppressed:
                suppressed[one] = SuppressionReason(by)
        given = DispatchInput(known, destinations, suppressed, acks, self.begun, now)
        kept = [ack for ack in edits.acks if ack.fingerprint in acks]
        return DispatchPlan(given, silences, acks, SuppressionEdits(edits.silences, dropped, kept, gone))

    def _destinations_of(self, known: Known) -> dict[str, AlertDestinations]:
        destinations = {}
        for one, (alert, views, _) in known.items():
            was = alert.earlier if alert.state == "pending" and alert.earlier is not None else alert
            destinations[one] = self._destinations.of(was, views)
        failing = failing_receivers((alert for alert, _, _ in known.values()), self.channels)
        for one in known if failing else ():
            about = dict(known[one][0].group).get("receiver")
            if about is not None and known[one][0].rule == NOTIFICATION_FAILING.name:
                destinations[one] = self._destinations.avoiding(destinations[one], failing, about)
        return destinations

    def _silences_after(self, put: Iterable[Silence], dropped: Iterable[str]) -> Silences:
        """Returns a copy of the silences with these changes, since the proposal may not be committed."""
        after = {one.id: one for one in (*self.silences.all(), *put)}
        for one in dropped:
            after.pop(one, None)
        return Silences(after.values()) if [*put, *dropped] else self.silences

    def _acks_after(self, edits: SuppressionEdits, known: Known, now: Instant) -> tuple[dict[str, Ack], list[str]]:
        """Those that hold, and the fingerprints of those that are to be forgotten."""
        acks = self.acks | {ack.fingerprint: ack for ack in edits.acks}
        holding = {
            one: ack
            for one, ack in acks.items()
            if one in known and one not in edits.dropped_acks and ack.holds(known[one][0], now)
        }
        return holding, [one for one in self.acks if one not in holding]

    # Groups

    def _decide(self, key: Key, some: GroupMembers, builder: NotificationBuilder, now: Instant) -> GroupDecision:
        before = self.groups.get(key)
        group = _not_ahead(before, now) if before is not None else new_group(key, some.route, some.labels, now)
        return GroupDecision(
            key, some, before, group, decide(group, some.firing, builder.ranks, some.route, now, some.quiet)
        )

    def _is_given_up(self, key: Key, some: GroupMembers, now: Instant) -> bool:
        """Whether a group need not be kept any longer for a receiver that the configuration does not have, in case it comes back."""
        if key[0] in self.channels:
            return False
        ends = [over.resolved_at for over in some.over.values()]
        return not some.firing and all(end is not None and now - end >= AWAITED for end in ends)

    def _flush_group(self, one: GroupDecision, builder: NotificationBuilder, plan: DispatchPlan) -> None:
        group, some, decision, now = one.group, one.members, one.decision, plan.input.now
        if decision.reason is not None:
            group = builder.notify(group, some, decision.reason)
            decision = Decision(None, None)
            if group.told:
                decision = decide(group, some.firing, builder.ranks, some.route, now, some.quiet)
        group = builder.show_acks(group, some)
        if not some.firing and not group.told:
            plan.dropped += [one.before] if one.before is not None else []
            return
        if decision.next_at is not None:
            group = msgspec.structs.replace(group, flush_at=decision.next_at)
            plan.flush_by(decision.next_at)
        if group != one.before:
            plan.groups.append(group)

    def _watch(self, plan: DispatchPlan, now: Instant, *, well: bool) -> None:
        if self.watchdog is None:
            return
        group, notification = self.watchdog.flush(now, self.external_url, well=well)
        if notification is not None:
            plan.watchdog = group
            plan.outbox += to_all(notification, self.channels)
        plan.flush_by(self.watchdog.next_at(group, now))


def _not_ahead(group: AggregationGroup, now: Instant) -> AggregationGroup:
    """A group that was told "in the future", by a clock that has been set back since, must not wait until then."""
    if group.started_at <= now and (group.told_at is None or group.told_at <= now):
        return group
    told_at = None if group.told_at is None else min(group.told_at, now)
    return msgspec.structs.replace(group, started_at=min(group.started_at, now), told_at=told_at)
