"""Computes the state of each group of a rule from what the daemon has stored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from monitor.alerts.evaluation import Group
from monitor.alerts.evaluation_history import Evaluation
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.kinds import EvaluationInput, RuleResult, evaluate
from monitor.alerts.lifecycle import policy_of
from monitor.cli.next_level import next_level_words
from monitor.cli.trend import trend
from monitor.config.rules import Rule
from monitor.daemon.restore import restored_evaluator, restored_window
from monitor.daemon.validate import SettingsWithTemplates
from monitor.model.alert import Alert, fires_on_until, is_held_back
from monitor.model.builtin_alerts import MONITOR_BLIND
from monitor.model.finding import Finding, excess
from monitor.runtime.clock import SECOND, Instant, format_duration, iso
from monitor.runtime.errors import MonitorError, StoreError
from monitor.store.protocol import Store
from monitor.store.protocol import StoredState as Kept
from monitor.window import WindowReader

State = Literal["firing", "pending", "blind", "not_enough_data", "inactive"]
_ORDER: Final = ("firing", "blind", "pending", "inactive", "not_enough_data")


@dataclass(frozen=True, slots=True)
class GroupLine:
    """One group: its labels, its state and its numbers."""

    labels: dict[str, str]
    state: State
    finding: Finding
    why: str
    history: tuple[Evaluation, ...] = ()
    fires_on_until: Instant | None = None
    """Where its threshold is no longer crossed and its alert fires on for ``keep_firing_for``: until when."""


def explained(rule: Rule, loaded: SettingsWithTemplates, store: Store, kept: Kept) -> tuple[Instant, list[GroupLine]]:
    """Returns the instant of the data (the earliest of the accounts), and every group of every account."""
    config = loaded.settings.config
    key = store.secret("recipients")
    lines: list[GroupLine] = []
    moments: list[Instant] = []
    for account in config.accounts:
        searches = [search.name for search in config.searches if search.account == account.name]
        if not searches or (rule.search is not None and rule.search not in searches):
            continue
        evaluator = restored_evaluator(
            restored_window(store, account.name, config, key), config, loaded.settings.rules, kept
        )
        span = evaluator.coverage.as_of(rule)
        if span is not None:
            moments.append(span[0])
            lines += _lines(rule, evaluator, *span, distinguish=len(config.accounts) > 1)
    if not moments:
        raise StoreError(f"the rule {rule.name!r} cannot be judged yet: not every search that it needs was polled once")
    return min(moments), sorted(lines, key=lambda line: _worst_first(rule, line))


def _worst_first(rule: Rule, line: GroupLine) -> tuple[int, int, float]:
    """Returns the sort key: state, then levels crossed, then how near the value is to the threshold or how far beyond it."""
    found = line.finding
    beyond = excess(found.value, found.threshold, below=rule.comparison == "below")
    return _ORDER.index(line.state), -(found.breached or 0), -beyond


def _lines(
    rule: Rule, evaluator: RuleEvaluator, as_of: Instant, covered_since: Instant, *, distinguish: bool
) -> Iterator[GroupLine]:
    rule_result = _judged(
        rule, evaluator, evaluator.input_for(rule, WindowReader(evaluator.window), as_of, covered_since)
    )
    findings = list(rule_result.findings())
    if not findings and not rule.grouping:
        findings = [rule_result.of(())]
    blind = _blindness(rule, evaluator)
    alerts, recent = evaluator.alerts.get(rule.name, {}), trend(rule, evaluator)
    shown = {finding.group for finding in findings}
    findings += [rule_result.of(group) for group, alert in alerts.items() if _stands(alert) and group not in shown]
    for finding in findings:
        labels = dict(finding.group) | ({"account": evaluator.account} if distinguish else {})
        yield GroupLine(
            labels,
            *_stored_state(rule, _as_told(rule, finding, alerts), alerts.get(finding.group), blind),
            recent.of(rule.name, finding.group),
            _fires_on_until(rule, alerts.get(finding.group)),
        )


def _fires_on_until(rule: Rule, alert: Alert | None) -> Instant | None:
    return None if alert is None else fires_on_until(alert, policy_of(rule))


def _stands(alert: Alert) -> bool:
    return alert.state != "resolved"


def _as_told(rule: Rule, finding: Finding, alerts: Mapping[Group, Alert]) -> Finding:
    """Returns the finding; if it depends on answers of Routee that only the daemon got, takes the values from the group's alert."""
    alert = alerts.get(finding.group)
    if alert is None or not _stands(alert) or not asks_routee(rule):
        return finding
    numbers = {name: getattr(alert, name) for name in ("value", "threshold", "messages", "matching")}
    return replace(finding, why=f"{alert.why} (at {iso(alert.as_of - alert.as_of % 1_000_000)})", **numbers)


def asks_routee(rule: Rule) -> bool:
    """Returns whether the rule depends on answers that the daemon gets from Routee and does not store."""
    return rule.asks_routee


def _judged(rule: Rule, evaluator: RuleEvaluator, moment: EvaluationInput) -> RuleResult:
    try:
        return evaluate(rule, moment)
    except Exception as error:  # as in the daemon, where it becomes the alert RuleError
        raise MonitorError(
            f"the rule {rule.name!r} cannot be judged, an internal error; please report it: {error}"
        ) from error


def _blindness(rule: Rule, evaluator: RuleEvaluator) -> str:
    """Returns why a search that the rule needs cannot be read; empty while all can."""
    needed = (rule.search,) if rule.search is not None else evaluator.coverage.searches
    for group, alert in evaluator.alerts.get(MONITOR_BLIND.name, {}).items():
        if alert.state != "resolved" and dict(group).get("search") in needed:
            return alert.why
    return ""


def _stored_state(rule: Rule, finding: Finding, alert: Alert | None, blind: str) -> tuple[State, Finding, str]:
    state: State = "inactive" if alert is None or alert.state == "resolved" else alert.state
    if blind:
        kept = f" (its alert stays {state})" if state != "inactive" else ""
        return "blind", finding, f"frozen{kept}: {blind}; at the last poll: {finding.why}"
    if finding.breached is None and state != "firing":
        return "not_enough_data", finding, finding.why
    if state == "pending" and alert is not None:
        held = f", held back: limit is {rule.limit}" if is_held_back(alert) else ""
        since = iso(alert.pending_at - alert.pending_at % SECOND)
        return state, finding, f"{finding.why}, since {since}{held}{next_level_words(alert, rule)}"
    until = _fires_on_until(rule, alert)
    if until is not None:
        return (
            state,
            finding,
            f"{finding.why}; keeps firing until {iso(until - until % 1_000_000)} (keep_firing_for {format_duration(rule.keep_firing_for)})",
        )
    return state, finding, finding.why + next_level_words(alert, rule)
