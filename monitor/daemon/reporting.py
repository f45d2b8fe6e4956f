"""What the pipeline says of its work: metrics, health and log lines."""

import logging
from collections.abc import Iterable

from monitor.alerts.evaluation import EvaluationResult
from monitor.alerts.view import Views
from monitor.daemon.account_pipeline import AccountPipeline, Proposal
from monitor.daemon.services import Services
from monitor.model import builtin_alerts as builtin
from monitor.runtime.clock import iso

log = logging.getLogger("monitor")


def report_evaluation(proposal: Proposal, services: Services) -> None:
    """How the rules fared, and how far the search has come."""
    metrics, account, cursor = services.metrics, proposal.account, proposal.cursor
    for rule, seconds in proposal.result.seconds.items():
        metrics.evaluation(rule, seconds)
    for rule in proposal.result.errors:
        metrics.rule_error(rule)
    if cursor is not None:
        metrics.watermark(account.name, cursor.search, cursor.as_of)
        services.health.polled(account.name, cursor.search)
    metrics.window(account.name, account.evaluator.window.messages)


def report_alerts(account: AccountPipeline, services: Services) -> None:
    """How many alerts each rule has."""
    alerts = [alert for _, alert in account.evaluator.every_alert()]
    services.metrics.alerts(account.name, [*account.evaluator.rules, *builtin.BUILT_IN], alerts)


def log_template_errors(accounts: Iterable[AccountPipeline]) -> None:
    """What went wrong in annotations since this was last logged, each once."""
    for account in accounts:
        for error in dict.fromkeys(account.views.errors):
            log.warning("%s", error)
        account.views.errors.clear()


def log_transitions(result: EvaluationResult, views: Views) -> None:
    """A line for each alert that fired, changed its severity or ended."""
    logged = [one for one in result.transitions if one.what in ("fired", "escalated", "eased", "resolved")]
    alerts = {alert.fingerprint: alert for alert in result.alerts.values() if alert is not None} if logged else {}
    for transition in logged:
        alert = alerts.get(transition.fingerprint)
        labels = {} if alert is None else views.labels(alert)
        named = ", ".join(f"{name}={value}" for name, value in labels.items() if name != "alertname")
        fields = {f"label_{name}": value for name, value in labels.items() if name != "alertname"}
        log.info(
            "%s %s at %s%s",
            transition.rule,
            transition.what,
            iso(transition.at),
            f" ({named})" if named else "",
            extra=fields | {"rule": transition.rule, "fingerprint": transition.fingerprint, "what": transition.what},
        )
