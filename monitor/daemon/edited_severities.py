"""Records that firing alerts have another severity since their rules were edited, so that their history says when."""

import msgspec

from monitor.alerts.evaluation import EvaluationResult
from monitor.alerts.severities import severity_of
from monitor.daemon.account_pipeline import AccountPipeline
from monitor.model.alert import Transition, TransitionSubject, What
from monitor.routing.route import RANKS
from monitor.runtime.clock import Instant


def edited_severities(account: AccountPipeline, as_of: Instant) -> EvaluationResult:
    """Returns the alerts whose severity is not the recorded one, and a transition of each: ``eased`` if it is milder, else ``escalated``.

    Of alerts that older versions stored none is recorded before their next transition.
    """
    result, ranks = EvaluationResult(), {**RANKS, **account.views.ranks()}
    for key, alert in account.evaluator.every_alert():
        severity, recorded = severity_of(alert.rule, alert.level, account.evaluator.rules), alert.severity
        if alert.state != "firing" or alert.is_report or not severity or not recorded or severity == recorded:
            continue
        what: What = "eased" if ranks.get(severity, 0.0) < ranks.get(recorded, 0.0) else "escalated"
        about = TransitionSubject(alert.account, alert.group, alert.level)
        result.alerts[key] = msgspec.structs.replace(alert, severity=severity)
        result.transitions.append(Transition(alert.fingerprint, alert.rule, as_of, what, None, alert.value, about))
    return result
