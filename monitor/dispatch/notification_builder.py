"""Builds a notification from a decision: its alerts, their states, and what the receiver knows afterwards."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from monitor.alerts.view import DEEPEST
from monitor.dispatch.destinations import Key
from monitor.dispatch.group_members import DispatchInput, GroupMembers
from monitor.model.alert import Alert
from monitor.model.notification import AlertView, Notification, Reason, common
from monitor.routing.flapping import flapping
from monitor.routing.route import RANKS, AggregationGroup, Route
from monitor.routing.storm import NAMED, is_overflow
from monitor.runtime.clock import Instant
from monitor.store.protocol import Pending

MOST_ALERTS: Final = 1_000
"""One notification holds so many alerts. Of those that fire the worst are named and the others only counted; the end of one that was
named is told by its name, in the next notification where there is no room."""

Channels = Mapping[str, tuple[str, ...]]
"""By receiver: its channels."""


class NotificationBuilder:
    """Fills the outbox at one flush. ``views`` are the alerts as they were shown, ``ranks`` is how bad each severity is."""

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
        self.ranks = _ranks(given)
        self._input = given
        self._channels = channels
        self._editable = editable
        self._keeping = keeping
        self._external_url = external_url
        self._most = most

    def notify(self, group: AggregationGroup, some: GroupMembers, reason: Reason) -> AggregationGroup:
        """Put a notification into the outbox; gives the group as it is then."""
        firing = self._worst_first(some)
        named = [one for one in some.over if one not in group.counted]
        over = named + [one for one in some.over if one in group.counted]
        most = min(self._most, NAMED) if is_overflow(group.key) else self._most
        shown = firing[: max(most - len(named), most // 2)]
        ended = over[: most - len(shown)]
        views = self._shown(shown, group, some)
        views += [self._over(one, some.over[one], group) for one in ended]
        now, acked = self._input.now, self._acked(some.firing, some)
        notification = self._notification(group, some, views, reason, len(firing) + len(over) - len(views))
        self.outbox += self._to_each(notification, group)
        known_by_name = {*shown, *(group.told.keys() - set(group.counted))}
        return msgspec.structs.replace(
            group,
            told=some.firing | {one: group.told[one] for one in named[len(ended) :]},
            told_at=now,
            count=group.count + 1,
            first_at=now if group.first_at is None else group.first_at,
            counted=tuple(one for one in firing if one not in known_by_name),
            acked=acked,
        )

    def _to_each(self, notification: Notification, group: AggregationGroup) -> Iterator[Pending]:
        """The notification for each channel: for people as they read reports, for programs whole, since they need the end of each alert."""
        whole = set(self._keeping.get(notification.receiver, ()))
        for_people = _once_reported(notification, group)
        for channel in self._channels.get(notification.receiver, ()):
            sent = notification if channel in whole else for_people
            if sent is not None:
                yield Pending(channel, sent)

    def show_acks(self, group: AggregationGroup, some: GroupMembers) -> AggregationGroup:
        """Where who has acknowledged what is not as it was shown: show it, to those who can change what they were told."""
        acked = self._acked(group.told, some)
        if acked == group.acked:
            return group
        channels = self._editable.get(group.receiver, ())
        if channels:
            left = self._worst_first(some)[: self._most]
            views = self._shown([one for one in left if one in group.told], group, some)
            views += [self._as_told(one, over, group.told[one]) for one, over in some.over.items()]
            hidden = max(len(group.told) - len(views), 0)
            notification = self._notification(group, some, views, "acknowledged", hidden)
            self.outbox += [Pending(channel, notification) for channel in channels]
        return msgspec.structs.replace(group, acked=acked, count=group.count + bool(channels))

    def badness(self, firing: Mapping[str, str]) -> tuple[float, int, float]:
        """How bad the worst of these is: fingerprints with severities."""
        return max(self._badness(one, severity) for one, severity in firing.items())

    def _badness(self, fingerprint: str, severity: str) -> tuple[float, int, float]:
        """Its severity, by how many levels it has recovered (under 0) while that severity is kept, how far it is beyond the threshold."""
        alert, _, _ = self._input.known[fingerprint]
        return self.ranks.get(severity, 0.0), alert.crossed - alert.level, alert.excess

    def _worst_first(self, some: GroupMembers) -> list[str]:
        """The fingerprints of alerts that fire, the worst first; those of which there is no news come last."""

        def badness(one: str) -> tuple[bool, float, int, float]:
            return (one not in some.kept, *self._badness(one, some.firing[one]))

        return sorted(some.firing, key=badness, reverse=True)

    def _acked(self, notified: Iterable[str], some: GroupMembers) -> dict[str, str]:
        """Who has acknowledged which of these, and with which comment."""
        acks = self._input.acked
        return {one: acks[one].words for one in notified if one in acks and one in some.firing} if acks else {}

    def _shown(self, fingerprints: list[str], group: AggregationGroup, some: GroupMembers) -> list[AlertView]:
        views = [self._view(one, group, some, deep=position < DEEPEST) for position, one in enumerate(fingerprints)]
        self.views += [view for view in views if view.fingerprint not in some.kept]
        return views

    def _view(self, fingerprint: str, group: AggregationGroup, some: GroupMembers, *, deep: bool) -> AlertView:
        alert, views, context = self._input.known[fingerprint]
        ack = self._input.acked.get(fingerprint)
        kept = some.kept.get(fingerprint)
        if kept is None:
            view = views.view(alert, context, deep=deep)
            was, word, source = group.told.get(fingerprint, view.severity), "", alert
        else:
            source, word = kept
            view = self._as_told(fingerprint, source, some.firing[fingerprint])
            was = view.severity
        return msgspec.structs.replace(
            view,
            was_severity="" if was == view.severity else was,
            acknowledged_by="" if ack is None else ack.by,
            acknowledged_comment="" if ack is None else ack.comment,
            flapping=flapping(self._input.begun, source, self._input.now),
            suppressed=word,
        )

    def _over(self, fingerprint: str, over: Alert, group: AggregationGroup) -> AlertView:
        _, views, context = self._input.known[fingerprint]
        return views.over(over, group.told[fingerprint], context)

    def _as_told(self, fingerprint: str, alert: Alert, notified: str) -> AlertView:
        _, views, context = self._input.known[fingerprint]
        return views.as_told(alert, notified, context)

    def _notification(
        self, group: AggregationGroup, some: GroupMembers, views: list[AlertView], reason: Reason, hidden: int
    ) -> Notification:
        return Notification(
            key=f"{group.episode}-{group.count + 1}",
            episode=group.episode,
            reason=reason,
            status="firing" if any(view.status == "firing" for view in views) else "resolved",
            receiver=group.receiver,
            group_key=group.key,
            group_labels=group.labels,
            common_labels=common([view.labels for view in views]),
            common_annotations=common([view.annotations for view in views]),
            alerts=tuple(views),
            created_at=self._input.now,
            external_url=self._external_url,
            truncated=hidden,
            tally=self._tally(some) if is_overflow(group.key) else {},
        )

    def _tally(self, some: GroupMembers) -> dict[str, int]:
        names = (self._input.destinations[one].labels.get("alertname", "") for one in some.firing)
        return dict(Counter(names).most_common())


def _once_reported(notification: Notification, group: AggregationGroup) -> Notification | None:
    """What people are told of it: no report again, and no end of one; None where nothing is left.

    Reports alone are an episode of their own, so that no channel writes over what was reported before.
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
        status="firing" if any(view.status == "firing" for view in views) else "resolved",
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


def to_all(notification: Notification, channels: Channels) -> list[Pending]:
    """The notification for each channel of its receiver; none where the configuration has no such receiver."""
    return [Pending(channel, notification) for channel in channels.get(notification.receiver, ())]


def new_group(key: Key, route: Route, labels: dict[str, str], now: Instant) -> AggregationGroup:
    """A group about which nobody knows anything yet."""
    receiver, text = key
    episode = hashlib.blake2b(f"{receiver}\0{text}\0{now}".encode(), digest_size=12).hexdigest()
    return AggregationGroup(text, receiver, labels, episode, now, now, route=route.key)


def _ranks(given: DispatchInput) -> dict[str, float]:
    ranks = dict(RANKS)
    for views in {id(views): views for _, views, _ in given.known.values()}.values():
        ranks |= views.ranks()
    return ranks
