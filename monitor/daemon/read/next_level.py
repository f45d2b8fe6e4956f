"""Words for when a pending alert fires, and when a firing one becomes more severe."""

from monitor.alerts.lifecycle import policy_of
from monitor.config.monitor import Config
from monitor.config.rules import Rule
from monitor.model.alert import Alert, next_level
from monitor.runtime.clock import SECOND, Instant, iso


def next_level_words(alert: Alert | None, rule: Rule | None, config: Config) -> str:
    """Returns what happens next if the value stays as it is, as the end of a sentence; empty if nothing does.

    Something happens only when the rule is judged, so the time is that of the first poll at which it is due.

    ``; fires at 2026-11-21T18:00:00Z``, ``; fires as warning at …``, ``; becomes critical at …``
    """
    found = None if alert is None or rule is None else next_level(alert, policy_of(rule))
    if alert is None or rule is None or found is None:
        return ""
    due, level = found
    at = _poll_at(due, alert, rule, config)
    severity, when = rule.severity_at(level), iso(at - at % SECOND)
    if alert.state == "firing":
        return "" if severity == rule.severity_at(alert.level) else f"; becomes {severity} at {when}"
    return f"; fires at {when}" if level == alert.crossed else f"; fires as {severity} at {when}"


def _poll_at(due: Instant, alert: Alert, rule: Rule, config: Config) -> Instant:
    """Returns when the rule is judged for the first time from ``due`` on, if polls come as regularly as they should."""
    polls = [
        search.every
        for search in config.searches
        if search.account == alert.account and rule.search in (None, search.name)
    ]
    if not polls or due <= alert.as_of:
        return due
    step = max(min(polls), rule.every or 0)
    return alert.as_of - (alert.as_of - due) // step * step
