"""Evaluates an account's rules over its window and holds the resulting alerts.

`RuleEvaluator.evaluating` only proposes a result. It is committed to the store together with the poll's rows and applied afterwards, so that
memory is never ahead of what a restart would find. A rule waits while one of the searches that it needs is blind.

An evaluation can be done in pieces (`monitor.runtime.pieces`). From its beginning until its result was rendered the window, the rules
and the alerts must not change.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from time import perf_counter
from typing import TypeVar

from monitor.alerts.batch_evaluation import RuleBatches
from monitor.alerts.coverage import SearchCoverage
from monitor.alerts.evaluation import EvaluationResult, Group, Key, ViewContext
from monitor.alerts.evaluation_history import EvaluationHistory, EvaluationObserver
from monitor.alerts.furthest_rules import furthest_looking
from monitor.alerts.kinds import EvaluationInput, evaluate, evaluate_ahead
from monitor.alerts.kinds.rule_state import RuleState, StoredRuleState
from monitor.alerts.lifecycle import RuleAlerts, policy_of
from monitor.alerts.missed_evaluations import ReplayBudget
from monitor.alerts.own_alerts import blind_searches, end_old_gaps, troubled_rules, update_builtin
from monitor.alerts.schedule import EvaluationSchedule
from monitor.alerts.span import Span
from monitor.config.rules import Rule
from monitor.model import builtin_alerts as builtin
from monitor.model.account_state import NOTHING_KNOWN, AccountState
from monitor.model.alert import Alert, is_held_back, remove
from monitor.model.builtin_alerts import BuiltIn
from monitor.model.finding import Finding
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.pieces import Work, at_once
from monitor.store.protocol import Cursor
from monitor.window import IncrementalCounts, Window, WindowReader

log = logging.getLogger(__name__)

T = TypeVar("T")


class RuleEvaluator:
    """Holds one account's window, rules and alerts."""

    def __init__(self, window: Window, rules: Iterable[Rule], searches: Iterable[str]) -> None:
        self.account = window.account
        self.window = window
        self.rules = {rule.name: rule for rule in rules if rule.enabled}
        self.coverage = SearchCoverage(searches)
        self.alerts: dict[str, dict[Group, Alert]] = {}
        """By the rule's name and the group. A resolved alert stays until no receiver shows it as firing."""
        self.errors: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        """By rule, how long its latest evaluation took."""
        self.history = EvaluationHistory()
        """The latest evaluations. They are stored before the commit, because they stay true if it fails."""
        self.observe: EvaluationObserver | None = None
        """If set, gets every evaluation instead of the history, and each rule is evaluated alone."""
        self.time_zone = "UTC"
        """The account's time zone, in which rules reckon days and hours."""
        self.in_use_since: Instant | None = None
        """When the account's messages begin; None: with the oldest known message."""
        self.account_state: AccountState = NOTHING_KNOWN
        """What Routee answered besides messages (balance, campaigns); rules see it at their next evaluation."""
        self.kept: dict[str, RuleState] = {}
        """By rule, what its last evaluation left for the next one. That of a rule that is gone stays until it is deleted in the store."""
        self.dropped_states: set[str] = set()
        """The rules that are gone, and whose state is still stored."""
        self.effort: float | None = None
        """How much of the past one evaluation may work through; see `EvaluationInput.effort`."""
        self._schedule = EvaluationSchedule()
        self._batches = RuleBatches(self.rules.values(), self.history)
        self._counts = IncrementalCounts(window)
        self._furthest = furthest_looking(self.rules.values())

    def reload(self, rules: Iterable[Rule], searches: Mapping[str, Cursor | None], afresh: Collection[str]) -> None:
        """Replaces the rules and searches. Alerts stay, and so does everything else about a rule that is unchanged.

        See `SearchCoverage.renew` for ``searches`` and ``afresh``.
        """
        wanted = {rule.name: rule for rule in rules if rule.enabled}
        if list(self.rules.items()) != list(wanted.items()):
            self._replace_rules(wanted)
        self._counts = IncrementalCounts(self.window)  # which searches are configured decides what some of them count
        self.coverage.renew(searches, afresh)

    def _replace_rules(self, wanted: dict[str, Rule]) -> None:
        before, self.rules = self.rules, wanted
        for name, rule in before.items():
            if wanted.get(name) != rule:
                self._schedule.forget(name)
                self.errors.pop(name, None)
                self.seconds.pop(name, None)
                self.history.forget(name)
            if (name not in wanted or wanted[name].kind != rule.kind) and (
                kept := self.kept.pop(name, None)
            ) is not None:
                self.dropped_states.add(name)
                if name not in wanted and kept.is_ready:
                    self.kept[name] = StoredRuleState(kept.blob())
        self.dropped_states -= (wanted.keys() - before.keys()) & self.kept.keys()
        self._batches = RuleBatches(self.rules.values(), self.history)
        self._furthest = furthest_looking(wanted.values())

    def evaluate(self, cursor: Cursor) -> EvaluationResult:
        """Returns the result of every rule that a poll of ``cursor.search`` makes due, as if the cursor were committed."""
        return at_once(self.evaluating(cursor))

    def evaluating(self, cursor: Cursor) -> Work[EvaluationResult]:
        """Does what `evaluate` does, in pieces."""
        version, result = self.window.version, self._nothing_found()
        end_old_gaps(self.account, self.alerts, cursor.as_of, result)
        due = self._schedule.due(self.rules.values(), cursor, self.coverage, blind_searches(self.alerts), version)
        yield from self._evaluate(due, self.coverage.after(cursor), result)
        return result

    def evaluating_pushed(self, pushed_to: Instant) -> Work[EvaluationResult]:
        """Returns the result of the rules that pushed reports make due between two polls; the latest report is of ``pushed_to``.

        Alerts begin and escalate, but firing ones neither end nor ease: a report may not have been pushed. The next poll shows that.
        """
        coverage, result = self.coverage, self._nothing_found()
        result.pushed = True
        coverage.pushed_to = max(coverage.pushed_to or pushed_to, pushed_to)
        blind = blind_searches(self.alerts)
        due = self._schedule.due_by_push(self.rules.values(), coverage, blind, self.window.version)
        yield from self._evaluate(due, coverage.cursors, result)
        return result

    def _nothing_found(self) -> EvaluationResult:
        """Returns an empty result of the window and of the account as they are now."""
        return EvaluationResult(reader=WindowReader(self.window), account_state=self.account_state)

    def _evaluate(
        self, due: Mapping[str, tuple[Rule, Span]], cursors: Mapping[str, Cursor], result: EvaluationResult
    ) -> Work[None]:
        """Evaluates the rules that are due, as if the cursors were committed, and adds what they find to the result."""
        reader, budget, version = result.reader or WindowReader(self.window), ReplayBudget(), self.window.version

        def input_for(rule: Rule, span: Span) -> EvaluationInput:
            return self.input_for(rule, reader, *span, cursors, result.account_state)

        within: set[str] = set()
        if self.observe is None:
            within = yield from self._batches.evaluate(due, troubled_rules(self.alerts), input_for, version, result)
        for rule, span in due.values():
            if rule.name not in within:
                yield from self._evaluate_alone(rule, input_for(rule, span), budget, result)
                yield
        self._counts.forget_passed()

    def apply(
        self,
        result: EvaluationResult,
        cursor: Cursor | None = None,
        alerts: dict[str, dict[Group, Alert]] | None = None,
    ) -> None:
        """Applies a committed result, with the cursor that was committed with it. ``alerts`` are all of the account afterwards, where that was
        worked out ahead."""
        if cursor is not None:
            self.coverage.commit(cursor)
        if alerts is not None:
            self.alerts = alerts
        for (rule, group), alert in result.alerts.items() if alerts is None else ():
            self.put(rule, group, alert)
        self._schedule.commit(result.evaluated, pushed=result.pushed)
        self.coverage.pushes += result.pushed
        for rule in result.evaluated:
            self.errors.pop(rule, None)
        self.errors |= result.errors
        self.seconds |= result.seconds
        self.kept |= result.kept
        self.dropped_states -= result.kept.keys()

    def forget_state(self, rule: str) -> None:
        """Takes note that the stored state of a rule was deleted."""
        self.dropped_states.discard(rule)
        if rule not in self.rules:
            self.kept.pop(rule, None)

    def catch_up(self) -> bool:
        """Works through some of the past for a rule whose state is not ready; False where there is nothing to do.

        A rule that fails waits for its next evaluation, which tells it.
        """
        return at_once(self.catching_up())

    def catching_up(self) -> Work[bool]:
        """Does what `catch_up` does, in pieces."""
        for name, rule in self.rules.items():
            kept, span = self.kept.get(name), self.coverage.as_of(rule)
            if kept is None or kept.is_ready or span is None or name in self.errors:
                continue
            try:
                yield from self.window.settling()
                inputs = self.input_for(rule, WindowReader(self.window), *span)
                yield from evaluate_ahead(rule, inputs)
                found = evaluate(rule, inputs)
            except Exception as error:  # one rule that fails must not stop the others
                self.errors[name] = _internal(error)
                log.exception("rule %s cannot be judged", name)
            else:
                if found.kept is not None:
                    self.kept[name] = found.kept
                    return True
        return False

    def evaluated_as_of(self, rule: str) -> Instant | None:
        """Returns as of when a rule was last evaluated without an error; None if it was not since the start."""
        return self._schedule.evaluated_as_of(rule)

    def polled_as_of(self, rule: str) -> Instant | None:
        """Returns the same for polls alone, without what was pushed between them."""
        return self._schedule.polled_as_of(rule)

    def put(self, rule: str, group: Group, alert: Alert | None) -> None:
        """Adds a stored alert, or (None) removes the alert of that group."""
        of_rule = self.alerts.setdefault(rule, {})
        if alert is None:
            of_rule.pop(group, None)
        else:
            of_rule[group] = alert

    def every_alert(self) -> Iterator[tuple[Key, Alert]]:
        """Returns all alerts with their keys."""
        return (((rule, group), alert) for rule, some in self.alerts.items() for group, alert in some.items())

    def view_context(self, result: EvaluationResult | None = None, cursor: Cursor | None = None) -> ViewContext:
        """Returns the account as it is once these two are applied. Reuses what ``result`` has already computed."""
        result = result or EvaluationResult()
        cursors = self.coverage.cursors if cursor is None else self.coverage.after(cursor)
        limited = [rule.name for rule in self.rules.values() if rule.limit is not None]
        held_back = {name: self._held_back(name, result.alerts) for name in limited}
        reader, state = result.reader or WindowReader(self.window), result.account_state or self.account_state
        return ViewContext(reader, cursors, held_back, result.found, state)

    def input_for(
        self,
        rule: Rule,
        reader: WindowReader,
        as_of: Instant,
        covered_since: Instant,
        cursors: Mapping[str, Cursor] | None = None,
        account_state: AccountState | None = None,
    ) -> EvaluationInput:
        """Returns what a rule is evaluated on. ``cursors`` replaces the committed cursors, ``account_state`` the present state."""
        known = tuple(self.alerts.get(rule.name, ()))
        settled, lost_to = self.coverage.is_settled(rule, cursors, (as_of, covered_since)), self.coverage.lost_to
        in_use_since = reader.begins(as_of) if self.in_use_since is None else self.in_use_since
        state = self.account_state if account_state is None else account_state
        kept, zone = self.kept.get(rule.name), self.time_zone
        carried, effort = self._counts, self.effort
        return EvaluationInput(
            reader, as_of, covered_since, known, state, carried, settled, lost_to, in_use_since, zone, kept, effort
        )

    def unread(self, search: str, now: Instant) -> Duration:
        """Returns how far back of ``now`` the search has to be read once, beside its sweeps; see `SearchCoverage.unread`."""
        return self.coverage.unread(search, now, self._furthest)

    def waits_for(self, search: str, now: Instant) -> bool:
        """Returns whether a rule waits for messages of the search that can still be read."""
        return self.coverage.is_waited_for(search, now, self._furthest)

    def update_builtin(self, built_in: BuiltIn, finding: Finding, as_of: Instant, result: EvaluationResult) -> None:
        """Starts, updates or ends a built-in alert."""
        update_builtin(self.account, self.alerts, built_in, finding, as_of, result)

    def drop_gone(self, as_of: Instant) -> EvaluationResult:
        """Ends the alerts of removed rules, and the built-in alerts about removed searches and rules."""
        result = EvaluationResult()
        for (rule, group), alert in self.every_alert():
            if self.is_gone(rule, group):
                result.add((rule, group), alert, remove(alert, as_of))
        return result

    def is_gone(self, rule: str, group: Group) -> bool:
        """Returns whether the rule was removed, or whether a built-in alert is about a search or rule that was removed."""
        if rule not in builtin.BUILT_IN:
            return rule not in self.rules
        about = dict(group)
        searches = (None, *self.coverage.searches)
        return about.get("search") not in searches or about.get("rule") not in (None, *self.rules)

    def _held_back(self, rule: str, fresh: Mapping[Key, Alert | None]) -> int:
        known = self.alerts.get(rule, {}).items()
        before = sum(is_held_back(alert) for group, alert in known if (rule, group) not in fresh)
        return before + sum(is_held_back(alert) for (of, _), alert in fresh.items() if of == rule and alert is not None)

    def _evaluate_alone(
        self, rule: Rule, inputs: EvaluationInput, budget: ReplayBudget, result: EvaluationResult
    ) -> Work[None]:
        watch, as_of, alerts = _Stopwatch(), inputs.as_of, self.alerts.get(rule.name, {})
        try:
            yield from watch.timed(evaluate_ahead(rule, inputs))
            found = result.found[rule.name, as_of] = evaluate(rule, inputs)
            read = not result.pushed and inputs.is_read(rule.reach)
            changing = RuleAlerts(self.account, rule, policy_of(rule), alerts, found, as_of, read)
            late = EvaluationResult()
            if read and not rule.keeps_state:  # one that keeps a state has gone through that time itself
                late = yield from watch.timed(changing.after_downtime(inputs, self.coverage.interval(rule), budget))
            result.include(late)
            result.include((yield from watch.timed(changing.advancing(late.alerts))))
            (self.observe or self.history.take)(rule, as_of, found, alerts)
            if found.kept is not None:
                result.kept[rule.name] = found.kept
        except Exception as error:  # one rule that fails must not stop the others; RuleError shows it
            why = result.errors[rule.name] = _internal(error)
            if self.errors.get(rule.name) != why:
                log.exception("rule %s cannot be judged", rule.name)
            self.update_builtin(builtin.RULE_ERROR, builtin.finding(why, rule=rule.name), as_of, result)
        else:
            result.evaluated[rule.name] = (as_of, self.window.version)
            self.update_builtin(builtin.RULE_ERROR, builtin.over(rule=rule.name), as_of, result)
        result.seconds[rule.name] = watch.seconds


class _Stopwatch:
    """Measures the seconds that work takes, without what others do between its pieces."""

    def __init__(self) -> None:
        self._paused, self._began = 0.0, perf_counter()

    @property
    def seconds(self) -> float:
        """The seconds until now."""
        return perf_counter() - self._began - self._paused

    def timed(self, work: Work[T]) -> Work[T]:
        """Passes the work on, and does not count the time between its pieces."""
        while True:
            try:
                next(work)
            except StopIteration as done:
                result: T = done.value
                return result
            left = perf_counter()
            yield
            self._paused += perf_counter() - left


def _internal(error: Exception) -> str:
    return f"an internal error, please report it with the traceback in the log: {error}"
