"""When the morning report is sent, so that each date has at most one, also over restarts and changes of the configuration.

What was last sent is kept as a group of its own among the stored groups: its ``told_at`` is the time at which the last report was due. It is
committed together with the notification. Silences and time intervals do not apply to it, and it is never repeated or resolved.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec

from monitor.dispatch.notification_builder import new_group
from monitor.model.notification import AlertView, Digest, Notification
from monitor.routing.route import AggregationGroup, Route
from monitor.routing.wall_clock import DailyTime
from monitor.runtime.clock import HOUR, Duration, Instant
from monitor.runtime.dataclass import dataclass

NAME: Final = "DeliveryReport"
KEY: Final = "{report}"
"""The key of its group; no group of alerts has this key."""
LATEST: Final[Duration] = 6 * HOUR
"""How late a report is still sent, after the daemon was down or could not make it; after that it is left out."""


@dataclass(frozen=True, slots=True)
class DueReport:
    """The next report: when it is, or was, due."""

    at: Instant

    def is_too_late(self, now: Instant) -> bool:
        """Returns whether it is left out."""
        return now - self.at > LATEST


def first_group(receiver: str, now: Instant, account: str = "") -> AggregationGroup:
    """Returns the group of a report that has never been sent: what was due before ``now`` is not sent."""
    return new_group((receiver, KEY), Route(receiver), {"alertname": NAME}, now, account)


def joined(groups: Iterable[AggregationGroup], receiver: str, now: Instant, account: str) -> AggregationGroup:
    """Returns the group of the reports that belong to ``account``, which may be another one than before.

    ``groups`` are those of the reports of all accounts. A date has one report, whichever account it belongs to.
    """
    ordered = sorted(groups, key=lambda one: (one.account != account, one.receiver != receiver))
    if not ordered:
        return first_group(receiver, now, account)
    own = ordered[0] if ordered[0].account == account else first_group(receiver, now, account)
    told = [one.told_at for one in ordered if one.told_at is not None]
    began = min(one.started_at for one in ordered)
    return msgspec.structs.replace(own, started_at=began, told_at=max(told, default=None))


def next_due(times: DailyTime, group: AggregationGroup, now: Instant) -> DueReport:
    """Returns the report to send next: of several that are due by now only the latest."""
    last = group.told_at
    due = times.after(group.started_at) if last is None else times.after_day(times.day_of(last))
    return DueReport(due if due > now else times.before(now + 1))


def settled(group: AggregationGroup, receiver: str, due: DueReport) -> AggregationGroup:
    """Returns the group after this report was sent or left out."""
    return msgspec.structs.replace(group, receiver=receiver, told_at=due.at, count=group.count + 1, flush_at=due.at)


def notification(receiver: str, due: DueReport, digest: Digest, now: Instant, external_url: str = "") -> Notification:
    """Returns the notification of a report. Its key is the same whenever it is made, so that no channel gets it twice."""
    view = view_of(digest, due.at)
    key = hashlib.blake2b(f"{receiver}\0{KEY}\0{due.at}".encode(), digest_size=12).hexdigest()
    return Notification(
        key=key,
        episode=key,
        reason="first",
        status="firing",
        receiver=receiver,
        group_key=KEY,
        group_labels={"alertname": NAME},
        common_labels=view.labels,
        common_annotations=view.annotations,
        alerts=(view,),
        created_at=now,
        external_url=external_url,
        digest=digest,
    )


def view_of(digest: Digest, at: Instant) -> AlertView:
    """Returns the report in the form of an alert, for templates and channels that show any alert."""
    severity = "info"
    return AlertView(
        fingerprint="0" * 15 + "1",
        name=NAME,
        rule=NAME,
        kind="report",
        status="firing",
        severity=severity,
        unit="count",
        labels={"alertname": NAME, "severity": severity},
        annotations={"summary": digest.title, "description": "\n".join((*digest.figures, *digest.notes))},
        value=None,
        threshold=None,
        starts_at=at,
        as_of=at,
        why=digest.summary,
    )
