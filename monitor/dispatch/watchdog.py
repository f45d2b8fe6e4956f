"""The dead man's switch: a notification at each interval for as long as the daemon works, so that its absence is the alarm.

Whoever receives it (healthchecks.io, an Alertmanager, a cron job) raises the alarm when it stops. It is not an alert: it is never
resolved, and neither silences nor time intervals apply to it.
"""

from typing import Final

import msgspec

from monitor.dispatch.notification_builder import new_group
from monitor.model.notification import AlertView, Notification
from monitor.routing.route import AggregationGroup, Route
from monitor.runtime.clock import SECOND, Duration, Instant
from monitor.runtime.dataclass import dataclass

NAME: Final = "Watchdog"
SEVERITY: Final = "none"
FINGERPRINT: Final = "0" * 16
KEY: Final = "{watchdog}"
"""The key of its group; no group of alerts has this key."""
CHECK_AGAIN: Final[Duration] = 10 * SECOND
"""Time between two checks whether the daemon works again, while it does not."""


@dataclass(slots=True)
class WatchdogState:
    """The watchdog's receiver, its interval, its group (None: nothing was sent yet), and the account of a new group."""

    receiver: str
    every: Duration
    group: AggregationGroup | None = None
    account: str = ""

    def is_own(self, group: AggregationGroup) -> bool:
        """Returns whether a stored group of a watchdog is that of this one."""
        return group.receiver == self.receiver and group.account == self.account

    def flush(
        self, now: Instant, external_url: str = "", *, well: bool = True
    ) -> tuple[AggregationGroup | None, Notification | None]:
        """Returns the group as it is afterwards, and the notification to send now, if any.

        The schedule is fixed: a late notification does not delay the next one.
        """
        known = self.group if self.group is not None and self.group.receiver == self.receiver else None
        due = self._due(known, now)
        if not well or due > now:
            return self.group, None
        labels = {"alertname": NAME}
        group = known or new_group((self.receiver, KEY), Route(self.receiver), labels, now, self.account)
        told_at = due if now - due < self.every else now
        after = msgspec.structs.replace(group, told_at=told_at, count=group.count + 1, flush_at=told_at + self.every)
        return after, self._notification(group, now, external_url)

    def next_at(self, group: AggregationGroup | None, now: Instant) -> Instant:
        """Returns when to flush again."""
        due = self._due(group, now)
        return due if due > now else now + CHECK_AGAIN

    def _due(self, group: AggregationGroup | None, now: Instant) -> Instant:
        if group is None or group.told_at is None or group.told_at > now:  # the last: the clock was set back
            return now
        return group.told_at + self.every

    def _notification(self, group: AggregationGroup, now: Instant, external_url: str) -> Notification:
        view = sign_of_life(group.started_at, now)
        return Notification(
            key=f"{group.episode}-{group.count + 1}",
            episode=group.episode,
            reason="repeat" if group.count else "first",
            status="firing",
            receiver=self.receiver,
            group_key=KEY,
            group_labels=group.labels,
            common_labels=view.labels,
            common_annotations=view.annotations,
            alerts=(view,),
            created_at=now,
            external_url=external_url,
        )


def sign_of_life(starts_at: Instant, now: Instant) -> AlertView:
    """Returns the alert of the watchdog's notification, which fires for as long as the daemon works."""
    return AlertView(
        fingerprint=FINGERPRINT,
        name=NAME,
        rule=NAME,
        kind="builtin",
        status="firing",
        severity=SEVERITY,
        unit="count",
        labels={"alertname": NAME, "severity": SEVERITY},
        annotations={
            "summary": "routee-monitor works and can send notifications. If this alert stops coming, routee-monitor has failed."
        },
        value=None,
        threshold=None,
        starts_at=starts_at,
        as_of=now,
        why="all is well",
    )
