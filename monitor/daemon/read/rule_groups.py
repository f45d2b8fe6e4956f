"""The groups of a rule: the state of each one, its numbers, and why its alert fires or does not. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, Literal

from monitor.alerts.evaluation import Group
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.kinds import EvaluationInput, RuleResult, unit_of
from monitor.alerts.lifecycle import policy_of
from monitor.alerts.span import Span
from monitor.config.monitor import Config
from monitor.config.rules import Rule
from monitor.daemon.read.fields import Time, read_model
from monitor.daemon.read.next_level import missing_words, next_level_words
from monitor.model.alert import Alert, fingerprint, fires_on_until, is_held_back
from monitor.model.builtin_alerts import MONITOR_BLIND
from monitor.model.finding import Finding, Unit, excess
from monitor.runtime.clock import SECOND, Instant, iso
from monitor.window import WindowReader

GroupState = Literal["firing", "blind", "pending", "inactive", "not_enough_data"]
STATES: Final[tuple[GroupState, ...]] = ("firing", "blind", "pending", "inactive", "not_enough_data")
"""The states of a group, the worst first."""


MOST_KNOWN: Final = 500
"""The most groups with an alert that are evaluated at once although they may have no messages."""


UNJUDGED: Final = "; the daemon has not yet evaluated the rule on it"
"""Why a group beyond its threshold has no alert: its rule is new, or is evaluated more rarely than polls come."""


@read_model
class GroupSummary:
    """A group of a rule as of the latest poll."""

    account: str
    labels: dict[str, str]
    """The fields by which the rule groups, and the group's values."""
    fingerprint: str
    """Identifies the group, and its alert if it has one."""
    state: GroupState
    severity: str
    """The severity of its alert; empty if it has none."""
    value: float | None
    threshold: float | None
    baseline: float | None
    change: float | None
    """How many times the baseline the value is."""
    unit: Unit
    messages: int
    """The number of messages that the value is computed from."""
    matching: int
    """The number of those that count against the rule."""
    why: str
    """What the value is made of, and why its alert does or does not fire."""
    since: Time | None
    """When the threshold was first crossed; null if it is not crossed."""
    fires_on_until: Time | None
    """Until when its alert fires on, if the threshold is no longer crossed."""
    breached: int
    """The number of the rule's levels that the value crosses."""

    def contains(self, text: str) -> bool:
        """Returns whether the account, a field or a value contains ``text``, which is in small letters."""
        return any(text in one.casefold() for one in (self.account, *self.labels, *self.labels.values()))


def worst_first(group: GroupSummary, *, below: bool) -> tuple[int, int, float]:
    """Returns the key by which groups are sorted: state, levels crossed, and how near the value is to the threshold or how far beyond it."""
    beyond = excess(group.value, group.threshold, below=below)
    return STATES.index(group.state), -group.breached, -beyond


def rule_input(rule: Rule, evaluator: RuleEvaluator, reader: WindowReader, span: Span) -> EvaluationInput:
    """Returns what the rule is evaluated on for reading: like its last evaluation, which it must not disturb.

    Of very many groups with an alert those without messages are left out of the result; `groups_of` adds them piece by piece.
    """
    inputs = evaluator.input_for(rule, reader, *span)
    return replace(inputs, carried=None, known=inputs.known if len(inputs.known) <= MOST_KNOWN else ())


def groups_of(rule: Rule, evaluator: RuleEvaluator, rule_result: RuleResult, config: Config) -> Iterator[GroupSummary]:
    """Yields every group of a rule in one account, in any order; makes each one when it is requested.

    ``rule_result`` are the numbers as of now. Groups with an alert are included even if they have no messages.
    """
    alerts = {group: one for group, one in evaluator.alerts.get(rule.name, {}).items() if one.state != "resolved"}
    blind, missing = blindness(rule, evaluator), evaluator.coverage.missing_before(rule)
    for finding in _findings(rule, rule_result, alerts):
        yield _summary(rule, evaluator, finding, alerts.get(finding.group), blind, config, missing)


def _findings(rule: Rule, rule_result: RuleResult, alerts: Mapping[Group, Alert]) -> Iterator[Finding]:
    """Yields the findings of the groups with messages, then of those with an alert only; of a rule without ``by`` at least one."""
    shown = set()
    for finding in rule_result.findings():
        shown.add(finding.group)
        yield finding
    if not shown and not rule.grouping:
        shown.add(())
        yield rule_result.of(())
    for group in alerts:
        if group not in shown:
            yield rule_result.of(group)


def _summary(
    rule: Rule,
    evaluator: RuleEvaluator,
    finding: Finding,
    alert: Alert | None,
    blind: str,
    config: Config,
    missing: Instant | None,
) -> GroupSummary:
    state, why = state_of(rule, finding, alert, blind, config, missing)
    return GroupSummary(
        account=evaluator.account,
        labels=dict(finding.group),
        fingerprint=fingerprint(evaluator.account, rule.name, finding.group),
        state=state,
        severity="" if alert is None else rule.severity_at(max(alert.level or alert.crossed, 1)),
        value=finding.value,
        threshold=finding.threshold,
        baseline=finding.baseline,
        change=finding.change,
        unit=unit_of(rule, finding.group),
        messages=finding.messages,
        matching=finding.matching,
        why=why,
        since=None if alert is None else alert.pending_at,
        fires_on_until=fires_on(rule, alert),
        breached=finding.breached or 0,
    )


def blindness(rule: Rule, evaluator: RuleEvaluator) -> str:
    """Returns why a search that the rule needs cannot be read; empty while all can."""
    return next(iter(_blind(evaluator.coverage.needed(rule), evaluator)), "")


def _blind(searches: Iterable[str], evaluator: RuleEvaluator) -> Iterator[str]:
    needed = set(searches)
    for group, alert in evaluator.alerts.get(MONITOR_BLIND.name, {}).items():
        if alert.state != "resolved" and dict(group).get("search") in needed:
            yield alert.why


def fires_on(rule: Rule, alert: Alert | None) -> Instant | None:
    """Returns until when the alert fires on although its threshold is no longer crossed; see `monitor.model.alert.fires_on_until`."""
    return None if alert is None else fires_on_until(alert, policy_of(rule))


def state_of(
    rule: Rule, finding: Finding, alert: Alert | None, blind: str, config: Config, missing: Instant | None = None
) -> tuple[GroupState, str]:
    """Returns the state of a group, and why it is in it. ``alert`` is not resolved; ``blind`` is the result of `blindness`, and ``missing`` that
    of `SearchCoverage.missing_before`."""
    state: GroupState = "inactive" if alert is None or alert.state == "resolved" else alert.state
    if blind:
        kept = f" (its alert stays {state})" if state != "inactive" else ""
        return "blind", f"frozen{kept}: {blind}; at the last poll: {finding.why}"
    if finding.breached is None and state != "firing":
        return "not_enough_data", finding.why
    if state == "firing" and missing is not None:
        return state, finding.why + missing_words(missing)
    if state == "pending" and alert is not None:
        held = f", held back: limit is {rule.limit}" if is_held_back(alert) else ""
        since = iso(_whole_second(alert.pending_at))
        return state, f"{finding.why}, since {since}{held}{next_level_words(alert, rule, config)}"
    unjudged = UNJUDGED if state == "inactive" and finding.breached else ""
    return state, finding.why + unjudged + next_level_words(alert, rule, config)


def _whole_second(instant: Instant) -> Instant:
    return instant - instant % SECOND
