"""Judging an account: its rules over its window, and the alerts that come of it.

`RuleEvaluator.judge` only proposes: the outcome is committed with the poll's rows and then applied, so that what is in memory never
runs ahead of what a restart would find. A rule stands still while one of the searches that it needs cannot be seen.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from time import perf_counter

from monitor.alerts.kinds import EvaluationInput, RuleResult, batches, evaluate
from monitor.alerts.kinds.batch import RuleBatch
from monitor.alerts.limit import badness, places
from monitor.alerts.ring import EvaluationHistory, EvaluationObserver
from monitor.alerts.unjudged import ReplayBudget, unjudged
from monitor.config.rules import Rule
from monitor.model import builtin_alerts as builtin
from monitor.model.account_state import NOTHING_KNOWN, AccountState
from monitor.model.alert import Alert, Policy, Step, Transition, advance, displace, is_held_back, remove
from monitor.model.builtin_alerts import BuiltIn
from monitor.model.finding import Finding
from monitor.runtime.clock import Duration, Instant
from monitor.store.protocol import Cursor
from monitor.window import IncrementalCounts, Window, WindowReader

log = logging.getLogger(__name__)

Group = tuple[tuple[str, str], ...]
Key = tuple[str, Group]
"""A rule's name and a group."""
Span = tuple[Instant, Instant]
"""As of when a rule is judged, and since when nothing is missing."""


@dataclass(slots=True)
class EvaluationResult:
    """What judging changes: alerts by their key (None: gone), what happened to them, and how each rule fared."""

    alerts: dict[Key, Alert | None] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)
    judged: dict[str, tuple[Instant, int]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, key: Key, before: Alert | None, step: Step) -> None:
        """Note one alert's step, if it is one."""
        alert, transition = step
        if transition is not None:
            self.transitions.append(transition)
        if alert is not before and (alert is not None or before is not None):
            self.alerts[key] = alert

    def include(self, other: "EvaluationResult") -> None:
        """Take over what happened to alerts."""
        self.alerts |= other.alerts
        self.transitions += other.transitions


@dataclass(frozen=True, slots=True)
class ViewContext:
    """An account as it will be once an outcome is applied: what its alerts are shown by.

    ``held_back`` is how many groups of a rule would fire too, were it not for the rule's ``limit``.
    """

    reading: WindowReader
    cursors: Mapping[str, Cursor]
    held_back: Mapping[str, int]


class RuleEvaluator:
    """Holds one account's window, rules and alerts."""

    def __init__(self, window: Window, rules: Iterable[Rule], searches: Iterable[str]) -> None:
        self.account = window.account
        self.window = window
        self.searches = tuple(searches)
        self.rules = {rule.name: rule for rule in rules if rule.enabled}
        self.cursors: dict[str, Cursor] = {}
        self.deepest: Mapping[str, str | None] = {}
        """By search, what of its cursor's ``swept`` says that its history was read; None, or no search: that need not be waited for."""
        self.every: Mapping[str, Duration] = {}
        """By search, how often it is polled; a rule whose searches are not here misses no time (`monitor.alerts.unjudged`)."""
        self.alerts: dict[str, dict[Group, Alert]] = {}
        """By the rule's name and the group; resolved ones stay until everyone has been told."""
        self.errors: dict[str, str] = {}
        self.ring = EvaluationHistory()
        """The latest evaluations, as they are proposed: a commit that fails makes none of them untrue."""
        self.observe: EvaluationObserver | None = None
        """Who sees every judgement in the ring's place; each rule is then judged by itself."""
        self.time_zone = "UTC"
        """Of the account: whose clock its people's days and hours follow."""
        self.begun: Instant | None = None
        """When the account's messages begin; None: with the oldest one that is known."""
        self.facts: AccountState = NOTHING_KNOWN
        """What was asked of the account besides messages; rules see it at their next judgement."""
        self._judged: dict[str, tuple[Instant, int]] = {}
        self._allowance = ReplayBudget()
        self._polled: set[str] = set()
        self._batches = batches(self.rules.values())
        self._carried = IncrementalCounts(window)

    def renew(self, rules: Iterable[Rule], searches: Mapping[str, Cursor | None], afresh: Collection[str]) -> None:
        """The rules and searches are these from now on. Alerts stay, and so does whatever else is about a rule that says what it said.

        ``searches`` come with how far each was polled, as far as that is not known here; ``afresh`` are those that ask something else
        now: rules wait until these were polled.
        """
        wanted = {rule.name: rule for rule in rules if rule.enabled}
        if list(self.rules.items()) != list(wanted.items()):
            self._exchange_rules(wanted)
        if self._carried.window is not self.window:
            self._carried = IncrementalCounts(self.window)
        known = {name: self.cursors.get(name) or cursor for name, cursor in searches.items()}
        self.cursors = {name: cursor for name, cursor in known.items() if cursor is not None}
        self.searches = tuple(searches)
        self._polled = self._polled.intersection(searches).difference(afresh)

    def _exchange_rules(self, wanted: Mapping[str, Rule]) -> None:
        before, self.rules = self.rules, dict(wanted)
        for name, rule in before.items():
            if wanted.get(name) != rule:
                self._judged.pop(name, None)
                self.errors.pop(name, None)
                self.ring.forget(name)
        self._batches = batches(self.rules.values())

    def as_of(self, rule: Rule, cursors: Mapping[str, Cursor] | None = None) -> tuple[Instant, Instant] | None:
        """As of when a rule can be judged, and since when nothing is missing; None before every search it needs was polled."""
        cursors = self.cursors if cursors is None else cursors
        needed = self._needed(rule)
        if not needed or any(name not in cursors for name in needed):
            return None
        found = [cursors[name] for name in needed]
        return min(c.as_of for c in found), max(c.covered_since for c in found)

    def judge(self, cursor: Cursor) -> EvaluationResult:
        """Judge every rule that a poll of ``cursor.search`` bears on, as if that cursor were committed."""
        outcome, reading = EvaluationResult(), WindowReader(self.window)
        self._allowance = ReplayBudget()
        self._age(cursor.as_of, outcome)
        due, cursors = self._due_rules(cursor), {**self.cursors, cursor.search: cursor}
        calm = set() if self.observe is not None else self._judge_together(due, reading, cursors, outcome)
        for rule, span in due.values():
            if rule.name not in calm:
                self._judge_rule(rule, self.moment(rule, reading, *span, cursors), outcome)
        self._carried.rest()
        return outcome

    def _is_settled(self, rule: Rule, cursors: Mapping[str, Cursor]) -> bool:
        """Whether as much of the past has been read as is ever read, by each search that the rule needs.

        It has not been where a search begins, or begins anew because its messages in the store could not be read.
        """
        return all(
            name in cursors and self.deepest.get(name) in (None, *cursors[name].swept) for name in self._needed(rule)
        )

    def is_poll(self, cursor: Cursor) -> bool:
        """Whether a cursor is a poll's, that is: more has been seen than before. A sweep's is not."""
        before = self.cursors.get(cursor.search)
        return before is None or cursor.as_of > before.as_of

    def apply(self, outcome: EvaluationResult, cursor: Cursor | None = None) -> None:
        """The outcome is committed: it is the truth from now on."""
        if cursor is not None:
            self.cursors[cursor.search] = cursor
            self._polled.add(cursor.search)
        for (rule, group), alert in outcome.alerts.items():
            self.put(rule, group, alert)
        self._judged |= outcome.judged
        for rule in outcome.judged:
            self.errors.pop(rule, None)
        self.errors |= outcome.errors

    def scene(self, outcome: EvaluationResult | None = None, cursor: Cursor | None = None) -> ViewContext:
        """How the account will stand once these two are applied."""
        cursors = self.cursors if cursor is None else {**self.cursors, cursor.search: cursor}
        fresh = {} if outcome is None else outcome.alerts
        held_back = {rule.name: self._held_back(rule, fresh) for rule in self.rules.values() if rule.limit is not None}
        return ViewContext(WindowReader(self.window), cursors, held_back)

    def put(self, rule: str, group: Group, alert: Alert | None) -> None:
        """Take an alert over from the store, or (None) forget one."""
        of_rule = self.alerts.setdefault(rule, {})
        if alert is None:
            of_rule.pop(group, None)
        else:
            of_rule[group] = alert

    def moment(
        self,
        rule: Rule,
        reading: WindowReader,
        as_of: Instant,
        covered_since: Instant,
        cursors: Mapping[str, Cursor] | None = None,
    ) -> EvaluationInput:
        """What a rule is judged on."""
        known = tuple(self.alerts.get(rule.name, ()))
        settled = self._is_settled(rule, self.cursors if cursors is None else cursors)
        begun = reading.begins(as_of) if self.begun is None else self.begun
        return EvaluationInput(
            reading, as_of, covered_since, known, self.facts, self._carried, settled, begun, self.time_zone
        )

    def tell(self, built_in: BuiltIn, finding: Finding, as_of: Instant, outcome: EvaluationResult) -> None:
        """Start, keep up or end a built-in alert."""
        key = (built_in.name, finding.group)
        before = self.alerts.get(built_in.name, {}).get(finding.group)
        outcome.add(key, before, advance(self.account, built_in.name, before, finding, builtin.AT_ONCE, as_of))

    def drop_gone(self, as_of: Instant) -> EvaluationResult:
        """End the alerts of rules that are gone, and those of our own about searches and rules that are gone."""
        outcome = EvaluationResult()
        for rule, alerts in self.alerts.items():
            for group, alert in alerts.items():
                if self.is_gone(rule, group):
                    outcome.add((rule, group), alert, remove(alert, as_of))
        return outcome

    def is_gone(self, rule: str, group: Group) -> bool:
        """Whether there is no such rule any more, or what an alert of our own is about is not there."""
        if rule not in builtin.BUILT_IN:
            return rule not in self.rules
        about = dict(group)
        return about.get("search") not in (None, *self.searches) or about.get("rule") not in (None, *self.rules)

    def _needed(self, rule: Rule) -> tuple[str, ...]:
        """The searches whose messages a rule is about."""
        return (rule.search,) if rule.search is not None else self.searches

    def _seen(self, cursor: Cursor) -> set[str]:
        """The searches that are up to date: polled since the start, and not blind. A poll ends the blindness of its search."""
        seen = {*self._polled, cursor.search} - set(self._blind())
        return seen | {cursor.search} if self.is_poll(cursor) else seen

    def _blind(self) -> Iterator[str]:
        for group, alert in self.alerts.get(builtin.MONITOR_BLIND.name, {}).items():
            if alert.state == "firing":
                yield dict(group).get("search", "")

    def _held_back(self, rule: Rule, fresh: Mapping[Key, Alert | None]) -> int:
        known = {(rule.name, group): alert for group, alert in self.alerts.get(rule.name, {}).items()}
        alerts = known | {key: alert for key, alert in fresh.items() if key[0] == rule.name}
        return sum(alert is not None and is_held_back(alert) for alert in alerts.values())

    def _age(self, as_of: Instant, outcome: EvaluationResult) -> None:
        """A gap is told for a day, from the latest one on; it cannot be mended."""
        for group, alert in self.alerts.get(builtin.GAP_IN_HISTORY.name, {}).items():
            if alert.state == "firing" and as_of - alert.as_of >= builtin.GAP_IS_TOLD_FOR:
                self.tell(builtin.GAP_IN_HISTORY, builtin.over(**dict(group)), as_of, outcome)

    def _due_rules(self, cursor: Cursor) -> dict[str, tuple[Rule, Span]]:
        """The rules to judge, and as of when and since when nothing is missing."""
        cursors = {**self.cursors, cursor.search: cursor}
        seen, spans, due = self._seen(cursor), dict[str | None, Span | None](), {}
        is_poll, settles = self.is_poll(cursor), self._settles(cursor)
        for rule in self.rules.values():
            if rule.search not in spans:
                bears = rule.search in (None, cursor.search) and seen.issuperset(self._needed(rule))
                spans[rule.search] = self.as_of(rule, cursors) if bears else None
            span = spans[rule.search]
            if span is None:
                continue
            last = self._judged.get(rule.name)
            # Most rules are judged at each poll: of these it is seen without a call.
            is_later = last is None or (rule.every is None and last[0] < span[0])
            if is_later or settles or (last is not None and self._due(rule, last, span[0], is_poll)):
                due[rule.name] = rule, span
        return due

    def _settles(self, cursor: Cursor) -> bool:
        """Whether the search's history has just been read to its end: what waited for that is judged now, not at the next poll."""
        deepest, before = self.deepest.get(cursor.search), self.cursors.get(cursor.search)
        return deepest is not None and deepest in cursor.swept and (before is None or deepest not in before.swept)

    def _due(self, rule: Rule, last: tuple[Instant, int], as_of: Instant, is_poll: bool) -> bool:
        if rule.every is not None and last[0] <= as_of < last[0] + rule.every:
            return False
        if as_of == last[0] and is_poll:
            return False  # another search lags behind; what this one brought is later than what can be judged
        return (as_of, self.window.version) != last

    def _judge_together(
        self,
        due: Mapping[str, tuple[Rule, Span]],
        reading: WindowReader,
        cursors: Mapping[str, Cursor],
        outcome: EvaluationResult,
    ) -> set[str]:
        """Judge the rules that can be judged with their batch and have nothing to say; gives their names."""
        calm: set[str] = set()
        troubled = {name for name, alerts in self.alerts.items() if alerts}
        troubled |= {dict(group)["rule"] for group in self.alerts.get(builtin.RULE_ERROR.name, {})}
        moments: dict[tuple[Span, str | None], EvaluationInput] = {}
        all_are_due = len(due) == len(self.rules)
        for batch in self._batches:
            names = batch.names if all_are_due else [name for name in batch.names if name in due]
            names = [name for name in names if name not in troubled] if troubled else names
            if names:
                rule, span = due[names[0]]
                place = span, rule.search
                if place not in moments:
                    moments[place] = self.moment(rule, reading, *span, cursors)
                if not moments[place].lacks(rule):
                    calm |= self._judge_batch(batch, names, moments[place], outcome)
        return calm

    def _judge_batch(
        self, batch: RuleBatch, names: list[str], moment: EvaluationInput, outcome: EvaluationResult
    ) -> set[str]:
        began = perf_counter()
        try:
            numbers = batch.count(moment)
            calm = set(names) - batch.to_judge(numbers)
            if calm:
                self.ring.take_shared(batch, moment, numbers)
        except Exception:  # noqa: BLE001 — whichever rule is at fault fails again when it is judged by itself, and is told then
            return set()
        seconds = (perf_counter() - began) / len(names)
        judged, took = (moment.as_of, self.window.version), outcome.seconds
        for name in calm:
            outcome.judged[name] = judged
            took[name] = seconds
        return calm

    def _judge_rule(self, rule: Rule, moment: EvaluationInput, outcome: EvaluationResult) -> None:
        began, as_of = perf_counter(), moment.as_of
        read = moment.settled or moment.covers(rule.reach)
        try:
            judgement = evaluate(rule, moment)
            late = self._caught_up(rule, moment, judgement) if read else EvaluationResult()
            outcome.include(late)
            outcome.include(self._advance(rule, judgement, as_of, read, late.alerts))
            (self.observe or self.ring.take)(rule, as_of, judgement, self.alerts.get(rule.name, ()))
        except Exception as error:  # one rule that fails must not stop the others; RuleError shows it
            why = outcome.errors[rule.name] = (
                f"an internal error, please report it with the traceback in the log: {error}"
            )
            if self.errors.get(rule.name) != why:
                log.exception("rule %s cannot be judged", rule.name)
            self.tell(builtin.RULE_ERROR, builtin.finding(why, rule=rule.name), as_of, outcome)
        else:
            outcome.judged[rule.name] = (as_of, self.window.version)
            self.tell(builtin.RULE_ERROR, builtin.over(rule=rule.name), as_of, outcome)
        outcome.seconds[rule.name] = perf_counter() - began

    def _caught_up(self, rule: Rule, moment: EvaluationInput, judgement: RuleResult) -> EvaluationResult:
        """What became of the rule's alerts in a time in which it was not judged, as far as that decides what becomes of them now."""
        outcome, alerts = EvaluationResult(), self.alerts.get(rule.name, {})
        every = [self.every[name] for name in self._needed(rule) if name in self.every]
        if not alerts or not every:
            return outcome
        late = unjudged(alerts, judgement, policy_of(rule), moment.as_of, max(*every, rule.every or 0))
        if late is not None:
            after, outcome.transitions = late.caught_up(rule, moment, self._allowance)
            outcome.alerts = {(rule.name, group): alert for group, alert in after.items()}
        return outcome

    def _advance(
        self, rule: Rule, judgement: RuleResult, as_of: Instant, read: bool, late: Mapping[Key, Alert | None]
    ) -> EvaluationResult:
        """What becomes of the rule's alerts. Where it has a limit, only the worst fire; the others are held back.

        While what the rule looks at has not been ``read``, those that fire neither end nor ease: what speaks for them may be missing.
        """
        outcome, policy, before = EvaluationResult(), policy_of(rule), self.alerts.get(rule.name, {})
        now = {group: late.get((rule.name, group), alert) for group, alert in before.items()}
        alerts = {group: alert for group, alert in now.items() if alert is not None}
        over = {finding.group: finding for finding in judgement.telling()}
        steps: dict[Group, Step] = {}
        for group, alert in alerts.items():
            waits = group in over or (not read and alert.state == "firing" and _is_of(rule, alert))
            steps[group] = (alert, None) if waits else self._calm(rule, alert, judgement, policy, as_of)

        def step(group: Group, *, may_fire: bool) -> Step:
            return advance(self.account, rule.name, alerts.get(group), over[group], policy, as_of, may_fire=may_fire)

        for group, finding in over.items():
            present = alerts.get(group)
            if read or present is None or (finding.breached or 0) >= present.level:
                steps[group] = step(group, may_fire=rule.limit is None)
        if rule.limit is not None:
            begin, end = _places(steps, rule.limit)
            steps |= {group: step(group, may_fire=True) for group in begin}
            steps |= {group: displace(told, as_of) for group, told in end.items()}
        for group, one in steps.items():
            outcome.add((rule.name, group), before.get(group), one)
        return outcome

    def _calm(self, rule: Rule, alert: Alert, judgement: RuleResult, policy: Policy, as_of: Instant) -> Step:
        """An alert whose group is not over a threshold, or is none of the rule's groups any more."""
        if alert.state == "resolved":
            return alert, None
        if not _is_of(rule, alert):
            return remove(alert, as_of)
        return advance(self.account, rule.name, alert, judgement.of(alert.group), policy, as_of)


def _places(steps: Mapping[Group, Step], limit: int) -> tuple[list[Group], dict[Group, Alert]]:
    """Which of a rule's groups begin to fire, and the alerts that make room for them."""
    alerts = {group: alert for group, (alert, _) in steps.items() if alert is not None}
    told = {group: badness(alert) for group, alert in alerts.items() if alert.state == "firing"}
    waiting = {group: badness(alert) for group, alert in alerts.items() if is_held_back(alert)}
    begin, end = places(told, waiting, limit)
    return begin, {group: alerts[group] for group in end}


def _is_of(rule: Rule, alert: Alert) -> bool:
    """Whether the rule still groups by the fields that the alert's group has."""
    return tuple(name for name, _ in alert.group) == rule.grouping


def policy_of(rule: Rule) -> Policy:
    """What of a rule governs its alerts' lives."""
    below = rule.comparison == "below"
    return Policy(rule.for_, rule.keep_firing_for, len(rule.levels_), below, rule.forget_after)
