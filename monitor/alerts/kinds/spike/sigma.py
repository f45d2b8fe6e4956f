"""``4 sigma``: how unlikely the present is, given what was counted in the baseline.

N sigma are crossed where the chance of so many or more (for below: so few or fewer) is under Phi(-N), the chance of a normal value being N
standard deviations out. The chance is that of the present and the baseline together, split by their sizes: binomial for a number,
hypergeometric for a share. So it knows how many messages the present rests on, and how many the baseline.
Where the pieces of the baseline differ from each other by more than chance, the present may too, and N is stretched by as much.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monitor.alerts.kinds.spike.normal_score import binomial_score, hypergeometric_score
from monitor.alerts.kinds.statistics import Floats, median, robust_sigma

CLIPPED_AT = 3.0
"""Sigma from the median to which a day further away is clipped, so that one odd day has little effect on the baseline."""
ROUNDS = 60
EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class SigmaBaseline:
    """What the baseline knows, by group: ``events`` among ``size`` messages (of a number: in ``size`` windows), and ``spread``, the
    variance of a window's measure beyond chance."""

    events: Floats
    size: Floats
    spread: Floats

    @property
    def columns(self) -> tuple[Floats, Floats, Floats]:
        """The parts in order."""
        return self.events, self.size, self.spread


def past_of(spans: tuple[Floats, Floats], pieces: tuple[Floats, Floats], is_share: bool) -> SigmaBaseline:
    """Of measures and their sizes, one line a span: ``spans`` make the baseline up, ``pieces`` tell how much it varies."""
    with np.errstate(all="ignore"):
        values = _clipped(*spans, is_share)
        return SigmaBaseline(np.nansum(values * spans[1], axis=0), spans[1].sum(axis=0), _spread(*pieces, is_share))


def distance(value: Floats, size: Floats, past: SigmaBaseline, is_share: bool, below: bool) -> Floats:
    """How many sigma the present is out on one side. NaN or minus infinity where that cannot be said."""
    with np.errstate(all="ignore"):
        return _score(value, size, past, is_share, below) / _stretch(size, past, is_share)


def threshold(amount: float, size: Floats, past: SigmaBaseline, is_share: bool, below: bool) -> Floats:
    """The measure at which the present is ``amount`` sigma out; NaN where nothing was counted.

    Where no measure is far enough out it is the last one (1, or 0 for below), which nothing crosses.
    """
    with np.errstate(all="ignore"):
        needed = amount * _stretch(size, past, is_share)
        if is_share and below:
            other = SigmaBaseline(past.size - past.events, past.size, past.spread)
            return np.asarray(1 - _highest_share(needed, size, other))
        return _highest_share(needed, size, past) if is_share else _number(needed, size, past, below)


def _score(value: Floats, size: Floats, past: SigmaBaseline, is_share: bool, below: bool) -> Floats:
    events = value * size
    if not is_share:
        total, part = events + past.events, size / (size + past.size)
        return -binomial_score(events, total, part) if below else binomial_score(events - 1, total, part)
    others, usual_others = size - events, past.size - past.events
    if below:
        return -hypergeometric_score(events, others, past.events, usual_others)
    return hypergeometric_score(events - 1, others + 1, past.events + 1, usual_others - 1)


def _highest_share(needed: Floats, size: Floats, past: SigmaBaseline) -> Floats:
    """Along the angle whose squared sine is the share: there scores run nearly straight."""

    def beyond(angle: Floats) -> Floats:
        return _score(np.sin(angle) ** 2, size, past, True, False) - needed

    last = np.full(len(size), np.pi / 2)
    share = np.sin(_crossing(beyond, np.arcsin(np.sqrt(0.5 / size)), last)) ** 2
    return np.where((size > 0) & (past.size > 0), np.where(beyond(last) > 0, share, 1.0), np.nan)


def _number(needed: Floats, size: Floats, past: SigmaBaseline, below: bool) -> Floats:
    """Along the root of the number: there scores run nearly straight."""

    def beyond(root: Floats) -> Floats:
        return _score(root**2 / size, size, past, False, below) - needed

    usual = np.sqrt(past.events / past.size * size)
    if below:
        zero = np.zeros(len(size))
        number = np.where(beyond(zero) > 0, _crossing(beyond, usual, zero) ** 2, 0.0)
    else:
        last = usual + 1 + needed * np.sqrt(1 + size / past.size)
        while (near := beyond(last) <= 0).any() and last.max() < 1e9:
            last = np.where(near, 2 * last, last)
        number = _crossing(beyond, np.full(len(size), np.sqrt(0.5)), last) ** 2
    return np.where(past.size > 0, number / size, np.nan)


def _crossing(beyond: Callable[[Floats], Floats], near: Floats, far: Floats) -> Floats:
    """Where ``beyond`` is zero between ``near``, where it is negative, and ``far``; without meaning where it is not positive there.

    Regula falsi (Illinois), for all groups at once.
    """
    at_near, at_far = beyond(near), beyond(far)
    far = np.where(at_near < 0, far, near)  # beyond already where it is nearest
    position, moved_far = far, np.zeros(len(far), np.bool_)
    open_ = (at_near < 0) & (at_far > 0)
    for number in range(ROUNDS):
        straight = (near * at_far - far * at_near) / (at_far - at_near)
        # A group that is done stays as it is, so that its threshold does not depend on the other groups.
        position = np.where(open_, np.where(np.isfinite(straight), straight, (near + far) / 2), position)
        at = beyond(position)
        open_ &= np.abs(at) > EXACT
        if not open_.any():
            break
        out = at > 0
        again = (out == moved_far) & (number > 0)
        at_near = np.where(out, np.where(again, at_near / 2, at_near), at)
        at_far = np.where(out, at, np.where(again, at_far / 2, at_far))
        near, far, moved_far = np.where(out, near, position), np.where(out, position, far), out
    return position


def _stretch(size: Floats, past: SigmaBaseline, is_share: bool) -> Floats:
    """How many times the distance by chance alone is needed, because the past varies more than by chance."""
    chance = _variance(past.events / past.size, is_share) * (1 / size + 1 / past.size)
    return np.asarray(np.sqrt(1 + np.where(past.spread > 0, past.spread / chance, 0.0)))


def _variance(measure: Floats, is_share: bool) -> Floats:
    """The variance that chance gives to a measure of size 1: Poisson for a number, binomial for a share."""
    return measure * (1 - measure) if is_share else measure


def _clipped(values: Floats, sizes: Floats, is_share: bool) -> Floats:
    """The values, and those far from their median brought nearer. Of none in the median, one event is taken for chance."""
    middle = median(values)
    chance = np.sqrt(np.maximum(_variance(middle, is_share) * sizes, 1.0)) / sizes
    reach = CLIPPED_AT * np.fmax(robust_sigma(values), chance)
    return np.clip(values, middle - reach, middle + reach)


def _spread(values: Floats, sizes: Floats, is_share: bool) -> Floats:
    """The variance of a window's measure beyond chance, by the method of moments (DerSimonian and Laird 1986), and what that adds to
    the error of the mean."""
    values = _clipped(values, sizes, is_share)
    count, total = np.count_nonzero(sizes > 0, axis=0), sizes.sum(axis=0)
    mean = np.nansum(values * sizes, axis=0) / total
    chance = _variance(mean, is_share)
    surplus = np.nansum(sizes * (values - mean) ** 2, axis=0) - (count - 1) * chance
    spread = surplus / (total - (sizes**2).sum(axis=0) / total) * (1 + 1 / count)
    return np.where((count > 1) & (spread > 0), spread, 0.0)
