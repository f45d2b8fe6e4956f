"""The alerts and notifications of the golden files."""

from typing import Any

import msgspec

from monitor.model.notification import AlertView, Link, Notification
from monitor.notify.render import sample_notification, sample_view
from monitor.runtime.clock import MINUTE, SECOND, Instant

NOW: Instant = 1_795_280_824 * SECOND
"""2026-11-21T17:07:04Z"""

_FALL = (0.97, 0.85, 0.62, 0.4, 0.24, 0.15, 0.11, 0.1)

change = msgspec.structs.replace


def rate(**more: Any) -> AlertView:
    """Returns the alert of an operator that fails."""
    view = sample_view("OperatorFailureRate", "rate", ["operator", "country"])
    links = (Link("Status page", "https://sms.example.org/"), Link("Runbook", "https://wiki.example.org/sms"))
    return change(view, **({"links": links} | more))


def spike(**more: Any) -> AlertView:
    """Returns an alert about a failure reason that is reported far more often than usual."""
    view = sample_view("UndeliveredSpike", "spike", ["detailedStatus"], severity="warning")
    return change(view, **({"fingerprint": "fedcba9876543210", "messages": 1204, "matching": 62} | more))


def over(view: AlertView, **more: Any) -> AlertView:
    """Returns the same alert half an hour later, resolved."""
    ended = view.as_of + 30 * MINUTE
    fields = {
        "status": "resolved",
        "ends_at": ended,
        "as_of": ended,
        "resolved_because": "recovered",
        "peak": view.value,
    }
    course = (*view.history[8:], *((view.value or 0.0) * part for part in _FALL))
    numbers = {"value": (view.value or 0.0) / 10, "matching": view.matching // 10, "history": course}
    return change(view, **(fields | numbers | more))


def notification_of(*views: AlertView, **more: Any) -> Notification:
    """Returns a notification of these alerts, by default the first of its episode."""
    return change(sample_notification(views or (rate(),)), **({"key": "key-1", "episode": "episode-1"} | more))
