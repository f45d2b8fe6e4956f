"""What becomes of one rule's alerts after an evaluation: which begin, change, wait, end, or make room for worse ones."""

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.alerts.evaluation import EvaluationResult, Group, Key
from monitor.alerts.kinds import EvaluationInput, RuleResult
from monitor.alerts.limit import badness, within_limit
from monitor.alerts.unjudged import ReplayBudget, unjudged
from monitor.config.rules import Rule
from monitor.model.alert import Alert, Policy, Step, advance, displace, is_held_back, remove
from monitor.model.finding import Finding
from monitor.runtime.clock import Duration, Instant


def policy_of(rule: Rule) -> Policy:
    """The settings of a rule that govern its alerts' lifecycle."""
    below = rule.comparison == "below"
    return Policy(rule.for_, rule.keep_firing_for, len(rule.levels_), below, rule.forget_after)


@dataclass(frozen=True, slots=True)
class RuleAlerts:
    """One rule's alerts, what governs their lives, and what the rule found as of the moment.

    While what the rule looks at has not been ``read``, alerts that fire neither end nor ease: what speaks for them may be missing.
    """

    account: str
    rule: Rule
    policy: Policy
    alerts: Mapping[Group, Alert]
    found: RuleResult
    as_of: Instant
    read: bool

    def after_downtime(
        self, moment: EvaluationInput, interval: Duration | None, budget: ReplayBudget
    ) -> EvaluationResult:
        """What became of the alerts while the rule was not evaluated, as far as that decides what becomes of them now."""
        result = EvaluationResult()
        if not self.alerts or interval is None:
            return result
        late = unjudged(self.alerts, self.found, self.policy, self.as_of, interval)
        if late is not None:
            after, result.transitions = late.caught_up(self.rule, moment, budget)
            result.alerts = {(self.rule.name, group): alert for group, alert in after.items()}
        return result

    def advance(self, late: Mapping[Key, Alert | None]) -> EvaluationResult:
        """What becomes of the alerts now. Where the rule has a limit, only the worst fire; the others are held back.

        ``late`` are those that changed while the rule was not evaluated.
        """
        result, name, limit = EvaluationResult(), self.rule.name, self.rule.limit
        now = {group: late.get((name, group), alert) for group, alert in self.alerts.items()}
        alerts = {group: alert for group, alert in now.items() if alert is not None}
        over = {finding.group: finding for finding in self.found.breaching()}
        steps = self._steps(alerts, over)
        if limit is not None:
            begin, end = _groups_within_limit(steps, limit)
            steps |= {group: self._step(alerts.get(group), over[group], may_fire=True) for group in begin}
            steps |= {group: displace(firing, self.as_of) for group, firing in end.items()}
        for group, one in steps.items():
            result.add((name, group), self.alerts.get(group), one)
        return result

    def _steps(self, alerts: Mapping[Group, Alert], over: Mapping[Group, Finding]) -> dict[Group, Step]:
        """The step of each group. Where the rule has a limit, none begins to fire. ``over`` are the findings over a threshold."""
        steps: dict[Group, Step] = {}
        for group, alert in alerts.items():
            waits = group in over or (not self.read and alert.state == "firing" and self._is_of_rule(alert))
            steps[group] = (alert, None) if waits else self._step_below(alert)
        for group, finding in over.items():
            present = alerts.get(group)
            if self.read or present is None or (finding.breached or 0) >= present.level:
                steps[group] = self._step(present, finding, may_fire=self.rule.limit is None)
        return steps

    def _step(self, alert: Alert | None, finding: Finding, *, may_fire: bool) -> Step:
        return advance(self.account, self.rule.name, alert, finding, self.policy, self.as_of, may_fire=may_fire)

    def _step_below(self, alert: Alert) -> Step:
        """The step of an alert whose group is not over a threshold, or is none of the rule's groups any more."""
        if alert.state == "resolved":
            return alert, None
        if not self._is_of_rule(alert):
            return remove(alert, self.as_of)
        return self._step(alert, self.found.of(alert.group), may_fire=True)

    def _is_of_rule(self, alert: Alert) -> bool:
        """Whether the rule still groups by the fields that the alert's group has."""
        return tuple(name for name, _ in alert.group) == self.rule.grouping


def _groups_within_limit(steps: Mapping[Group, Step], limit: int) -> tuple[list[Group], dict[Group, Alert]]:
    """Which of a rule's groups begin to fire, and the alerts that make room for them."""
    alerts = {group: alert for group, (alert, _) in steps.items() if alert is not None}
    firing = {group: badness(alert) for group, alert in alerts.items() if alert.state == "firing"}
    waiting = {group: badness(alert) for group, alert in alerts.items() if is_held_back(alert)}
    begin, end = within_limit(firing, waiting, limit)
    return begin, {group: alerts[group] for group in end}
