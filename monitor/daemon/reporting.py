"""Reports the pipeline's work: metrics, health and log lines."""

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from monitor.alerts.evaluation import EvaluationResult
from monitor.alerts.view import Views
from monitor.daemon.account_pipeline import AccountPipeline, Proposal
from monitor.daemon.services import Services
from monitor.model import builtin_alerts as builtin
from monitor.model.alert import State
from monitor.runtime.clock import iso
from monitor.store.protocol import Cursor

log = logging.getLogger("monitor")

MOST_LOGGED: Final = 200
"""The most alerts of one evaluation that are logged with a line each, which takes some 0.05 ms."""


def report_evaluation(proposal: Proposal, account: AccountPipeline, cursor: Cursor, services: Services) -> None:
    """Reports how the account's rules fared, and how far the search was polled."""
    metrics = services.metrics
    report_rules(proposal, services)
    metrics.watermark(account.name, cursor.search, cursor.as_of)
    services.health.polled(account.name, cursor.search)
    metrics.window(account.name, account.evaluator.window.messages)


def report_rules(proposal: Proposal, services: Services) -> None:
    """Reports how the rules fared."""
    for rule, seconds in proposal.result.seconds.items():
        services.metrics.evaluation(rule, seconds)
    for rule in proposal.result.errors:
        services.metrics.rule_error(rule)


def report_alerts(account: AccountPipeline, counts: Mapping[tuple[str, State], int], services: Services) -> None:
    """Reports how many alerts each rule has in each state."""
    services.metrics.alerts(account.name, [*account.evaluator.rules, *builtin.BUILT_IN], counts)


def log_template_errors(accounts: Iterable[AccountPipeline]) -> None:
    """Logs each new error in annotations once."""
    for account in accounts:
        for error in dict.fromkeys(account.views.errors):
            log.warning("%s", error)
        account.views.errors.clear()


def log_transitions(result: EvaluationResult, views: Views) -> None:
    """Logs a line for each alert that fired, changed its severity or resolved; of a storm the first ones, and how many more there are."""
    logged = [one for one in result.transitions if one.what in ("fired", "escalated", "eased", "resolved")]
    for transition in logged[:MOST_LOGGED]:
        subject = transition.about
        alert = None if subject is None else result.alerts.get((transition.rule, subject.group))
        labels = {} if alert is None else views.labels(alert)
        about = {name: value for name, value in labels.items() if name != "alertname"}
        fields = {f"label_{name}": value for name, value in about.items()}
        if transition.about is not None and transition.about.incident:
            about["incident"] = fields["incident"] = transition.about.incident
        named = ", ".join(f"{name}={value}" for name, value in about.items())
        log.info(
            "%s %s at %s%s",
            transition.rule,
            transition.what,
            iso(transition.at),
            f" ({named})" if named else "",
            extra=fields | {"rule": transition.rule, "fingerprint": transition.fingerprint, "what": transition.what},
        )
    if len(logged) > MOST_LOGGED:
        log.info(
            "%d more alerts fired, changed their severity or resolved; see `routee-monitor history --limit`",
            len(logged) - MOST_LOGGED,
        )
