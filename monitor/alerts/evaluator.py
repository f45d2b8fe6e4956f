"""Evaluates an account's rules over its window and holds the resulting alerts.

`RuleEvaluator.evaluate` only proposes. The result is committed with the poll's rows and then applied, so that what is in memory never
runs ahead of what a restart would find. A rule waits while one of the searches that it needs cannot be seen.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from time import perf_counter

from monitor.alerts.batch_evaluation import RuleBatches
from monitor.alerts.coverage import SearchCoverage
from monitor.alerts.evaluation import EvaluationResult, Group, Key, Span, ViewContext, evaluation_key
from monitor.alerts.evaluation_history import EvaluationHistory, EvaluationObserver
from monitor.alerts.kinds import EvaluationInput, evaluate
from monitor.alerts.lifecycle import RuleAlerts, policy_of
from monitor.alerts.own_alerts import blind_searches, end_old_gaps, troubled_rules, update_builtin
from monitor.alerts.schedule import EvaluationSchedule
from monitor.alerts.unjudged import ReplayBudget
from monitor.config.rules import Rule
from monitor.model import builtin_alerts as builtin
from monitor.model.account_state import NOTHING_KNOWN, AccountState
from monitor.model.alert import Alert, is_held_back, remove
from monitor.model.builtin_alerts import BuiltIn
from monitor.model.finding import Finding
from monitor.runtime.clock import Instant
from monitor.store.protocol import Cursor
from monitor.window import IncrementalCounts, Window, WindowReader

log = logging.getLogger(__name__)


class RuleEvaluator:
    """Holds one account's window, rules and alerts."""

    def __init__(self, window: Window, rules: Iterable[Rule], searches: Iterable[str]) -> None:
        self.account = window.account
        self.window = window
        self.rules = {rule.name: rule for rule in rules if rule.enabled}
        self.coverage = SearchCoverage(searches)
        self.alerts: dict[str, dict[Group, Alert]] = {}
        """By the rule's name and the group; resolved ones stay until everyone has been notified."""
        self.errors: dict[str, str] = {}
        self.history = EvaluationHistory()
        """The latest evaluations, as they are proposed: a commit that fails makes none of them untrue."""
        self.observe: EvaluationObserver | None = None
        """Who sees every evaluation in the history's place; each rule is then evaluated alone."""
        self.time_zone = "UTC"
        """Of the account: whose clock its people's days and hours follow."""
        self.begun: Instant | None = None
        """When the account's messages begin; None: with the oldest one that is known."""
        self.account_state: AccountState = NOTHING_KNOWN
        """What was asked of the account besides messages; rules see it at their next evaluation."""
        self._schedule = EvaluationSchedule()
        self._batches = RuleBatches(self.rules.values(), self.history)
        self._counts = IncrementalCounts(window)

    def reload(self, rules: Iterable[Rule], searches: Mapping[str, Cursor | None], afresh: Collection[str]) -> None:
        """The rules and searches are these from now on. Alerts stay, and so does whatever else is about a rule that says what it said.

        See `SearchCoverage.renew` for ``searches`` and ``afresh``.
        """
        wanted = {rule.name: rule for rule in rules if rule.enabled}
        if list(self.rules.items()) != list(wanted.items()):
            self._replace_rules(wanted)
        if self._counts.window is not self.window:
            self._counts = IncrementalCounts(self.window)
        self.coverage.renew(searches, afresh)

    def _replace_rules(self, wanted: dict[str, Rule]) -> None:
        before, self.rules = self.rules, wanted
        for name, rule in before.items():
            if wanted.get(name) != rule:
                self._schedule.forget(name)
                self.errors.pop(name, None)
                self.history.forget(name)
        self._batches = RuleBatches(self.rules.values(), self.history)

    def evaluate(self, cursor: Cursor) -> EvaluationResult:
        """Evaluate every rule that a poll of ``cursor.search`` bears on, as if that cursor were committed."""
        reader, budget, version = WindowReader(self.window), ReplayBudget(), self.window.version
        result = EvaluationResult(reader=reader)
        end_old_gaps(self.account, self.alerts, cursor.as_of, result)
        due = self._schedule.due(self.rules.values(), cursor, self.coverage, blind_searches(self.alerts), version)
        cursors = self.coverage.after(cursor)

        def input_for(rule: Rule, span: Span) -> EvaluationInput:
            return self.input_for(rule, reader, *span, cursors)

        within: set[str] = set()
        if self.observe is None:
            within = self._batches.evaluate(due, troubled_rules(self.alerts), input_for, version, result)
        for rule, span in due.values():
            if rule.name not in within:
                self._evaluate_alone(rule, input_for(rule, span), budget, result)
        self._counts.rest()
        return result

    def apply(self, result: EvaluationResult, cursor: Cursor | None = None) -> None:
        """The result is committed: it is the truth from now on."""
        if cursor is not None:
            self.coverage.commit(cursor)
        for (rule, group), alert in result.alerts.items():
            self.put(rule, group, alert)
        self._schedule.commit(result.evaluated)
        for rule in result.evaluated:
            self.errors.pop(rule, None)
        self.errors |= result.errors

    def put(self, rule: str, group: Group, alert: Alert | None) -> None:
        """Take an alert over from the store, or (None) forget one."""
        of_rule = self.alerts.setdefault(rule, {})
        if alert is None:
            of_rule.pop(group, None)
        else:
            of_rule[group] = alert

    def every_alert(self) -> Iterator[tuple[Key, Alert]]:
        """All alerts by their keys."""
        return (((rule, group), alert) for rule, some in self.alerts.items() for group, alert in some.items())

    def view_context(self, result: EvaluationResult | None = None, cursor: Cursor | None = None) -> ViewContext:
        """How the account will stand once these two are applied. Reuses what ``result`` has already computed."""
        result = result or EvaluationResult()
        cursors = self.coverage.cursors if cursor is None else self.coverage.after(cursor)
        limited = [rule.name for rule in self.rules.values() if rule.limit is not None]
        held_back = {name: self._held_back(name, result.alerts) for name in limited}
        return ViewContext(result.reader or WindowReader(self.window), cursors, held_back)

    def input_for(
        self,
        rule: Rule,
        reader: WindowReader,
        as_of: Instant,
        covered_since: Instant,
        cursors: Mapping[str, Cursor] | None = None,
    ) -> EvaluationInput:
        """What a rule is evaluated on; ``cursors`` as they are to be taken, where they are not those that are committed."""
        known = tuple(self.alerts.get(rule.name, ()))
        settled = self.coverage.is_settled(rule, cursors)
        begun = reader.begins(as_of) if self.begun is None else self.begun
        state = self.account_state
        return EvaluationInput(reader, as_of, covered_since, known, state, self._counts, settled, begun, self.time_zone)

    def update_builtin(self, built_in: BuiltIn, finding: Finding, as_of: Instant, result: EvaluationResult) -> None:
        """Start, keep up or end a built-in alert."""
        update_builtin(self.account, self.alerts, built_in, finding, as_of, result)

    def drop_gone(self, as_of: Instant) -> EvaluationResult:
        """End the alerts of rules that are gone, and those of our own about searches and rules that are gone."""
        result = EvaluationResult()
        for (rule, group), alert in self.every_alert():
            if self.is_gone(rule, group):
                result.add((rule, group), alert, remove(alert, as_of))
        return result

    def is_gone(self, rule: str, group: Group) -> bool:
        """Whether there is no such rule any more, or what an alert of our own is about is not there."""
        if rule not in builtin.BUILT_IN:
            return rule not in self.rules
        about = dict(group)
        searches = (None, *self.coverage.searches)
        return about.get("search") not in searches or about.get("rule") not in (None, *self.rules)

    def _held_back(self, rule: str, fresh: Mapping[Key, Alert | None]) -> int:
        known = {(rule, group): alert for group, alert in self.alerts.get(rule, {}).items()}
        alerts = known | {key: alert for key, alert in fresh.items() if key[0] == rule}
        return sum(alert is not None and is_held_back(alert) for alert in alerts.values())

    def _evaluate_alone(
        self, rule: Rule, moment: EvaluationInput, budget: ReplayBudget, result: EvaluationResult
    ) -> None:
        began, as_of, alerts = perf_counter(), moment.as_of, self.alerts.get(rule.name, {})
        try:
            found = moment.reading.shared[evaluation_key(rule.name, as_of)] = evaluate(rule, moment)
            read = moment.settled or moment.covers(rule.reach)
            changing = RuleAlerts(self.account, rule, policy_of(rule), alerts, found, as_of, read)
            late = changing.after_downtime(moment, self.coverage.interval(rule), budget) if read else EvaluationResult()
            result.include(late)
            result.include(changing.advance(late.alerts))
            (self.observe or self.history.take)(rule, as_of, found, alerts)
        except Exception as error:  # one rule that fails must not stop the others; RuleError shows it
            why = f"an internal error, please report it with the traceback in the log: {error}"
            result.errors[rule.name] = why
            if self.errors.get(rule.name) != why:
                log.exception("rule %s cannot be judged", rule.name)
            self.update_builtin(builtin.RULE_ERROR, builtin.finding(why, rule=rule.name), as_of, result)
        else:
            result.evaluated[rule.name] = (as_of, self.window.version)
            self.update_builtin(builtin.RULE_ERROR, builtin.over(rule=rule.name), as_of, result)
        result.seconds[rule.name] = perf_counter() - began
