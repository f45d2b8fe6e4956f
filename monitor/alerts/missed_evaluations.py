"""Evaluates a rule for a time in which it was not evaluated, because the daemon was down or a search was blind.

The messages of that time are known by now. They are replayed in the order of their reports, as in a backtest, and the rule is evaluated
at each of its intervals.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from monitor.alerts.kinds import EvaluationInput, evaluate
from monitor.alerts.kinds.count import remembered
from monitor.config.rules import Rule, Thresholded
from monitor.model.alert import Alert, Policy, Transition, catch_up, rests_on_the_past
from monitor.model.finding import Finding
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.clock import HOUR, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work, paced
from monitor.window import WindowReader
from monitor.window.recorded_messages import RecordedMessages

Group = tuple[tuple[str, str], ...]
Found = tuple[Instant, Callable[[Group], Finding]]
"""A time, and a function that returns each group's finding as of it."""

INTERVALS: Final = 3
"""Number of its intervals without an evaluation after which a rule has missed evaluations."""
MOST_MOMENTS: Final = 500
"""The most times for which a rule is evaluated late; of a longer span only the latest part is."""
MOST_REPORTS: Final = 1_000_000
"""The most messages that are replayed for one rule (about three seconds). If there are more, the span counts as unseen."""
MOST_REPORTS_TOGETHER: Final = 3_000_000
"""The most messages that are replayed in one evaluation of all rules, because polls and callbacks wait for its end. Further spans count as unseen."""


@dataclass(slots=True)
class ReplayBudget:
    """How many more messages may be replayed for the rules of one evaluation."""

    reports: int = MOST_REPORTS_TOGETHER

    def take(self, reports: int) -> bool:
        """Returns whether ``reports`` messages may be replayed. Deducts them in any case."""
        allowed = reports <= min(self.reports, MOST_REPORTS)
        self.reports -= reports
        return allowed


@dataclass(frozen=True, slots=True)
class AlertsToCatchUp:
    """Alerts of one rule whose state depends on a time in which the rule was not evaluated. ``every`` is the rule's interval."""

    alerts: Mapping[Group, Alert]
    policy: Policy
    every: Duration

    def caught_up(
        self, rule: Rule, inputs: EvaluationInput, budget: ReplayBudget
    ) -> Work[tuple[dict[Group, Alert | None], list[Transition]]]:
        """Returns the alerts as they are just before ``inputs.as_of``, and their transitions.

        All alerts go through one moment before the rule is evaluated as of the next one, so that what it found as of one is in memory at a time.
        """
        after, moves = dict[Group, Alert | None](self.alerts), dict[Group, list[Transition]]()
        for found in self._found(rule, inputs, budget):
            yield
            if found is None:
                continue
            as_of, of = found
            for (group, alert), pauses in paced(self.alerts.items(), AT_ONCE):
                if as_of > alert.as_of:
                    before, finding = after[group], of(group)
                    after[group], moved = catch_up(alert.account, rule.name, before, finding, self.policy, as_of)
                    if moved is not None:
                        moves.setdefault(group, []).append(moved)
                if pauses:
                    yield
        return after, [moved for group in self.alerts for moved in moves.get(group, ())]

    def _found(self, rule: Rule, inputs: EvaluationInput, budget: ReplayBudget) -> Iterator[Found | None]:
        since = min(alert.as_of for alert in self.alerts.values())
        longest = max(self.policy.for_, self.policy.keep_firing_for)
        step = max(self.every, longest // (MOST_MOMENTS - 1) + 1)
        start = max(since + step, inputs.as_of - MOST_MOMENTS * step)
        if start > since + step:
            yield start - step, _not_seen
        yield from evaluate_late(rule, inputs, range(start, inputs.as_of, step), self.every, budget)


def alerts_to_catch_up(
    alerts: Mapping[Group, Alert], of: Callable[[Group], Finding], policy: Policy, as_of: Instant, every: Duration
) -> Work[AlertsToCatchUp | None]:
    """Returns the rule's alerts that were not evaluated for more than INTERVALS intervals and depend on that time; None if there are none.

    They are looked for in pieces.
    """
    late = dict[Group, Alert]()
    for (group, alert), pauses in paced(alerts.items(), AT_ONCE):
        if as_of - alert.as_of > INTERVALS * every and rests_on_the_past(alert, of(group).breached, policy):
            late[group] = alert
        if pauses:
            yield
    return AlertsToCatchUp(late, policy, every) if late else None


def evaluate_late(
    rule: Rule, inputs: EvaluationInput, times: Iterable[Instant], slack: Duration, budget: ReplayBudget
) -> Iterator[Found | None]:
    """Yields what the rule finds as of each of ``times``, which are earlier than ``inputs.as_of``, and None wherever it may be interrupted.

    For ``slack`` see `monitor.window.recorded_messages.RecordedMessages`.
    """
    times = list(times)
    if not times:
        return
    reach = rule.reach
    if isinstance(rule, Thresholded):
        reach = max(reach, remembered(rule))
    past = RecordedMessages(inputs.reading.window, slack, since=times[0] - reach - HOUR) if budget.reports > 0 else None
    if past is None or not budget.take(len(past)):
        yield times[0], _not_seen
        return
    for as_of in times:
        if as_of <= inputs.covered_since:
            yield as_of, _not_seen
            continue
        past.feed(as_of)
        then = replace(inputs, reading=WindowReader(past.window), as_of=as_of, carried=None)
        for _ in then.finding_codes(rule.by):
            yield None
        yield as_of, evaluate(rule, then).of


def _not_seen(group: Group) -> Finding:
    return Finding(group, None, None, None, "nobody looked")
