"""Computes the wait before a failed attempt is retried. The functions are pure; the caller passes the randomness."""

import random
from collections.abc import Callable
from typing import Final

from monitor.runtime.clock import MINUTE, SECOND, Duration

FIRST_WAIT: Final = SECOND
LONGEST_WAIT: Final = 5 * MINUTE
_MOST_DOUBLINGS: Final = 20
"""Keeps the shifted number small after thousands of failures."""

Jitter = Callable[[], float]
"""Returns a number between 0 and 1: the fraction of the wait to use."""

_random: Final = random.SystemRandom()


def backoff(failures: int, jitter: Jitter, first: Duration = FIRST_WAIT, longest: Duration = LONGEST_WAIT) -> Duration:
    """Returns the wait after ``failures`` failures in a row (from 1): ``first``, doubled each time up to ``longest``, times ``jitter``."""
    return round(min(longest, first << min(max(failures - 1, 0), _MOST_DOUBLINGS)) * jitter())


def full_jitter() -> float:
    """Returns an even random fraction from 0 to 1, so that clients that failed together do not retry together."""
    return _random.random()


def equal_jitter() -> float:
    """Returns a fraction between 0.5 and 1, for a single connection that must never retry at once."""
    return _random.uniform(0.5, 1.0)


def no_jitter() -> float:
    """Returns 1: the whole wait."""
    return 1.0
