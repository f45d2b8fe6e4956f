"""Summarises a backtest as JSON and as totals."""

from typing import Any

from monitor.model.alert import is_report
from monitor.model.format import number
from monitor.model.plurals import plural
from monitor.runtime.clock import DAY, SECOND, Duration, Instant, iso
from monitor.runtime.dataclass import dataclass
from monitor.simulation.backtest.run import Backtest, Trial
from monitor.simulation.replay import Episode


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of one trial. ``alerts`` counts alerts and reports; ``a_week`` is their average number a week, None for a span under a day.

    ``firing`` is how long all alerts fired together, ``longest`` the longest of them, in microseconds.
    """

    alerts: int
    a_week: float | None
    firing: Duration
    longest: Duration

    @classmethod
    def of(cls, trial: Trial, found: Backtest) -> "Totals":
        """Returns the totals of one trial."""
        until = found.span.until
        lasting = [one for one in trial.alerts if not is_report(one.group)]
        lengths = [(one.resolved_at or until) - (one.firing_at or until) for one in lasting]
        week = len(trial.alerts) / found.span.weeks if found.span.length >= DAY else None
        return cls(len(trial.alerts), week, sum(lengths), max(lengths, default=0))

    @property
    def weekly(self) -> str:
        """Returns ``1.5 a week``; empty if that is unknown."""
        return "" if self.a_week is None else f"{number(self.a_week)} a week"


def as_json(found: Backtest) -> dict[str, Any]:
    """Returns the whole backtest as JSON. Times are ISO 8601 in UTC, spans are in seconds, shares are fractions."""
    return {
        "since": iso(found.span.since),
        "until": iso(found.span.until),
        "every": found.span.step / SECOND,
        "messages": found.messages,
        **_notifications(found),
        "rules": [_trial(trial, found) for trial in found.trials],
    }


def _notifications(found: Backtest) -> dict[str, Any]:
    """Returns how many notifications there would have been, as keys of the whole backtest; see docs/backtest.md."""
    if found.notified is None:
        return {}
    week = notifications_a_week(found)
    return {
        "notifications": found.notified.total,
        "notifications_a_week": None if week is None else round(week, 2),
        "notifications_with_changes": found.notified.sent,
    }


def notifications_a_week(found: Backtest) -> float | None:
    """Returns the average number of notifications a week; None for a span under a day, or if they were not counted."""
    if found.notified is None or found.span.length < DAY:
        return None
    return found.notified.total / found.span.weeks


def notification_words(found: Backtest) -> str:
    """Returns the notifications of all rules in a sentence; empty if they were not counted."""
    if found.notified is None:
        return ""
    week = notifications_a_week(found)
    often = "" if week is None else f", {number(week)} a week"
    more = found.notified.sent - found.notified.total
    changes = f"; {plural(more, 'further message')} about changes, repeats and ends" if more else ""
    return f"People would have got {plural(found.notified.total, 'notification')}{often}{changes}."


def _trial(trial: Trial, found: Backtest) -> dict[str, Any]:
    totals = Totals.of(trial, found)
    return {
        "rule": trial.subject.name,
        "variant": trial.subject.variant or None,
        "kind": trial.subject.rule.kind,
        "alerts": [_alert(episode, found) for episode in trial.alerts],
        "enough_data": trial.is_known,
        "total": totals.alerts,
        "a_week": None if totals.a_week is None else round(totals.a_week, 2),
        "notifications": trial.notifications,
        "notifications_in_all": None if trial.notified is None else trial.notified.total,
        "firing_seconds": totals.firing / SECOND,
        "only_pending": trial.dropped,
        "errors": trial.errors,
        "unknown": trial.unknown or None,
    }


def _alert(episode: Episode, found: Backtest) -> dict[str, Any]:
    return {
        "labels": found.labels(episode.account, episode.group),
        "severity": episode.severity,
        "pending_at": iso(episode.pending_at),
        "firing_at": None if episode.firing_at is None else iso(episode.firing_at),
        "resolved_at": None if episode.resolved_at is None else iso(episode.resolved_at),
        "peak": episode.peak,
        "because": episode.because,
        "severities": [{"at": iso(at), "severity": severity} for at, severity in episode.severities],
        "why": episode.why,
    }


def age(at: Instant | None) -> str:
    """Returns an instant to the minute, in UTC; a dash for None."""
    return "–" if at is None else iso(at)[:16].replace("T", " ")
