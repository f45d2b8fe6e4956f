"""Silence by a group's own rhythm: too many messages would have come since the last one.

How many messages an hour a group is expected to have is the second lowest number of the same hour on the last days, and at most twice
that of the hour before the window. A group whose alert is known is held to the days alone, so that its silence does not become usual.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, Floats, RuleResult, history_reaches
from monitor.alerts.kinds.rule_query import considered
from monitor.alerts.kinds.spike.same_hour import days_ago
from monitor.config.rules.absence import RHYTHM_DAYS, Absence
from monitor.config.rules.spike import ENOUGH_DAYS
from monitor.model.finding import Finding
from monitor.model.plurals import duration, number
from monitor.runtime.clock import HOUR, SECOND
from monitor.window import Codes, Query

_RANK: Final = 2
"""Which of the days counts, from the lowest: one day with an outage or a holiday does not lower what is expected."""
_RISE: Final = 2.0
"""How many times the hour before the window may be expected at most: what pauses is not expected to go on as on other days."""


def evaluate(rule: Absence, inputs: EvaluationInput) -> RuleResult:
    """Returns for how many seconds each group has been silent, at most the window; the threshold is how long it may be.

    A group may be silent for the time in which ``rule.expected`` messages come, and never for longer than the window where
    ``rule.min_baseline`` messages came in ``rule.active_in``. Other silent groups have not enough data, because they may just pause.
    """
    window = replace(considered(rule, inputs.as_of, rule.window), seen=True)
    past = inputs.count(_before(rule, inputs, window))
    present = inputs.count(window)
    codes = inputs.codes(rule.by, present, past) if rule.by else np.zeros(1, np.int64)
    messages, active = present.at(codes), past.at(codes)
    hourly = _expected_hourly(rule, inputs, codes)
    silent = _silent_for(rule, inputs, window, codes)
    blank = not inputs.remembers(rule.window + rule.active_in)
    threshold = _allowed(rule, hourly, active >= rule.min_baseline if not blank else np.zeros(len(codes), np.bool_))
    known = np.isfinite(threshold)
    # A silence that began before the window is as long as the window at least.
    crossed = np.where(messages > 0, silent > threshold, silent >= threshold)
    breached = np.where(known & crossed, 1, np.where(messages > 0, 0, NOT_ENOUGH))
    if blank and not known.any():
        breached[:] = NOT_ENOUGH

    def why(at: int) -> str:
        if breached[at] == NOT_ENOUGH:
            return _unknown(inputs) if blank else _quiet(rule, float(hourly[at]))
        said = f"the last message came {duration(float(silent[at]))} ago"
        if not messages[at]:
            said = f"no messages for {duration(float(silent[at]))}"
        if not known[at]:
            return f"{said}; how long is too long is not known"
        return f"{said}, {duration(float(threshold[at]))} is too long{_usual(float(hourly[at]))}"

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return Finding(group, None, None, None, _unknown(inputs) if blank else _quiet(rule, 0.0))

    nothing = np.zeros(len(codes), np.int64)
    limit = np.where(known, threshold, np.nan)
    return RuleResult(inputs.reading, rule.by, codes, breached, silent, limit, messages, nothing, why, absent)


def _before(rule: Absence, inputs: EvaluationInput, window: Query) -> Query:
    start = min(max(window.start - rule.active_in, inputs.covered_since), window.start)
    return window.moved(start, window.start)


def _allowed(rule: Absence, hourly: Floats, is_active: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
    """Returns the longest silence of each group that is no alert, in seconds; infinite where that is not known."""
    assert rule.expected is not None
    longest = np.where(is_active, rule.window / SECOND, np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        rhythm = np.where(hourly > 0, rule.expected * (HOUR / SECOND) / hourly, np.inf)
    rhythm[rhythm > rule.window / SECOND] = np.inf
    return np.minimum(longest, rhythm)


def _expected_hourly(rule: Absence, inputs: EvaluationInput, codes: Codes) -> Floats:
    """Returns the messages an hour that are expected of each group; 0 where that is not known."""
    ahead = HOUR // 2
    ends = [ago - ahead for ago in days_ago(inputs.as_of + ahead, HOUR, RHYTHM_DAYS, inputs.time_zone)]
    known = [ago for ago in ends if ago > 0 and inputs.remembers(ago + HOUR)]
    if len(known) < ENOUGH_DAYS:
        return np.zeros(len(codes))
    days = [inputs.count(considered(rule, inputs.as_of, HOUR, ago)).at(codes) for ago in known]
    usual: Floats = np.sort(np.array(days, np.float64), axis=0)[_RANK - 1]
    lately = inputs.count(considered(rule, inputs.as_of, HOUR, rule.window)).at(codes)
    risen: Floats = np.minimum(usual, _RISE * lately)
    if not inputs.known:
        return risen
    with_alert = np.isin(codes, inputs.known_codes(rule.by) if rule.by else codes[: len(inputs.known)])
    return np.where(with_alert, usual, risen)


def _silent_for(rule: Absence, inputs: EvaluationInput, window: Query, codes: Codes) -> Floats:
    """Returns the seconds since each group's last message was first seen; the window's length where there is none in it."""
    return np.asarray((inputs.as_of - inputs.last_seen(window, codes)) / SECOND, np.float64)


def _unknown(inputs: EvaluationInput) -> str:
    return f"not enough data: {history_reaches(inputs.known_since)} only"


def _quiet(rule: Absence, hourly: float) -> str:
    return f"not enough data: {number(hourly)} messages an hour are expected, too few to miss any within {duration(rule.window)}"


def _usual(hourly: float) -> str:
    return f": {number(hourly)} an hour are expected" if hourly else ""
