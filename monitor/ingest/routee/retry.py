"""Trying again: how often, how long, and how long to wait in between. Nothing here knows HTTP's transport."""

import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from monitor.ingest.routee.rate_limit import Steady
from monitor.runtime.backoff import backoff
from monitor.runtime.clock import MILLISECOND, SECOND, Duration, Instant
from monitor.runtime.errors import RouteeUnavailable

_log = logging.getLogger(__name__)
Result = TypeVar("Result")


class TryAgain(Exception):
    """One attempt failed in a way that may pass. ``wait`` is how long the other side asked to wait, None where it did not say."""

    def __init__(self, outcome: str, sentence: str, wait: Duration | None = None) -> None:
        super().__init__(sentence)
        self.outcome = outcome
        self.wait = wait


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How much is done for one answer: ``attempts`` in all, ``within`` from the first one's start, each at most ``timeout``.
    Waits in between grow from ``first`` by doubling up to ``longest``, each drawn evenly from zero to that (full jitter)."""

    attempts: int = 4
    within: Duration = 60 * SECOND
    timeout: Duration = 30 * SECOND
    first: Duration = 500 * MILLISECOND
    longest: Duration = 15 * SECOND


class Attempts:
    """What has been tried so far for one answer. Time runs from the first attempt's start, not while waiting for a turn."""

    def __init__(self, retry_policy: RetryPolicy, clock: Steady, chance: random.Random) -> None:
        self.attempts = 0
        self._retry_policy = retry_policy
        self._clock = clock
        self._chance = chance
        self._began: Instant | None = None

    def begin(self) -> None:
        """An attempt starts now."""
        self.attempts += 1
        if self._began is None:
            self._began = self._clock.now()

    def left(self) -> Duration:
        """How much time is left for this answer."""
        spent = 0 if self._began is None else self._clock.now() - self._began
        return max(self._retry_policy.within - spent, 0)

    def timeout(self) -> float:
        """Seconds that the next attempt may take."""
        return min(self._retry_policy.timeout, max(self.left(), SECOND)) / SECOND

    def wait_after(self, failure: TryAgain) -> Duration | None:
        """How long to wait before the next attempt; None where there is to be none."""
        drawn = backoff(self.attempts, self._chance.random, self._retry_policy.first, self._retry_policy.longest)
        wait = max(drawn, failure.wait or 0)
        return None if self.attempts >= self._retry_policy.attempts or wait >= self.left() else wait

    def given_up(self, failure: TryAgain) -> RouteeUnavailable:
        """The error to raise after the last attempt."""
        times = f" (tried {self.attempts} times)" if self.attempts > 1 else ""
        return RouteeUnavailable(f"{failure}{times}", failure.outcome)


Failed = Callable[[str, str], None]
"""Told of each try that failed: a short word (``503``, ``timeout``), and a sentence."""


def nobody(outcome: str, sentence: str) -> None:
    """Nobody is told of tries that failed."""


async def retried(
    attempt: Callable[[Attempts], Awaitable[Result]],
    retry_policy: RetryPolicy,
    clock: Steady,
    chance: random.Random,
    failed: Failed = nobody,
) -> Result:
    """What ``attempt`` gives, as soon as it raises no TryAgain. Raises RouteeUnavailable when patience is at an end."""
    attempts_so_far = Attempts(retry_policy, clock, chance)
    while True:
        try:
            return await attempt(attempts_so_far)
        except TryAgain as failure:
            failed(failure.outcome, str(failure))
            wait = attempts_so_far.wait_after(failure)
            if wait is None:
                raise attempts_so_far.given_up(failure) from failure
            _log.info("%s; trying again in %.1f s", failure, wait / SECOND)
        await clock.sleep(wait)
