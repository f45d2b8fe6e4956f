"""Renders alerts in Alertmanager's formats: its webhook payload, version 4, and the alerts of its API v2."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from monitor.model.label_fingerprint import label_fingerprint
from monitor.model.notification import AlertView, Notification, common
from monitor.runtime.clock import MINUTE, Duration, Instant, iso

_NOT_OVER: Final = "0001-01-01T00:00:00Z"
"""Go's zero time: the end of an alert that still fires."""


ENDS_AHEAD: Final[Duration] = 4 * MINUTE
"""How far ahead the end is set of an alert that still fires."""


def alertmanager(notification: Notification, most: int = 0) -> dict[str, Any]:
    """Returns the payload with at most ``most`` alerts (0 for all); the others are only counted.

    An alert that escalated appears twice: resolved with its old severity, firing with its new one. One that is over is left out where
    another one fires with the same labels, as after an account got another name: whoever knows alerts by them would take that for over.
    """
    views = notification.alerts[: most or None]
    entries = [entry for view in views for entry in _entries(view, notification.external_url)]
    firing = {entry["fingerprint"] for entry in entries if entry["status"] == "firing"}
    alerts = [entry for entry in entries if entry["status"] == "firing" or entry["fingerprint"] not in firing]
    return {
        "receiver": notification.receiver,
        "status": notification.status,
        "alerts": alerts,
        "groupLabels": notification.group_labels,
        "commonLabels": _shared(notification.common_labels, alerts, "labels"),
        "commonAnnotations": _shared(notification.common_annotations, alerts, "annotations"),
        "externalURL": notification.external_url,
        "version": "4",
        "groupKey": notification.group_key,
        "truncatedAlerts": notification.truncated + len(notification.alerts) - len(views),
    }


def _entries(view: AlertView, external_url: str) -> list[dict[str, Any]]:
    entry = _entry(view, view.labels, external_url)
    if view.status == "resolved" or view.was_severity in ("", view.labels.get("severity", "")):
        return [entry]
    # Receivers that identify alerts by their labels have to see the old ones end, or keep them until they are removed by hand.
    before = _entry(view, view.labels | {"severity": view.was_severity}, external_url)
    return [before | {"status": "resolved", "endsAt": iso(view.as_of)}, entry]


def _entry(view: AlertView, labels: dict[str, str], external_url: str) -> dict[str, Any]:
    ends_at = _NOT_OVER if view.ends_at is None else iso(view.ends_at)
    whole = _alert(view, labels, view.starts_at, ends_at, external_url)
    return {"status": view.status} | whole | {"fingerprint": label_fingerprint(labels)}


def posted(view: AlertView, labels: dict[str, str], ends_at: Instant, external_url: str) -> dict[str, Any]:
    """Returns an alert as Alertmanager's API v2 accepts it by POST: it ends at ``ends_at`` unless it is posted again before.

    An alert that began in the future, because the clock was set back since, begins when it ends: Alertmanager refuses any other.
    """
    return _alert(view, labels, min(view.starts_at, ends_at), iso(ends_at), external_url)


def shown(
    view: AlertView, status: dict[str, Any], receivers: Sequence[str], seen_at: Instant, external_url: str
) -> dict[str, Any]:
    """Returns an alert as Alertmanager's API v2 returns it; ``status`` is the result of `shown_status`.

    The end of an alert that still fires is set a while after ``seen_at``, even if it was last evaluated long ago: clients treat an alert whose
    end has passed as over.
    """
    ends_at = seen_at + ENDS_AHEAD if view.ends_at is None else view.ends_at
    return _alert(view, view.labels, view.starts_at, iso(ends_at), external_url) | {
        "updatedAt": iso(view.as_of),
        "fingerprint": label_fingerprint(view.labels),
        "receivers": [{"name": name} for name in receivers],
        "status": status,
    }


def shown_status(
    state: str, silenced_by: Iterable[str], inhibited_by: Iterable[str], muted_by: Iterable[str]
) -> dict[str, Any]:
    """Returns Alertmanager's state of an alert, and what suppresses its notifications: silences, other alerts, time intervals."""
    by = {"silencedBy": list(silenced_by), "inhibitedBy": list(inhibited_by), "mutedBy": list(muted_by)}
    return {"state": state} | by


def _alert(
    view: AlertView, labels: dict[str, str], starts_at: Instant, ends_at: str, external_url: str
) -> dict[str, Any]:
    """Returns the fields that every form of an alert has."""
    return {
        "labels": labels,
        "annotations": view.annotations,
        "startsAt": iso(starts_at),
        "endsAt": ends_at,
        "generatorURL": _generator_url(view, external_url),
    }


def _generator_url(view: AlertView, external_url: str) -> str:
    """Returns the source of an alert: its first link, else the daemon's address; empty if neither is known."""
    return view.links[0].url if view.links else external_url


def _shared(common_pairs: dict[str, str], alerts: list[dict[str, Any]], key: str) -> dict[str, str]:
    """Returns those common pairs of the notification that hold for every entry, including the resolved halves of escalations."""
    return common([common_pairs, *(alert[key] for alert in alerts)])
