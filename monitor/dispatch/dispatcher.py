"""Turns alerts into notifications: decides which groups exist, which of them are notified now, and with what.

Like `monitor.alerts.evaluator` it proposes a plan, which is committed to the store first and applied in memory afterwards.
`monitor.dispatch.group_members` determines each group's alerts, `monitor.routing.route.decide` whether a group is notified, and
`monitor.dispatch.notification_builder` writes the notification.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import field
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
from monitor.dispatch.group_members import DispatchInput, GroupAssembler, GroupMembers, Known, KnownAlert
from monitor.dispatch.incident_assigner import IncidentAssigner, with_incidents
from monitor.dispatch.missing_alerts import MissingAlerts
from monitor.dispatch.notification_builder import MOST_ALERTS, NotificationBuilder, new_group, to_all
from monitor.dispatch.scheduled_report import KEY as REPORT_KEY
from monitor.dispatch.storm_overflow import DecisionOf, GroupDecision, limit_new_groups
from monitor.dispatch.untold_views import untold_views
from monitor.dispatch.watchdog import KEY as WATCHDOG_KEY
from monitor.dispatch.watchdog import WatchdogState
from monitor.model.alert import Alert
from monitor.model.builtin_alerts import NOTIFICATION_FAILING
from monitor.model.incident import IncidentScope
from monitor.model.notification import AlertView
from monitor.routing.acknowledgements import Ack
from monitor.routing.flapping import RecentStarts
from monitor.routing.inhibition import Inhibition
from monitor.routing.route import AggregationGroup, Decision, Route, decide, quiet_until
from monitor.routing.silences import Silence, Silences
from monitor.routing.storm import MOST as MOST_GROUPS
from monitor.routing.suppression import (
    AT_ONCE,
    Suppression,
    SuppressionReason,
    next_minute,
    silenced_since,
    silences_change_at,
)
from monitor.runtime.clock import DAY, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work, at_once, paced
from monitor.store.protocol import SILENCES_KEPT, Pending

AWAITED: Final[Duration] = 7 * DAY
"""Time for which the groups of a removed receiver are kept: if it comes back within that, it still gets the resolutions that it missed."""


@dataclass(frozen=True, slots=True)
class Apart:
    """The accounts that one flush is about, where each account is decided on as if it were the only one.

    ``others`` returns the fingerprints of the alerts of all other accounts that are held.
    """

    accounts: Collection[str]
    others: Callable[[], Collection[str]]


@dataclass(slots=True)
class SuppressionEdits:
    """Changes that people make to silences and acknowledgements: new or changed ones, and removed ones (by id or fingerprint)."""

    silences: list[Silence] = field(default_factory=list)
    dropped_silences: list[str] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    dropped_acks: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.silences or self.dropped_silences or self.acks or self.dropped_acks)


@dataclass(slots=True)
class DispatchPlan:
    """What one flush changes: notifications, changed and dropped groups, silences and acknowledgements, and when to flush again.

    ``input`` is what the plan was decided from. ``silences`` and ``acks`` are as they will be once the plan is applied; ``edits`` are the
    changes to them. ``views`` are the alerts as the notifications show them.
    """

    input: DispatchInput
    silences: Silences
    acks: dict[str, Ack]
    edits: SuppressionEdits = field(default_factory=SuppressionEdits)
    outbox: list[Pending] = field(default_factory=list)
    groups: list[AggregationGroup] = field(default_factory=list)
    groups_by_key: dict[Key, AggregationGroup] = field(default_factory=dict)
    """The same as ``groups``, once the plan is complete; and so are ``accounts``, those that its alerts are of."""
    accounts: set[str] = field(default_factory=set)
    dropped: list[AggregationGroup] = field(default_factory=list)
    views: list[AlertView] = field(default_factory=list)
    untold: dict[str, AlertView] = field(default_factory=dict)
    """By fingerprint, the views that alerts keep which no notification shows as they are; see `monitor.dispatch.untold_views`."""

    incidents: dict[str, IncidentScope] = field(default_factory=dict)
    """By fingerprint, the incidents of the alerts that have begun to fire."""

    watchdog: AggregationGroup | None = None
    """The watchdog's group, if a watchdog notification is sent."""

    begun: dict[str, tuple[Instant, ...]] = field(default_factory=dict)
    """By fingerprint, the recent beginnings of the alerts that fire (`RecentStarts`), where they are others than before."""

    next_flush: Instant | None = None

    def flush_by(self, at: Instant | None) -> None:
        """Makes the next flush happen at ``at`` or earlier; None changes nothing."""
        if at is not None:
            self.next_flush = at if self.next_flush is None else min(at, self.next_flush)


class Dispatcher:
    """Keeps the groups and decides at each flush what is sent.

    ``channels`` are the receivers' channels, such as ``slack/0``. ``editable`` are those that can change messages they have sent;
    ``keeping`` are those behind which a program keeps an alert open until it is resolved, reports included. ``most`` is the most alerts
    that one notification holds. ``most_groups`` is the number of new groups above which a storm begins. Where several daemons share the
    accounts, ``leading`` is the account to which what concerns none belongs, until `lead_by` says another one. Every account is then decided
    on as if it were the only one; else groups and inhibition span them.
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
        leading: str = "",
    ) -> None:
        self.route = route
        self.channels = channels
        self.external_url = external_url
        self.most = most
        self.most_groups = MOST_GROUPS
        self.watchdog = watchdog
        self.leading = leading
        self.by_account = bool(leading)
        self.groups: dict[Key, AggregationGroup] = {}
        self.silences = Silences()
        self.acks: dict[str, Ack] = {}
        self.reported: AggregationGroup | None = None
        """Which morning report was sent last (`monitor.dispatch.scheduled_report`), of all accounts; None: that was not read from the store yet."""
        self.leads = True
        """Whether the leading account is here, and so are the watchdog and the morning report to be sent."""
        self.recent_starts = RecentStarts()
        self.missing = MissingAlerts()
        self._editable = editable or {}
        self._keeping = keeping or {}
        self._routes = routes_by_receiver(route)
        self._destinations: dict[str, DestinationCache] = {}
        """By account; of all (empty) where they are not decided on apart."""
        self._suppression = Suppression(tuple(inhibitions))
        self._timed = any(one.mute or one.active for one in self._routes.values())

    def flush(
        self,
        alerts: Iterable[tuple[Alert, Views, ViewContext]],
        now: Instant,
        edits: SuppressionEdits | None = None,
        *,
        well: bool = True,
        may_forget: bool = True,
    ) -> DispatchPlan:
        """Returns the plan of what is sent now.

        ``alerts`` are all that exist: pending, firing, or resolved while a receiver still has to be notified of it. ``edits`` count as
        made. ``well`` says whether the watchdog may send its notification, ``may_forget`` whether silences that ended long before ``now`` are
        dropped.
        """
        return at_once(self.flushing(alerts, now, edits, well=well, may_forget=may_forget))

    def flushing(
        self,
        alerts: Iterable[tuple[Alert, Views, ViewContext]],
        now: Instant,
        edits: SuppressionEdits | None = None,
        *,
        well: bool = True,
        may_forget: bool = True,
        apart: Apart | None = None,
    ) -> Work[DispatchPlan]:
        """Does what `flush` does, in pieces. The alerts, what they are rendered from, and the dispatcher must not change meanwhile.

        With ``apart`` the alerts are those of its accounts, and the groups of others stay as they are.
        """
        known = yield from _by_fingerprint(alerts)
        groups = self._groups_of(apart)
        incidents = yield from self._assigning(known, groups, now)
        yield
        forgotten = [one.id for one in self.silences.all() if one.ends_at <= now - SILENCES_KEPT] if may_forget else []
        in_incidents = yield from with_incidents(known, incidents)
        plan = yield from self._planning(in_incidents, now, edits or SuppressionEdits(), apart, forgotten)
        plan.incidents = incidents
        yield
        assembler = GroupAssembler(plan.input, groups, self.route, self._routes)
        builder = NotificationBuilder(
            plan.input, self.channels, self._editable, self._keeping, self.external_url, self.most
        )
        members_by_key = yield from assembler.assembling()
        plan.flush_by((yield from self.missing.leaving_out(members_by_key.values(), now)))
        yield from self._giving_up(members_by_key, plan)

        def decision_of(key: Key, members: GroupMembers) -> Work[GroupDecision]:
            return self._decide(key, members, builder, now)

        yield
        decisions = yield from self._deciding(members_by_key, decision_of)
        limited = yield from limit_new_groups(
            decisions, groups, decision_of, builder.priority, builder.ranks, now, self.most_groups
        )
        for one in limited:
            yield from self._flush_group(one, builder, plan)
            yield
        plan.outbox, plan.views = builder.outbox, builder.views
        if self.by_account:
            shown = {view.fingerprint for view in plan.views if view.status == "firing"}
            plan.untold = yield from untold_views(plan.input, shown)
        self._watch(plan, now, well=well)
        for at in [*assembler.change_at, *(ack.until for one, ack in plan.acks.items() if one in known)]:
            plan.flush_by(at)
        plan.flush_by(silences_change_at(plan.silences, now))
        if self._timed and any(one.members.route.mute or one.members.route.active for one in decisions):
            plan.flush_by(next_minute(now))
        # To free what was made for thousands of groups takes milliseconds: a piece of work each.
        del decisions, limited
        yield
        del members_by_key, assembler
        yield
        plan.begun = yield from self.recent_starts.noting(known.alert for known in plan.input.known.values())
        yield from _completing(plan)
        return plan

    def apply(self, plan: DispatchPlan) -> None:
        """Applies a plan that was committed."""
        self.groups |= plan.groups_by_key
        for group in plan.dropped:
            self.groups.pop((group.receiver, group.key), None)
        self.silences, self.acks = plan.silences, plan.acks
        if self.watchdog is not None and plan.watchdog is not None:
            self.watchdog.group = plan.watchdog
        self.recent_starts.take(plan.begun)
        self.recent_starts.sweep(plan.input.now)
        for account in plan.accounts:
            self._destinations_in(account).sweep(plan.input.known)

    def adopt(
        self, groups: Iterable[AggregationGroup], acks: Iterable[Ack], begun: Iterable[tuple[str, Instant]]
    ) -> None:
        """Takes over stored groups, acknowledgements, and when alerts began lately."""
        for group in groups:
            if group.key == WATCHDOG_KEY:
                if self.watchdog is not None and self.watchdog.is_own(group):
                    self.watchdog.group = group
            elif group.key != REPORT_KEY:  # that one is read together with those of all other accounts
                self.groups[group.receiver, group.key] = group
        self.acks = self.acks | {ack.fingerprint: ack for ack in acks}
        self.recent_starts.add(begun)

    def lead_by(self, account: str) -> None:
        """Has what concerns no account belong to this one. Its holder begins anew with the watchdog and the morning report."""
        self.leading, self.reported = account, None
        if self.watchdog is not None:
            self.watchdog.account, self.watchdog.group = account, None

    def shown_with(self, groups: Mapping[Key, AggregationGroup], acks: Mapping[str, Ack]) -> "Dispatcher":
        """Returns a copy with further groups and acknowledgements, for people to see."""
        shown = copy(self)
        shown.groups, shown.acks = {**groups, **self.groups}, {**acks, **self.acks}
        return shown

    def release(self, account: str, fingerprints: Collection[str]) -> None:
        """Forgets an account's groups, and the acknowledgements of its alerts, also of those that the store lost."""
        own = notified_in(group for group in self.groups.values() if group.account == account).union(fingerprints)
        self.groups = {key: group for key, group in self.groups.items() if group.account != account}
        self.acks = {one: ack for one, ack in self.acks.items() if one not in own}
        self._destinations.pop(account, None)
        if account == self.leading:
            self.reported = None
            if self.watchdog is not None:
                self.watchdog.group = None

    def suppress(self, silences: Iterable[Silence], acks: Iterable[Ack]) -> bool:
        """Replaces all silences and acknowledgements, and returns whether they are others. Equal silences stay, with what is known of whom they
        match."""
        stored = {silence.id: silence for silence in silences}
        are_others = stored != {silence.id: silence for silence in self.silences.all()}
        if are_others:
            self.silences = Silences(stored.values())
        before, self.acks = self.acks, {ack.fingerprint: ack for ack in acks}
        return are_others or self.acks != before

    def notified_fingerprints(self, apart: Apart | None = None) -> set[str]:
        """Returns the fingerprints of the alerts that some receiver believes to be firing, with ``apart`` those of its accounts."""
        return notified_in(self._groups_of(apart).values())

    def notifying(self, plan: DispatchPlan, apart: Apart | None = None) -> Work[set[str]]:
        """Returns what `notified_fingerprints` does once the plan is applied, in pieces."""
        after = dict(self._groups_of(apart))
        after |= plan.groups_by_key
        for group, pauses in paced(plan.dropped, AT_ONCE):
            after.pop((group.receiver, group.key), None)
            if pauses:
                yield
        yield
        found = set[str]()
        for group, pauses in paced(after.values(), AT_ONCE):
            found |= group.told.keys()
            if pauses:
                yield
        return found

    # Reading

    def reading_input(self, alerts: Iterable[tuple[Alert, Views, ViewContext]], now: Instant) -> Work[DispatchInput]:
        """Returns what a flush at ``now`` would decide from, in pieces and without changing anything. A flush may be worked out meanwhile.
        ``alerts`` are all that there are."""
        known = yield from _by_fingerprint(alerts)
        for account, cache in list(self._destinations.items()):  # those of alerts that other daemons hold, too
            if not cache.keep(known):
                del self._destinations[account]
        return (yield from self._planning(known, now, SuppressionEdits())).input

    def _groups_of(self, apart: Apart | None) -> Mapping[Key, AggregationGroup]:
        """Returns the groups that a flush is about."""
        if apart is None:
            return self.groups
        return {key: group for key, group in self.groups.items() if group.account in apart.accounts}

    def _planning(
        self,
        known: Known,
        now: Instant,
        edits: SuppressionEdits,
        apart: Apart | None = None,
        forgotten: Sequence[str] = (),
    ) -> Work[DispatchPlan]:
        """Plans with the edits made, and with the silences whose ids are ``forgotten`` dropped."""
        destinations = yield from self._destinations_of(known)
        dropped = [*edits.dropped_silences, *forgotten]
        silences = self._silences_after(edits.silences, dropped)
        acks, gone = self._acks_after(edits, known, now, apart)
        firing, reports = dict[str, Mapping[str, str]](), dict[str, Instant | None]()
        for (one, found), pauses in paced(known.items(), AT_ONCE):
            alert = found.alert
            if alert.state == "firing":
                firing[one] = destinations[one].labels
                if alert.is_report:
                    reports[one] = alert.firing_at
            if pauses:
                yield
        owners = {one: known[one].alert.account for one in firing} if self.by_account else {}
        suppressed = yield from self._suppression.finding(firing, silences, now, owners)
        for one, since in reports.items():
            by = silenced_since(firing[one], silences, now if since is None else since, now)
            if by and one not in suppressed:
                suppressed[one] = SuppressionReason(by)
        given = DispatchInput(known, destinations, suppressed, acks, self.recent_starts, now, self.by_account)
        kept = [ack for ack in edits.acks if ack.fingerprint in acks]
        return DispatchPlan(given, silences, acks, SuppressionEdits(edits.silences, dropped, kept, gone))

    def _destinations_of(self, known: Known) -> Work[dict[str, AlertDestinations]]:
        destinations = {}
        unreachable = dict[str, KnownAlert]()
        for (one, found), pauses in paced(known.items(), AT_ONCE):
            alert = found.alert
            was = alert.earlier if alert.state == "pending" and alert.earlier is not None else alert
            destinations[one] = self._destinations_in(alert.account).of(was, found.views)
            if alert.rule == NOTIFICATION_FAILING.name:
                unreachable[one] = found
            if pauses:
                yield
        for account, part in (yield from self._parts(unreachable)).items():
            failing = failing_receivers((found.alert for found in part.values()), self.channels)
            for one in part if failing else ():
                about = dict(known[one].alert.group).get("receiver")
                if about is not None:
                    cache = self._destinations_in(account)
                    destinations[one] = cache.avoiding(destinations[one], failing, about)
        return destinations

    def _destinations_in(self, account: str) -> DestinationCache:
        """Returns the destinations of the account's alerts."""
        key = account if self.by_account else ""
        found = self._destinations.get(key)
        if found is None:
            found = DestinationCache(self.route, tuple(self.channels), by_account=self.by_account)
            self._destinations[key] = found
        return found

    def _parts(self, known: Known) -> Work[Mapping[str, Known]]:
        """Returns the alerts in the parts that are decided on apart from each other: by account, or all together (empty)."""
        if not self.by_account:
            return {"": known}
        parts = dict[str, dict[str, KnownAlert]]()
        for (one, found), pauses in paced(known.items(), AT_ONCE):
            parts.setdefault(found.alert.account, {})[one] = found
            if pauses:
                yield
        return parts

    def _assigning(
        self, known: Known, groups: Mapping[Key, AggregationGroup], now: Instant
    ) -> Work[dict[str, IncidentScope]]:
        """Finds the incidents of the alerts that begin to fire."""
        found = dict[str, IncidentScope]()
        groups_in = dict[str, list[AggregationGroup]]()
        for group in groups.values():
            groups_in.setdefault(group.account if self.by_account else "", []).append(group)
        for account, part in (yield from self._parts(known)).items():
            found |= yield from IncidentAssigner(part, groups_in.get(account, ()), self._routes, now).assigning()
        return found

    def _silences_after(self, put: Iterable[Silence], dropped: Iterable[str]) -> Silences:
        """Returns a copy of the silences with these changes, because the plan may not be committed."""
        after = {one.id: one for one in (*self.silences.all(), *put)}
        for one in dropped:
            after.pop(one, None)
        return Silences(after.values()) if [*put, *dropped] else self.silences

    def _acks_after(
        self, edits: SuppressionEdits, known: Known, now: Instant, apart: Apart | None
    ) -> tuple[dict[str, Ack], list[str]]:
        """Returns the acknowledgements that hold, and the fingerprints of those to forget. Those of alerts that a flush is not about stay,
        and those of alerts that the store lost, until they are found again."""
        acks = self.acks | {ack.fingerprint: ack for ack in edits.acks}
        others = set[str]()
        if not acks.keys() <= known.keys():  # of other accounts, or of alerts that the store lost
            others = self.notified_fingerprints().union(() if apart is None else apart.others())
        holding = {
            one: ack
            for one, ack in acks.items()
            if one not in edits.dropped_acks and (ack.holds(known[one].alert, now) if one in known else one in others)
        }
        return holding, [one for one in self.acks if one not in holding]

    # Groups

    def _decide(
        self, key: Key, members: GroupMembers, builder: NotificationBuilder, now: Instant
    ) -> Work[GroupDecision]:
        before = self.groups.get(key)
        group = before and _not_ahead(before, now)
        if group is None:
            group = new_group(key, members.route, members.labels, now, members.account)
            incident = yield from builder.incident_of(group, members)
            group = msgspec.structs.replace(group, incident=incident)
        urgent = yield from builder.changes_cause(group, members)
        ranks = builder.ranks(group.account)
        decision = decide(group, members.going_on, ranks, members.route, now, members.quiet, urgent=urgent)
        return GroupDecision(key, members, before, group, decision)

    def _deciding(
        self, members_by_key: Mapping[Key, GroupMembers], decision_of: DecisionOf
    ) -> Work[list[GroupDecision]]:
        """Decides on the groups of the receivers that there are."""
        decisions = list[GroupDecision]()
        for (key, members), pauses in paced(members_by_key.items(), AT_ONCE):
            if key[0] in self.channels:
                decisions.append((yield from decision_of(key, members)))
            if pauses:
                yield
        return decisions

    def _giving_up(self, members_by_key: Mapping[Key, GroupMembers], plan: DispatchPlan) -> Work[None]:
        """Drops the groups that need not be kept."""
        for (key, members), pauses in paced(members_by_key.items(), AT_ONCE):
            if self._is_given_up(key, members, plan.input.now):
                plan.dropped.append(self.groups[key])
            if pauses:
                yield

    def _is_given_up(self, key: Key, members: GroupMembers, now: Instant) -> bool:
        """Returns whether the group of a receiver that is no longer in the configuration need not be kept any longer."""
        if key[0] in self.channels:
            return False
        ends = [resolved.resolved_at for resolved in members.resolved.values()]
        return not members.going_on and all(end is not None and now - end >= AWAITED for end in ends)

    def _flush_group(self, one: GroupDecision, builder: NotificationBuilder, plan: DispatchPlan) -> Work[None]:
        group, members, decision, now = one.group, one.members, one.decision, plan.input.now
        if decision.reason is not None:
            group = yield from builder.notify(group, members, decision.reason)
            decision = Decision(None, None)
            yield
            if group.told:
                ranks = builder.ranks(group.account)
                decision = decide(group, members.going_on, ranks, members.route, now, members.quiet)
        yield
        group = yield from builder.show_acks(group, members)
        until = quiet_until(group)
        if not members.firing and until is not None and now < until:
            plan.flush_by(until)
        elif not members.firing and not group.told:
            plan.dropped += [one.before] if one.before is not None else []
            return
        if decision.next_at is not None:
            group = msgspec.structs.replace(group, flush_at=decision.next_at)
            plan.flush_by(decision.next_at)
        if group != one.before:
            plan.groups.append(group)

    def _watch(self, plan: DispatchPlan, now: Instant, *, well: bool) -> None:
        if self.watchdog is None or not self.leads:
            return
        group, notification = self.watchdog.flush(now, self.external_url, well=well)
        if group is not None and notification is not None:
            plan.watchdog = group
            plan.outbox += to_all(notification, self.channels, group.account)
        plan.flush_by(self.watchdog.next_at(group, now))


def _by_fingerprint(alerts: Iterable[tuple[Alert, Views, ViewContext]]) -> Work[Known]:
    known = dict[str, KnownAlert]()
    for (alert, views, context), pauses in paced(alerts, AT_ONCE):
        known[alert.fingerprint] = KnownAlert(alert, views, context)
        if pauses:
            yield
    return known


def _completing(plan: DispatchPlan) -> Work[None]:
    """Works out what is applied, so that nothing of it is left to do after the commit."""
    for group, pauses in paced(plan.groups, AT_ONCE):
        plan.groups_by_key[group.receiver, group.key] = group
        if pauses:
            yield
    for known, pauses in paced(plan.input.known.values(), AT_ONCE):
        plan.accounts.add(known.alert.account)
        if pauses:
            yield


def notified_in(groups: Iterable[AggregationGroup]) -> set[str]:
    """Returns the fingerprints of the alerts that receivers were notified of in these groups, and not yet of their end."""
    return {fingerprint for group in groups for fingerprint in group.told}


def _not_ahead(group: AggregationGroup, now: Instant) -> AggregationGroup:
    """Returns the group with times that are not ahead of ``now``: after the clock was set back, a group must not wait until then."""
    if group.started_at <= now and (group.told_at is None or group.told_at <= now):
        return group
    told_at = None if group.told_at is None else min(group.told_at, now)
    return msgspec.structs.replace(group, started_at=min(group.started_at, now), told_at=told_at)
