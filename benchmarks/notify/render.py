"""Measures how fast each channel renders the notification of one alert with breakdown, samples and history."""

from collections.abc import Callable

import msgspec

from benchmarks.figure import Figure, timed
from monitor.model.notification import Notification
from monitor.notify.channels.slack import block_kit as slack_message
from monitor.notify.render import Templates, plain_text, sample_notification, sample_view
from monitor.notify.render.alertmanager_payload import alertmanager


def run(quick: bool) -> list[Figure]:
    """Returns the best of several rounds."""
    view = sample_view("OperatorFailureRate", "rate", ["operator", "country"])
    notification = sample_notification([view])
    texts = {"summary": "{{ labels.operator }}: {{ value | percent }} of {{ messages | number }} messages fail"}
    templates = Templates()
    count = 100 if quick else 1000
    return [
        _rate("for Slack (blocks)", slack_message.message, notification, count),
        _rate("webhook payload, version 4", lambda one: msgspec.json.encode(alertmanager(one)), notification, count),
        _rate("for the terminal", plain_text, notification, count),
        _rate("annotations from templates", lambda one: templates.render_annotations(texts, view), notification, count),
    ]


def _rate(what: str, render: Callable[[Notification], object], notification: Notification, count: int) -> Figure:
    def several() -> None:
        for _ in range(count):
            render(notification)

    return Figure(what, count / timed(several, 5).best, "a second")
