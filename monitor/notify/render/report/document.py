"""Renders a report as JSON; docs/report.md describes it."""

from typing import Any

from monitor.alerts.incident_loss import IncidentLoss
from monitor.alerts.report.model import Compared, Counts, DeliveryReport
from monitor.runtime.clock import SECOND, Instant, iso


def document(report: DeliveryReport) -> dict[str, Any]:
    """Returns the report as plain values: times as ISO-8601 in UTC, shares as fractions, durations in seconds."""
    return {
        "since": iso(report.since),
        "until": iso(report.until),
        "made_at": iso(report.made_at),
        "time_zone": report.time_zone,
        "currency": report.currency or None,
        "total": _compared(report.total),
        "accounts": [
            {
                "account": one.name,
                "as_of": _time(one.as_of),
                "known_since": _time(one.known_since),
                "stale": one.stale,
            }
            | _compared(one.counts)
            for one in report.accounts
        ],
        "countries": [
            {"account": one.account, "country": one.country} | _compared(one.counts) for one in report.countries
        ],
        "operators": [
            {"account": one.account, "operator": one.operator, "country": one.country} | _compared(one.counts)
            for one in report.operators
        ],
        "course": {
            "since": iso(report.course.start),
            "step_seconds": report.course.step / SECOND,
            "final": list(report.course.final),
            "delivered": list(report.course.delivered),
        },
        "campaigns": [
            {
                "account": one.account,
                "tracking_id": one.tracking_id,
                "name": one.name or None,
                "began": iso(one.began),
                "messages": one.messages,
                "delivered": one.delivered,
                "failed": one.failed,
                "waiting": one.waiting,
                "share": one.share,
                "cost": _money(one.cost),
            }
            for one in report.campaigns
        ],
        "lost": report.lost,
        "spent_on_lost": _money(report.spent_on_lost),
        "incidents": [
            {
                "incident": one.id or None,
                "account": one.account,
                "fingerprint": one.fingerprint,
                "title": one.title,
                "rules": list(one.rules),
                "alerts": one.alerts,
                "began": iso(one.began),
                "ended": _time(one.ended),
                "acknowledged_by": one.acknowledged_by or None,
                "loss": None if one.loss is None else loss(one.loss),
            }
            for one in report.incidents
        ],
        "rules": [
            {
                "rule": one.rule,
                "alerts": one.alerts,
                "firing_seconds": one.firing / SECOND,
                "acknowledged": one.acknowledged,
            }
            for one in report.rules
        ],
        "never_fired": list(report.never),
        "younger": [
            {"rule": one.rule, "since": _time(one.since), "blind_seconds": one.blind / SECOND} for one in report.younger
        ],
        "could_not_see": [{"rule": one.rule, "blind_seconds": one.blind / SECOND} for one in report.blind],
        "receivers": [
            {
                "receiver": one.receiver,
                "channel": one.channel,
                "sent": one.sent,
                "given_up": one.dead,
                "waiting": one.waiting,
                "error": one.error or None,
            }
            for one in report.receivers
        ],
        "left_out": dict(report.more),
        "notes": list(report.notes),
    }


def loss(one: IncidentLoss) -> dict[str, Any]:
    """Returns what an incident cost."""
    return {
        "since": iso(one.start),
        "until": iso(one.end),
        "final": one.final,
        "failed": one.failed,
        "usual_share": None if one.usual is None else round(one.usual, 6),
        "lost": one.lost,
        "spent": _money(one.spent),
        "whole": one.whole,
        "unpriced": one.unpriced,
    }


def _compared(counts: Compared) -> dict[str, Any]:
    before = None if counts.before is None else _counts(counts.before)
    return _counts(counts.now) | {"before": before}


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "messages": counts.messages,
        "final": counts.final,
        "delivered": counts.delivered,
        "failed": counts.failed,
        "share": counts.share,
        "cost": _money(counts.cost),
        "cost_per_delivered": _money(counts.cost_per_delivered),
        "unpriced": counts.unpriced,
    }


def _money(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 6)


def _time(at: Instant | None) -> str | None:
    return None if at is None else iso(at)
