"""The alerts: those that fire or are pending, and what happened to one of them from its beginning to its end. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from monitor.alerts.alert_episodes import AlertEpisode
from monitor.alerts.kinds import unit_of
from monitor.alerts.severities import severity_after
from monitor.config.rules import Rule
from monitor.daemon.read.fields import Seconds, Time, read_model
from monitor.daemon.read.notifications import NotificationSummary
from monitor.dispatch.status import AlertStatus
from monitor.model.alert import Alert, State, Transition
from monitor.model.finding import Unit
from monitor.model.label_fingerprint import label_fingerprint
from monitor.model.notification import AlertView
from monitor.notify.render.alert_sentence import cause, sentence
from monitor.notify.render.sanitize import URGENCY, tone
from monitor.routing.acknowledgements import Ack

AlertState = Literal["pending", "firing", "resolved"]


@read_model
class Acknowledgement:
    """Who takes care of an alert."""

    by: str
    comment: str
    at: Time
    until: Time | None
    """Null: until the alert resolves."""


@read_model
class AlertSummary:
    """An alert that fires or is pending, or whose end is still to be notified."""

    fingerprint: str
    """Its own: of its account, rule and group."""
    label_fingerprint: str
    """Of its labels, as Alertmanager's API and webhooks have it. It changes with the severity."""
    rule: str
    kind: str
    account: str
    labels: dict[str, str]
    state: AlertState
    severity: str
    sentence: str
    """What is wrong, in the words of its notifications."""
    why: str
    unit: Unit
    comparison: str
    value: float | None
    threshold: float | None
    baseline: float | None
    peak: float | None
    """The worst value since it began."""
    messages: int
    matching: int
    since: Time
    """When the threshold was first crossed."""
    starts_at: Time
    """When it began to fire; of a pending alert when the threshold was first crossed."""
    ends_at: Time | None
    as_of: Time
    """As of when it was last evaluated."""
    lasted: Seconds
    """How long it has lasted up to `asOf`, or until its end."""
    fires_on_until: Time | None
    """Until when it fires on for `keep_firing_for`; null while its threshold is crossed."""
    no_data_since: Time | None
    """Since when it fires without enough data; null while there is enough."""
    forgotten_at: Time | None
    """When it ends if there is not enough data until then (`forget_after`)."""
    missing_before: Time | None
    """Messages before this are still to be read from Routee, new ones or lost ones. The alert does not end before those that its rule looks at were
    read; else null."""
    receivers: tuple[str, ...]
    """The receivers that it is routed to."""
    acknowledgement: Acknowledgement | None
    silenced_by: tuple[str, ...]
    """The silences that hide it."""
    inhibited_by: tuple[str, ...]
    muted_by: tuple[str, ...]
    is_suppressed: bool
    """Whether nobody is notified of it now."""
    incident: str
    """The id of its incident; empty: it is of none."""
    is_report: bool
    """Whether it reports that a campaign has ended."""


@read_model
class ExcessCause:
    """A value of a field that carries much of what is wrong."""

    field: str
    value: str
    share: float
    """Its part of the excess, as a fraction."""
    words: str


@read_model
class SampleMessage:
    """One message that counts against the rule. The recipient is masked."""

    message_id: str
    to: str
    status: str
    detailed_status: str
    operator: str
    date: Time


@read_model
class AlertEvent:
    """One change of an alert."""

    at: Time
    what: str
    """`pending`, `dropped`, `fired`, `escalated`, `eased`, `resolved`, `acknowledged` or `unacknowledged`."""
    severity: str
    """The severity after it, by the levels that the rule has now; empty if it is not known."""
    value: float | None
    because: str
    """Why it was resolved; empty for other changes."""
    by: str
    comment: str


@read_model
class AlertCourse:
    """One alert from its beginning to its end; also after it is over."""

    fingerprint: str
    """Its own: of its account, rule and group."""
    label_fingerprint: str
    """Of its labels, as Alertmanager's API and webhooks have it; empty if it is not known with all of its labels."""
    rule: str
    account: str
    labels: dict[str, str]
    state: AlertState
    sentence: str
    """In the words of its latest notification; empty if it was never notified."""
    unit: Unit
    began_at: Time | None
    """When the threshold was first crossed."""
    firing_at: Time | None
    ended_at: Time | None
    because: str
    """Why it ended; empty while it has not."""
    incident: str
    present: AlertSummary | None
    """The alert as it is now; null if it is over and nobody is still to be told."""
    causes: tuple[ExcessCause, ...]
    samples: tuple[SampleMessage, ...]
    annotations: dict[str, str]
    events: tuple[AlertEvent, ...]
    """What happened to it, the oldest first."""
    notifications: tuple[NotificationSummary, ...]
    """The latest notifications that it was in, the newest first."""
    earlier: int
    """How often its group had an alert before, as far as is known."""


def acknowledgement_of(ack: Ack | None) -> Acknowledgement | None:
    """Returns an acknowledgement for reading."""
    return None if ack is None else Acknowledgement(ack.by, ack.comment, ack.at, ack.until)


def alert_of(one: AlertStatus, account: str) -> AlertSummary:
    """Returns an alert of the account for reading."""
    view = one.view
    return AlertSummary(
        fingerprint=view.fingerprint,
        label_fingerprint=label_fingerprint(view.labels),
        rule=view.rule,
        kind=view.kind,
        account=account,
        labels=view.labels,
        state=one.state,
        severity=view.severity,
        sentence=sentence(view),
        why=view.why,
        unit=view.unit,
        comparison=view.comparison,
        value=view.value,
        threshold=view.threshold,
        baseline=view.baseline,
        peak=view.peak,
        messages=view.messages,
        matching=view.matching,
        since=view.since,
        starts_at=view.starts_at,
        ends_at=view.ends_at,
        as_of=view.as_of,
        lasted=max(view.duration, 0),
        fires_on_until=one.fires_on_until,
        no_data_since=one.no_data_since,
        forgotten_at=one.forgotten_at,
        missing_before=one.missing_before,
        receivers=one.receivers,
        acknowledgement=acknowledgement_of(one.ack),
        silenced_by=one.silenced_by,
        inhibited_by=one.inhibited_by,
        muted_by=one.muted_by,
        is_suppressed=one.is_suppressed,
        incident=one.incident,
        is_report=view.is_report,
    )


_STATES: Mapping[State, int] = {"firing": 0, "pending": 1, "resolved": 2}


def urgency(alert: Alert, severity: str) -> tuple[int, int, float, int, str]:
    """Returns the key by which alerts are sorted: firing first, then the severity, how far beyond the threshold, and since when."""
    urgent = URGENCY[tone(severity, "firing")]
    began = alert.pending_at if alert.firing_at is None else alert.firing_at
    return _STATES[alert.state], urgent, -alert.excess, began, alert.fingerprint


def causes_of(view: AlertView) -> tuple[ExcessCause, ...]:
    """Returns what explains an alert."""
    return tuple(ExcessCause(one.field, one.value, one.share, cause(one)) for one in view.breakdown)


def samples_of(view: AlertView) -> tuple[SampleMessage, ...]:
    """Returns some messages of an alert."""
    return tuple(
        SampleMessage(one.message_id, one.to, one.status, one.detailed_status, one.operator, one.date)
        for one in view.samples
    )


def event_of(one: Transition, rules: Mapping[str, Rule]) -> AlertEvent:
    """Returns a transition for reading."""
    by, comment = ("", "") if one.about is None else (one.about.by, one.about.comment)
    return AlertEvent(one.at, one.what, severity_after(one, rules), one.value, one.because or "", by, comment)


def course_of(
    episodes: Sequence[AlertEpisode],
    view: AlertView | None,
    present: AlertSummary | None,
    notifications: Iterable[NotificationSummary],
    rules: Mapping[str, Rule],
) -> AlertCourse:
    """Returns the course of an alert. ``episodes`` are its known episodes, the latest first; ``view`` is how it was shown last.

    At least one of ``episodes``, ``view`` and ``present`` is not empty.
    """
    episode = episodes[0] if episodes else None
    known = _AlertIdentity(episode, view, present)
    ended = episode if episode is not None and known.state == "resolved" else None
    return AlertCourse(
        fingerprint=known.fingerprint,
        label_fingerprint=known.label_fingerprint,
        rule=known.rule,
        account=known.account,
        labels=known.labels,
        state=known.state,
        sentence=sentence(view) if view is not None else "",
        unit=view.unit if view is not None else _unit_by_rule(known, rules),
        began_at=episode.began_at if episode is not None else None if present is None else present.since,
        firing_at=None if episode is None else episode.firing_at,
        ended_at=None if ended is None else ended.ended_at,
        because="" if ended is None else ended.because or "",
        incident=known.incident,
        present=present,
        causes=() if view is None else causes_of(view),
        samples=() if view is None else samples_of(view),
        annotations={} if view is None else view.annotations,
        events=() if episode is None else tuple(event_of(one, rules) for one in episode.events),
        notifications=tuple(notifications),
        earlier=max(len(episodes) - 1, 0),
    )


def _unit_by_rule(known: "_AlertIdentity", rules: Mapping[str, Rule]) -> Unit:
    """Returns the unit of an alert of which nobody was told, so that nothing but its rule knows it; that of numbers if the rule is gone."""
    rule = rules.get(known.rule)
    return "count" if rule is None else unit_of(rule, tuple(known.labels.items()))


class _AlertIdentity:
    """What is known of an alert from its present state, else from how it was last shown, else from its transitions."""

    def __init__(self, episode: AlertEpisode | None, view: AlertView | None, present: AlertSummary | None) -> None:
        self._episode, self._view, self._present = episode, view, present

    @property
    def _best(self) -> "AlertSummary | AlertView | AlertEpisode":
        found = self._present or self._view or self._episode
        assert found is not None
        return found

    @property
    def fingerprint(self) -> str:
        return self._best.fingerprint

    @property
    def label_fingerprint(self) -> str:
        best = self._best
        return "" if isinstance(best, AlertEpisode) else label_fingerprint(best.labels)

    @property
    def rule(self) -> str:
        return self._best.rule

    @property
    def account(self) -> str:
        if self._present is not None:
            return self._present.account
        return "" if self._episode is None else self._episode.account

    @property
    def labels(self) -> dict[str, str]:
        best = self._best
        return {"alertname": best.rule, **dict(best.group)} if isinstance(best, AlertEpisode) else best.labels

    @property
    def state(self) -> AlertState:
        return "resolved" if self._present is None else self._present.state

    @property
    def incident(self) -> str:
        if self._present is not None:
            return self._present.incident
        return "" if self._episode is None else self._episode.incident
