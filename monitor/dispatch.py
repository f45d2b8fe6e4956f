"""From alerts to notifications: which groups there are, which of them are told something now, and what exactly.

Like `monitor.judge` it proposes: what is to be written is committed first and applied then.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from monitor.alert import Alert
from monitor.clock import Instant
from monitor.notification import AlertView, Notification, Reason, common
from monitor.route import Group, Route, decide, group_key, group_labels
from monitor.store.protocol import Pending
from monitor.view import DEEPEST, Views
from monitor.window import Reading

MOST_ALERTS = 1_000
"""One notification holds so many alerts, the worst of them; the others are only counted."""

RANKS = {"info": 1, "warning": 2, "critical": 3}


@dataclass(slots=True)
class Told:
    """What is to be committed: notifications, groups as they are afterwards, those that are over; and when to look again."""

    outbox: list[Pending] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    dropped: list[Group] = field(default_factory=list)
    views: list[AlertView] = field(default_factory=list)
    next_at: Instant | None = None


@dataclass(slots=True)
class _Members:
    """The alerts that belong to one group now."""

    labels: dict[str, str]
    firing: dict[str, Alert] = field(default_factory=dict)


class Dispatch:
    """Keeps the groups, and decides at each look what is told. ``channels`` are the receiver's, such as ``slack/0``."""

    def __init__(self, route: Route, channels: Mapping[str, tuple[str, ...]], external_url: str = "") -> None:
        self.route = route
        self.channels = channels
        self.external_url = external_url
        self.groups: dict[tuple[str, str], Group] = {}

    def look(self, alerts: Iterable[tuple[Alert, Views, Reading | None]], now: Instant) -> Told:
        """What is to be told now of these alerts, which are all that there are: firing, or over but not yet told so."""
        known = {alert.fingerprint: (alert, views, reading) for alert, views, reading in alerts}
        members = self._members(known)
        told = Told()
        for key in {**members, **self.groups}:
            self._look_at(key, members.get(key), known, now, told)
        return told

    def apply(self, told: Told) -> None:
        """It is committed."""
        for group in told.groups:
            self.groups[group.receiver, group.key] = group
        for group in told.dropped:
            self.groups.pop((group.receiver, group.key), None)

    def told_fingerprints(self) -> set[str]:
        """Alerts that some receiver believes to be firing."""
        return {fingerprint for group in self.groups.values() for fingerprint in group.told}

    def _members(self, known: "Known") -> dict[tuple[str, str], _Members]:
        members: dict[tuple[str, str], _Members] = {}
        for fingerprint, (alert, views, _) in known.items():
            if alert.state == "firing":
                labels = views.labels(alert)
                key = (self.route.receiver, group_key(self.route, labels))
                group = members.setdefault(key, _Members(group_labels(self.route, labels)))
                group.firing[fingerprint] = alert
        return members

    def _look_at(
        self, key: tuple[str, str], members: _Members | None, known: "Known", now: Instant, told: Told
    ) -> None:
        firing = members.firing if members is not None else {}
        before = self.groups.get(key)
        group = before or self._new(key, members.labels if members is not None else {}, now)
        severities = {fingerprint: known[fingerprint][1].severity(alert) for fingerprint, alert in firing.items()}
        decision = decide(group, severities, RANKS, self.route, now)
        if decision.reason is not None:
            notification = self._notification(group, firing, known, decision.reason, now, told)
            told.outbox += [Pending(channel, notification) for channel in self.channels.get(group.receiver, ())]
            after = msgspec.structs.replace(group, told=severities, told_at=now, count=group.count + 1)
            decision = decide(after, severities, RANKS, self.route, now) if firing else decision
        else:
            after = group
        if not firing and (decision.reason == "all resolved" or not group.told):
            told.dropped += [group] if before is not None else []
            return
        if decision.next_at is not None:
            after = msgspec.structs.replace(after, flush_at=decision.next_at)
            told.next_at = min(decision.next_at, told.next_at or decision.next_at)
        if after != before:
            told.groups.append(after)

    def _new(self, key: tuple[str, str], labels: dict[str, str], now: Instant) -> Group:
        receiver, text = key
        episode = hashlib.blake2b(f"{receiver}\0{text}\0{now}".encode(), digest_size=12).hexdigest()
        return Group(text, receiver, labels, episode, now, now)

    def _notification(
        self, group: Group, firing: dict[str, Alert], known: "Known", reason: Reason, now: Instant, told: Told
    ) -> Notification:
        over = [fingerprint for fingerprint in group.told if fingerprint not in firing and fingerprint in known]
        shown = self._worst_first([*firing, *over], known)
        views = [self._view(one, known, group, deep=place < DEEPEST) for place, one in enumerate(shown[:MOST_ALERTS])]
        told.views += views
        return Notification(
            key=f"{group.episode}-{group.count + 1}",
            episode=group.episode,
            reason=reason,
            status="firing" if firing else "resolved",
            receiver=group.receiver,
            group_key=group.key,
            group_labels=group.labels,
            common_labels=common([view.labels for view in views]),
            common_annotations=common([view.annotations for view in views]),
            alerts=tuple(views),
            created_at=now,
            external_url=self.external_url,
            truncated=max(len(shown) - MOST_ALERTS, 0),
        )

    def _worst_first(self, fingerprints: list[str], known: "Known") -> list[str]:
        def badness(fingerprint: str) -> tuple[bool, int, float]:
            alert, views, _ = known[fingerprint]
            return alert.state == "firing", RANKS.get(views.severity(alert), 0), alert.value or 0.0

        return sorted(fingerprints, key=badness, reverse=True)

    def _view(self, fingerprint: str, known: "Known", group: Group, *, deep: bool) -> AlertView:
        alert, views, reading = known[fingerprint]
        view = views.view(alert, reading if deep else None)
        was = group.told.get(fingerprint, view.severity)
        return view if was == view.severity else msgspec.structs.replace(view, was_severity=was)


Known = dict[str, tuple[Alert, Views, Reading | None]]
