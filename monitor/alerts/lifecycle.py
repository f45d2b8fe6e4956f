"""Decides what one rule's alerts do after an evaluation: which begin, change, wait, end, or make room for worse ones."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from monitor.alerts.evaluation import EvaluationResult, Group, Key
from monitor.alerts.kinds import EvaluationInput
from monitor.alerts.limit import Priority, choosing_within_limit, priority
from monitor.alerts.missed_evaluations import ReplayBudget, alerts_to_catch_up
from monitor.config.rules import Rule
from monitor.model.alert import Alert, Policy, Step, advance, displace, is_held_back, remove
from monitor.model.finding import Finding
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work, at_once, paced


def policy_of(rule: Rule) -> Policy:
    """Returns the settings of a rule that govern its alerts' lifecycle."""
    below = rule.comparison == "below"
    return Policy(rule.for_, rule.keep_firing_for, len(rule.levels_), below, rule.forget_after)


class Findings(Protocol):
    """What a rule found as of one moment."""

    def breaching(self) -> Iterable[Finding]:
        """The findings of the groups over a threshold."""

    def of(self, group: Group) -> Finding:
        """The finding of one group, present or not."""


@dataclass(frozen=True, slots=True)
class RuleAlerts:
    """One rule's alerts, the policy that governs them, and what the rule found as of one time.

    Until all messages that the rule looks at are ``read``, firing alerts neither end nor ease: messages that keep them firing may be missing.
    So it is between two polls, too.
    """

    account: str
    rule: Rule
    policy: Policy
    alerts: Mapping[Group, Alert]
    found: Findings
    as_of: Instant
    read: bool

    def after_downtime(
        self, inputs: EvaluationInput, interval: Duration | None, budget: ReplayBudget
    ) -> Work[EvaluationResult]:
        """Returns what happened to the alerts while the rule was not evaluated, as far as that affects what happens to them now.

        It is worked out in pieces.
        """
        result = EvaluationResult()
        if not self.alerts or interval is None:
            return result
        late = yield from alerts_to_catch_up(self.alerts, self.found.of, self.policy, self.as_of, interval)
        if late is not None:
            after, result.transitions = yield from late.caught_up(self.rule, inputs, budget)
            result.alerts = {(self.rule.name, group): alert for group, alert in after.items()}
        return result

    def advance(self, late: Mapping[Key, Alert | None]) -> EvaluationResult:
        """Returns what happens to the alerts now. If the rule has a limit only the worst fire; the others are held back.

        ``late`` are the alerts that changed while the rule was not evaluated.
        """
        return at_once(self.advancing(late))

    def advancing(self, late: Mapping[Key, Alert | None]) -> Work[EvaluationResult]:
        """Does what `advance` does, in pieces."""
        result, name, limit = EvaluationResult(), self.rule.name, self.rule.limit
        alerts = dict[Group, Alert]()
        for (group, before), pauses in paced(self.alerts.items(), AT_ONCE):
            alert = late.get((name, group), before) if late else before
            if alert is not None:
                alerts[group] = alert
            if pauses:
                yield
        over = dict[Group, Finding]()
        for finding, pauses in paced(self.found.breaching(), AT_ONCE):
            over[finding.group] = finding
            if pauses:
                yield
        steps = yield from self._steps(alerts, over)
        if limit is not None:
            begin, end = yield from _groups_within_limit(steps, limit)
            if not self.read:  # none ends to make room either
                begin, end = begin[: max(len(begin) - len(end), 0)], {}
            steps |= {group: self._step(alerts.get(group), over[group], may_fire=True) for group in begin}
            steps |= {group: displace(firing, self.as_of) for group, firing in end.items()}
        for (group, one), pauses in paced(steps.items(), AT_ONCE):
            result.add((name, group), self.alerts.get(group), one)
            if pauses:
                yield
        return result

    def _steps(self, alerts: Mapping[Group, Alert], over: Mapping[Group, Finding]) -> Work[dict[Group, Step]]:
        """Returns the step of each group; if the rule has a limit none begins to fire. ``over`` are the findings over a threshold."""
        steps: dict[Group, Step] = {}
        for (group, alert), pauses in paced(alerts.items(), AT_ONCE):
            waits = group in over or (not self.read and alert.state == "firing" and self._is_of_rule(alert))
            steps[group] = (alert, None) if waits else self._step_below(alert)
            if pauses:
                yield
        for (group, finding), pauses in paced(over.items(), AT_ONCE):
            present = alerts.get(group)
            if self.read or present is None or (finding.breached or 0) >= present.level:
                steps[group] = self._step(present, finding, may_fire=self.rule.limit is None)
            if pauses:
                yield
        return steps

    def _step(self, alert: Alert | None, finding: Finding, *, may_fire: bool) -> Step:
        return advance(self.account, self.rule.name, alert, finding, self.policy, self.as_of, may_fire=may_fire)

    def _step_below(self, alert: Alert) -> Step:
        """Returns the step of an alert whose group is over no threshold, or whose fields the rule no longer groups by."""
        if alert.state == "resolved":
            return alert, None
        if not self._is_of_rule(alert):
            return remove(alert, self.as_of)
        return self._step(alert, self.found.of(alert.group), may_fire=True)

    def _is_of_rule(self, alert: Alert) -> bool:
        """Returns whether the rule still groups by the fields of the alert's group."""
        return tuple(name for name, _ in alert.group) == self.rule.grouping


def _groups_within_limit(steps: Mapping[Group, Step], limit: int) -> Work[tuple[list[Group], dict[Group, Alert]]]:
    """Returns the groups that begin to fire, and the alerts that make room for them."""
    firing, waiting = dict[Group, Alert](), dict[Group, Alert]()
    for (group, (alert, _)), pauses in paced(steps.items(), AT_ONCE):
        if alert is not None and alert.state == "firing":
            firing[group] = alert
        elif alert is not None and is_held_back(alert):
            waiting[group] = alert
        if pauses:
            yield
    if not waiting and len(firing) <= limit:
        return [], {}  # as at most polls: it does not matter which of them are the worst
    begin, end = yield from choosing_within_limit(
        (yield from _priorities(firing)), (yield from _priorities(waiting)), limit
    )
    return begin, {group: firing[group] for group in end}


def _priorities(alerts: Mapping[Group, Alert]) -> Work[dict[Group, Priority]]:
    found = dict[Group, Priority]()
    for (group, alert), pauses in paced(alerts.items(), AT_ONCE):
        found[group] = priority(alert)
        if pauses:
            yield
    return found
