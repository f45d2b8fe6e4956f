"""How long to wait before something that failed is tried again. Pure, with the randomness handed in."""

import random
from collections.abc import Callable
from typing import Final

from monitor.runtime.clock import MINUTE, SECOND, Duration

FIRST_WAIT: Final = SECOND
LONGEST_WAIT: Final = 5 * MINUTE
_MOST_DOUBLINGS: Final = 20

Jitter = Callable[[], float]
"""Gives numbers between 0 and 1: which part of a wait is waited."""

_random: Final = random.SystemRandom()


def backoff(failures: int, jitter: Jitter, first: Duration = FIRST_WAIT, longest: Duration = LONGEST_WAIT) -> Duration:
    """The wait after the latest of so many ``failures`` in a row (from 1): ``first``, twice that, four times … ``longest``, by ``jitter``."""
    return round(min(longest, first << min(max(failures - 1, 0), _MOST_DOUBLINGS)) * jitter())


def full_jitter() -> float:
    """Evenly anywhere from nothing to the whole wait, so that those who failed together do not come back together."""
    return _random.random()


def equal_jitter() -> float:
    """Between a half and the whole wait: for a single connection, which is never tried again at once."""
    return _random.uniform(0.5, 1.0)


def no_jitter() -> float:
    """The whole wait."""
    return 1.0
