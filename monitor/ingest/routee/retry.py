"""Retries failed attempts: how often, for how long, and with which waits in between. It does not depend on HTTP."""

import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from monitor.ingest.routee.rate_limit import Steady
from monitor.runtime.backoff import backoff
from monitor.runtime.clock import MILLISECOND, SECOND, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import RouteeUnavailable

_log = logging.getLogger(__name__)
Result = TypeVar("Result")


class TryAgain(Exception):
    """One attempt failed in a way that may pass. ``wait`` is how long the other side asked to wait; None if it did not."""

    def __init__(self, outcome: str, sentence: str, wait: Duration | None = None) -> None:
        super().__init__(sentence)
        self.outcome = outcome
        self.wait = wait


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The limits for one request: ``attempts`` in all, ``within`` this time from the start of the first one, each at most ``timeout``.

    The longest wait doubles from ``first`` up to ``longest``; each wait is drawn evenly from zero to that (full jitter).
    """

    attempts: int = 4
    within: Duration = 60 * SECOND
    timeout: Duration = 30 * SECOND
    first: Duration = 500 * MILLISECOND
    longest: Duration = 15 * SECOND


class Attempts:
    """The attempts so far for one request. Its time runs from the start of the first attempt, not while it waits for its turn."""

    def __init__(self, retry_policy: RetryPolicy, clock: Steady, chance: random.Random) -> None:
        self.attempts = 0
        self._retry_policy = retry_policy
        self._clock = clock
        self._chance = chance
        self._began: Instant | None = None

    def begin(self) -> None:
        """Notes that an attempt starts now."""
        self.attempts += 1
        if self._began is None:
            self._began = self._clock.now()

    def left(self) -> Duration:
        """Returns how much time is left for further attempts."""
        spent = 0 if self._began is None else self._clock.now() - self._began
        return max(self._retry_policy.within - spent, 0)

    def timeout(self) -> float:
        """Returns the seconds that the next attempt may take, at least one second if the policy's ``timeout`` allows it."""
        return min(self._retry_policy.timeout, max(self.left(), SECOND)) / SECOND

    def wait_after(self, failure: TryAgain) -> Duration | None:
        """Returns how long to wait before the next attempt; None if there is no further one."""
        drawn = backoff(self.attempts, self._chance.random, self._retry_policy.first, self._retry_policy.longest)
        wait = max(drawn, failure.wait or 0)
        return None if self.attempts >= self._retry_policy.attempts or wait >= self.left() else wait

    def given_up(self, failure: TryAgain) -> RouteeUnavailable:
        """Returns the error to raise after the last attempt."""
        times = f" (tried {self.attempts} times)" if self.attempts > 1 else ""
        return RouteeUnavailable(f"{failure}{times}", failure.outcome, str(failure))


Failed = Callable[[str, str], None]
"""Is called for each failed try with a short word (``503``, ``timeout``) and a sentence."""


def ignore_failure(outcome: str, sentence: str) -> None:
    """Ignores a failed try."""


async def retried(
    attempt: Callable[[Attempts], Awaitable[Result]],
    retry_policy: RetryPolicy,
    clock: Steady,
    chance: random.Random,
    failed: Failed = ignore_failure,
) -> Result:
    """Calls ``attempt`` until it raises no TryAgain, and returns its result. Raises RouteeUnavailable when the policy allows no further
    attempt."""
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
