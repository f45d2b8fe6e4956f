"""How a threshold of a rule is found in the values of the past: where it is written, and which threshold each group's messages just reach."""

from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.result import NOT_ENOUGH, RuleResult
from monitor.config.rules import BaselineChange, Comparison, Limit, Rule, ShareAmount, Thresholded
from monitor.config.yaml.document import KeyPath
from monitor.runtime.dataclass import dataclass

Floats = NDArray[np.float64]
Group = tuple[tuple[str, str], ...]
R = TypeVar("R", bound=Rule)

Form = Literal["share", "count", "money", "seconds", "factor", "relative", "sigma"]
"""How a threshold is written: ``20%``, ``100``, ``2.5``, ``30s``, ``3x``, ``+25%``, ``4 sigma``."""


@dataclass(frozen=True, slots=True)
class WrittenThreshold:
    """One threshold of a rule: its path below the rule, how it is written, and its size.

    A share is a fraction, a duration is seconds, ``3x`` and ``+25%`` are factors (3.0 and 1.25).
    """

    path: KeyPath
    form: Form
    size: float


@dataclass(frozen=True, kw_only=True)
class Tuning(Generic[R]):
    """How rules of the kind are tuned by the past. Their alerts must depend on their thresholds by `reached` alone."""

    thresholds: Callable[[R], tuple[WrittenThreshold, ...]]
    """The thresholds that can be moved, the mildest first; none where no number decides."""
    reached: Callable[[R, RuleResult], Floats]
    """The threshold that each group just reaches: it crosses those below it (those above it, if low values are bad). NaN: not enough data."""
    comparison: Callable[[R], Comparison]
    """On which side of its threshold a rule fires."""
    decides: Callable[[Group], bool]
    """Whether the threshold decides about the alerts of a group."""
    why_none: Callable[[R], str]
    """Why a rule has no such threshold, in words."""


def untunable(why: str) -> Tuning[Any]:
    """A kind without a threshold that could be proposed."""
    return Tuning(
        thresholds=lambda rule: (),
        reached=values,
        comparison=lambda rule: rule.comparison,
        decides=every_group,
        why_none=lambda rule: why,
    )


def tuned_by(form: Form, reached: Callable[[R, RuleResult], Floats]) -> Tuning[R]:
    """A kind whose rules compare a value with ``above``, ``below`` or ``levels``; ``form`` is that of its plain numbers."""
    return Tuning(
        thresholds=lambda rule: _levels(rule, form),
        reached=reached,
        comparison=_side,
        decides=every_group,
        why_none=lambda rule: "it has no threshold",
    )


def _levels(rule: Rule, form: Form) -> tuple[WrittenThreshold, ...]:
    if not isinstance(rule, Thresholded):
        return ()
    found = [_written(path, limit, form) for path, limit in rule.thresholds]
    return tuple(sorted(found, key=lambda one: one.size, reverse=_side(rule) == "below"))


def _side(rule: Rule) -> Comparison:
    return rule.worse if isinstance(rule, Thresholded) else rule.comparison


def _written(path: KeyPath, limit: Limit, form: Form) -> WrittenThreshold:
    if isinstance(limit, BaselineChange):
        return WrittenThreshold(path, limit.form, limit.size)
    return WrittenThreshold(path, "share" if isinstance(limit, ShareAmount) else form, limit)


def values(rule: Rule, result: RuleResult) -> Floats:
    """The value itself is compared with the threshold."""
    return where_known(result, result.value)


def where_known(result: RuleResult, reached: Floats) -> Floats:
    """NaN in place of numbers for which there is not enough data."""
    return np.where(result.breached == NOT_ENOUGH, np.nan, reached)


def every_group(group: Group) -> bool:
    """The threshold decides about all alerts of the rule."""
    return True
