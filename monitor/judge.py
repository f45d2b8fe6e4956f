"""Judging an account: its rules over its window, and the alerts that come of it.

`Judge.judge` only proposes: the outcome is committed with the poll's rows and then applied, so that what is in memory never
runs ahead of what a restart would find.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter

import msgspec

from monitor import builtin
from monitor.alert import Alert, Policy, Step, Transition, advance, remove
from monitor.builtin import BuiltIn
from monitor.clock import Instant
from monitor.evaluate import Judgement, Moment, evaluate
from monitor.finding import Finding
from monitor.ring import Observer, Ring
from monitor.rules import Rule
from monitor.store.protocol import Cursor
from monitor.window import Reading, Window

log = logging.getLogger(__name__)

Group = tuple[tuple[str, str], ...]
Key = tuple[str, Group]
"""A rule's name and a group."""


@dataclass(slots=True)
class Outcome:
    """What judging changes: alerts by their key (None: gone), what happened to them, and how each rule fared."""

    alerts: dict[Key, Alert | None] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)
    judged: dict[str, tuple[Instant, int]] = field(default_factory=dict)
    held_back: dict[str, int] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, key: Key, before: Alert | None, step: Step) -> None:
        """Note one alert's step, if it is one."""
        alert, transition = step
        if transition is not None:
            self.transitions.append(transition)
        if alert is not before and (alert is not None or before is not None):
            self.alerts[key] = alert


class Judge:
    """Holds one account's window, rules and alerts."""

    def __init__(self, window: Window, rules: Iterable[Rule], searches: Iterable[str]) -> None:
        self.account = window.account
        self.window = window
        self.searches = tuple(searches)
        self.rules = {rule.name: rule for rule in rules if rule.enabled}
        self.cursors: dict[str, Cursor] = {}
        self.alerts: dict[str, dict[Group, Alert]] = {}
        """By the rule's name and the group; resolved ones stay until everyone has been told."""
        self.held_back: dict[str, int] = {}
        self.errors: dict[str, str] = {}
        self.ring = Ring()
        """The latest evaluations, as they are proposed: a commit that fails makes none of them untrue."""
        self.observe: Observer = self.ring.take
        self._judged: dict[str, tuple[Instant, int]] = {}

    def as_of(self, rule: Rule, cursors: Mapping[str, Cursor] | None = None) -> tuple[Instant, Instant] | None:
        """As of when a rule can be judged, and since when nothing is missing; None before every search it needs was polled."""
        cursors = self.cursors if cursors is None else cursors
        needed = (rule.search,) if rule.search is not None else self.searches
        if not needed or any(name not in cursors for name in needed):
            return None
        found = [cursors[name] for name in needed]
        return min(c.as_of for c in found), max(c.covered_since for c in found)

    def judge(self, cursor: Cursor) -> Outcome:
        """Judge every rule that a poll of ``cursor.search`` bears on, as if that cursor were committed."""
        outcome, reading = Outcome(), Reading(self.window)
        self._age(cursor.as_of, outcome)
        cursors = {**self.cursors, cursor.search: cursor}
        for rule in self.rules.values():
            if rule.search not in (None, cursor.search):
                continue
            span = self.as_of(rule, cursors)
            if span is not None and self._due(rule, span[0]):
                self._judge_rule(rule, reading, *span, outcome)
        return outcome

    def apply(self, outcome: Outcome, cursor: Cursor | None = None) -> None:
        """The outcome is committed: it is the truth from now on."""
        if cursor is not None:
            self.cursors[cursor.search] = cursor
        for (rule, group), alert in outcome.alerts.items():
            self.put(rule, group, alert)
        self._judged |= outcome.judged
        for rule in outcome.judged:
            self.held_back[rule] = outcome.held_back.get(rule, 0)
            self.errors.pop(rule, None)
        self.errors |= outcome.errors

    def put(self, rule: str, group: Group, alert: Alert | None) -> None:
        """Take an alert over from the store, or (None) forget one."""
        of_rule = self.alerts.setdefault(rule, {})
        if alert is None:
            of_rule.pop(group, None)
        else:
            of_rule[group] = alert

    def moment(self, rule: Rule, reading: Reading, as_of: Instant, covered_since: Instant) -> Moment:
        """What a rule is judged on."""
        return Moment(reading, as_of, covered_since, tuple(self.alerts.get(rule.name, ())))

    def tell(self, built_in: BuiltIn, finding: Finding, as_of: Instant, outcome: Outcome) -> None:
        """Start, keep up or end a built-in alert."""
        key = (built_in.name, finding.group)
        before = self.alerts.get(built_in.name, {}).get(finding.group)
        outcome.add(key, before, advance(self.account, built_in.name, before, finding, builtin.AT_ONCE, as_of))

    def drop(self, names: Iterable[str], as_of: Instant) -> Outcome:
        """End the alerts of rules that are gone."""
        outcome = Outcome()
        for name in names:
            for group, alert in self._present(name).items():
                outcome.add((name, group), alert, remove(alert, as_of))
        return outcome

    def _present(self, rule: str) -> dict[Group, Alert]:
        """The alerts of a rule that are pending or firing."""
        alerts = self.alerts.get(rule, {})
        return {group: alert for group, alert in alerts.items() if alert.state != "resolved"}

    def _age(self, as_of: Instant, outcome: Outcome) -> None:
        """A gap is told for a day; it cannot be mended."""
        for group, alert in self._present(builtin.GAP_IN_HISTORY.name).items():
            if as_of - alert.pending_at >= builtin.GAP_IS_TOLD_FOR:
                self.tell(builtin.GAP_IN_HISTORY, builtin.over(**dict(group)), as_of, outcome)

    def _due(self, rule: Rule, as_of: Instant) -> bool:
        last = self._judged.get(rule.name)
        if last is None:
            return True
        if rule.every is not None and as_of < last[0] + rule.every:
            return False
        return (as_of, self.window.version) != last

    def _judge_rule(
        self, rule: Rule, reading: Reading, as_of: Instant, covered_since: Instant, outcome: Outcome
    ) -> None:
        began = perf_counter()
        moment = self.moment(rule, reading, as_of, covered_since)
        try:
            judgement = evaluate(rule, moment)
            self._advance(rule, judgement, as_of, outcome)
            self.observe(rule, as_of, judgement, self.alerts.get(rule.name, ()))
        except Exception as error:  # one rule that fails must not stop the others; RuleError shows it
            log.exception("rule %s cannot be judged", rule.name)
            outcome.errors[rule.name] = f"{type(error).__name__}: {error}"
            self.tell(builtin.RULE_ERROR, builtin.finding(outcome.errors[rule.name], rule=rule.name), as_of, outcome)
        else:
            outcome.judged[rule.name] = (as_of, self.window.version)
            self.tell(builtin.RULE_ERROR, builtin.over(rule=rule.name), as_of, outcome)
        outcome.seconds[rule.name] = perf_counter() - began

    def _advance(self, rule: Rule, judgement: Judgement, as_of: Instant, outcome: Outcome) -> None:
        policy, present = policy_of(rule), self._present(rule.name)
        room = len(present) + len(judgement) if rule.limit is None else rule.limit
        room -= sum(alert.state == "firing" for alert in present.values())
        for finding in judgement.telling():
            before = present.pop(finding.group, None)
            alert, moved = advance(self.account, rule.name, before, finding, policy, as_of)
            if moved is not None and moved.what == "fired":
                room -= 1
                if room < 0:
                    alert, moved = _held_back(alert, moved, before)
                    outcome.held_back[rule.name] = -room
            outcome.add((rule.name, finding.group), before, (alert, moved))
        for group, before in present.items():
            step = advance(self.account, rule.name, before, judgement.of(group), policy, as_of)
            outcome.add((rule.name, group), before, step)


def policy_of(rule: Rule) -> Policy:
    """What of a rule governs its alerts' lives."""
    below = rule.comparison == "below"
    return Policy(rule.for_, rule.keep_firing_for, len(rule.levels_), below, rule.forget_after)


def _held_back(alert: Alert | None, transition: Transition, before: Alert | None) -> Step:
    """An alert that would fire, but too many of its rule do already: it waits as pending."""
    assert alert is not None
    waiting = msgspec.structs.replace(alert, state="pending", level=0, firing_at=None)
    return waiting, None if before else replace(transition, what="pending")
