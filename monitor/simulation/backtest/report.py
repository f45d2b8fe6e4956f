"""Summarises a backtest as JSON and as totals."""

from dataclasses import dataclass
from typing import Any

from monitor.model.alert import is_report
from monitor.model.format import number
from monitor.runtime.clock import DAY, SECOND, Duration, Instant, iso
from monitor.simulation.backtest.run import Backtest, Trial
from monitor.simulation.replay import Episode


@dataclass(frozen=True, slots=True)
class Totals:
    """How much a rule had to say, reports included. ``firing`` is how long alerts lasted, all together; ``a_week`` how many there were on average,
    None for less than a day, of which no week can be made."""

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
        """``1.5 a week``; empty where that is not known."""
        return "" if self.a_week is None else f"{number(self.a_week)} a week"


def as_json(found: Backtest) -> dict[str, Any]:
    """Returns the whole backtest as JSON. Times are ISO 8601 in UTC, spans are in seconds, shares are fractions."""
    return {
        "since": iso(found.span.since),
        "until": iso(found.span.until),
        "every": found.span.step / SECOND,
        "messages": found.messages,
        "rules": [_trial(trial, found) for trial in found.trials],
    }


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
