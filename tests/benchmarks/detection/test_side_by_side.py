"""Many accounts at once are judged as each alone."""

from dataclasses import fields

import numpy as np

from benchmarks.detection.detectors.side_by_side import SideBySide
from monitor.alerts.kinds.shift.sequential import fold
from monitor.alerts.kinds.shift.settings import ShiftSettings
from monitor.alerts.kinds.shift.state import ShiftState
from monitor.runtime.clock import DAY, HOUR, MINUTE

QUICK = ShiftSettings(learn=8 * HOUR, warm=2 * HOUR, new_normal=3 * HOUR, least_daily=20.0)
USUAL = np.array([0.03, 0.1, 0.02, 0.05, 0.05, 0.01, 0.3, 0.2, 0.1])
RATES = np.array([5, 50, 0.1, 3, 9, 200, 1, 0.5, 2])


def test_accounts_side_by_side_are_judged_as_each_alone() -> None:
    rng = np.random.default_rng(1)
    levels = [np.array([0, 0, 1]), np.array([0, 0, 0, 0, 1, 2])]
    together, alone = SideBySide(levels, QUICK), [ShiftState.empty(3), ShiftState.empty(6)]
    for state, level in zip(alone, levels, strict=True):
        state.level[:] = level
    alarms = 0
    for minute in range(1300):
        n = rng.poisson(RATES)
        f = rng.binomial(n, np.minimum(USUAL * 4, 0.9) if 900 < minute < 1200 else USUAL)
        now = 20_000 * DAY + minute * MINUTE
        together.fold(now, n, f)
        for state, span in zip(alone, together.slices, strict=True):
            fold(state, now, n[span], f[span], QUICK)
        alarms += int(together.whole.alarm.sum())
    assert alarms > 100
    for name in (each.name for each in fields(ShiftState) if each.name not in ("begun", "folded_to", "judged_groups")):
        if name == "hypotheses":
            continue
        whole = getattr(together.whole, name)
        for state, span in zip(alone, together.slices, strict=True):
            assert np.array_equal(whole[..., span], getattr(state, name)), name


def test_a_glimpse_changes_nothing_and_says_what_the_minute_would() -> None:
    test = SideBySide([np.zeros(2, np.int64)], QUICK)
    rng = np.random.default_rng(2)
    for minute in range(1000):
        n = rng.poisson([20, 20])
        test.fold(minute * MINUTE, n, rng.binomial(n, 0.03))
    before = test.whole.evidence.copy()
    assert test.glimpse(1000 * MINUTE, np.array([20, 20]), np.array([20, 0])).tolist() == [True, False]
    assert np.array_equal(test.whole.evidence, before)
    assert not test.whole.alarm.any()
