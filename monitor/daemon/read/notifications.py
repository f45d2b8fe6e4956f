"""What was told to whom, and what could never be sent. Pure."""

from monitor.daemon.read.fields import Time, read_model
from monitor.store.protocol import Fate, NotificationRecord


@read_model
class AlertNotified:
    """One alert of a notification."""

    name: str
    labels: dict[str, str]
    status: str
    """`firing` or `resolved`."""
    fingerprint: str


@read_model
class NotificationSummary:
    """One notification to one channel."""

    id: int
    at: Time
    """When it was made."""
    receiver: str
    channel: str
    reason: str
    alerts: tuple[AlertNotified, ...]
    truncated: int
    """The number of further alerts, which it does not list."""
    outcome: Fate
    """`waiting`, `sent`, `dead`, or `superseded`: a newer one replaced it."""
    attempts: int
    """The number of tries that failed and were postponed."""
    error: str
    """The reason of the latest failure."""
    done_at: Time | None
    """When it was sent or given up; null while it waits."""


MOST_ALERTS = 20
"""The most alerts of a notification that are listed."""


def notification_of(record: NotificationRecord) -> NotificationSummary:
    """Returns a past notification for reading, with its first MOST_ALERTS alerts."""
    alerts = tuple(
        AlertNotified(one.name, one.labels, one.status, one.fingerprint) for one in record.alerts[:MOST_ALERTS]
    )
    return NotificationSummary(
        id=record.id,
        at=record.at,
        receiver=record.receiver,
        channel=record.channel,
        reason=record.reason,
        alerts=alerts,
        truncated=record.truncated + len(record.alerts) - len(alerts),
        outcome=record.outcome,
        attempts=record.attempts,
        error=record.error,
        done_at=record.done_at,
    )
