"""``absence``: a group that was active falls silent."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.absence import rhythm
from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, Floats, RuleResult, history_reaches
from monitor.alerts.kinds.rule_query import considered
from monitor.alerts.kinds.tuning import Tuning, WrittenThreshold, every_group, where_known
from monitor.alerts.kinds.words import (
    at_once_only,
    nothing,
)
from monitor.config.rules.absence import RHYTHM_DAYS, Absence
from monitor.model import phrases
from monitor.model.finding import Finding, Unit
from monitor.model.format import amount, duration
from monitor.model.notification import AlertView
from monitor.model.plurals import number, plural
from monitor.runtime.clock import HOUR, SECOND, format_duration
from monitor.runtime.dataclass import dataclass
from monitor.window import Codes, Query

SILENT = 1.0
"""The threshold: fewer messages than this are silence."""
_LONGEST: Final = 1e10
"""Seconds, about three hundred years: what is written of a longer silence."""


@dataclass(slots=True, kw_only=True)
class AbsenceResult(RuleResult):
    """A result with more about each group: whether it was active enough to be missed, and the time since its last message, in microseconds."""

    active: NDArray[np.bool_]
    silence: Callable[[], Floats]


def evaluate(rule: Absence, inputs: EvaluationInput) -> RuleResult:
    """Returns the number of messages of each group first seen in the window; the baseline is the usual number in such a span.

    There is not enough data about a silent group that was not active enough before, because it may just pause, nor about any group
    before it is known what is usual. With ``expected`` the value is the length of the silence; see `rhythm`.
    """
    if rule.expected is not None:
        return rhythm.evaluate(rule, inputs)
    now, before = questions(rule, inputs)
    present, past = inputs.count(now), inputs.count(before)
    codes = inputs.codes(rule.by, present, past) if rule.by else np.zeros(1, np.int64)
    messages, active = present.at(codes), past.at(codes)
    blank = not inputs.remembers(rule.window + rule.active_in)
    breached = np.where(messages > 0, 0, np.where(active >= rule.min_baseline, 1, NOT_ENOUGH))
    if blank:
        breached[:] = NOT_ENOUGH
    span = max(before.end - before.start, 1)
    usual = np.asarray(active * (rule.window / span), np.float64)
    value, threshold = messages.astype(np.float64), np.full(len(codes), SILENT)

    def why(at: int) -> str:
        if blank:
            return _unknown(inputs)
        if breached[at] == NOT_ENOUGH:
            return _quiet(rule, int(active[at]))
        said = "no messages" if not messages[at] else plural(int(messages[at]), "message")
        return f"{said} in {format_duration(rule.window)}, usually {number(float(usual[at]))}"

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return Finding(group, None, 0.0, SILENT, _unknown(inputs) if blank else _quiet(rule, 0))

    return AbsenceResult(
        inputs.reading,
        rule.by,
        codes,
        breached,
        value,
        threshold,
        messages,
        _none(codes),
        why,
        absent,
        usual,
        active=active + messages >= rule.min_baseline,
        silence=lambda: _silent_for(inputs, codes, now, before),
    )


def questions(rule: Absence, inputs: EvaluationInput) -> tuple[Query, Query]:
    """Returns the queries for the messages first seen in the window, and for those first seen before it, as far as all of them are known."""
    now = replace(considered(rule, inputs.as_of, rule.window), seen=True)
    start = min(max(now.start - rule.active_in, inputs.covered_since), now.start)
    return now, now.moved(start, now.start)


def _thresholds(rule: Absence) -> tuple[WrittenThreshold, ...]:
    return () if rule.expected is not None else (WrittenThreshold(("window",), "seconds", rule.window / SECOND),)


def _reached(rule: Absence, result: RuleResult) -> Floats:
    """Returns how long each group has sent nothing, in seconds. A window of just that length is silent, so half a microsecond is added."""
    assert isinstance(result, AbsenceResult)
    return where_known(result, np.where(result.active, (result.silence() + 0.5) / SECOND, np.nan))


def _silent_for(inputs: EvaluationInput, codes: Codes, now: Query, before: Query) -> Floats:
    """Returns the time since a message of each group was first seen; the length of both spans where there is none in them."""
    last = inputs.last_seen(now.moved(before.start, now.end), codes)
    return np.asarray(inputs.as_of - last, np.float64)


def _none(codes: Codes) -> Codes:
    return np.zeros(len(codes), np.int64)


def _unknown(inputs: EvaluationInput) -> str:
    return f"not enough data: {history_reaches(inputs.known_since)} only"


def _quiet(rule: Absence, active: int) -> str:
    span = format_duration(rule.active_in)
    return f"not enough data: {plural(active, 'message')} in the {span} before, min_baseline is {rule.min_baseline}"


def _unit(rule: Absence, group: Group) -> Unit:
    return "count" if rule.expected is None else "seconds"


def _condition(rule: Absence) -> str:
    if rule.expected is None:
        return f"no messages for {format_duration(rule.window)}"
    return f"{format_duration(rule.window)} silent, or {rule.expected} missing"


def _sentence(view: AlertView) -> str:
    if view.unit == "seconds":
        return _silence(view)
    if view.value:
        return f"{phrases.messages(view.value)}{phrases.place(view)}{phrases.in_window(view)}"
    silent = "" if view.window is None else f" for {duration(view.window + max(view.lasted(view.as_of), 0))}"
    return f"No messages{phrases.place(view)}{silent}"


def _silence(view: AlertView) -> str:
    """Returns how long the group has been silent: the alert began when it had been for as long as the threshold."""
    if view.status == "resolved":
        return f"Messages{phrases.place(view)} come again"
    silent = _bounded(max((view.threshold or 0.0) + max(view.lasted(view.as_of), 0) / SECOND, view.value or 0.0))
    return f"No messages{phrases.place(view)} for {duration(round(silent * SECOND))}"


def _bounded(seconds: float) -> float:
    """Returns a time that can be written, whatever a stored alert holds."""
    return min(max(seconds, -_LONGEST), _LONGEST)


def _pace(view: AlertView) -> str:
    """Returns how many messages usually come, for example ``, usually 120 an hour``."""
    if view.unit == "seconds":
        return "" if view.threshold is None else f", {amount(view.threshold, view.unit)} is too long"
    if not view.baseline or not view.window:
        return ""
    hourly = view.baseline * HOUR / view.window
    return f", usually {number(hourly)} an hour" if hourly >= 1 else f", usually {number(24 * hourly)} a day"


KIND: Final = Kind[Absence](
    model=Absence,
    evaluate=evaluate,
    ahead=at_once_only,
    unit=_unit,
    matched=nothing,
    condition=_condition,
    case=lambda rule, inputs, group: None,
    wording=Wording(
        measure=_sentence,
        against=_pace,
        is_amount=False,
        shows_usual=True,
        counts_silence=lambda view: True,
        axis="",
    ),
    example=Example(unit="count", values=(0.0, 1.0, 15.0), has_baseline=True, below=True),
    past=PastEvaluation[Absence](
        spans=lambda rule: 1 if rule.expected is None else 2 + RHYTHM_DAYS,
        looked_at=lambda rule: rule.window + rule.active_in,
        is_known=True,
        unknown=nothing,
    ),
    tuning=Tuning[Absence](
        thresholds=_thresholds,
        reached=_reached,
        comparison=lambda rule: "above",
        decides=every_group,
        why_none=lambda rule: "each group's own rhythm decides; see `expected`",
    ),
    batch=None,
)
