"""From alerts to notifications: which groups there are, which of them are told something now, and what exactly.

Like `monitor.judge` it proposes: what is to be written is committed first and applied then.

A receiver hears of an alert's end wherever it heard of the alert, also where configuration has sent the alert elsewhere
meanwhile: such a group is told of ends and of changes, and of nothing new.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from monitor.alert import Alert
from monitor.clock import Instant
from monitor.judge import Scene
from monitor.notification import AlertView, Notification, Reason, common
from monitor.route import RANKS, Decision, Group, Route, decide, group_key, group_labels
from monitor.store.protocol import Pending
from monitor.view import DEEPEST, Views

MOST_ALERTS: Final = 1_000
"""One notification holds so many alerts. Of those that fire the worst are told and the others only counted; those that are over
are told in the next one where there is no room for them."""

Key = tuple[str, str]
"""A receiver and the key of a group."""
Known = dict[str, tuple[Alert, Views, Scene]]
"""All alerts by their fingerprints, with what they are shown by."""


@dataclass(slots=True)
class Told:
    """What is to be committed: notifications, groups as they are afterwards, those that are over; and when to look again.

    ``views`` are the alerts as they were shown.
    """

    outbox: list[Pending] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    dropped: list[Group] = field(default_factory=list)
    views: list[AlertView] = field(default_factory=list)
    next_at: Instant | None = None


@dataclass(slots=True)
class _Look:
    """One look at all groups: the alerts, the time, how bad each severity is, and what comes of it."""

    known: Known
    now: Instant
    ranks: Mapping[str, float] = field(default_factory=dict)
    told: Told = field(default_factory=Told)


@dataclass(slots=True)
class _Members:
    """What a group's receiver is concerned with now: the alerts that fire, those over that it believes to fire, and the route."""

    route: Route
    labels: dict[str, str] = field(default_factory=dict)
    firing: dict[str, str] = field(default_factory=dict)
    over: dict[str, Alert] = field(default_factory=dict)


class Dispatch:
    """Keeps the groups, and decides at each look what is told.

    ``channels`` are the receiver's, such as ``slack/0``; ``most`` is how many alerts one notification holds.
    """

    def __init__(
        self,
        route: Route,
        channels: Mapping[str, tuple[str, ...]],
        external_url: str = "",
        most: int = MOST_ALERTS,
    ) -> None:
        self.route = route
        self.channels = channels
        self.external_url = external_url
        self.most = most
        self.groups: dict[Key, Group] = {}

    def look(self, alerts: Iterable[tuple[Alert, Views, Scene]], now: Instant) -> Told:
        """What is to be told now of these alerts, which are all that there are: pending, firing, or over but not yet told so."""
        look = _Look({alert.fingerprint: (alert, views, scene) for alert, views, scene in alerts}, now)
        look.ranks = _ranks(look.known)
        members = self._members(look.known)
        for key, some in members.items():
            self._look_at(key, some, look)
        return look.told

    def apply(self, told: Told) -> None:
        """It is committed."""
        for group in told.groups:
            self.groups[group.receiver, group.key] = group
        for group in told.dropped:
            self.groups.pop((group.receiver, group.key), None)

    def told_fingerprints(self) -> set[str]:
        """Alerts that some receiver believes to be firing."""
        return {fingerprint for group in self.groups.values() for fingerprint in group.told}

    # Which alerts belong to which group

    def _members(self, known: Known) -> dict[Key, _Members]:
        members: dict[Key, _Members] = {}
        for fingerprint, (alert, views, _) in known.items():
            if alert.state == "firing":
                labels = views.labels(alert)
                key = (self.route.receiver, group_key(self.route, labels))
                group = members.setdefault(key, _Members(self.route, group_labels(self.route, labels)))
                group.firing[fingerprint] = views.severity(alert)
        for key, told in self.groups.items():
            some = members.setdefault(key, _Members(replace(self.route, repeat_interval=None)))
            for fingerprint, severity in told.told.items():
                if fingerprint not in some.firing and fingerprint in known:
                    self._follow(some, told, fingerprint, severity, known)
        return members

    def _follow(self, some: _Members, group: Group, fingerprint: str, told: str, known: Known) -> None:
        """An alert that the group's receiver was told of and that is not routed to the group now, or is over."""
        alert, views, _ = known[fingerprint]
        severity = views.severity(alert)
        over = alert.earlier if alert.state == "pending" else alert
        if alert.state == "firing" and (severity == told or group.receiver != self.route.receiver):
            some.firing[fingerprint] = severity
        elif over is not None and self._is_told_elsewhere(over, views, group, told):
            some.firing[fingerprint] = told
        elif over is not None:
            some.over[fingerprint] = over

    def _is_told_elsewhere(self, over: Alert, views: Views, group: Group, severity: str) -> bool:
        """Whether the receiver hears of the alert's end from the group to which it is routed now: it must not hear of it here
        before, since the alert could begin again in between, which that group would have no reason to tell."""
        key = (self.route.receiver, group_key(self.route, views.labels(over)))
        now = self.groups.get(key)
        if now is None or now is group or now.receiver != group.receiver or over.state == "firing":
            return False
        return now.told.get(over.fingerprint) == severity

    # Telling

    def _look_at(self, key: Key, some: _Members, look: _Look) -> None:
        before, told, now = self.groups.get(key), look.told, look.now
        group = _not_ahead(before, now) if before is not None else _new(key, some.labels, now)
        decision = decide(group, some.firing, look.ranks, some.route, now)
        if decision.reason is not None:
            group = self._tell(group, some, decision.reason, look)
            decision = decide(group, some.firing, look.ranks, some.route, now) if group.told else Decision(None, None)
        if not some.firing and not group.told:
            told.dropped += [before] if before is not None else []
            return
        if decision.next_at is not None:
            group = msgspec.structs.replace(group, flush_at=decision.next_at)
            told.next_at = decision.next_at if told.next_at is None else min(decision.next_at, told.next_at)
        if group != before:
            told.groups.append(group)

    def _tell(self, group: Group, some: _Members, reason: Reason, look: _Look) -> Group:
        """Put a notification into the outbox; gives the group as it is then."""
        firing, over = self._worst(some.firing, look), list(some.over)
        left = max(self.most - len(over), self.most // 2)
        shown = firing[:left]
        ended = over[: self.most - len(shown)]
        views = [self._view(one, group, look, deep=place < DEEPEST) for place, one in enumerate(shown)]
        views += [look.known[one][1].over(some.over[one], group.told[one]) for one in ended]
        look.told.views += views
        notification = self._notification(group, views, reason, look.now, len(firing) + len(over) - len(views))
        look.told.outbox += [Pending(channel, notification) for channel in self.channels.get(group.receiver, ())]
        untold = {one: group.told[one] for one in over[len(ended) :]}
        return msgspec.structs.replace(group, told=some.firing | untold, told_at=look.now, count=group.count + 1)

    def _notification(
        self, group: Group, views: list[AlertView], reason: Reason, now: Instant, hidden: int
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
            created_at=now,
            external_url=self.external_url,
            truncated=hidden,
        )

    def _worst(self, firing: Mapping[str, str], look: _Look) -> list[str]:
        """The fingerprints of alerts that fire, the worst first."""

        def badness(fingerprint: str) -> tuple[float, float]:
            alert, _, _ = look.known[fingerprint]
            return look.ranks.get(firing[fingerprint], 0.0), alert.excess

        return sorted(firing, key=badness, reverse=True)

    def _view(self, fingerprint: str, group: Group, look: _Look, *, deep: bool) -> AlertView:
        alert, views, scene = look.known[fingerprint]
        view = views.view(alert, scene, deep=deep)
        was = group.told.get(fingerprint, view.severity)
        return view if was == view.severity else msgspec.structs.replace(view, was_severity=was)


def _new(key: Key, labels: dict[str, str], now: Instant) -> Group:
    receiver, text = key
    episode = hashlib.blake2b(f"{receiver}\0{text}\0{now}".encode(), digest_size=12).hexdigest()
    return Group(text, receiver, labels, episode, now, now)


def _not_ahead(group: Group, now: Instant) -> Group:
    """A group that was told "in the future", by a clock that has been set back since, must not wait until then."""
    if group.started_at <= now and (group.told_at is None or group.told_at <= now):
        return group
    told_at = None if group.told_at is None else min(group.told_at, now)
    return msgspec.structs.replace(group, started_at=min(group.started_at, now), told_at=told_at)


def _ranks(known: Known) -> dict[str, float]:
    ranks = dict(RANKS)
    for views in {id(views): views for _, views, _ in known.values()}.values():
        ranks |= views.ranks()
    return ranks
