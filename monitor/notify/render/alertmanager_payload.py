"""Alertmanager's webhook payload, version 4, as receivers that speak it expect it to the letter."""

from typing import Any, Final

from monitor.model.label_fingerprint import label_fingerprint
from monitor.model.notification import AlertView, Notification, common
from monitor.runtime.clock import Instant, iso

_NOT_OVER: Final = "0001-01-01T00:00:00Z"
"""Go's zero time: the end of an alert that is still firing."""


def alertmanager(notification: Notification, most: int = 0) -> dict[str, Any]:
    """The payload, with at most so many alerts (0: all), the others only counted.

    An alert that escalated stands in it twice: resolved under its old severity, firing under its new one.
    """
    views = notification.alerts[: most or None]
    alerts = [entry for view in views for entry in _entries(view, notification.external_url)]
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
    # Whoever knows alerts by their labels has to see the old ones end, or keeps them for ever.
    before = _entry(view, view.labels | {"severity": view.was_severity}, external_url)
    return [before | {"status": "resolved", "endsAt": iso(view.as_of)}, entry]


def _entry(view: AlertView, labels: dict[str, str], external_url: str) -> dict[str, Any]:
    return {
        "status": view.status,
        "labels": labels,
        "annotations": view.annotations,
        "startsAt": iso(view.starts_at),
        "endsAt": _NOT_OVER if view.ends_at is None else iso(view.ends_at),
        "generatorURL": generator_url(view, external_url),
        "fingerprint": label_fingerprint(labels),
    }


def posted(view: AlertView, labels: dict[str, str], ends_at: Instant, external_url: str) -> dict[str, Any]:
    """An alert as Alertmanager's API v2 takes it by POST: it is over once ``ends_at`` has passed and nothing came after it.

    One that began "in the future", by a clock that has been set back since, begins when it ends: Alertmanager refuses any other.
    """
    return {
        "labels": labels,
        "annotations": view.annotations,
        "startsAt": iso(min(view.starts_at, ends_at)),
        "endsAt": iso(ends_at),
        "generatorURL": generator_url(view, external_url),
    }


def generator_url(view: AlertView, external_url: str) -> str:
    """Where an alert comes from: its first link, else where the daemon is reached; empty where neither is known."""
    return view.links[0].url if view.links else external_url


def _shared(told: dict[str, str], alerts: list[dict[str, Any]], key: str) -> dict[str, str]:
    """Of the pairs the notification calls common, those that hold for every entry, the resolved halves of escalations included."""
    return common([told, *(alert[key] for alert in alerts)])
