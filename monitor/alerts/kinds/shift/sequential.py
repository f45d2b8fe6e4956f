"""The sequential test: one minute of all groups at a time (CUSUM, Page 1954; its delay is optimal, Lorden 1971)."""

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.shift import baseline
from monitor.alerts.kinds.shift.hypotheses import LEAST, Hypotheses, divergence
from monitor.alerts.kinds.shift.settings import ShiftSettings
from monitor.alerts.kinds.shift.state import BLOCK, Floats, Ints, Mask, ShiftState
from monitor.runtime.clock import DAY, MINUTE, Instant


def fold(state: ShiftState, minute: Instant, n: Ints, f: Ints, settings: ShiftSettings) -> None:
    """Take one minute in, in place: of each group the ``n`` messages whose evidence came in (minute, minute + 60s], and the ``f`` with the event.

    Minutes come in order. The result depends on the state before and on these counts alone.
    """
    baseline.begin_minute(state, minute, settings)
    state.folded_to = minute + MINUTE
    at = np.flatnonzero(n)
    if at.size:
        _fold_counts(state, minute, at, n[at].astype(np.float64), f[at].astype(np.float64), settings)
    if state.hypotheses is None:
        baseline.derive(state, settings)


def _fold_counts(state: ShiftState, minute: Instant, at: Ints, n: Floats, f: Floats, settings: ShiftSettings) -> None:
    hypotheses = state.hypotheses
    assert hypotheses is not None  # `begin_minute` works them out
    counted = np.minimum(n, np.maximum(settings.least_burst, settings.burst * state.daily[at] * (MINUTE / DAY)))
    independent = (1 + (counted - 1) * hypotheses.quick[at]) * n / counted  # how many messages count as one
    alarm = state.alarm[at]
    baseline.wait(state, minute, at, n, f, settings)
    _remember(state, minute, at, n, f, settings)
    if alarm.any():
        under = at[alarm], n[alarm], f[alarm], independent[alarm]
        _look_for_recovery(state, hypotheses, minute, *under, settings)
    if not alarm.all():
        quiet = at[~alarm], n[~alarm], f[~alarm], independent[~alarm]
        _look_for_change(state, hypotheses, minute, *quiet, settings)
        if state.begun is not None and settings.warm <= minute - state.begun < settings.learn:
            _look_for_drop(state, hypotheses, *quiet, settings)


def _remember(state: ShiftState, minute: Instant, at: Ints, n: Floats, f: Floats, settings: ShiftSettings) -> None:
    """The latest messages, for the probability that is shown."""
    kept = 0.5 ** ((minute - state.last[at]) / settings.recent)
    state.recent_n[at] = state.recent_n[at] * kept + n
    state.recent_f[at] = state.recent_f[at] * kept + f
    state.last[at] = minute


def _look_for_change(
    state: ShiftState,
    hypotheses: Hypotheses,
    minute: Instant,
    at: Ints,
    n: Floats,
    f: Floats,
    independent: Floats,
    settings: ShiftSettings,
) -> None:
    gain = (f * hypotheses.event[:, at] + (n - f) * hypotheses.no_event[:, at]) / independent
    evidence = np.maximum(state.evidence[:, at] + gain, 0.0)
    for_change = evidence > 0
    is_new = state.segment_n[:, at] == 0
    since = np.where(is_new, minute, state.segment_since[:, at])
    state.evidence[:, at] = evidence
    state.segment_n[:, at] = np.where(for_change, state.segment_n[:, at] + n, 0.0)
    state.segment_f[:, at] = np.where(for_change, state.segment_f[:, at] + f, 0.0)
    state.segment_since[:, at] = np.where(for_change, since, 0)
    over = at[(evidence > hypotheses.needed[:, at]).any(axis=0)]
    if over.size:
        _raise(state, hypotheses, minute, over, settings)


def _raise(state: ShiftState, hypotheses: Hypotheses, minute: Instant, at: Ints, settings: ShiftSettings) -> None:
    """Raise the alarm of those of these groups whose change is more than what they do by themselves."""
    best = (state.evidence[:, at] - hypotheses.needed[:, at]).argmax(axis=0), at
    n, f = state.segment_n[best], state.segment_f[best]
    blocks = 1 + (minute - state.segment_since[best]) / BLOCK
    large = _deviations(hypotheses, at, n, f, blocks, settings) > settings.gate
    best, at, n, f = (best[0][large], at[large]), at[large], n[large], f[large]
    since = state.segment_since[best]
    state.alarm[at], state.alarm_at[at], state.change_at[at] = True, minute, since
    state.since_n[at], state.since_f[at], state.recovery[at] = n, f, 0.0
    most = 1 - LEAST
    least = hypotheses.alternatives[0, at]
    state.alternative[at] = np.minimum(np.maximum((f + least) / (n + 1), least), most)
    for over in (state.drop_evidence, state.drop_n, state.drop_f):
        over[at] = 0.0
    baseline.leave_out(state, minute, at, since, settings)


def certainty(state: ShiftState, settings: ShiftSettings) -> Floats:
    """How much there is of what raises an alarm: of the evidence, or of the size of the change where that is less. 1 and more: enough."""
    hypotheses, at = state.hypotheses, np.arange(state.groups)
    assert hypotheses is not None, "nothing was folded yet, and `baseline.derive` was not called"
    parts = state.evidence / hypotheses.needed
    best = parts.argmax(axis=0), at
    n, f = np.maximum(state.segment_n[best], 1), state.segment_f[best]
    blocks = 1 + ((state.folded_to or 0) - MINUTE - state.segment_since[best]) / BLOCK
    size = _deviations(hypotheses, at, n, f, blocks, settings) / settings.gate
    return np.asarray(np.minimum(parts[best], np.maximum(size, 0.0)))


def _deviations(
    hypotheses: Hypotheses, at: Ints, n: Floats, f: Floats, blocks: Floats | float, settings: ShiftSettings
) -> Floats:
    """How far a probability is from the baseline, in standard deviations: of chance, and of what the probability does by itself.

    Chance is measured by the deviance, which holds for few messages too; what a probability does by itself, by its logit.
    """
    share, usual = np.clip(f / n, LEAST, 1 - LEAST), hypotheses.usual[at]
    variance = usual * (1 - usual)
    distance = _logit(share) - _logit(usual)
    by_chance = 2 * n * divergence(share, usual)
    unknown = np.minimum(1 / (hypotheses.weight[at] * variance), settings.most_unknown**2)
    by_itself = distance**2 / (hypotheses.drift[at] + hypotheses.slow[at] / variance / blocks + unknown)
    return np.asarray(np.sign(distance) / np.sqrt(1 / np.maximum(by_chance, 1e-9) + 1 / np.maximum(by_itself, 1e-9)))


def _logit(probability: Floats) -> Floats:
    return np.asarray(np.log(probability / (1 - probability)))


def _look_for_recovery(
    state: ShiftState,
    hypotheses: Hypotheses,
    minute: Instant,
    at: Ints,
    n: Floats,
    f: Floats,
    independent: Floats,
    settings: ShiftSettings,
) -> None:
    state.since_n[at] += n
    state.since_f[at] += f
    young: Mask = minute - state.alarm_at[at] <= settings.pending
    against = np.where(young, state.alternative[at], _between(state.alternative[at], hypotheses.alternatives[0, at]))
    null = hypotheses.null[at]
    gain = f * np.log(null / against) + (n - f) * np.log((1 - null) / (1 - against))
    state.recovery[at] = np.maximum(state.recovery[at] + gain / independent, 0.0)
    over = at[state.recovery[at] > np.where(young, settings.blip_over, settings.over)]
    state.alarm[over] = False
    for ended in (state.alarm_at, state.change_at, state.alternative, state.recovery, state.since_n, state.since_f):
        _clear(ended, over)
    for ended in (state.evidence, state.segment_n, state.segment_f, state.segment_since):
        ended[:, over] = 0


def _between(worse: Floats, better: Floats) -> Floats:
    """The probability that is half way between two of them, by its logit. Against the least change alone, where failures are rare, it would
    take some hundred good messages to see that an outage is over.
    """
    return np.asarray(1 / (1 + np.exp(-(_logit(worse) + _logit(better)) / 2)))


def _clear(values: NDArray[np.float64] | NDArray[np.int64], at: Ints) -> None:
    values[at] = 0


def _look_for_drop(
    state: ShiftState,
    hypotheses: Hypotheses,
    at: Ints,
    n: Floats,
    f: Floats,
    independent: Floats,
    settings: ShiftSettings,
) -> None:
    """While a history is learned: was the baseline learned from an incident? Then the probability falls below it when that ends."""
    still_quiet = ~state.alarm[at]
    at, n, f, independent = at[still_quiet], n[still_quiet], f[still_quiet], independent[still_quiet]
    gain = (f * hypotheses.lower_event[at] + (n - f) * hypotheses.lower_no_event[at]) / independent
    evidence = np.maximum(state.drop_evidence[at] + gain, 0.0)
    lower = evidence > 0
    state.drop_evidence[at] = evidence
    state.drop_n[at] = np.where(lower, state.drop_n[at] + n, 0.0)
    state.drop_f[at] = np.where(lower, state.drop_f[at] + f, 0.0)
    over = at[evidence > hypotheses.needed[0, at]]
    found = over[_deviations(hypotheses, over, state.drop_n[over], state.drop_f[over], 1.0, settings) < -settings.gate]
    if found.size:
        baseline.learn_anew(state, found)
