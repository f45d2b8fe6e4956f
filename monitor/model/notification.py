"""Notifications: self-contained snapshots that can be stored, rendered later and rendered again."""

from typing import Literal

import msgspec

from monitor.model.finding import Unit
from monitor.runtime.clock import MINUTE, SECOND, Duration, Instant

Reason = Literal[
    "first", "new alerts", "some resolved", "all resolved", "escalated", "eased", "repeat", "acknowledged", "test"
]
"""Why a notification is sent. ``acknowledged`` (or no longer so) goes only to channels that can edit what they were told."""


class Cause(msgspec.Struct, frozen=True):
    """One value of one dimension and the share of the excess over the baseline that it carries (0 to 1)."""

    field: str
    value: str
    share: float
    matching: int


class Sample(msgspec.Struct, frozen=True):
    """One message that counts against the rule; the recipient is already masked."""

    message_id: str
    to: str
    status: str
    detailed_status: str
    operator: str
    date: Instant

    def __str__(self) -> str:
        return self.message_id


class Link(msgspec.Struct, frozen=True):
    """Something to open: a title and a URL made from configuration, never from message data."""

    title: str
    url: str


class AlertView(msgspec.Struct, frozen=True):
    """One alert as templates see it. Times are instants (microseconds UTC), shares fractions, latencies seconds."""

    fingerprint: str
    name: str
    rule: str
    kind: str
    status: Literal["firing", "resolved"]
    severity: str
    unit: Unit
    labels: dict[str, str]
    annotations: dict[str, str]
    value: float | None
    threshold: float | None
    starts_at: Instant
    as_of: Instant
    why: str
    ends_at: Instant | None = None
    resolved_because: str = ""
    baseline: float | None = None
    change: float | None = None
    peak: float | None = None
    comparison: Literal["above", "below"] = "above"
    window: Duration | None = None
    messages: int = 0
    matching: int = 0
    breakdown: tuple[Cause, ...] = ()
    samples: tuple[Sample, ...] = ()
    history: tuple[float | None, ...] = ()
    links: tuple[Link, ...] = ()
    more: int = 0
    """Further groups of this rule that are over the threshold but held back by its ``limit``."""

    matched: str = ""
    """What the numerator counts, in a few words (``Undelivered``, ``Carrier Violation``); empty where it is simply failures.
    Of a latency the percentile (``95%``), of stuck messages for how long (``15m``), of different or new values their field."""

    was_severity: str = ""
    """The severity that the receiver was told before this escalation: receivers that know alerts by labels see that one resolve."""

    began_at: Instant | None = None
    """When the trouble began: since then the threshold has been crossed, before the rule's ``for`` was over. None: at ``starts_at``."""

    time_zone: str = ""
    """The account's time zone (IANA), beside which UTC is shown; empty: only UTC."""

    acknowledged_by: str = ""
    """Who has acknowledged it; empty: nobody."""

    acknowledged_comment: str = ""
    """What whoever has acknowledged it says about it; may be empty."""

    flapping: int = 0
    """How often it began within an hour, where that is so often that its ends are not told for now; else 0."""

    suppressed: str = ""
    """``silenced``, ``inhibited`` or ``muted``: it was told before, and is shown as it was told then."""

    history_every: Duration = 0
    """The time between two values of ``history``, where it does not follow from the window."""

    @property
    def is_report(self) -> bool:
        """Whether it reports that a campaign has ended: people are told of that once, it lasts no time, and nobody acknowledges it."""
        return self.kind == "campaign" and self.labels.get("problem") == "ended"

    @property
    def history_step(self) -> Duration:
        """The time between two values of ``history``; the last of them is as of ``as_of``."""
        return self.history_every or history_step(self.window)

    @property
    def since(self) -> Instant:
        """When the trouble began."""
        return self.starts_at if self.began_at is None else self.began_at

    @property
    def duration(self) -> Duration:
        """How long the trouble has lasted, or lasted."""
        return (self.ends_at if self.ends_at is not None else self.as_of) - self.since


def history_step(window: Duration | None) -> Duration:
    """The time between two values of an alert's history: a quarter of the window."""
    return MINUTE if window is None else max(window // 4, 30 * SECOND)


class Notification(msgspec.Struct, frozen=True):
    """One message to one receiver about one group of alerts.

    ``key`` is the idempotency key: the same over every retry, another for every other notification. ``episode`` is the same
    from a group's first notification to its resolve: messages of one episode belong into one thread.
    """

    key: str
    episode: str
    reason: Reason
    status: Literal["firing", "resolved"]
    receiver: str
    group_key: str
    group_labels: dict[str, str]
    common_labels: dict[str, str]
    common_annotations: dict[str, str]
    alerts: tuple[AlertView, ...]
    created_at: Instant
    external_url: str = ""
    truncated: int = 0
    tally: dict[str, int] = {}
    """In a storm, where this stands for many groups: how many alerts fire, by name. See `monitor.routing.storm`."""

    @property
    def is_report(self) -> bool:
        """Returns whether all of its alerts are reports."""
        return bool(self.alerts) and all(alert.is_report for alert in self.alerts)

    @property
    def firing(self) -> tuple[AlertView, ...]:
        """The alerts that are firing."""
        return tuple(alert for alert in self.alerts if alert.status == "firing")

    @property
    def resolved(self) -> tuple[AlertView, ...]:
        """The alerts that are over."""
        return tuple(alert for alert in self.alerts if alert.status == "resolved")


def encode(notification: Notification) -> bytes:
    """Returns the snapshot as JSON, for the outbox."""
    return msgspec.json.encode(notification)


def decode(data: bytes) -> Notification:
    """Returns the notification that `encode` wrote."""
    return msgspec.json.decode(data, type=Notification)


def common(maps: list[dict[str, str]]) -> dict[str, str]:
    """The pairs that all of ``maps`` share."""
    if not maps:
        return {}
    first, *others = maps
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
