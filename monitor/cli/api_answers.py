"""The shapes of the daemon's answers that commands read, so that another server's answer is detected before it is used."""

from datetime import datetime
from typing import Any, NotRequired, TypedDict


class StatusAnswer(TypedDict):
    """The state of an alert or a silence."""

    state: str


class AlertAnswer(TypedDict):
    """An alert of `/api/v2/alerts`."""

    fingerprint: str
    ownFingerprint: NotRequired[str]
    labels: dict[str, str]
    status: StatusAnswer


class AcknowledgedAlert(TypedDict):
    """The answer of `/api/v1/alerts/…/acknowledgement` to a change: the alert."""

    fingerprint: str
    labels: dict[str, str]


class MatcherAnswer(TypedDict):
    """A matcher of a silence."""

    name: str
    value: str
    isRegex: bool
    isEqual: NotRequired[bool]


class TimeOfDay(TypedDict):
    """The beginning and end of a time span within a day."""

    start_time: str
    end_time: str


class During(TypedDict):
    """The times at which a silence recurs."""

    times: NotRequired[list[TimeOfDay]]
    weekdays: NotRequired[list[str]]
    location: str


class SilenceAnswer(TypedDict):
    """A silence of `/api/v2/silences`."""

    id: str
    status: StatusAnswer
    startsAt: datetime
    endsAt: datetime
    endsSoon: bool
    silencesNow: bool
    silencing: int
    createdBy: str
    comment: str
    matchers: list[MatcherAnswer]
    during: NotRequired[During | None]


class MadeSilence(TypedDict):
    """The answer of `POST /api/v2/silences`."""

    silenceID: str


class AlertOfNotification(TypedDict):
    """An alert of a notification."""

    name: str


class DeadLetter(TypedDict):
    """A dead letter of `/api/v1/dead-letters`."""

    id: int
    at: str
    receiver: str
    channel: str
    alerts: list[AlertOfNotification]
    error: str


class DeadLetters(TypedDict):
    """The answer of `/api/v1/dead-letters`."""

    items: list[DeadLetter]
    total: int


class RetryAnswer(TypedDict):
    """The answer of `POST /api/v1/dead-letters/retry`."""

    waiting: int
    superseded: int
    unreadable: NotRequired[int]


class SearchStatus(TypedDict):
    """A search of `/api/v1/status`."""

    account: str
    search: str
    every: float
    lastPoll: datetime | None
    age: float | None
    caughtUp: float
    blind: str | None
    trouble: NotRequired[str]


class WorstAlert(TypedDict):
    """The worst alert that fires."""

    labels: dict[str, str]
    severity: str
    startsAt: datetime


class AlertCounts(TypedDict):
    """The numbers of alerts."""

    firing: int
    reports: int
    pending: int
    acknowledged: int
    bySeverity: dict[str, int]
    worst: WorstAlert | None


class ChannelBacklog(TypedDict):
    """The notifications that wait for one channel."""

    receiver: str
    channel: str
    waiting: int


class Backlog(TypedDict):
    """The notifications that wait."""

    waiting: int
    oldest: datetime | None
    channels: list[ChannelBacklog]


class SilenceCounts(TypedDict):
    """The numbers of silences."""

    active: int
    pending: int


class FleetWorker(TypedDict):
    """One daemon of those that share a store."""

    name: str
    version: str
    url: str | None
    since: datetime
    isAlive: bool
    lastSeen: NotRequired[datetime | None]
    isThis: bool
    accounts: list[str]
    removed: NotRequired[list[str]]
    leavesAlone: NotRequired[list[str]]
    leavesAloneWhy: NotRequired[dict[str, str]]


class FleetAccount(TypedDict):
    """Who works for an account, and since when."""

    account: str
    worker: str | None
    since: datetime | None


class FleetStatus(TypedDict):
    """The daemons that share a store, as the store had them at ``asOf``, ``age`` seconds ago."""

    asOf: NotRequired[datetime | None]
    age: NotRequired[float | None]
    workers: list[FleetWorker]
    accounts: list[FleetAccount]


class DaemonStatus(TypedDict):
    """The answer of `/api/v1/status`."""

    running: bool
    version: str
    since: datetime
    warnings: list[str]
    searches: list[SearchStatus]
    alerts: AlertCounts
    outbox: Backlog
    deadLetters: int | None
    setAside: int | None
    silences: SilenceCounts
    fleet: NotRequired[FleetStatus]


def holds(answer: Any, shape: Any) -> bool:
    """Returns whether an answer from JSON has that shape; further fields are ignored."""
    import msgspec

    try:
        msgspec.convert(answer, shape)
    except msgspec.ValidationError:
        return False
    return True
