"""The span of a backtest, and how often rules are evaluated in it."""

from collections.abc import Iterable, Sequence
from typing import Final

from monitor.alerts.kinds import kind_of
from monitor.config.rules import Rule
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration, Instant
from monitor.runtime.dataclass import dataclass

WEEK: Final = 7 * DAY
QUICK_SECONDS: Final = 40.0
"""The longest duration, on a small machine, of a backtest whose step nobody chose."""
PATIENT_SECONDS: Final = 300.0
"""The longest duration if a longer step would miss alerts because of their rules' ``for``."""

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
_COUNT_SECONDS: Final = 4e-4
_LOOK_SECONDS: Final = 5e-8
"""The cost in seconds of a step, of a report, of counting a span and of reading one message; measured on two shared cores."""


@dataclass(frozen=True, slots=True)
class EvaluationSpan:
    """Rules are evaluated at ``since`` and every ``step`` after it, up to ``until``."""

    since: Instant
    until: Instant
    step: Duration

    @property
    def length(self) -> Duration:
        """The length of the span."""
        return self.until - self.since

    @property
    def steps(self) -> int:
        """Returns the number of evaluations."""
        return -(-self.length // self.step) + 1

    @property
    def weeks(self) -> float:
        """The length of the span in weeks."""
        return self.length / WEEK


@dataclass(frozen=True, slots=True)
class EvaluationStep:
    """How often rules are evaluated.

    ``seconds`` estimates the duration of the backtest. ``unseen`` are the rules whose ``for`` is shorter than the step, so that alerts can be
    missed that the daemon would have sent.
    """

    length: Duration
    seconds: float
    unseen: tuple[Rule, ...] = ()


def choose_step(
    every: Duration, length: Duration, rules: Iterable[Rule], messages: int, known: Duration = WEEK
) -> EvaluationStep:
    """Returns the step for a backtest of ``messages`` over a span of this length.

    The step is ``every``, that of the searches, unless that would take longer than QUICK_SECONDS; then it is coarser. It is not so coarse that it
    misses the ``for`` of a rule, if the backtest then still takes at most PATIENT_SECONDS. It depends on the arguments alone, so that the same
    question always gets the same step. ``known`` is how far before the end of the span messages exist; rules look at no more.
    """
    rules = list(rules)
    steps = [every, *(step for step in _LADDER if step > every), 2 * HOUR]
    costs = {step: _seconds(step, length, rules, messages, known) for step in steps}
    quick = next((step for step in steps if costs[step] <= QUICK_SECONDS), steps[-1])
    seeing = max(step for step in steps if not unseen(step, every, rules))
    chosen = min(quick, seeing) if costs[min(quick, seeing)] <= PATIENT_SECONDS else quick
    return EvaluationStep(chosen, costs[chosen], unseen(chosen, every, rules))


def unseen(step: Duration, every: Duration, rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Returns the rules whose alerts can begin and end between two evaluations, but not between two polls of the daemon, ``every`` apart."""
    return tuple(rule for rule in rules if step > max(every, rule.for_) and rule.for_)


def _seconds(step: Duration, length: Duration, rules: Sequence[Rule], messages: int, known: Duration) -> float:
    looks = _COUNT_SECONDS * sum(kind_of(rule).past.spans(rule) for rule in rules)
    looks += _LOOK_SECONDS * messages / max(length, 1) * _looked_at_in_all(rules, known)
    return _REPORT_SECONDS * messages + length / step * (_STEP_SECONDS + looks)


def _looked_at_in_all(rules: Iterable[Rule], known: Duration) -> Duration:
    """Rules of one kind that look at the same time share what they find there."""
    return sum(
        {
            (rule.kind, rule.search, rule.where, looked): min(looked, known)
            for rule in rules
            if (looked := kind_of(rule).past.looked_at(rule))
        }.values()
    )
