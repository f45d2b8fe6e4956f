"""Reads the rules: their states, the groups of one, and the recent evaluations of one group."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import trio

from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.kinds import RuleResult, evaluate, unit_of
from monitor.config.rules import Rule
from monitor.daemon.read.daemon_state import DaemonState
from monitor.daemon.read.evaluations import GroupEvaluations, evaluations_of, group_from
from monitor.daemon.read.poll_cache import PollCache
from monitor.daemon.read.result_page import MOST, ResultPage, listed
from monitor.daemon.read.rule_groups import GroupState, GroupSummary, groups_of, rule_input, worst_first
from monitor.daemon.read.rules import (
    GroupNumbers,
    RuleDetail,
    RuleSummary,
    accounts_with,
    detail_of,
    numbers_of,
    states_of,
    summary_of,
)
from monitor.runtime.checkpoints import with_checkpoints
from monitor.window import WindowReader

MOST_RULES: Final = 10_000
"""The most rules whose numbers of groups are kept."""


class RuleReader:
    """Reads the rules."""

    def __init__(self, state: DaemonState) -> None:
        self._state = state
        self._numbers = PollCache(state.stamp, most=MOST_RULES)

    def named(self, name: str) -> Rule | None:
        """Returns the rule of that name; None if there is none."""
        return next((rule for rule in self._state.settings().rules if rule.name == name), None)

    async def all(self) -> tuple[RuleSummary, ...]:
        """Returns all rules in all accounts, in the order in which they are written."""
        found = []
        for rule in self._state.settings().rules:
            found += await self._summaries(rule)
        return tuple(found)

    async def one(self, name: str) -> RuleDetail | None:
        """Returns one rule; None if there is none of that name."""
        rule = self.named(name)
        return None if rule is None else detail_of(rule, tuple(await self._summaries(rule)), unit_of(rule))

    async def groups(
        self,
        name: str,
        offset: int = 0,
        limit: int = MOST,
        text: str = "",
        states: Sequence[GroupState] = (),
        account: str | None = None,
    ) -> ResultPage[GroupSummary] | None:
        """Returns the groups of a rule, the worst first: those that contain ``text`` and are in one of ``states`` (none: any).

        None if there is no rule of that name.
        """
        rule = self.named(name)
        if rule is None:
            return None
        everything = await self._state.cache.get(("groups", name), partial(self._groups, rule))
        wanted, found = text.casefold(), list[GroupSummary]()
        async for group in with_checkpoints(everything):
            if (not states or group.state in states) and account in (None, group.account) and group.contains(wanted):
                found.append(group)
        return listed(found, offset, limit)

    def evaluations(self, name: str, labels: dict[str, str], account: str | None = None) -> GroupEvaluations | None:
        """Returns the recent evaluations of one group of a rule; None if there is no such rule or account.

        Raises ValueError if the rule groups by other fields.
        """
        rule = self.named(name)
        if rule is None:
            return None
        group = group_from(labels, rule)
        known = [one for one in accounts_with(rule, self._state.evaluators()) if account in (None, one.account)]
        found = [evaluations_of(rule, evaluator, group) for evaluator in known]
        return max(found, key=lambda one: len(one.points), default=None)

    async def _groups(self, rule: Rule) -> list[GroupSummary]:
        found: list[GroupSummary] = []
        for evaluator in list(accounts_with(rule, self._state.evaluators())):
            await trio.lowlevel.checkpoint()
            rule_result = self._evaluated(rule, evaluator)
            if rule_result is None:
                continue
            found += [
                one async for one in with_checkpoints(groups_of(rule, evaluator, rule_result, self._state.config))
            ]
        below = rule.comparison == "below"
        keys = {id(group): worst_first(group, below=below) async for group in with_checkpoints(found)}
        return sorted(found, key=lambda group: keys[id(group)])

    async def _summaries(self, rule: Rule) -> list[RuleSummary]:
        found = []
        for evaluator in list(accounts_with(rule, self._state.evaluators())):
            numbers = await self._numbers.get((rule.name, evaluator.account), partial(self._counted, rule, evaluator))
            found.append(summary_of(rule, evaluator, states_of(rule, evaluator, numbers)))
        return found

    async def _counted(self, rule: Rule, evaluator: RuleEvaluator) -> GroupNumbers:
        await trio.lowlevel.checkpoint()
        rule_result = self._evaluated(rule, evaluator)
        return GroupNumbers() if rule_result is None else numbers_of(rule_result)

    def _evaluated(self, rule: Rule, evaluator: RuleEvaluator) -> RuleResult | None:
        """Returns the rule's numbers as of the latest poll or pushed report; None if it cannot be evaluated."""
        span = evaluator.coverage.as_of(rule)
        if span is None or rule.name not in evaluator.rules:
            return None
        try:
            return evaluate(rule, rule_input(rule, evaluator, WindowReader(evaluator.window), span))
        except Exception:  # noqa: BLE001 - the daemon's own evaluation fails too, and is reported as the rule's error
            return None
