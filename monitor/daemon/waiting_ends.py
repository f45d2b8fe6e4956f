"""Says which alerts go on although this daemon does not have their rule, search or account, and for which daemons their end waits.

See `monitor.daemon.rule_sets`: a rule that is missing here may have been removed, or not have been read yet.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from monitor.alerts.evaluator import RuleEvaluator
from monitor.daemon.pipeline_state import PipelineState
from monitor.model.alert import Alert
from monitor.model.announced_rules import AnnouncedRules
from monitor.model.builtin_alerts import BUILT_IN
from monitor.model.format import datetime
from monitor.model.plurals import first_of

_MISSING: Final = "is not in this daemon's configuration: removed, or not read yet here"
_MOST_NAMED: Final = 5
"""How many accounts a sentence names."""
_UNTIL: Final = "until the daemons have the same rules"


def waiting_ends(pipeline: PipelineState) -> list[str]:
    """Returns a sentence for each rule, search or account whose alerts would be ended here if the other daemons had the same rules."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for name in sorted(pipeline.put_off & pipeline.accounts.keys()):
        evaluator = pipeline.accounts[name].evaluator
        others = _for(pipeline.judged_otherwise.get(name, ()))
        for one in _gone(evaluator):
            found.setdefault((_what(evaluator, one), others), {})[name] = None
    return [
        f"{_of(what, list(accounts))} {_MISSING}. Its alerts stay as they are {_UNTIL}{others}"
        for (what, others), accounts in found.items()
    ]


def waiting_end(pipeline: PipelineState, fingerprint: str) -> str:
    """Returns that sentence on one alert, whichever daemon holds it; empty if its rule is here."""
    for account in (*pipeline.accounts.values(), *pipeline.elsewhere.accounts.values()):
        for one in _gone(account.evaluator):
            if one.fingerprint == fingerprint:
                others = _for(pipeline.judged_otherwise.get(account.name, ()))
                what = _of(_what(account.evaluator, one), [account.name])
                return f"{what} {_MISSING}. The alert stays as it is {_UNTIL}{others}"
    return ""


def _gone(evaluator: RuleEvaluator) -> Iterator[Alert]:
    """Returns the alerts that are not over and whose rule or search is gone."""
    for rule, groups in evaluator.alerts.items():
        if rule not in evaluator.rules:
            for group, one in groups.items():
                if one.state != "resolved" and evaluator.is_gone(rule, group):
                    yield one


def _what(evaluator: RuleEvaluator, alert: Alert) -> str:
    """Returns what an alert is about that is gone; empty: its account."""
    if not evaluator.coverage.searches:
        return ""
    about = dict(alert.group)
    if alert.rule not in BUILT_IN:
        return f"Rule {alert.rule}"
    if about.get("search") not in (None, *evaluator.coverage.searches):
        return f"Search {about['search']}"
    return f"Rule {about.get('rule')}"


def _of(what: str, accounts: Sequence[str]) -> str:
    names = first_of(accounts, _MOST_NAMED)
    return f"{what} of account {names}" if what else f"Account {names}"


def _for(others: Sequence[AnnouncedRules]) -> str:
    return f"; it waits for {'; '.join(map(_named, others))}" if others else ""


def _named(other: AnnouncedRules) -> str:
    if other.lives:
        return f"{other.daemon}, which runs with other rules: reload it"
    return (
        f"{other.daemon}, which has ended, was last heard of at {datetime(other.heard_at)}, and counts until "
        f"{datetime(other.counts_until)}, or until a daemon is started in its place"
    )
