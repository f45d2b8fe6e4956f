"""The body of a webhook without a template that brings the morning report: Alertmanager's payload cannot hold one. docs/report.md describes it."""

from typing import Any

from monitor.model.notification import Digest, Notification


def report_body(notification: Notification, digest: Digest) -> dict[str, Any]:
    """Returns the body as plain values."""
    return {
        "kind": "report",
        "version": "1",
        "receiver": notification.receiver,
        "title": digest.title,
        "summary": digest.summary,
        "figures": list(digest.figures),
        "notes": list(digest.notes),
        "externalURL": notification.external_url,
        "report": digest.document,
    }
