"""Computes the state of each group of a rule from what the daemon has stored."""

from collections.abc import Iterator, Mapping

import msgspec

from monitor.alerts.evaluation import Group
from monitor.alerts.evaluation_history import Evaluation
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.kinds import EvaluationInput, RuleResult, evaluate
from monitor.alerts.view import NoAnnotations, Views
from monitor.cli.left_out_accounts import warn_of
from monitor.cli.progress import progress
from monitor.cli.trend import trend
from monitor.config.monitor import Config
from monitor.config.rules import Rule
from monitor.config.settings import Settings
from monitor.daemon.read.rule_groups import STATES, GroupState, blindness, fires_on, state_of
from monitor.daemon.restore import restored_evaluator
from monitor.daemon.window_restore import readable_window
from monitor.model.alert import Alert
from monitor.model.finding import Finding, excess
from monitor.model.label_fingerprint import label_fingerprint
from monitor.runtime.clock import Instant, SystemClock, iso
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import MonitorError, StoreDamaged, StoreError
from monitor.store.protocol import Store, StoredState
from monitor.window import WindowReader


@dataclass(frozen=True, slots=True)
class GroupLine:
    """One group: its labels, its state and its numbers."""

    labels: dict[str, str]
    state: GroupState
    finding: Finding
    why: str
    history: tuple[Evaluation, ...] = ()
    fires_on_until: Instant | None = None
    """Until when the alert still fires because of ``keep_firing_for``, if its threshold is no longer crossed."""
    fingerprints: tuple[str, str] | None = None
    """Of its alert, its own and that of the alert's labels; None if it has no alert now."""


def explained(rule: Rule, settings: Settings, store: Store, kept: StoredState) -> tuple[Instant, list[GroupLine]]:
    """Returns the instant of the data (the earliest of the accounts), and every group of every account."""
    config = settings.config
    key = store.secret("recipients")
    lines: list[GroupLine] = []
    left_out = list(kept.left_out)
    as_ofs: list[Instant] = []
    for account in config.accounts:
        searches = [search.name for search in config.searches if search.account == account.name]
        if (
            account.name in kept.accounts_left_out
            or not searches
            or (rule.search is not None and rule.search not in searches)
        ):
            continue
        with progress(f"reading the messages of {account.name}"):
            window, now = readable_window(store, account.name, config, key, left_out), SystemClock().now()
            if window is None:
                continue
            evaluator = restored_evaluator(window, config, settings.rules, kept, now)
            span = evaluator.coverage.as_of(rule)
            if span is not None:
                as_ofs.append(span[0])
                lines += _lines(rule, evaluator, *span, config)
    warn_of(left_out)
    if not as_ofs and left_out:
        raise StoreDamaged(left_out[-1].said)
    if not as_ofs:
        raise StoreError(
            f"the rule {rule.name!r} cannot be evaluated yet: not every search that it needs was polled once"
        )
    return min(as_ofs), sorted(lines, key=lambda line: _worst_first(rule, line))


def _worst_first(rule: Rule, line: GroupLine) -> tuple[int, int, float]:
    """Returns the sort key: state, then levels crossed, then how near the value is to the threshold or how far beyond it."""
    found = line.finding
    beyond = excess(found.value, found.threshold, below=rule.comparison == "below")
    return STATES.index(line.state), -(found.breached or 0), -beyond


def _lines(
    rule: Rule, evaluator: RuleEvaluator, as_of: Instant, covered_since: Instant, config: Config
) -> Iterator[GroupLine]:
    rule_result = _evaluate_or_raise(
        rule, evaluator, evaluator.input_for(rule, WindowReader(evaluator.window), as_of, covered_since)
    )
    findings = list(rule_result.findings())
    if not findings and not rule.grouping:
        findings = [rule_result.of(())]
    blind = blindness(rule, evaluator)
    views = Views(evaluator, NoAnnotations(), distinguish=len(config.accounts) > 1)
    alerts, recent = evaluator.alerts.get(rule.name, {}), trend(rule, evaluator)
    shown, missing = {finding.group for finding in findings}, evaluator.coverage.missing_before(rule)
    findings += [
        rule_result.of(group) for group, alert in alerts.items() if _is_unresolved(alert) and group not in shown
    ]
    for finding in findings:
        labels = dict(finding.group) | ({"account": evaluator.account} if len(config.accounts) > 1 else {})
        alert, stored = alerts.get(finding.group), _with_stored_values(rule, finding, alerts)
        state, why = state_of(rule, stored, alert, blind, config, missing)
        history, until = recent.of(rule.name, finding.group), fires_on(rule, alert)
        yield GroupLine(labels, state, stored, why, history, until, _fingerprints(alert, views))


def _fingerprints(alert: Alert | None, views: Views) -> tuple[str, str] | None:
    if alert is None or not _is_unresolved(alert):
        return None
    return alert.fingerprint, label_fingerprint(views.labels(alert))


def _is_unresolved(alert: Alert) -> bool:
    return alert.state != "resolved"


def _with_stored_values(rule: Rule, finding: Finding, alerts: Mapping[Group, Alert]) -> Finding:
    """Returns the finding; if it depends on answers of Routee that only the daemon got, takes the values from the group's alert."""
    alert = alerts.get(finding.group)
    if alert is None or not _is_unresolved(alert) or not asks_routee(rule):
        return finding
    numbers = {name: getattr(alert, name) for name in ("value", "threshold", "messages", "matching")}
    return msgspec.structs.replace(
        finding, why=f"{alert.why} (at {iso(alert.as_of - alert.as_of % 1_000_000)})", **numbers
    )


def asks_routee(rule: Rule) -> bool:
    """Returns whether the rule depends on answers that the daemon gets from Routee and does not store."""
    return rule.asks_routee


def _evaluate_or_raise(rule: Rule, evaluator: RuleEvaluator, inputs: EvaluationInput) -> RuleResult:
    try:
        return evaluate(rule, inputs)
    except Exception as error:  # as in the daemon, where it becomes the alert RuleError
        raise MonitorError(
            f"the rule {rule.name!r} cannot be evaluated, an internal error; please report it: {error}"
        ) from error
