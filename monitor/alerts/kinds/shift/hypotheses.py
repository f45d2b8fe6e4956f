"""The probabilities that the test holds against each other, and what follows from them."""

import numpy as np
from numpy.typing import NDArray

from monitor.runtime.dataclass import dataclass

Floats = NDArray[np.float64]

LEAST = 1e-4
"""The least baseline, and the least distance of any probability from 1."""
MOST_USUAL = 0.9
"""The highest baseline: something has to be left that it can change to."""


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """Of each group; the last axis is the groups. Made by `monitor.alerts.kinds.shift.baseline.derive`."""

    usual: Floats
    """The baseline: what was learned, and drifted since."""
    null: Floats
    """The baseline, cautiously: as high as it may well be."""
    alternatives: Floats
    """(3, groups): what it may have changed to."""
    event: Floats
    """(3, groups): the evidence for each alternative that one message with the event is."""
    no_event: Floats
    """(3, groups): that of one without."""
    lower_event: Floats
    """The evidence that the baseline is too high that one message with the event is."""
    lower_no_event: Floats
    needed: Floats
    """(3, groups): the evidence for each alternative that raises an alarm."""
    quick: Floats
    """The correlation of two messages of one minute."""
    slow: Floats
    """The correlation of two messages of one block."""
    drift: Floats
    """The variance of the logit that is left because a probability drifts by itself."""
    weight: Floats
    """The number of messages that the baseline rests on."""


def with_odds(probability: Floats, factor: Floats | float) -> Floats:
    """The probability whose odds are so many times those of ``probability``."""
    return np.asarray(factor * probability / (1 - probability + factor * probability))


def divergence(null: Floats, alternative: Floats) -> Floats:
    """How much evidence against the alternative one message is on average, where ``null`` is true (Kullback and Leibler 1951)."""
    return np.asarray(null * np.log(null / alternative) + (1 - null) * np.log((1 - null) / (1 - alternative)))
