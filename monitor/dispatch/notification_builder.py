"""Builds a notification from a decision: its alerts, their states, and what the receiver knows afterwards."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from monitor.alerts.view import DEEPEST
from monitor.dispatch.destinations import Key
from monitor.dispatch.group_members import DispatchInput, GroupMembers
from monitor.dispatch.incident_head import finding_head
from monitor.dispatch.located_alert import LocatedAlert
from monitor.model.alert import Alert
from monitor.model.incident import IncidentScope, merged
from monitor.model.notification import AlertView, Notification, Reason, common
from monitor.routing.flapping import flapping
from monitor.routing.route import RANKS, AggregationGroup, Route, is_of_incident
from monitor.routing.storm import NAMED, is_overflow
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.clock import MINUTE, Duration, Instant
from monitor.runtime.pieces import Work, listed, ordered, paced
from monitor.store.protocol import Pending

MOST_ALERTS: Final = 1_000
"""The most alerts that one notification holds.

Of the firing alerts the worst are named and the others only counted. The end of an alert that was named is always notified by
name, in the next notification if there is no room. So is the end of a severity with which it was named: such alerts take up to half of the
places for firing ones before worse ones do.
"""

UNFOLDS: Final[Duration] = 5 * MINUTE
"""For so long after the first notification of an incident an alert that names it better is notified at once; rules differ in how soon they fire."""

Channels = Mapping[str, tuple[str, ...]]
"""The channels of each receiver."""


class NotificationBuilder:
    """Fills the outbox at one flush. ``views`` are the alerts as shown."""

    def __init__(
        self,
        given: DispatchInput,
        channels: Channels,
        editable: Channels,
        keeping: Channels,
        external_url: str,
        most: int,
    ) -> None:
        self.outbox: list[Pending] = []
        self.views: list[AlertView] = []
        self._ranks = _ranks(given)
        self._input = given
        self._channels = channels
        self._editable = editable
        self._keeping = keeping
        self._external_url = external_url
        self._most = most

    def ranks(self, account: str) -> Mapping[str, float]:
        """Returns the rank of each severity in the groups of an account."""
        return self._ranks.get(account, RANKS)

    def notify(self, group: AggregationGroup, members: GroupMembers, reason: Reason) -> Work[AggregationGroup]:
        """Puts a notification into the outbox; returns the group as it is afterwards."""
        group = yield from self._of_incident(group, members)
        worst_first = yield from self._worst_first(members)
        yield
        over = yield from self._in_order(members.resolved)
        counted = set(group.counted)
        by_name = group.told.keys() - counted
        yield
        named = yield from listed((one for one in over if one not in counted), AT_ONCE)
        resolved = named + (yield from listed((one for one in over if one in counted), AT_ONCE))
        most = min(self._most, NAMED) if is_overflow(group.key) else self._most
        room = max(most - len(named), most // 2)
        told, severities = group.told, members.firing
        moved = yield from listed(
            (one for one in worst_first if one in by_name and severities[one] != told[one]), AT_ONCE
        )
        firing = yield from self._in_front(worst_first, group.head, moved[: max(room // 2, 1)])
        shown = firing[:room]
        ended = resolved[: most - len(shown)]
        views = yield from self._shown(shown, {one: told[one] for one in shown if one in by_name}, members)
        for one in ended:
            views.append(self._as_resolved(one, members.resolved[one], group))
            yield
        now, acked = self._input.now, self._acked(members.going_on, members)
        yield
        tally = (yield from self._tally(members)) if is_overflow(group.key) else {}
        hidden = len(firing) + len(resolved) - len(views)
        notification = self._notification(group, members, views, reason, hidden, tally)
        yield
        self.outbox += self._to_each(notification, group, members)
        yield
        known_by_name = {*shown, *by_name}
        waiting = [*named[len(ended) :], *set(moved).difference(shown)]
        return msgspec.structs.replace(
            group,
            told=members.going_on | {one: told[one] for one in waiting},
            told_at=now,
            count=group.count + 1,
            first_at=now if group.first_at is None else group.first_at,
            counted=tuple(one for one in firing if one not in known_by_name),
            acked=acked,
        )

    def _in_front(self, worst_first: list[str], head: str, some: list[str]) -> Work[list[str]]:
        """Returns alerts with the one that names them in front, if there is one, then ``some``, then the others."""
        front = [one for one in some if one != head]
        places = {head, *front}
        others = yield from listed((one for one in worst_first if one not in places), AT_ONCE)
        named = [head] if len(front) + len(others) < len(worst_first) else []
        return named + front + others

    def incident_of(self, group: AggregationGroup, members: GroupMembers) -> Work[IncidentScope | None]:
        """Returns, in pieces, the incident of the group's alerts; None if the group is not that of an incident."""
        if not is_of_incident(group):
            return None
        scopes = [] if group.incident is None else [group.incident]
        for one, pauses in paced(members.firing, AT_ONCE):
            if (scope := self._input.known[one].alert.incident) is not None:
                scopes.append(scope)
            if pauses:
                yield
        return merged(scopes) if scopes else None

    def changes_cause(self, group: AggregationGroup, members: GroupMembers) -> Work[bool]:
        """Returns whether a new alert of an incident tells more of its cause.

        It is about more than each alert that was notified: a country and not one operator, say. Or it names the incident from now on, and
        the incident was first notified less than UNFOLDS ago.
        """
        fresh = members.firing.keys() - group.told.keys()
        if group.incident is None or not group.told or not fresh:
            return False
        if (yield from self._is_wider(fresh, group.told)):
            return True
        is_young = group.first_at is not None and self._input.now - group.first_at < UNFOLDS
        return is_young and (yield from self._of_incident(group, members)).head in fresh

    def _is_wider(self, fresh: Iterable[str], told: Iterable[str]) -> Work[bool]:
        """Returns whether one of the fresh alerts is about more than each that was told: what it names, each of them names, and something besides."""
        known, shared, fewest = self._input.known, None, 0
        for one, pauses in paced(told, AT_ONCE):
            if one in known:
                named = frozenset(known[one].alert.group)
                fewest = len(named) if shared is None else min(fewest, len(named))
                shared = named if shared is None else shared & named
            if pauses:
                yield
        if shared is None:
            return True
        for one, pauses in paced(fresh, AT_ONCE):
            named = frozenset(known[one].alert.group)
            if named < shared or (named == shared and len(named) < fewest):
                return True
            if pauses:
                yield
        return False

    def _of_incident(self, group: AggregationGroup, members: GroupMembers) -> Work[AggregationGroup]:
        """Returns the group with its incident as it is now: its scope, and the alert that names it."""
        incident = yield from self.incident_of(group, members)
        if incident is None:
            return group
        fresh = list[LocatedAlert]()
        for one, pauses in paced((yield from self._worst_first(members)), AT_ONCE):
            if one not in members.kept:
                known = self._input.known[one]
                fresh.append(LocatedAlert(known.alert, known.views, known.context))
            if pauses:
                yield
        head = yield from finding_head(fresh, incident)
        return msgspec.structs.replace(group, incident=incident, head=head or group.head)

    def _to_each(self, notification: Notification, group: AggregationGroup, members: GroupMembers) -> Iterator[Pending]:
        """Yields the notification for each channel.

        Channels behind which a program keeps alerts open get all of it, because they need the end of every alert. Channels for people get
        it without reports that were notified before and without the ends of reports.
        """
        whole = set(self._keeping.get(notification.receiver, ()))
        for_people = _once_reported(notification, group, members)
        for channel in self._channels.get(notification.receiver, ()):
            sent = notification if channel in whole else for_people
            if sent is not None:
                yield Pending(channel, sent, group.account)

    def show_acks(self, group: AggregationGroup, members: GroupMembers) -> Work[AggregationGroup]:
        """Sends a change of acknowledgements to the channels that can edit their messages; returns the group as it is afterwards."""
        acked = self._acked(group.told, members)
        if acked == group.acked:
            return group
        channels = self._editable.get(group.receiver, ())
        if channels:
            left = (yield from self._worst_first(members))[: self._most]
            views = yield from self._shown([one for one in left if one in group.told], group.told, members)
            for one in (yield from self._in_order(members.resolved)):
                views.append(self._as_notified(one, members.resolved[one], group.told[one]))
                yield
            hidden = max(len(group.told) - len(views), 0)
            tally = (yield from self._tally(members)) if is_overflow(group.key) else {}
            notification = self._notification(group, members, views, "acknowledged", hidden, tally)
            self.outbox += [Pending(channel, notification, group.account) for channel in channels]
        return msgspec.structs.replace(group, acked=acked, count=group.count + bool(channels))

    def priority(self, firing: Mapping[str, str]) -> tuple[float, int, float]:
        """Returns the priority of the worst of these alerts, given as fingerprints with severities."""
        return max(self._priority(one, severity) for one, severity in firing.items())

    def _priority(self, fingerprint: str, severity: str) -> tuple[float, int, float]:
        """Returns the alert's sort key.

        It consists of the rank of its severity, how many levels the alert has recovered while it keeps that severity (as a negative
        number), and how far its value is beyond the threshold.
        """
        alert = self._input.known[fingerprint].alert
        rank = self.ranks(self._input.part_of(alert.account)).get(severity, 0.0)
        return rank, alert.crossed - alert.level, alert.excess

    def _worst_first(self, members: GroupMembers) -> Work[list[str]]:
        """Returns the fingerprints of the firing alerts, the worst first; those that stay as last notified come last."""

        def priority(one: str) -> tuple[bool, float, int, float]:
            return (one not in members.kept, *self._priority(one, members.firing[one]))

        in_order = yield from self._in_order(members.firing)
        return (yield from ordered(in_order, priority, AT_ONCE, reverse=True))

    def _in_order(self, fingerprints: Iterable[str]) -> Work[list[str]]:
        """Returns alerts in an order that does not depend on which of them the daemon learned of first."""

        def place(one: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
            alert = self._input.known[one].alert
            return alert.account, alert.rule, alert.group

        return ordered(fingerprints, place, AT_ONCE)

    def _acked(self, fingerprints: Iterable[str], members: GroupMembers) -> dict[str, str]:
        """Returns who has acknowledged which of these alerts, and with what comment."""
        acks = self._input.acked
        return {one: acks[one].words for one in fingerprints if one in acks and one in members.going_on} if acks else {}

    def _shown(self, fingerprints: list[str], told: Mapping[str, str], members: GroupMembers) -> Work[list[AlertView]]:
        """Returns firing alerts as they are shown. ``told`` are the severities with which receivers were told of them by name."""
        views = []
        for position, one in enumerate(fingerprints):
            views.append((yield from self._view(one, told, members, deep=position < DEEPEST)))
            yield
        self.views += [view for view in views if view.fingerprint not in members.kept]
        return views

    def _view(self, fingerprint: str, told: Mapping[str, str], members: GroupMembers, *, deep: bool) -> Work[AlertView]:
        known = self._input.known[fingerprint]
        alert, views = known.alert, known.views
        ack = self._input.acked.get(fingerprint)
        kept = members.kept.get(fingerprint)
        if kept is None:
            view = yield from views.viewing(alert, known.context, deep=deep)
            was, word, source = told.get(fingerprint, view.severity), "", alert
        else:
            source, word = kept.alert, kept.why
            view = self._as_notified(fingerprint, source, members.firing[fingerprint])
            was = view.severity
        return msgspec.structs.replace(
            view,
            was_severity="" if was == view.severity else was,
            acknowledged_by="" if ack is None else ack.by,
            acknowledged_comment="" if ack is None else ack.comment,
            flapping=flapping(self._input.recent_starts, source, self._input.now),
            suppressed=word,
            notified_at=self._input.now,
        )

    def _as_resolved(self, fingerprint: str, resolved: Alert, group: AggregationGroup) -> AlertView:
        known = self._input.known[fingerprint]
        return known.views.as_resolved(resolved, group.told[fingerprint], known.context)

    def _as_notified(self, fingerprint: str, alert: Alert, notified_severity: str) -> AlertView:
        known = self._input.known[fingerprint]
        return known.views.as_notified(alert, notified_severity, known.context)

    def _notification(
        self,
        group: AggregationGroup,
        members: GroupMembers,
        views: list[AlertView],
        reason: Reason,
        hidden: int,
        tally: dict[str, int],
    ) -> Notification:
        return Notification(
            key=f"{group.episode}-{group.count + 1}",
            episode=group.episode,
            reason=reason,
            status=_status(views, members),
            receiver=group.receiver,
            group_key=group.key,
            group_labels=group.labels,
            common_labels=common([view.labels for view in views]),
            common_annotations=common([view.annotations for view in views]),
            alerts=tuple(views),
            created_at=self._input.now,
            external_url=self._external_url,
            truncated=hidden,
            tally=tally,
            incident="" if group.incident is None else group.incident.id,
            head=group.head,
            place={} if group.incident is None or group.incident.everywhere else group.incident.place,
        )

    def _tally(self, members: GroupMembers) -> Work[dict[str, int]]:
        """Counts the firing alerts by their names."""
        names = Counter[str]()
        for one, pauses in paced(members.firing, AT_ONCE):
            names[self._input.destinations[one].labels.get("alertname", "")] += 1
            if pauses:
                yield
        return dict(names.most_common())


def _status(views: Iterable[AlertView], members: GroupMembers) -> Literal["firing", "resolved"]:
    """Returns whether a notification that shows these alerts says that something fires. What is missing counts as firing, and is not shown."""
    return "firing" if members.missing or any(view.status == "firing" for view in views) else "resolved"


def _once_reported(notification: Notification, group: AggregationGroup, members: GroupMembers) -> Notification | None:
    """Returns the notification without repeated reports and without the ends of reports; None if nothing is left.

    A notification that holds only reports gets an episode of its own, so that no channel overwrites an earlier report.
    """
    views = tuple(
        view
        for view in notification.alerts
        if not view.is_report or (view.status == "firing" and view.fingerprint not in group.told)
    )
    if len(views) == len(notification.alerts) and not notification.is_report:
        return notification
    if not views:
        return None
    made = msgspec.structs.replace(
        notification,
        alerts=views,
        status=_status(views, members),
        common_labels=common([view.labels for view in views]),
        common_annotations=common([view.annotations for view in views]),
    )
    if not made.is_report:
        return made
    return msgspec.structs.replace(
        made,
        reason="first",
        episode=notification.key,
        truncated=0 if group.told else made.truncated,
        tally=dict(Counter(view.name for view in views).most_common()) if made.tally else {},
    )


def to_all(notification: Notification, channels: Channels, account: str = "") -> list[Pending]:
    """Returns the notification for each channel of its receiver; empty if the configuration has no such receiver."""
    return [Pending(channel, notification, account) for channel in channels.get(notification.receiver, ())]


def new_group(key: Key, route: Route, labels: dict[str, str], now: Instant, account: str = "") -> AggregationGroup:
    """Returns a group that nobody was notified of yet."""
    receiver, text = key
    episode = hashlib.blake2b(f"{receiver}\0{text}\0{now}".encode(), digest_size=12).hexdigest()
    return AggregationGroup(text, receiver, labels, episode, now, now, route=route.key, account=account)


def _ranks(given: DispatchInput) -> dict[str, dict[str, float]]:
    ranks = dict[str, dict[str, float]]()
    for account, views in {
        id(known.views): (known.alert.account, known.views) for known in given.known.values()
    }.values():
        ranks.setdefault(given.part_of(account), dict(RANKS)).update(views.ranks())
    return ranks
