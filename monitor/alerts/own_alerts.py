"""The built-in alerts of one account: about its searches and rules, and about the monitor itself."""

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
    """Start, keep up or end one."""
    before = alerts.get(built_in.name, {}).get(finding.group)
    step = advance(account, built_in.name, before, finding, builtin.AT_ONCE, as_of)
    result.add((built_in.name, finding.group), before, step)


def end_old_gaps(account: str, alerts: Alerts, as_of: Instant, result: EvaluationResult) -> None:
    """An alert about a gap lasts for a day, from the latest gap on; it cannot be mended."""
    for group, alert in alerts.get(builtin.GAP_IN_HISTORY.name, {}).items():
        if alert.state == "firing" and as_of - alert.as_of >= builtin.GAP_IS_TOLD_FOR:
            update_builtin(account, alerts, builtin.GAP_IN_HISTORY, builtin.over(**dict(group)), as_of, result)


def blind_searches(alerts: Alerts) -> Iterator[str]:
    """The searches that cannot be seen."""
    for group, alert in alerts.get(builtin.MONITOR_BLIND.name, {}).items():
        if alert.state == "firing":
            yield dict(group).get("search", "")


def troubled_rules(alerts: Alerts) -> set[str]:
    """The rules that have alerts, or that failed."""
    failed = alerts.get(builtin.RULE_ERROR.name, {})
    return {name for name, some in alerts.items() if some} | {dict(group)["rule"] for group in failed}
