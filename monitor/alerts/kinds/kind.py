"""Everything that the program needs to know of a kind of rule, in one object.

Each kind has one `Kind` beside its evaluation, and the registry lists it. No part has a default: a kind that lacks one fails at import.
What the configuration alone needs (how far back a rule looks, its thresholds, its labels) is in the kind's model.
"""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Generic, TypeVar

from monitor.alerts.kinds.batch import BatchEvaluator
from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.result import EvaluationInput, RuleResult
from monitor.alerts.kinds.tuning import Tuning
from monitor.config.rules.model import Rule
from monitor.model.finding import Unit
from monitor.model.notification import AlertView
from monitor.runtime.clock import Duration
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work

Group = tuple[tuple[str, str], ...]
R = TypeVar("R", bound=Rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How an alert of the kind is put into words, from its view alone."""

    measure: Callable[[AlertView], str]
    """Returns what was measured, with its value: ``34.2% of 1,204 messages failed in 15m``."""
    against: Callable[[AlertView], str]
    """Returns what the value is compared with: ``, threshold 20%``; empty if ``measure`` says it."""
    is_amount: bool
    """Whether the value is an amount, so that a resolved alert names its worst value; otherwise it only says yes or no."""
    shows_usual: bool
    """Whether the baseline is shown beside the value, in place of the threshold, where there is little room."""
    counts_silence: Callable[[AlertView], bool]
    """Returns whether a silent group has a value until it is forgotten: "not enough data" then means that no messages are expected any more."""
    axis: str
    """What the values are, for a chart's axis; empty: the unit says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A made-up alert of the kind, with which templates are tried before there is a real one."""

    unit: Unit
    values: tuple[float, float, float | None] | None = None
    """Value, threshold and baseline; None: the usual ones for the unit."""
    has_baseline: bool = False
    has_change: bool = False
    below: bool = False
    why: Mapping[str, str] = field(default_factory=dict)
    """The reason, by the group's ``problem``; the empty name holds that of all other groups."""


@dataclass(frozen=True, kw_only=True)
class PastEvaluation(Generic[R]):
    """How rules of the kind are evaluated over the past, in backtests."""

    spans: Callable[[R], int]
    """Returns in about how many spans messages are counted at each step, which determines how long a backtest takes."""
    looked_at: Callable[[R], Duration]
    """Returns the span whose messages are read one by one at each step, because counts by profile do not suffice."""
    is_known: bool
    """Whether any of its conditions can be evaluated over the past."""
    unknown: Callable[[R], str]
    """Returns in words what cannot be known of the past; empty if everything can."""


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[R]):
    """A kind of rule."""

    model: type[R]
    """The model of what people write."""
    evaluate: Callable[[R, EvaluationInput], RuleResult]
    """Returns the numbers of every group."""
    ahead: Callable[[R, EvaluationInput], Work[None]]
    """Does in pieces what takes long in ``evaluate``, which finds it in `WindowReader.shared` then; most kinds have nothing of that sort."""
    unit: Callable[[R, Group], Unit]
    """Returns the unit of a group's values."""
    matched: Callable[[R], str]
    """Returns what the rule counts, in a few words; see `AlertView.matched`."""
    condition: Callable[[R], str]
    """Returns when the rule fires, in a few words: ``above 20%``, ``no messages for 45m``."""
    case: Callable[[R, EvaluationInput, Group], RuleCase | None]
    """Returns what to explain of a group; None if no messages cause it (silence, a stall) or all do alike (different values)."""
    wording: Wording
    example: Example
    past: PastEvaluation[R]
    tuning: Tuning[R]
    """How its thresholds are found in the values of the past."""
    batch: BatchEvaluator | None
    """How rules that count the same are evaluated together; None: each is evaluated alone."""
