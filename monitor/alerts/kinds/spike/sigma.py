"""Computes thresholds such as ``4 sigma``: how unlikely the present is, given what was counted in the baseline.

N sigma are crossed if the probability of so many or more (for ``below``: so few or fewer) is below Phi(-N), the probability that a normal
value is N standard deviations out. The probability is that of splitting the events of present and baseline by their sizes: binomial for
a number, hypergeometric for a share. So it takes into account how many messages the present and the baseline rest on.
If the slices of the baseline vary by more than chance, the present may too, and N is multiplied accordingly.
"""

from collections.abc import Callable

import numpy as np

from monitor.alerts.kinds.spike.normal_score import binomial_score, hypergeometric_score
from monitor.alerts.kinds.statistics import Floats, median, robust_sigma
from monitor.runtime.dataclass import dataclass

CLIPPED_AT = 3.0
"""Distance from the median, in sigma, to which outlying days are clipped, so that one odd day has little effect on the baseline."""
ROUNDS = 60
EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class SigmaBaseline:
    """The baseline by group: ``events`` among ``size`` messages (for a number: in ``size`` windows).

    ``spread`` is the variance of a window's measure beyond chance.
    """

    events: Floats
    size: Floats
    spread: Floats

    @property
    def columns(self) -> tuple[Floats, Floats, Floats]:
        """The three columns, in the order of the parameters."""
        return self.events, self.size, self.spread


def past_of(spans: tuple[Floats, Floats], pieces: tuple[Floats, Floats], is_share: bool) -> SigmaBaseline:
    """Returns the baseline of measures and their sizes, one row per span: ``spans`` make it up, ``pieces`` show how much it varies."""
    with np.errstate(all="ignore"):
        values = _clipped(*spans, is_share)
        return SigmaBaseline(np.nansum(values * spans[1], axis=0), spans[1].sum(axis=0), _spread(*pieces, is_share))


def distance(value: Floats, size: Floats, past: SigmaBaseline, is_share: bool, below: bool) -> Floats:
    """Returns how many sigma the present is out on one side; NaN or minus infinity if that is undefined."""
    with np.errstate(all="ignore"):
        return _score(value, size, past, is_share, below) / _stretch(size, past, is_share)


def threshold(amount: float, size: Floats, past: SigmaBaseline, is_share: bool, below: bool) -> Floats:
    """Returns the measure at which the present is ``amount`` sigma out; NaN if the baseline is empty.

    If no measure is that far out it is the extreme one (1, or 0 for ``below``), which nothing crosses.
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
    """Solves for the share. The unknown is the angle whose squared sine is the share, along which scores are nearly linear."""

    def beyond(angle: Floats) -> Floats:
        return _score(np.sin(angle) ** 2, size, past, True, False) - needed

    last = np.full(len(size), np.pi / 2)
    share = np.sin(_crossing(beyond, np.arcsin(np.sqrt(0.5 / size)), last)) ** 2
    return np.where((size > 0) & (past.size > 0), np.where(beyond(last) > 0, share, 1.0), np.nan)


def _number(needed: Floats, size: Floats, past: SigmaBaseline, below: bool) -> Floats:
    """Solves for the number. The unknown is its square root, along which scores are nearly linear."""

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
    """Returns where ``beyond`` is zero between ``near``, where it must be negative, and ``far``.

    The result has no meaning if it is not positive at ``far``. Regula falsi (Illinois), for all groups at once.
    """
    at_near, at_far = beyond(near), beyond(far)
    far = np.where(at_near < 0, far, near)  # ``near`` is already far enough out
    position, moved_far = far, np.zeros(len(far), np.bool_)
    open_ = (at_near < 0) & (at_far > 0)
    for number in range(ROUNDS):
        straight = (near * at_far - far * at_near) / (at_far - at_near)
        # A group that is solved is not changed any more, so that its threshold does not depend on the other groups.
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
    """Returns the factor by which more sigma are needed, because the past varies more than by chance."""
    chance = _variance(past.events / past.size, is_share) * (1 / size + 1 / past.size)
    return np.asarray(np.sqrt(1 + np.where(past.spread > 0, past.spread / chance, 0.0)))


def _variance(measure: Floats, is_share: bool) -> Floats:
    """Returns the variance by chance of a measure of size 1: Poisson for a number, binomial for a share."""
    return measure * (1 - measure) if is_share else measure


def _clipped(values: Floats, sizes: Floats, is_share: bool) -> Floats:
    """Returns the values with outliers moved nearer to the median. If chance gives less than one event, one event counts as chance."""
    middle = median(values)
    chance = np.sqrt(np.maximum(_variance(middle, is_share) * sizes, 1.0)) / sizes
    reach = CLIPPED_AT * np.fmax(robust_sigma(values), chance)
    return np.clip(values, middle - reach, middle + reach)


def _spread(values: Floats, sizes: Floats, is_share: bool) -> Floats:
    """Returns the variance of a window's measure beyond chance, including what it adds to the error of the mean.

    Method of moments (DerSimonian and Laird 1986).
    """
    values = _clipped(values, sizes, is_share)
    count, total = np.count_nonzero(sizes > 0, axis=0), sizes.sum(axis=0)
    mean = np.nansum(values * sizes, axis=0) / total
    chance = _variance(mean, is_share)
    surplus = np.nansum(sizes * (values - mean) ** 2, axis=0) - (count - 1) * chance
    spread = surplus / (total - (sizes**2).sum(axis=0) / total) * (1 + 1 / count)
    return np.where((count > 1) & (spread > 0), spread, 0.0)
