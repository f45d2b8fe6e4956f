"""What the program needs to know of a kind of rule, in one object.

Each kind has one `Kind` beside its evaluation, and the registry lists it. No part has a default: a kind that lacks one fails when it is imported.
What the configuration alone needs (how far back a rule looks, what its value is held against, its labels) is said by the kind's model.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from monitor.alerts.kinds.batch import BatchEvaluator
from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.result import EvaluationInput, RuleResult
from monitor.config.rules.model import Rule
from monitor.model.finding import Unit
from monitor.model.notification import AlertView
from monitor.runtime.clock import Duration

Group = tuple[tuple[str, str], ...]
R = TypeVar("R", bound=Rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How an alert of the kind is put into words, from its view alone."""

    measure: Callable[[AlertView], str]
    """What was measured, with its value: ``34.2% of 1,204 messages failed in 15m``."""
    against: Callable[[AlertView], str]
    """What the value is held against: ``, threshold 20%``; empty where `measure` says it all."""
    is_amount: bool
    """Whether the value says how much, so that a resolved alert names its worst value; else it says only whether."""
    shows_usual: bool
    """Whether the baseline stands beside the value where there is little room, in place of the threshold."""
    counts_silence: Callable[[AlertView], bool]
    """Whether a silent group has a value, until it is forgotten: "not enough data" then means that no messages are expected any more."""
    axis: str
    """What the values are, on a chart's axis; empty: what the unit says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What a made-up alert of the kind says: templates are tried with it before there is an alert."""

    unit: Unit
    values: tuple[float, float, float | None] | None = None
    """Value, threshold and baseline; None: those that are usual for the unit."""
    has_baseline: bool = False
    has_change: bool = False
    below: bool = False
    why: Mapping[str, str] = field(default_factory=dict)
    """The reason, by the group's ``problem``; under the empty name that of all others."""


@dataclass(frozen=True, kw_only=True)
class PastEvaluation(Generic[R]):
    """How rules of the kind are judged over the past, in backtests."""

    spans: Callable[[R], int]
    """In how many spans messages are counted at each step, about. How long these are hardly matters."""
    looked_at: Callable[[R], Duration]
    """The time of which each message is looked at, because its share in a count is not enough to know."""
    is_known: bool
    """Whether anything of it can be judged over the past."""
    unknown: Callable[[R], str]
    """What cannot be known of the past, in words; empty where all can."""


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[R]):
    """A kind of rule."""

    model: type[R]
    """What people write."""
    evaluate: Callable[[R, EvaluationInput], RuleResult]
    """The numbers of every group."""
    unit: Callable[[R, Group], Unit]
    """What a group's values are measured in."""
    matched: Callable[[R], str]
    """What the rule counts, in a few words; see `AlertView.matched`."""
    condition: Callable[[R], str]
    """When the rule fires, in a few words: ``above 20%``, ``no messages for 45m``."""
    case: Callable[[R, EvaluationInput, Group], RuleCase | None]
    """What is to be explained of a group; None for what no messages carry (silence, a stall) or all do alike (different values)."""
    wording: Wording
    example: Example
    past: PastEvaluation[R]
    batch: BatchEvaluator | None
    """How rules that count the same are judged together; None: each is judged by itself."""
