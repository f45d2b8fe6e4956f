"""Words for when a pending alert fires, when a firing one becomes more severe, and why one fires on although nothing crosses its threshold."""

from typing import Final

from monitor.alerts.lifecycle import policy_of
from monitor.alerts.unread_messages import UNREAD
from monitor.config.monitor import Config
from monitor.config.rules import Rule
from monitor.model.alert import Alert, fires_on_until, forgotten_at, next_level
from monitor.runtime.clock import SECOND, Duration, Instant, format_duration, iso

LATE: Final = 2
"""After so many intervals without a poll, an alert is not said to fire at a time that is over."""


def next_level_words(alert: Alert | None, rule: Rule | None, config: Config, now: Instant | None = None) -> str:
    """Returns what happens next if the value stays as it is, as the end of a sentence; empty if nothing does.

    Something happens only when the rule is judged, so the time is that of the first poll at which it is due.

    With ``now``, the words of an alert that nobody judges are that it was due.

    ``; fires at 2026-11-21T18:00:00Z``, ``; fires as warning at …``, ``; becomes critical at …``, ``; keeps firing until … (keep_firing_for 10m)``,
    ``; not enough data since …, ends at … unless there is again (forget_after 30m)``
    """
    if alert is None or rule is None:
        return ""
    until = fires_on_until(alert, policy_of(rule))
    if until is not None:
        lasts = format_duration(rule.keep_firing_for)
        return f"; keeps firing until {_seconds(until)} (keep_firing_for {lasts}), its threshold is no longer crossed"
    forgotten = forgotten_at(alert, policy_of(rule))
    if forgotten is not None:
        since, lasts = _seconds(alert.no_data_since or alert.as_of), format_duration(rule.forget_after)
        return f"; not enough data since {since}, ends at {_seconds(forgotten)} unless there is again (forget_after {lasts})"
    found = next_level(alert, policy_of(rule))
    if found is None:
        return ""
    due, level = found
    at, step = _poll_at(due, alert, rule, config)
    severity, when = rule.severity_at(level), _seconds(at)
    if now is not None and at < now - LATE * step:
        return f"; frozen: it was due at {when}, but its rule was last judged as of {_seconds(alert.as_of)}"
    if alert.state == "firing":
        return "" if severity == rule.severity_at(alert.level) else f"; becomes {severity} at {when}"
    return f"; fires at {when}" if level == alert.crossed else f"; fires as {severity} at {when}"


def missing_words(before: Instant | None) -> str:
    """Returns why an alert goes on although messages are missing, as the end of a sentence; empty if none are (``before`` is None)."""
    return "" if before is None else f"; does not resolve yet: messages before {_seconds(before)} {UNREAD}"


def _seconds(instant: Instant) -> str:
    return iso(instant - instant % SECOND)


def _poll_at(due: Instant, alert: Alert, rule: Rule, config: Config) -> tuple[Instant, Duration]:
    """Returns when the rule is judged for the first time from ``due`` on, if polls come as regularly as they should, and their interval."""
    polls = [
        search.every
        for search in config.searches
        if search.account == alert.account and rule.search in (None, search.name)
    ]
    if not polls:
        return due, 0
    step = max(min(polls), rule.every or 0)
    return (due if due <= alert.as_of else alert.as_of - (alert.as_of - due) // step * step), step
