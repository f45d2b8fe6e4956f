"""What a rule would have found while nobody judged it: the daemon was down, or could not see.

The messages of that time are known by now. They are told again in the order of their reports, as in a backtest, and the rule is judged
at each of its intervals.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from monitor.alerts.kinds import EvaluationInput, RuleResult, evaluate
from monitor.alerts.kinds.count import remembered
from monitor.config.rules import Rule, Thresholded
from monitor.model.alert import Alert, Policy, Transition, catch_up, rests_on_the_past
from monitor.model.finding import Finding
from monitor.runtime.clock import HOUR, Duration, Instant
from monitor.window import WindowReader
from monitor.window.recorded_messages import RecordedMessages

Group = tuple[tuple[str, str], ...]
Found = tuple[Instant, Callable[[Group], Finding]]
"""A moment, and what is found of each group as of it."""

INTERVALS: Final = 3
"""Number of its intervals without a judgement after which a rule has missed something."""
MOST_MOMENTS: Final = 500
"""The most moments that are evaluated late; of a longer time the latest part."""
MOST_REPORTS: Final = 1_000_000
"""The most messages that are replayed for one rule, in about three seconds. If there are more, that time counts as not seen."""
MOST_REPORTS_TOGETHER: Final = 3_000_000
"""The same for all rules of one evaluation together: nothing else runs meanwhile. For rules after that, the time counts as not seen."""


@dataclass(slots=True)
class ReplayBudget:
    """How many messages may still be told again, for the rules that are judged together."""

    reports: int = MOST_REPORTS_TOGETHER

    def take(self, reports: int) -> bool:
        """Whether so many may be; then they are taken."""
        allowed = reports <= min(self.reports, MOST_REPORTS)
        self.reports -= reports
        return allowed


@dataclass(frozen=True, slots=True)
class UnjudgedAlerts:
    """Alerts whose fate depends on a time in which nobody judged them. ``every`` is how often the rule is judged."""

    alerts: Mapping[Group, Alert]
    policy: Policy
    every: Duration

    def caught_up(
        self, rule: Rule, moment: EvaluationInput, allowance: ReplayBudget
    ) -> tuple[dict[Group, Alert | None], list[Transition]]:
        """The alerts as they are just before ``moment``, and what happened to them."""
        found, after, moves = (
            list(self._found(rule, moment, allowance)),
            dict[Group, Alert | None](),
            list[Transition](),
        )
        for group, alert in self.alerts.items():
            seen = [(as_of, of(group)) for as_of, of in found if as_of > alert.as_of]
            after[group], moved = catch_up(alert, seen, self.policy)
            moves += moved
        return after, moves

    def _found(self, rule: Rule, moment: EvaluationInput, allowance: ReplayBudget) -> Iterator[Found]:
        since = min(alert.as_of for alert in self.alerts.values())
        longest = max(self.policy.for_, self.policy.keep_firing_for)
        step = max(self.every, longest // (MOST_MOMENTS - 1) + 1)
        start = max(since + step, moment.as_of - MOST_MOMENTS * step)
        if start > since + step:
            yield start - step, _not_seen
        yield from judged_late(rule, moment, range(start, moment.as_of, step), self.every, allowance)


def unjudged(
    alerts: Mapping[Group, Alert], rule_result: RuleResult, policy: Policy, as_of: Instant, every: Duration
) -> UnjudgedAlerts | None:
    """The alerts of a rule that were not judged for longer than three intervals and that need it; None where there are none."""
    late = {group: alert for group, alert in alerts.items() if as_of - alert.as_of > INTERVALS * every}
    late = {
        group: alert
        for group, alert in late.items()
        if rests_on_the_past(alert, rule_result.of(group).breached, policy)
    }
    return UnjudgedAlerts(late, policy, every) if late else None


def judged_late(
    rule: Rule, moment: EvaluationInput, times: Iterable[Instant], slack: Duration, allowance: ReplayBudget
) -> Iterator[Found]:
    """What the rule finds as of each of these moments, which are earlier than ``moment``. ``slack``: see
    `monitor.window.recorded_messages.RecordedMessages`."""
    times = list(times)
    if not times:
        return
    reach = rule.reach
    if isinstance(rule, Thresholded):
        reach = max(reach, remembered(rule))
    past = (
        RecordedMessages(moment.reading.window, slack, since=times[0] - reach - HOUR) if allowance.reports > 0 else None
    )
    if past is None or not allowance.take(len(past)):
        yield times[0], _not_seen
        return
    for as_of in times:
        if as_of <= moment.covered_since:
            yield as_of, _not_seen
            continue
        past.feed(as_of)
        then = replace(moment, reading=WindowReader(past.window), as_of=as_of, carried=None)
        yield as_of, evaluate(rule, then).of


def _not_seen(group: Group) -> Finding:
    return Finding(group, None, None, None, "nobody looked")
