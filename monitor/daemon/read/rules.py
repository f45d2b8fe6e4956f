"""The rules: what each one says, the states of its groups, and its last evaluation. Pure."""

from collections.abc import Iterator

import numpy as np

from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.kinds import NOT_ENOUGH, RuleResult, condition, matched
from monitor.config.rules import Rule
from monitor.daemon.read.fields import Seconds, Time, read_model
from monitor.daemon.read.rule_groups import STATES, GroupState, blindness
from monitor.model.alert import Alert
from monitor.model.finding import Unit
from monitor.runtime.clock import SECOND, Instant, format_duration
from monitor.runtime.dataclass import dataclass


@read_model
class StateCounts:
    """The number of a rule's groups by state."""

    firing: int = 0
    pending: int = 0
    blind: int = 0
    not_enough_data: int = 0
    inactive: int = 0

    @property
    def total(self) -> int:
        """Returns the number of groups."""
        return self.firing + self.pending + self.blind + self.not_enough_data + self.inactive

    @property
    def worst(self) -> GroupState:
        """Returns the worst state of a group; ``inactive`` if there are no groups."""
        return next((state for state in STATES if getattr(self, state)), "inactive")


@read_model
class RuleSummary:
    """A rule in one account, as of its last evaluation."""

    name: str
    account: str
    """The account whose messages it evaluates."""
    kind: str
    description: str
    enabled: bool
    """Whether it is evaluated. A rule that is not has no groups and no times."""
    search: str | None
    """The search whose messages it evaluates; null: all of the account's."""
    by: tuple[str, ...]
    """The fields by which it groups messages."""
    condition: str
    """When it fires, in words."""
    severities: tuple[str, ...]
    """The severity of each of its levels, the lowest first."""
    severity: str
    """The worst severity of its firing alerts; empty if none fires."""
    labels: dict[str, str]
    states: StateCounts
    evaluated_as_of: Time | None
    """As of when it was last evaluated; null if it was not since the start."""
    evaluation_seconds: float | None
    """How long the last evaluation took."""
    next_at: Time | None
    """As of when it is evaluated next, if polls come as regularly as they should."""
    every: Seconds | None
    """How often it is evaluated."""
    error: str
    """Why the last evaluation failed; empty if it did not."""
    blind: str
    """Why a search that it needs cannot be read; empty while all can."""

    @property
    def state(self) -> GroupState:
        """Returns the worst state of its groups."""
        return self.states.worst


@read_model
class RuleDetail:
    """A rule with the settings that decide when its alerts begin and end, in each account."""

    name: str
    kind: str
    description: str
    enabled: bool
    condition: str
    matched: str
    """What counts against the rule; empty for plain failures and for everything."""
    comparison: str
    """`above` or `below`: on which side of the threshold it fires."""
    unit: Unit
    by: tuple[str, ...]
    search: str | None
    window: Seconds | None
    """The span of time in which messages are counted; null: the rule has none."""
    hold: Seconds
    """How long the threshold must be crossed before an alert fires (`for`)."""
    keep_firing_for: Seconds
    severities: tuple[str, ...]
    labels: dict[str, str]
    annotations: dict[str, str]
    file: str
    """Where it is written: the name of the file, and the line."""
    line: int
    accounts: tuple[RuleSummary, ...]


def accounts_with(rule: Rule, evaluators: Iterator[RuleEvaluator]) -> Iterator[RuleEvaluator]:
    """Yields the evaluators of the accounts whose messages the rule evaluates."""
    for evaluator in evaluators:
        needed = evaluator.coverage.needed(rule)
        if needed and set(needed) <= set(evaluator.coverage.searches):
            yield evaluator


def condition_words(rule: Rule) -> str:
    """Returns when a rule fires: ``above 20% in 15m, for 5m, with at least 50 messages``."""
    words = [condition(rule)]
    window = rule.alert_window
    words[0] += f" in {format_duration(window)}" if window else ""
    words += [f"for {format_duration(rule.for_)}"] if rule.for_ else []
    least = getattr(rule, "min_messages", 0)
    words += [f"with at least {least} messages"] if least else []
    return ", ".join(words)


def summary_of(rule: Rule, evaluator: RuleEvaluator, states: StateCounts) -> RuleSummary:
    """Returns the summary of a rule in the account of ``evaluator``."""
    interval, polled = evaluator.coverage.interval(rule), evaluator.polled_as_of(rule.name)
    enabled = rule.name in evaluator.rules
    seconds = evaluator.seconds.get(rule.name)
    return RuleSummary(
        name=rule.name,
        account=evaluator.account,
        kind=rule.kind,
        description=rule.description.strip(),
        enabled=enabled,
        search=rule.search,
        by=rule.grouping,
        condition=condition_words(rule),
        severities=severities_of(rule),
        severity=_firing_severity(rule, evaluator),
        labels=dict(rule.labels),
        states=states,
        evaluated_as_of=evaluator.evaluated_as_of(rule.name),
        evaluation_seconds=None if seconds is None else round(seconds, 6),
        next_at=_next(polled, interval) if enabled else None,
        every=interval if enabled else None,
        error=evaluator.errors.get(rule.name, ""),
        blind=blindness(rule, evaluator) if enabled else "",
    )


def _next(as_of: Instant | None, interval: int | None) -> Instant | None:
    return None if as_of is None or interval is None else as_of + max(interval, SECOND)


def severities_of(rule: Rule) -> tuple[str, ...]:
    """Returns the severity of each level of a rule, the lowest level first."""
    return tuple(level.severity for level in rule.levels_) or (rule.severity,)


def detail_of(rule: Rule, accounts: tuple[RuleSummary, ...], unit: Unit) -> RuleDetail:
    """Returns a rule with its settings."""
    file, line = rule.source
    return RuleDetail(
        name=rule.name,
        kind=rule.kind,
        description=rule.description.strip(),
        enabled=rule.enabled,
        condition=condition_words(rule),
        matched=matched(rule),
        comparison=rule.comparison,
        unit=unit,
        by=rule.grouping,
        search=rule.search,
        window=rule.alert_window,
        hold=rule.for_,
        keep_firing_for=rule.keep_firing_for,
        severities=severities_of(rule),
        labels=dict(rule.labels),
        annotations=dict(rule.annotations),
        file=str(file).rpartition("/")[2],
        line=line,
        accounts=accounts,
    )


@dataclass(frozen=True, slots=True)
class GroupNumbers:
    """How many groups a rule has, and how many of them have not enough data."""

    groups: int = 0
    lacking: int = 0


def numbers_of(rule_result: RuleResult) -> GroupNumbers:
    """Returns the numbers of groups of a rule's result."""
    return GroupNumbers(len(rule_result), int(np.count_nonzero(rule_result.breached == NOT_ENOUGH)))


def states_of(rule: Rule, evaluator: RuleEvaluator, numbers: GroupNumbers) -> StateCounts:
    """Returns the number of a rule's groups by state, from its present alerts and the numbers as of the latest poll."""
    if rule.name not in evaluator.rules:
        return StateCounts()
    alerts = unresolved(rule, evaluator)
    groups = max(numbers.groups, len(alerts), 0 if rule.grouping else 1)
    if blindness(rule, evaluator):
        return StateCounts(blind=groups)
    firing = sum(alert.state == "firing" for alert in alerts)
    unseen = sum(alert.state == "firing" and alert.no_data_since is not None for alert in alerts)
    lacking = max(numbers.lacking - unseen, 0)
    pending = len(alerts) - firing
    return StateCounts(firing, pending, 0, lacking, max(groups - firing - pending - lacking, 0))


def _firing_severity(rule: Rule, evaluator: RuleEvaluator) -> str:
    level = max((alert.level for alert in unresolved(rule, evaluator) if alert.state == "firing"), default=0)
    return rule.severity_at(level) if level else ""


def unresolved(rule: Rule, evaluator: RuleEvaluator) -> list[Alert]:
    """Returns the rule's alerts that are pending or firing."""
    return [alert for alert in evaluator.alerts.get(rule.name, {}).values() if alert.state != "resolved"]
