"""Notifications: complete snapshots of alerts that can be stored and rendered at any later time."""

from typing import Any, Literal

import msgspec

from monitor.model.finding import Unit
from monitor.runtime.clock import MINUTE, SECOND, Duration, Instant

Reason = Literal[
    "first",
    "reopened",
    "new alerts",
    "some resolved",
    "all resolved",
    "escalated",
    "eased",
    "repeat",
    "acknowledged",
    "test",
]
"""Why a notification is sent. ``reopened``: an alert joins an incident that was over.
``acknowledged`` (or no longer so) goes only to channels that can edit their earlier messages."""


class Cause(msgspec.Struct, frozen=True, gc=False):
    """One value of one field and its share (0 to 1) of the excess over the baseline."""

    field: str
    value: str
    share: float
    matching: int


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One message that counts against the rule; the recipient is already masked."""

    message_id: str
    to: str
    status: str
    detailed_status: str
    operator: str
    date: Instant

    def __str__(self) -> str:
        return self.message_id


class Link(msgspec.Struct, frozen=True, gc=False):
    """A title and a URL. The URL is made from configuration, never from message data."""

    title: str
    url: str


class AlertView(msgspec.Struct, frozen=True, gc=False):
    """One alert as templates see it. Times are instants (microseconds UTC), shares are fractions, and latencies are in seconds."""

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
    """The number of further groups of this rule that cross the threshold but are held back by its ``limit``."""

    matched: str = ""
    """What the numerator counts, in a few words (``Undelivered``, ``Carrier Violation``); empty if it counts all failures.
    For a latency it is the percentile (``95%``), for stuck messages the time (``15m``), for different or new values their field."""

    was_severity: str = ""
    """The severity that was notified before this escalation. Receivers that know alerts by labels must see that one resolve."""

    began_at: Instant | None = None
    """When the threshold was first crossed, before the rule's ``for`` was over; None if that was at ``starts_at``."""

    time_zone: str = ""
    """The account's time zone (IANA), which is shown beside UTC; empty if only UTC is shown."""

    acknowledged_by: str = ""
    """Who has acknowledged it; empty if nobody has."""

    acknowledged_comment: str = ""
    """The comment of the acknowledgement; may be empty."""

    flapping: int = 0
    """How often it began within an hour, if it flaps and its ends are held back; else 0."""

    suppressed: str = ""
    """``silenced``, ``inhibited`` or ``muted`` for an alert that was notified before and is shown as it was then; else empty."""

    history_every: Duration = 0
    """The time between two values of ``history``; 0 if it follows from the window."""

    fires_on_until: Instant | None = None
    """Until when it fires only because of ``keep_firing_for``; None if its threshold is crossed, or it is over."""

    notified_at: Instant = 0
    """When the notification that shows it was made; 0 if none does. Its latest evaluation, ``as_of``, may be longer ago."""

    @property
    def is_report(self) -> bool:
        """Whether it is a report: of an ended campaign, or the morning report. A report is notified once, has no duration and cannot be
        acknowledged."""
        return self.kind == "report" or (self.kind == "campaign" and self.labels.get("problem") == "ended")

    @property
    def history_step(self) -> Duration:
        """Returns the time between two values of ``history``. The last value is that at ``as_of``."""
        return self.history_every or history_step(self.window)

    @property
    def since(self) -> Instant:
        """Returns when the threshold was first crossed."""
        return self.starts_at if self.began_at is None else self.began_at

    @property
    def duration(self) -> Duration:
        """Returns how long the trouble has lasted when it is notified (else when it was last evaluated), or lasted until its end."""
        return self.lasted(max(self.as_of, self.notified_at))

    def lasted(self, now: Instant) -> Duration:
        """Returns how long the trouble has lasted at ``now``, or lasted until its end."""
        return (now if self.ends_at is None else self.ends_at) - self.since


def history_step(window: Duration | None) -> Duration:
    """Returns the time between two values of an alert's history: a quarter of the window, at least 30 s; a minute without a window."""
    return MINUTE if window is None else max(window // 4, 30 * SECOND)


class Digest(msgspec.Struct, frozen=True):
    """The morning report in short. ``figures`` (``95.4% delivered: …``), the lines of ``lists`` and ``notes`` are plain text that may contain
    data of messages. ``text`` is the whole report, 80 columns wide; ``document`` the whole report as JSON. ``link`` may be empty."""

    title: str
    summary: str
    figures: tuple[str, ...]
    lists: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...]
    text: str
    document: dict[str, Any]
    link: str = ""


class Notification(msgspec.Struct, frozen=True):
    """One message to one receiver about one group of alerts.

    ``key`` is the idempotency key: the same for every retry, different for every notification. ``episode`` is the same
    from a group's first notification to its resolve. Messages of one episode belong into one thread.
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
    """The number of firing alerts by name, if this notification stands for the many groups of a storm; see `monitor.routing.storm`."""

    incident: str = ""
    """The id of the incident that all of its alerts are of; empty: of none."""

    head: str = ""
    """The fingerprint of the alert that names the incident: the smallest scope that explains the excess."""

    place: dict[str, str] = {}
    """Where the incident is, by message fields; empty if it is everywhere, or the place is not known."""

    digest: Digest | None = None
    """The morning report that this is; its only alert says the same in short."""

    @property
    def is_report(self) -> bool:
        """Returns whether all of its alerts are reports."""
        return bool(self.alerts) and all(alert.is_report for alert in self.alerts)

    @property
    def firing(self) -> tuple[AlertView, ...]:
        """Returns the alerts that are firing."""
        return tuple(alert for alert in self.alerts if alert.status == "firing")

    @property
    def resolved(self) -> tuple[AlertView, ...]:
        """Returns the alerts that are resolved."""
        return tuple(alert for alert in self.alerts if alert.status == "resolved")


def encode(notification: Notification) -> bytes:
    """Returns the snapshot as JSON, for the outbox."""
    return msgspec.json.encode(notification)


def decode(data: bytes) -> Notification:
    """Returns the notification that `encode` wrote. Raises msgspec.MsgspecError for other data."""
    return msgspec.json.decode(data, type=Notification)


def common(maps: list[dict[str, str]]) -> dict[str, str]:
    """Returns the pairs that all of ``maps`` share."""
    if not maps:
        return {}
    first, *others = maps
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
