"""From when to when a backtest goes, and in which steps."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from monitor.clock import DAY, HOUR, MINUTE, SECOND, Duration, Instant
from monitor.rules import Campaign, Rule, SameHour, Spike
from monitor.rules.campaign import ACTIVE

WEEK: Final = 7 * DAY
QUICK_SECONDS: Final = 40.0
"""A backtest whose step nobody chose should take no longer than about this on a small machine."""

_LADDER: Final = (
    SECOND,
    5 * SECOND,
    10 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
)
_STEP_SECONDS: Final = 0.001
_REPORT_SECONDS: Final = 5e-6
_RULE_SECONDS: Final = 4e-4
_LOOK_SECONDS: Final = 1.2e-8
"""What a step, a report, a rule and a message in a rule's window cost: measured on two shared cores."""


@dataclass(frozen=True, slots=True)
class Span:
    """Rules are judged at ``since`` and every ``step`` after it, up to ``until``."""

    since: Instant
    until: Instant
    step: Duration

    @property
    def length(self) -> Duration:
        """How long it is."""
        return self.until - self.since

    @property
    def steps(self) -> int:
        """How many times rules are judged."""
        return -(-self.length // self.step) + 1

    @property
    def weeks(self) -> float:
        """How many weeks it is."""
        return self.length / WEEK


def choose_step(every: Duration, length: Duration, rules: Iterable[Rule], messages: int) -> Duration:
    """The step for ``messages`` in a span of that length: that of the searches, or a coarser one where it would take long.

    It follows from these numbers alone, so that the same question has the same answer at each time.
    """
    rules, rate = list(rules), messages / max(length, 1)
    looks = sum(_RULE_SECONDS + _LOOK_SECONDS * rate * _looked_at(rule) for rule in rules)
    steps = max(QUICK_SECONDS - _REPORT_SECONDS * messages, 1.0) / (_STEP_SECONDS + looks)
    return next((step for step in (every, *_LADDER) if step >= every and length / step <= steps), 2 * HOUR)


def _looked_at(rule: Rule) -> Duration:
    """How much time a rule looks at."""
    if isinstance(rule, Spike) and isinstance(rule.baseline, SameHour):
        return rule.window * (rule.baseline.days + 1)
    if isinstance(rule, Campaign):
        return ACTIVE  # of the older messages only those of campaigns that are active are looked at
    return rule.reach
