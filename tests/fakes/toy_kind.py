"""A kind of rule that the program does not contain: one model and one Kind object, which is how a new kind is added."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np

from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.levels import crossed, numbers_of
from monitor.alerts.kinds.registry import register, unregister
from monitor.alerts.kinds.result import EvaluationInput, RuleResult
from monitor.alerts.kinds.rule_query import considered
from monitor.alerts.kinds.tuning import untunable
from monitor.alerts.kinds.words import (
    always,
    at_once_only,
    never,
    nothing,
    one_span,
    whole_reach,
)
from monitor.config.rules.match import EVERYTHING, Condition
from monitor.config.rules.model import Windowed
from monitor.config.rules.ratio_fields import AtLeastOne
from monitor.config.rules.threshold import Level
from monitor.model.finding import Finding
from monitor.model.format import percent
from monitor.model.notification import AlertView
from monitor.model.phrases import in_window, place


class Crowd(Windowed):
    """Fires when messages fill more than they should of a hall with so many seats."""

    kind: Literal["crowd"]
    """How full a hall is."""
    seats: AtLeastOne
    """So many messages fill it."""

    @cached_property
    def levels_(self) -> tuple[Level[Any], ...]:
        return (Level(self.severity, 1.0),)

    def measured_against(self) -> tuple[Condition, ...] | None:
        return None


def _evaluate(rule: Crowd, inputs: EvaluationInput) -> RuleResult:
    tally = inputs.reading.tally(considered(rule, inputs.as_of, rule.window))
    codes = inputs.codes(rule.by, tally)
    messages = tally.at(codes)
    value = messages / rule.seats
    breached, threshold = crossed(value, numbers_of(rule), below=False)

    def absent(group: Group) -> Finding:
        return Finding(group, 0, 0.0, 1.0, "nobody came")

    return RuleResult(
        inputs.reading,
        rule.by,
        codes,
        breached,
        np.asarray(value),
        threshold,
        messages,
        messages,
        lambda at: f"{messages[at]} of {rule.seats} seats are taken",
        absent,
    )


def _case(rule: Crowd, inputs: EvaluationInput, group: Group) -> RuleCase:
    return RuleCase(group, considered(rule, inputs.as_of, rule.window), EVERYTHING, is_share=False, below=False)


def _sentence(view: AlertView) -> str:
    return f"The hall{place(view)} is {percent(view.value)} full{in_window(view)}"


CROWD: Final = Kind[Crowd](
    model=Crowd,
    evaluate=_evaluate,
    ahead=at_once_only,
    unit=always("share"),
    matched=nothing,
    condition=lambda rule: f"more than {rule.seats} seats",
    case=_case,
    wording=Wording(
        measure=_sentence, against=nothing, is_amount=True, shows_usual=False, counts_silence=never, axis="seats"
    ),
    example=Example(unit="share"),
    past=PastEvaluation[Crowd](spans=one_span, looked_at=whole_reach, is_known=True, unknown=nothing),
    tuning=untunable("it has no threshold"),
    batch=None,
)


class Broken(Windowed):
    """Cannot be judged."""

    kind: Literal["broken"]
    """A kind with a fault."""

    def measured_against(self) -> tuple[Condition, ...] | None:
        return None


def _break(rule: Broken, inputs: EvaluationInput) -> RuleResult:
    raise ValueError("it is broken")


BROKEN: Final = Kind[Broken](
    model=Broken,
    evaluate=_break,
    ahead=at_once_only,
    unit=always("share"),
    matched=nothing,
    condition=nothing,
    case=lambda rule, inputs, group: None,
    wording=CROWD.wording,
    example=CROWD.example,
    past=PastEvaluation[Broken](spans=one_span, looked_at=whole_reach, is_known=True, unknown=nothing),
    tuning=untunable("it has no threshold"),
    batch=None,
)


@contextmanager
def registered(kind: Kind[Any]) -> Iterator[None]:
    """Registers the kind inside the block."""
    register(kind)
    try:
        yield
    finally:
        unregister(kind)
