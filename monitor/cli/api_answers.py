"""What the daemon's answers hold, as far as commands read them: whatever else answers there is found out before it is taken for one."""

from datetime import datetime
from typing import Any, NotRequired, TypedDict


class StatusAnswer(TypedDict):
    """Of an alert or a silence."""

    state: str


class AlertAnswer(TypedDict):
    """One of `/api/v2/alerts`."""

    fingerprint: str
    labels: dict[str, str]
    status: StatusAnswer


class MatcherAnswer(TypedDict):
    """One of a silence."""

    name: str
    value: str
    isRegex: bool
    isEqual: NotRequired[bool]


class TimeOfDay(TypedDict):
    """From when until when on those days."""

    start_time: str
    end_time: str


class During(TypedDict):
    """When a silence recurs."""

    times: NotRequired[list[TimeOfDay]]
    weekdays: NotRequired[list[str]]
    location: str


class SilenceAnswer(TypedDict):
    """One of `/api/v2/silences`."""

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
    """What `POST /api/v2/silences` says."""

    silenceID: str


class SearchStatus(TypedDict):
    """One search of `/api/v1/status`."""

    account: str
    search: str
    every: float
    lastPoll: datetime | None
    age: float | None
    caughtUp: float
    blind: str | None


class WorstAlert(TypedDict):
    """The worst that fires."""

    labels: dict[str, str]
    severity: str
    startsAt: datetime


class AlertCounts(TypedDict):
    """How many alerts there are."""

    firing: int
    reports: int
    pending: int
    acknowledged: int
    bySeverity: dict[str, int]
    worst: WorstAlert | None


class ChannelBacklog(TypedDict):
    """What waits for one channel."""

    receiver: str
    channel: str
    waiting: int


class Backlog(TypedDict):
    """What waits to be told."""

    waiting: int
    oldest: datetime | None
    channels: list[ChannelBacklog]


class SilenceCounts(TypedDict):
    """How many silences there are."""

    active: int
    pending: int


class DaemonStatus(TypedDict):
    """`/api/v1/status`."""

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


def holds(answer: Any, shape: Any) -> bool:
    """Whether an answer from JSON is of that shape; what else it holds does not matter."""
    import msgspec

    try:
        msgspec.convert(answer, shape)
    except msgspec.ValidationError:
        return False
    return True
