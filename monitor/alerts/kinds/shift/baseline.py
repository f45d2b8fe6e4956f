"""What is usual for each group: learned from complete blocks, an hour after their end."""

from math import exp, fsum

import numpy as np

from monitor.alerts.kinds.shift.drift import drifted, fade, follow
from monitor.alerts.kinds.shift.hypotheses import LEAST, MOST_USUAL, Hypotheses, divergence, with_odds
from monitor.alerts.kinds.shift.settings import ShiftSettings
from monitor.alerts.kinds.shift.state import BLOCK, FF, NF, NN, WAITING, F, Floats, Ints, Mask, N, ShiftState
from monitor.runtime.clock import DAY, HOUR, Instant


def begin_minute(state: ShiftState, minute: Instant, settings: ShiftSettings) -> None:
    """A minute begins: where it is the first of a block, the blocks that are old enough are learned."""
    if state.begun is None:
        state.begun = minute
    elif (passed := minute // BLOCK - state.block) > 0:
        suspected = suspects(state, minute, settings)
        _complete(state, settings)
        followed = _followed(state, minute, settings)
        gone = np.flatnonzero((state.last > 0) & (state.last < minute - settings.forget))
        if gone.size:
            state.forget(gone)
        for block in range(state.block + 1, state.block + 1 + min(passed, WAITING)):
            _learn(state, block % WAITING, minute, suspected, followed, settings)
        state.hypotheses = None
    if state.hypotheses is None:
        derive(state, settings)


def wait(state: ShiftState, minute: Instant, at: Ints, n: Floats, f: Floats, settings: ShiftSettings) -> None:
    """The counts of a minute wait until they are old enough to be learned; those under an alarm are left out."""
    state.block_n[at] += n
    state.judged[at] |= state.daily[at] + state.block_n[at] >= settings.least_daily
    state.judged[at] |= state.alarm[at] & (state.block_n[at] >= settings.least_alone)
    taken = learns(state, minute, settings)[at]
    at, n, f = at[taken], n[taken], f[taken]
    state.waiting[:, minute // BLOCK % WAITING, at] += np.stack([n, f, n * n, n * f, f * f])


def leave_out(state: ShiftState, minute: Instant, at: Ints, since: Ints, settings: ShiftSettings) -> None:
    """An alarm was raised for these groups: what waits of the time since the change is not learned."""
    if _is_warm(state, minute, settings):
        for block in range(minute // BLOCK - WAITING + 1, minute // BLOCK + 1):
            state.waiting[:, block % WAITING, at[since // BLOCK <= block]] = 0


def learn_anew(state: ShiftState, at: Ints) -> None:
    """The baseline of these groups was learned too high (from an incident): it begins anew with what showed that."""
    state.weight[at], state.events[at] = state.drop_n[at], state.drop_f[at]
    for forgotten in (state.blocks, state.quick_excess, state.quick_pairs, state.slow_excess, state.slow_pairs):
        forgotten[at] = 0
    state.drift[at] = state.drift_known[at] = 0
    for done in (state.drop_evidence, state.drop_n, state.drop_f):
        done[at] = 0
    state.waiting[:, :, at] = 0
    state.hypotheses = None


def take_apart(state: ShiftState, minute: Instant, pools: Ints) -> None:
    """A group of these pools is judged by itself from now on: what it has just shown is not theirs."""
    for ended in (state.evidence, state.segment_n, state.segment_f, state.segment_since):
        ended[:, pools] = 0
    fresh = pools[state.alarm[pools] & (minute - state.alarm_at[pools] < BLOCK)]
    state.alarm[fresh] = False
    state.alarm_at[fresh] = state.change_at[fresh] = 0


def rest_on(state: ShiftState, at: Ints, probability: Floats, *, anew: bool) -> None:
    """What counts as the event changes for these groups: their baseline is this from now on. ``anew``: evidence for a change begins anew."""
    state.events[at] = state.weight[at] * probability
    state.drift[at] = state.drift_known[at] = 0
    state.waiting[:, :, at] = 0
    for ended in (state.evidence, state.segment_n, state.segment_f, state.segment_since) if anew else ():
        ended[:, at] = 0
    for done in (state.drop_evidence, state.drop_n, state.drop_f, state.recent_n, state.recent_f):
        done[at] = 0
    state.hypotheses = None


def _is_warm(state: ShiftState, minute: Instant, settings: ShiftSettings) -> bool:
    return state.begun is not None and minute - state.begun >= settings.warm


def learns(state: ShiftState, minute: Instant, settings: ShiftSettings) -> Mask:
    """Which groups learn."""
    if not _is_warm(state, minute, settings):
        return np.ones(state.groups, np.bool_)
    return np.asarray(~state.alarm | (minute - state.alarm_at >= settings.new_normal))


def _complete(state: ShiftState, settings: ShiftSettings) -> None:
    """The present block is complete."""
    state.daily = state.daily * (1 - BLOCK / DAY) + state.block_n
    state.block_n = np.zeros(state.groups)
    least = np.where(state.judged, settings.least_daily / 2, settings.least_daily)
    state.judged = state.daily >= least
    state.judged_groups = max(int(state.judged.sum()), 1)


def _learn(
    state: ShiftState, slot: int, minute: Instant, suspected: Mask, followed: Mask, settings: ShiftSettings
) -> None:
    """The block that waits at ``slot`` is old enough; of the ``suspected`` groups nothing is learned; the drift of others is ``followed``."""
    block = state.waiting[:, slot].copy()
    state.waiting[:, slot] = 0
    quick, slow = _overdispersion(state, settings)
    block[:, suspected] = 0
    n, f = block[N], block[F]
    learning = learns(state, minute, settings) & ~suspected
    decay = np.where(learning, 0.5 ** (BLOCK / settings.half_life), 1.0)
    each = 1 / (1 + np.maximum(n - 1, 0) * slow)  # a burst's messages are alike: it counts for less than its number
    state.weight, state.events = state.weight * decay + n * each, state.events * decay + f * each
    learned, _ = _usual(state, settings)
    fade(state, settings)
    usual = drifted(learned, state.drift)
    variance, winsor = usual * (1 - usual), settings.winsor**2
    minutes = (block[FF] - 2 * usual * block[NF] + usual**2 * block[NN]) / variance
    minutes = np.minimum(minutes, winsor * (n + (block[NN] - n) * quick))
    whole = np.minimum((f - n * usual) ** 2 / variance, winsor * (n + n * (n - 1) * slow))
    once = 1 / (1 + (np.divide(block[NN], n, out=np.ones_like(n), where=n > 0) - 1) * quick) ** 2
    state.quick_excess = state.quick_excess * decay + (minutes - n) * once
    state.quick_pairs = state.quick_pairs * decay + (block[NN] - n) * once
    state.slow_excess = state.slow_excess * decay + (whole - n) * each**2
    state.slow_pairs = state.slow_pairs * decay + np.maximum(n * (n - 1), 0) * each**2
    state.blocks = state.blocks * decay + (n > 1)
    at = np.flatnonzero((n > 0) & followed)
    follow(state, at, n[at] * each[at], f[at] / n[at], learned[at], settings)
    state.hypotheses = None


def suspects(state: ShiftState, minute: Instant, settings: ShiftSettings) -> Mask:
    """Which groups have evidence of a change that may soon raise an alarm."""
    if not _is_warm(state, minute, settings):
        return np.zeros(state.groups, np.bool_)
    hypotheses = state.hypotheses or derive(state, settings)
    much = state.evidence > settings.suspicion * hypotheses.needed
    new = (minute - state.segment_since < settings.suspected) & (state.segment_n < settings.suspected_messages)
    return np.asarray((much & new).any(axis=0))


def _followed(state: ShiftState, minute: Instant, settings: ShiftSettings) -> Mask:
    """Of which groups the drift is followed: those with less evidence of a change."""
    if not _is_warm(state, minute, settings):
        return np.ones(state.groups, np.bool_)
    hypotheses = state.hypotheses or derive(state, settings)
    some = state.evidence > settings.drift_suspicion * hypotheses.needed
    return np.asarray(~(some & (minute - state.segment_since < settings.suspected)).any(axis=0))


def _usual(state: ShiftState, settings: ShiftSettings) -> tuple[Floats, Floats]:
    """What was learned, without the drift, and of how many messages. The sums over the groups do not depend on their order."""
    own = state.level == 0
    known = fsum(state.weight[own]) + settings.prior_account_messages
    of_account = (fsum(state.events[own]) + settings.prior_account_messages * settings.prior_probability) / known
    weight = state.weight + settings.prior_events / of_account
    return np.clip((state.events + settings.prior_events) / weight, LEAST, MOST_USUAL), weight


def _overdispersion(state: ShiftState, settings: ShiftSettings) -> tuple[Floats, Floats]:
    """The correlation of two messages of one minute and of one block: what was measured, drawn towards what is usual anywhere."""
    usual, _ = _usual(state, settings)
    odds, counted = usual / (1 - usual), np.maximum(state.blocks, 1)

    def drawn(excess: Floats, pairs: Floats) -> Floats:
        weight = settings.prior_pairs + settings.prior_blocks * pairs / counted
        drawn = (excess + weight * settings.prior_deviation**2 * odds) / (pairs + weight)
        return np.clip(drawn, 0.0, settings.most_overdispersion)

    slow = np.maximum(drawn(state.slow_excess, state.slow_pairs), settings.least_deviation**2 * odds)
    return drawn(state.quick_excess, state.quick_pairs), slow


def derive(state: ShiftState, settings: ShiftSettings) -> Hypotheses:
    """Works out `ShiftState.hypotheses` of what was learned."""
    (learned, weight), (quick, slow) = _usual(state, settings), _overdispersion(state, settings)
    kept = exp(-HOUR / settings.drift_time)  # the latest block was learned an hour after its end
    usual = drifted(learned, state.drift * kept)
    variance = usual * (1 - usual)
    cautious = usual + settings.null_deviations * np.sqrt(slow * variance + variance / weight)
    null = np.minimum(cautious, (1 + MOST_USUAL) / 2)
    alternatives = _alternatives(usual, null, settings)
    lower = with_odds(usual, 1 / settings.odds)
    state.hypotheses = Hypotheses(
        usual=usual,
        null=null,
        alternatives=alternatives,
        event=np.log(alternatives / null),
        no_event=np.log((1 - alternatives) / (1 - null)),
        lower_event=np.log(lower / usual),
        lower_no_event=np.log((1 - lower) / (1 - usual)),
        needed=_needed(state, null, alternatives, settings),
        quick=quick,
        slow=slow,
        drift=settings.drift**2 * (1 - state.drift_known * kept**2),
        weight=weight,
    )
    return state.hypotheses


def _alternatives(usual: Floats, null: Floats, settings: ShiftSettings) -> Floats:
    least, middle, most = settings.floors
    first = np.maximum(with_odds(usual, settings.odds), with_odds(null, settings.above_null))
    first = np.maximum(first, least)
    second = np.maximum(with_odds(first, settings.steps[0]), middle)
    third = np.maximum(with_odds(first, settings.steps[1]), most)
    return np.asarray(np.minimum(np.stack([first, second, third]), 1 - LEAST))


def _needed(state: ShiftState, null: Floats, alternatives: Floats, settings: ShiftSettings) -> Floats:
    """The evidence for each alternative that is reached by chance once in `ShiftSettings.false_alarm_every`, by all groups together (Lorden 1971)."""
    own = state.daily[(state.level == 0) & (state.daily > 0)]
    usual = fsum(own) / len(own) if len(own) else settings.least_daily
    messages = np.where(state.daily > 0, state.daily, usual) * (settings.false_alarm_every / DAY) * state.judged_groups
    chances = np.maximum(messages * divergence(null, alternatives), 1.0)
    return np.asarray(np.maximum(np.log(chances) + settings.alternatives, settings.least_threshold))
