"""``absence``: a group that was active falls silent."""

from dataclasses import replace
from typing import Final

import numpy as np

from monitor.alerts.kinds.kind import Example, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, RuleResult
from monitor.alerts.kinds.rule_query import considered
from monitor.alerts.kinds.words import (
    always,
    nothing,
    one_span,
    whole_reach,
)
from monitor.config.rules.absence import Absence
from monitor.model import phrases
from monitor.model.finding import Finding
from monitor.model.format import duration
from monitor.model.notification import AlertView
from monitor.model.plurals import number, plural
from monitor.runtime.clock import HOUR, format_duration, iso
from monitor.window import Codes, Query

SILENT = 1.0
"""The threshold: fewer messages than this."""


def evaluate(rule: Absence, moment: EvaluationInput) -> RuleResult:
    """How many messages of each group were first seen in the window; the baseline is how many are usual in such a span.

    A silent group that was not active enough before is not judged: it may well pause. Neither is any group before it is known
    what is usual.
    """
    now, before = questions(rule, moment)
    present, past = moment.reading.tally(now), moment.reading.tally(before)
    codes = moment.codes(rule.by, present, past) if rule.by else np.zeros(1, np.int64)
    messages, active = present.at(codes), past.at(codes)
    blank = not moment.remembers(rule.reach)
    breached = np.where(messages > 0, 0, np.where(active >= rule.min_baseline, 1, NOT_ENOUGH))
    if blank:
        breached[:] = NOT_ENOUGH
    span = max(before.end - before.start, 1)
    usual = np.asarray(active * (rule.window / span), np.float64)
    value, threshold = messages.astype(np.float64), np.full(len(codes), SILENT)

    def why(at: int) -> str:
        if blank:
            return _unknown(moment)
        if breached[at] == NOT_ENOUGH:
            return _quiet(rule, int(active[at]))
        said = "no messages" if not messages[at] else plural(int(messages[at]), "message")
        return f"{said} in {format_duration(rule.window)}, usually {number(float(usual[at]))}"

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return Finding(group, None, 0.0, SILENT, _unknown(moment) if blank else _quiet(rule, 0))

    return RuleResult(
        moment.reading, rule.by, codes, breached, value, threshold, messages, _none(codes), why, absent, usual
    )


def questions(rule: Absence, moment: EvaluationInput) -> tuple[Query, Query]:
    """The messages first seen in the window, and those first seen before it, as far as that is known to be complete."""
    now = replace(considered(rule, moment.as_of, rule.window), seen=True)
    start = min(max(now.start - rule.active_in, moment.covered_since), now.start)
    return now, now.moved(start, now.start)


def _none(codes: Codes) -> Codes:
    return np.zeros(len(codes), np.int64)


def _unknown(moment: EvaluationInput) -> str:
    return f"not enough data: history reaches back to {iso(moment.known_since)} only"


def _quiet(rule: Absence, active: int) -> str:
    span = format_duration(rule.active_in)
    return f"not enough data: {plural(active, 'message')} in the {span} before, min_baseline is {rule.min_baseline}"


def _sentence(view: AlertView) -> str:
    if view.value:
        return f"{phrases.messages(view.value)}{phrases.place(view)}{phrases.in_window(view)}"
    silent = "" if view.window is None else f" for {duration(view.window + max(view.duration, 0))}"
    return f"No messages{phrases.place(view)}{silent}"


def _pace(view: AlertView) -> str:
    """``, usually 120 an hour``: how many messages come where none do now."""
    if not view.baseline or not view.window:
        return ""
    hourly = view.baseline * HOUR / view.window
    return f", usually {number(hourly)} an hour" if hourly >= 1 else f", usually {number(24 * hourly)} a day"


KIND: Final = Kind[Absence](
    model=Absence,
    evaluate=evaluate,
    unit=always("count"),
    matched=nothing,
    condition=lambda rule: f"no messages for {format_duration(rule.window)}",
    case=lambda rule, moment, group: None,
    wording=Wording(
        measure=_sentence,
        against=_pace,
        is_amount=False,
        shows_usual=True,
        counts_silence=lambda view: True,
        axis="",
    ),
    example=Example(unit="count", values=(0.0, 1.0, 15.0), has_baseline=True, below=True),
    past=PastEvaluation[Absence](spans=one_span, looked_at=whole_reach, is_known=True, unknown=nothing),
    batch=None,
)
