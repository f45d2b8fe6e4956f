"""The incidents: alerts of several rules that fired for one cause. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from monitor.alerts.alert_episodes import AlertEpisode
from monitor.alerts.incident_loss import IncidentLoss
from monitor.daemon.read.alerts import AlertSummary
from monitor.daemon.read.fields import Time, read_model
from monitor.daemon.read.notifications import NotificationSummary
from monitor.model.alert import Alert
from monitor.model.incident import IncidentScope, merged
from monitor.model.notification import AlertView
from monitor.notify.render.alert_sentence import sentence
from monitor.store.protocol import PastIncident


@read_model
class IncidentSummary:
    """An incident, open or over."""

    id: str
    family: str
    """The name of its rules' incidents; empty if it is over and that is not known any more."""
    account: str
    place: dict[str, str]
    """Where it is, by message fields; empty if it is everywhere, or the place is not known."""
    is_open: bool
    """Whether one of its alerts fires."""
    began_at: Time
    """When the first of its alerts began to fire."""
    last_at: Time
    """When the last of its alerts began to fire."""
    alerts: int
    """The number of its alerts, those that are over included."""
    firing: int
    head: str
    """The sentence of the alert that names it; empty if it is not known any more."""


@read_model
class IncidentAlert:
    """One alert of an incident."""

    fingerprint: str
    rule: str
    account: str
    labels: dict[str, str]
    began_at: Time
    """When the threshold was first crossed."""
    firing_at: Time | None
    ended_at: Time | None
    """Null while it fires."""
    because: str
    present: AlertSummary | None
    """The alert as it is now; null if it is over."""


@read_model
class IncidentCost:
    """What an incident cost: the messages that failed beyond what is usual, and the money spent on them."""

    since: Time
    """A window before the first threshold was crossed."""
    until: Time
    """When the last alert ended, or the latest poll."""
    final: int
    """The messages of its scope that got a final status in that time."""
    failed: int
    usual_share: float | None
    """The share of failures in the 24 hours before; null if it is not known."""
    lost: int | None
    spent: float | None
    """Money in the account's currency; null if no failed message has a price."""
    whole: bool
    """Whether the messages of the whole time are known."""
    unpriced: int
    """How many of the failed messages have no price; Routee gives some prices later."""


@read_model
class IncidentDetail:
    """An incident with its alerts and notifications."""

    summary: IncidentSummary
    head: str
    """The fingerprint of the alert that names it; empty if it is not known."""
    ended_at: Time | None
    """When the last of its alerts ended; null while one fires."""
    alerts: tuple[IncidentAlert, ...]
    """The earliest first."""
    notifications: tuple[NotificationSummary, ...]
    """The newest first."""
    cost: IncidentCost | None
    """Null if it is not about messages whose delivery can be counted."""


def cost_of(loss: IncidentLoss | None) -> IncidentCost | None:
    """Returns what an incident cost as it is shown."""
    if loss is None:
        return None
    usual = None if loss.usual is None else round(loss.usual, 6)
    spent = None if loss.spent is None else round(loss.spent, 6)
    return IncidentCost(
        loss.start, loss.end, loss.final, loss.failed, usual, loss.lost, spent, loss.whole, loss.unpriced
    )


def scopes_of(alerts: Iterable[Alert]) -> dict[str, tuple[IncidentScope, list[Alert]]]:
    """Returns the incidents of the alerts that fire, by id: what is known of each, and those of its alerts."""
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        if alert.state == "firing" and alert.incident is not None:
            found.setdefault(alert.incident.id, []).append(alert)
    return {
        name: (merged(one.incident for one in some if one.incident is not None), some) for name, some in found.items()
    }


def incident_summary(
    past: PastIncident, scope: IncidentScope | None, firing: Sequence[Alert], head: AlertView | None
) -> IncidentSummary:
    """Returns an incident. ``scope`` is what its firing alerts know of it; ``head`` is the alert that names it, as it was shown last."""
    return IncidentSummary(
        id=past.id,
        family="" if scope is None else scope.family,
        account="" if scope is None else scope.account,
        place={} if scope is None or scope.everywhere else scope.place,
        is_open=bool(firing),
        began_at=past.began_at,
        last_at=past.last_at,
        alerts=past.alerts,
        firing=len(firing),
        head="" if head is None else sentence(head),
    )


def incident_alerts(
    episodes: Iterable[AlertEpisode], views: Mapping[str, AlertView], present: Mapping[str, AlertSummary]
) -> tuple[IncidentAlert, ...]:
    """Returns the alerts of an incident, the earliest first. ``views`` and ``present`` are by fingerprint."""

    def alert(episode: AlertEpisode) -> IncidentAlert:
        view, now = views.get(episode.fingerprint), present.get(episode.fingerprint)
        labels = {"alertname": episode.rule, **dict(episode.group)} if view is None else view.labels
        return IncidentAlert(
            episode.fingerprint,
            episode.rule,
            episode.account,
            labels if now is None else now.labels,
            episode.began_at,
            episode.firing_at,
            episode.ended_at,
            episode.because or "",
            now if episode.ended_at is None else None,
        )

    return tuple(map(alert, sorted(episodes, key=lambda episode: episode.began_at)))
