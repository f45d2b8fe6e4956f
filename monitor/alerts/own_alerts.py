"""The built-in alerts of one account: about its searches, its rules and the monitor itself."""

from collections.abc import Iterator, Mapping

from monitor.alerts.evaluation import EvaluationResult, Group
from monitor.model import builtin_alerts as builtin
from monitor.model.alert import Alert, advance
from monitor.model.builtin_alerts import BuiltIn
from monitor.model.finding import Finding
from monitor.runtime.clock import Instant

Alerts = Mapping[str, Mapping[Group, Alert]]
"""All alerts of the account, by the rule's name and the group."""


def update_builtin(
    account: str, alerts: Alerts, built_in: BuiltIn, finding: Finding, as_of: Instant, result: EvaluationResult
) -> None:
    """Adds a built-in alert's start, update or end to ``result``."""
    before = alerts.get(built_in.name, {}).get(finding.group)
    step = advance(account, built_in.name, before, finding, builtin.AT_ONCE, as_of)
    result.add((built_in.name, finding.group), before, step)


def end_old_gaps(account: str, alerts: Alerts, as_of: Instant, result: EvaluationResult) -> None:
    """Ends alerts about gaps a day after the latest gap: a gap cannot be repaired, so no finding ever ends them."""
    for group, alert in alerts.get(builtin.GAP_IN_HISTORY.name, {}).items():
        if alert.state == "firing" and as_of - alert.as_of >= builtin.GAP_IS_TOLD_FOR:
            update_builtin(account, alerts, builtin.GAP_IN_HISTORY, builtin.over(**dict(group)), as_of, result)


def blind_searches(alerts: Alerts) -> Iterator[str]:
    """Yields the searches that are blind."""
    for group, alert in alerts.get(builtin.MONITOR_BLIND.name, {}).items():
        if alert.state == "firing":
            yield dict(group).get("search", "")


def troubled_rules(alerts: Alerts) -> set[str]:
    """Returns the names of the rules that have alerts, or about which there is an alert that their evaluation failed."""
    failed = alerts.get(builtin.RULE_ERROR.name, {})
    return {name for name, some in alerts.items() if some} | {dict(group)["rule"] for group in failed}
