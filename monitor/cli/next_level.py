"""When a pending alert fires, and when one that fires gets worse, in words."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.config.rules import Rule
    from monitor.model.alert import Alert


def next_level_words(alert: "Alert | None", rule: "Rule | None") -> str:
    """What comes next if the value stays as it is, as the end of a sentence. Empty where nothing does.

    ``; fires at 2026-11-21T18:00:00Z``, ``; fires as warning at …``, ``; becomes critical at …``
    """
    from monitor.alerts.lifecycle import policy_of
    from monitor.model.alert import next_level
    from monitor.runtime.clock import SECOND, iso

    found = None if alert is None or rule is None else next_level(alert, policy_of(rule))
    if alert is None or rule is None or found is None:
        return ""
    at, level = found
    severity, when = rule.levels_[level - 1].severity, iso(at - at % SECOND)
    if alert.state == "firing":
        return f"; becomes {severity} at {when}"
    return f"; fires at {when}" if level == alert.crossed else f"; fires as {severity} at {when}"
