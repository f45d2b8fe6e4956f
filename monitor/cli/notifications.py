"""Prints ``routee-monitor alerts --notifications``: which notifications were sent to whom, and when."""

from typing import TYPE_CHECKING, Any

from monitor.cli.output import say
from monitor.cli.table import Column, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.runtime.clock import Instant
    from monitor.store.protocol import NotificationRecord, NotifiedAlert

_MOST_NAMED = 3
"""The most alerts of a notification that the table names."""


def show_notifications(records: "Sequence[NotificationRecord]", as_json: bool) -> None:
    """Prints past notifications, newest first."""
    if as_json:
        print_json([_as_json(one) for one in records])
        return
    if not records:
        say("No notification was sent.")
        return
    rows = [
        (_when(one.at), f"{one.receiver} {one.channel}", one.reason, _alerts(one), _outcome(one)) for one in records
    ]
    print_table(
        (Column("DECIDED (UTC)", whole=True), "CHANNEL", Column("REASON", 1), "ALERTS", "RESULT"), rows, _colour
    )


def _as_json(one: "NotificationRecord") -> dict[str, Any]:
    from monitor.runtime.clock import iso

    return {
        "at": iso(one.at),
        "receiver": one.receiver,
        "channel": one.channel,
        "reason": one.reason,
        "alerts": [_alert_as_json(alert) for alert in one.alerts],
        "truncated": one.truncated,
        "outcome": one.outcome,
        "attempts": one.attempts,
        "error": one.error,
        "doneAt": None if one.done_at is None else iso(one.done_at),
    }


def _alert_as_json(one: "NotifiedAlert") -> dict[str, Any]:
    from monitor.model.label_fingerprint import label_fingerprint

    fingerprints = {"fingerprint": one.fingerprint or None, "labelFingerprint": label_fingerprint(one.labels)}
    return {"name": one.name, "labels": one.labels, "status": one.status} | fingerprints


def _alerts(one: "NotificationRecord") -> str:
    named = [_alert(alert) for alert in one.alerts[:_MOST_NAMED]]
    more = len(one.alerts) - len(named) + one.truncated
    return ", ".join(named) + (f" and {more} more" if more else "")


def _alert(alert: "NotifiedAlert") -> str:
    group = ", ".join(value for name, value in alert.labels.items() if name not in ("alertname", "severity"))
    return f"{alert.name}{f' ({group})' if group else ''} {alert.status}"


def _outcome(one: "NotificationRecord") -> str:
    done = "" if one.done_at is None else f" {_when(one.done_at)}"
    if one.outcome == "dead":
        return f"given up{done}: {one.error}"
    if one.outcome == "waiting":
        return "waiting" + (f", tried {one.attempts}x: {one.error}" if one.attempts else "")
    return "not sent: replaced by a newer one" if one.outcome == "superseded" else f"sent{done}"


def _when(instant: "Instant") -> str:
    from monitor.runtime.clock import iso

    return iso(instant)[:19].replace("T", " ")


def _colour(row: Any) -> str:
    outcome = str(row[-1])
    return "red" if outcome.startswith("given up") else "yellow" if outcome.startswith("waiting") else ""
