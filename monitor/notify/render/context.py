"""The names that templates see, and sample alerts to check templates with before there is an alert."""

from collections.abc import Mapping, Sequence, Set
from typing import Any, Final

import msgspec

from monitor.alerts.kinds.registry import example_of
from monitor.model.finding import Unit
from monitor.model.notification import AlertView, Cause, Link, Notification, Sample, common
from monitor.notify.render.alert_sentence import sentence
from monitor.notify.render.alertmanager_payload import alertmanager
from monitor.notify.render.notification_text import (
    badge,
    change,
    heading,
    headline,
    news,
    others_of,
    shown_views,
    title,
    tone_of,
    urgency,
    worst_view,
)
from monitor.runtime.clock import HOUR, MINUTE, SECOND, Duration, Instant

_FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(AlertView) if field.name != "history_every")
_WHOLE_FIELDS: Final = frozenset(
    {*(field.name for field in msgspec.structs.fields(Notification)), "firing", "resolved"}
)
ALERT_NAMES: Final = frozenset({*_FIELDS, "since", "duration", "sentence", "is_report"})
"""The names in the template of one alert."""

NOTIFICATION_NAMES: Final = frozenset(
    {
        *(
            "notification",
            "alerts",
            "firing",
            "resolved",
            "group_labels",
            "group_key",
            "common_labels",
            "common_annotations",
        ),
        *("reason", "receiver", "external_url", "key", "episode", "truncated", "payload"),
        *("title", "badge", "heading", "headline", "changed", "news", "tone", "urgency", "fields"),
        *("incident", "place", "others"),
    }
)
"""Further names in the template of a whole notification, where `ALERT_NAMES` are those of its worst alert."""

NAMES: Final = ALERT_NAMES | NOTIFICATION_NAMES


def alert_context(view: AlertView) -> dict[str, Any]:
    """Returns what the template of one alert sees."""
    names: dict[str, Any] = {name: getattr(view, name) for name in _FIELDS}
    said = {"since": view.since, "duration": view.duration, "sentence": sentence(view), "is_report": view.is_report}
    return names | said


def notification_context(notification: Notification, fields: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Returns what the template of a whole message sees: the names of its worst alert and of the notification. ``status`` is the notification's.

    ``fields`` are what the configuration gives to a webhook's template.
    """
    views = shown_views(notification)
    own = {name: getattr(notification, name) for name in NOTIFICATION_NAMES & _WHOLE_FIELDS}
    whole = {
        "notification": notification,
        "alerts": views,
        "status": notification.status,
        "payload": alertmanager(notification),
        "title": title(notification),
        "badge": badge(notification),
        "heading": heading(notification),
        "headline": headline(notification),
        "news": news(notification),
        "changed": change(notification),
        "others": others_of(notification),
        "tone": tone_of(notification),
        "urgency": urgency(notification),
        "fields": dict(fields or {}),
    }
    # The alert that names an incident need not be the worst of it.
    severity = {"severity": worst_view(views).severity} if views else {}
    return (alert_context(views[0]) if views else {}) | severity | own | whole


_EXAMPLES: Final = {
    "operator": "Cosmote",
    "country": "GR",
    "status": "Undelivered",
    "detailedStatus": "Carrier Violation",
    "campaign": "Black Friday",
    "campaignTrackingId": "182d20da-7d4b-4a3e-9c53-0f7c2f1f2a10",
    "from": "Shop",
    "to": "+30691•••••78",
    "direction": "Outbound",
    "account": "main",
    "problem": "failing",
}
_VALUES: Final[dict[Unit, tuple[float, float, float]]] = {
    "share": (0.342, 0.2, 0.083),
    "count": (62.0, 45.0, 15.0),
    "seconds": (42.0, 30.0, 12.0),
    "money": (103.5, 100.0, 40.0),
}
"""A sample value, its threshold and its baseline, by unit."""


def sample_view(
    name: str,
    kind: str,
    by: Sequence[str] = (),
    *,
    severity: str = "critical",
    labels: Mapping[str, str] | None = None,
    unit: Unit | None = None,
    window: Duration | None = 15 * MINUTE,
    history_every: Duration = 0,
    as_of: Instant = 1_795_280_824 * SECOND,
) -> AlertView:
    """Returns a sample alert of a rule with that name, kind and ``by``; ``labels`` are the rule's own. Returns the same at each call."""
    example = example_of(kind)
    measure = unit or example.unit
    own = None if unit == "seconds" else example.values
    value, threshold, usual = own or _VALUES[measure]
    group = {field: _EXAMPLES.get(field, "example") for field in by}
    shown = {"alertname": name, **group, "severity": severity, **(labels or {})}
    view = AlertView(
        fingerprint="0123456789abcdef",
        name=name,
        rule=name,
        kind=kind,
        status="firing",
        severity=severity,
        unit=measure,
        labels=shown,
        annotations={},
        value=value,
        threshold=threshold,
        baseline=usual if example.has_baseline else None,
        change=value / usual if usual and example.has_change else None,
        peak=value,
        starts_at=as_of - 5 * MINUTE,
        as_of=as_of,
        why=example.why.get(shown.get("problem", ""), example.why.get("", "")),
        comparison="below" if example.below else "above",
        window=window,
        history_every=history_every,
        messages=1204,
        matching=411,
        breakdown=_BREAKDOWN,
        samples=_samples(as_of),
        history=tuple(value * part for part in _COURSE),
        links=(Link("Status page", "https://sms.example.org/"),),
    )
    return msgspec.structs.replace(view, breakdown=(), samples=(), history=()) if view.is_report else view


_COURSE: Final = (
    *(0.10, 0.09, 0.12, 0.10, 0.08, 0.11, 0.13, 0.10, 0.09, 0.10, 0.12, 0.11),
    *(0.09, 0.10, 0.13, 0.12, 0.16, 0.24, 0.38, 0.55, 0.71, 0.86, 0.95, 1.00),
)
"""The values before the present one, as fractions of it."""

_BREAKDOWN: Final = (Cause("detailedStatus", "Carrier Violation", 0.92, 378), Cause("from", "Shop", 0.88, 361))


def _samples(as_of: Instant) -> tuple[Sample, ...]:
    identifiers = ("a6b62347-51c0-4d0e-8a35-6f5cf0c6e0d1", "5e0b8f0c-2f7c-4a57-9a6f-2f4f1f0f7d52")
    make = "+30691•••••78", "Undelivered", "Carrier Violation", "Cosmote"
    return tuple(Sample(identifier, *make, as_of - index * 40 * SECOND) for index, identifier in enumerate(identifiers))


AWKWARD: Final = "a \"quote\", a \\ backslash, a\nnew line, <b>markup</b> & *stars* @here 'end'"
"""A value with everything that data may contain and careless templates get wrong."""

_FIXED: Final = frozenset({"alertname", "severity", "account", "search", "problem"})
"""Labels whose values come from the configuration or the program."""


def awkward(view: AlertView, fixed: Set[str] = frozenset()) -> AlertView:
    """Returns the alert with awkward characters in every text that comes from messages or people.

    Labels named in ``fixed`` stay, because the configuration gives their values.
    """
    replace = msgspec.structs.replace
    labels = {name: value if name in _FIXED | fixed else f"{value} {AWKWARD}" for name, value in view.labels.items()}
    annotations = {"summary": AWKWARD, "description": AWKWARD} | dict.fromkeys(view.annotations, AWKWARD)
    breakdown = tuple(replace(one, value=AWKWARD) for one in view.breakdown)
    texts = dict.fromkeys(("message_id", "to", "status", "detailed_status", "operator"), AWKWARD)
    samples = tuple(replace(one, **texts) for one in view.samples)
    return replace(
        view,
        labels=labels,
        annotations=annotations,
        why=AWKWARD,
        matched=AWKWARD,
        breakdown=breakdown,
        samples=samples,
        acknowledged_by=AWKWARD,
        acknowledged_comment=AWKWARD,
    )


def sample_notification(views: Sequence[AlertView], receiver: str = "ops") -> Notification:
    """Returns a first notification of those alerts."""
    labels = common([view.labels for view in views])
    return Notification(
        key="sample",
        episode="sample",
        reason="first",
        status="firing" if any(view.status == "firing" for view in views) else "resolved",
        receiver=receiver,
        group_key='{}:{alertname="sample"}',
        group_labels={key: value for key, value in labels.items() if key == "alertname"},
        common_labels=labels,
        common_annotations=common([view.annotations for view in views]),
        alerts=tuple(views),
        created_at=max((view.as_of for view in views), default=HOUR),
        external_url="https://sms.example.org",
    )
